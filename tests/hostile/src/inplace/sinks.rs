//! The sink, called out of order.

use crate::bindings::strongroom::kv::kv_sink::{self, Sink, Writer};
use crate::bindings::strongroom::kv::kv_store::Table;

const NAMES: [&str; 6] = [
    "create_twice",
    "two_writers",
    "append_after_finish",
    "finish_too_early",
    "say_done_and_do_nothing",
    "garbage",
];

pub(crate) fn is_restore(name: &str) -> bool {
    NAMES.contains(&name)
}

fn create() -> Sink {
    kv_sink::create("app", b"maps").unwrap_or_else(|e| panic!("{}", e.message))
}

fn table(sink: &Sink, name: &str) -> Result<Writer, String> {
    let table = Table {
        name: name.to_owned(),
        multimap: false,
        entries: u64::MAX,
        bytes_about: u64::MAX,
        key_type: "bytes".to_owned(),
        value_type: "bytes".to_owned(),
        identity: b"map of bytes".to_vec(),
    };
    sink.table(&table).map_err(|e| e.message)
}

/// What came of the attack; `None` says that all is done.
#[allow(unsafe_code)]
pub(crate) fn restore(name: &str) -> Option<String> {
    let came_of_it = match name {
        "create_twice" => {
            let _first = create();
            kv_sink::create("app", b"maps").err().map(|e| e.message)
        }
        "two_writers" => {
            let sink = create();
            let _first = table(&sink, "first");
            table(&sink, "second").err()
        }
        "append_after_finish" => {
            let sink = create();
            let writer = table(&sink, "table").ok()?;
            let handle = writer.handle();
            let _ = Writer::finish(writer);
            // Safety: none; that is the point.
            let again = std::mem::ManuallyDrop::new(unsafe { Writer::from_handle(handle) });
            again.append(&[0; 8]).err().map(|e| e.message)
        }
        "finish_too_early" => {
            let sink = create();
            let _writer = table(&sink, "table");
            Sink::finish(sink).err().map(|e| e.message)
        }
        "garbage" => {
            let sink = create();
            let writer = table(&sink, "table").ok()?;
            let appended = writer.append(&[0xff; 100_000]);
            appended.and_then(|()| Writer::finish(writer)).err().map(|e| e.message)
        }
        _ => return None,
    };
    Some(came_of_it.unwrap_or_else(|| format!("ESCAPED: {name}")))
}

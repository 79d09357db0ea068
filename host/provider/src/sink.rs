//! `kv-sink`: the granted new database.

use std::cell::RefCell;
use std::rc::Rc;

use strongroom_store as kv;
use strongroom_store::Sink as _;
use strongroom_store::redb::RedbSink;

use crate::Component;
use crate::bindings::exports::strongroom::kv::kv_sink as wit;
use crate::bindings::exports::strongroom::kv::kv_store::{Error, ErrorCode, Table};

type Result<T, E = Error> = std::result::Result<T, E>;

thread_local! {
    static GRANTED: RefCell<Option<RedbSink>> = const { RefCell::new(None) };
    static FINISHED: RefCell<Option<RedbSink>> = const { RefCell::new(None) };
}

/// Grants a new database, once, under whatever name.
pub(crate) fn grant(sink: RedbSink) {
    GRANTED.set(Some(sink));
}

/// Gives the database that the engine has finished its name.
pub(crate) fn publish() -> kv::Result<()> {
    let finished = FINISHED.take().ok_or_else(|| {
        let message = "the engine said that it was done without finishing the new database";
        kv::Error::new(kv::ErrorCode::Other, message)
    })?;
    Box::new(finished).publish()
}

/// Takes away what was not published.
pub(crate) fn drop_unpublished() {
    GRANTED.set(None);
    FINISHED.set(None);
}

/// The sink, and whether a table of it is being written. A writer that is dropped after its sink finds nothing.
type Shared = Rc<RefCell<Filling>>;

struct Filling {
    sink: Option<RedbSink>,
    writing: bool,
}

/// A new database that the engine fills.
pub(crate) struct Sink(Shared);

/// A table of it.
pub(crate) struct Writer {
    filling: Shared,
    over: bool,
}

fn error(code: ErrorCode, message: &str) -> Error {
    Error { code, message: message.to_owned() }
}

fn gone() -> Error {
    error(ErrorCode::Other, "the new database was finished or dropped before")
}

impl wit::Guest for Component {
    type Sink = Sink;
    type Writer = Writer;

    fn create(name: String, template: Vec<u8>) -> Result<wit::Sink> {
        // One sink is granted, so it has any name.
        let _ = name;
        let mut sink = GRANTED.take().ok_or_else(|| {
            error(ErrorCode::Denied, "this run was granted no database to make, or has made it already")
        })?;
        sink.create(&template)?;
        let filling = Filling { sink: Some(sink), writing: false };
        Ok(wit::Sink::new(Sink(Rc::new(RefCell::new(filling)))))
    }
}

impl wit::GuestSink for Sink {
    fn table(&self, table: Table) -> Result<wit::Writer> {
        let mut filling = self.0.borrow_mut();
        if filling.writing {
            return Err(error(ErrorCode::Other, "one table is written at a time; finish the one before"));
        }
        let table = kv::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        filling.sink.as_mut().ok_or_else(gone)?.table(&table)?;
        filling.writing = true;
        Ok(wit::Writer::new(Writer { filling: Rc::clone(&self.0), over: false }))
    }

    fn finish(this: wit::Sink) -> Result<()> {
        let this: Sink = this.into_inner();
        let mut filling = this.0.borrow_mut();
        if filling.writing {
            return Err(error(ErrorCode::Other, "a table is still being written"));
        }
        let mut sink = filling.sink.take().ok_or_else(gone)?;
        sink.finish()?;
        FINISHED.set(Some(sink));
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.borrow_mut().sink = None;
    }
}

impl wit::GuestWriter for Writer {
    fn append(&self, entries: Vec<u8>) -> Result<()> {
        Ok(self.filling.borrow_mut().sink.as_mut().ok_or_else(gone)?.append(&entries)?)
    }

    fn finish(this: wit::Writer) -> Result<u64> {
        let mut this: Writer = this.into_inner();
        this.over = true;
        let mut filling = this.filling.borrow_mut();
        filling.writing = false;
        Ok(filling.sink.as_mut().ok_or_else(gone)?.finish_table()?)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut filling = self.filling.borrow_mut();
        filling.writing = false;
        if filling.sink.as_mut().is_some_and(|sink| sink.abandon_table().is_err()) {
            filling.sink = None;
        }
    }
}

//! JSON Lines, and what both sinks promise.

use proptest::prelude::*;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use strongroom_store::rows::JsonLinesSink;
use strongroom_store::{ErrorCode, Result, Sink, frame};

use crate::json::Json;
use crate::model::{Entry, Kind, Model, fill, origin, tables};

type Made = fn(&Path, bool) -> Result<Box<dyn Sink>>;

fn made() -> Vec<Made> {
    vec![
        |path, overwrite| Ok(Box::new(JsonLinesSink::new(path, overwrite)?)),
        #[cfg(feature = "sqlite")]
        |path, overwrite| Ok(Box::new(strongroom_store::rows::SqliteSink::new(path, overwrite)?)),
    ]
}

/// A pipe that is kept.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads back what was written, table by table.
fn read(text: &str, tables: &[Model]) {
    let mut lines = text.lines().map(Json::parse);
    for model in tables {
        let head = lines.next().unwrap();
        let kind = if model.multimap { "multimap" } else { "table" };
        assert_eq!(
            (head.get("table").unwrap().text(), head.get("kind").unwrap().text()),
            (&model.name[..], kind)
        );
        assert_eq!(head.get("key_type").unwrap().text(), model.key.name());
        assert_eq!(head.get("value_type").unwrap().text(), model.value.name());
        assert_eq!(head.get("entries"), Some(&Json::Number(model.entries.len().to_string())));
        assert_eq!(head.get("key"), None);
        for entry in &model.entries {
            let line = lines.next().unwrap();
            assert_eq!(
                (line.get("table").unwrap().text(), line.get("kind").unwrap().text()),
                (&model.name[..], kind)
            );
            let told: Entry =
                (model.key.bytes(line.get("key").unwrap()), model.value.bytes(line.get("value").unwrap()));
            assert_eq!(told, *entry, "{line:?} {:?} {:?}", model.key, model.value);
        }
    }
    let last = lines.next().unwrap();
    assert_eq!(last.get("snapshot").unwrap().text(), origin().name);
    assert_eq!(last.get("position"), Some(&Json::Number(u64::MAX.to_string())));
    assert_eq!(last.get("tables"), Some(&Json::Number(tables.len().to_string())));
    assert_eq!(lines.next(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn every_entry_comes_back_out_of_json_lines(tables in tables(), max in 1..2000_usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        fill(Box::new(JsonLinesSink::new(&path, false).unwrap()), &tables, max).unwrap();
        let pipe = Pipe::default();
        fill(Box::new(JsonLinesSink::stream(pipe.clone())), &tables, max).unwrap();
        let file = fs::read_to_string(&path).unwrap();
        read(&file, &tables);
        prop_assert!(pipe.0.lock().unwrap().as_slice() == file.as_bytes());
    }
}

fn model(name: &str, rows: u64) -> Model {
    let entries = (0..rows).map(|i| (i.to_le_bytes().to_vec(), format!("{i}").into_bytes())).collect();
    let key = Kind::Int { signed: false, width: 8 };
    Model { name: name.into(), multimap: false, key, value: Kind::Str, entries }
}

#[test]
fn lines_are_as_documented() {
    let pipe = Pipe::default();
    let tuple = Model {
        name: "t".into(),
        multimap: true,
        key: Kind::Tuple(vec![Kind::Int { signed: true, width: 4 }, Kind::Str], false),
        value: Kind::Option(Box::new(Kind::Bytes)),
        entries: vec![
            ([&[255, 255, 255, 255][..], b"a\"b"].concat(), vec![1, 0xab]),
            (vec![1, 0, 0, 0], vec![0]),
            (vec![1, 0, 0], vec![2]),
        ],
    };
    fill(Box::new(JsonLinesSink::stream(pipe.clone())), &[tuple], 7).unwrap();
    let text = String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        [
            r#"{"table":"t","kind":"multimap","entries":3,"key_type":"(i32,&str)","value_type":"Option<&[u8]>"}"#,
            r#"{"table":"t","kind":"multimap","key":[-1,"a\"b"],"value":"ab"}"#,
            r#"{"table":"t","kind":"multimap","key":[1,""],"value":null}"#,
            r#"{"table":"t","kind":"multimap","key":{"hex":"010000"},"value":{"hex":"02"}}"#,
        ]
    );
}

#[test]
fn a_file_has_its_name_only_when_all_is_there_and_an_existing_one_stays_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    for make in made() {
        let mut sink = make(&path, false).unwrap();
        sink.create(b"").unwrap();
        sink.finish().unwrap();
        assert!(!path.exists());
        drop(sink);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something is left behind");

        fs::write(&path, "mine").unwrap();
        assert_eq!(make(&path, false).err().unwrap().code, ErrorCode::Exists);
        let mut sink = make(&path, true).unwrap();
        sink.create(b"").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        sink.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        sink.publish().unwrap();
        assert_ne!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_table_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (number, make) in made().into_iter().enumerate() {
        let (path, same) = (dir.path().join(format!("{number}")), dir.path().join(format!("{number} same")));
        let tables = [model("a", 10), model("c", 1000)];
        let mut sink = make(&path, false).unwrap();
        sink.create(b"").unwrap();
        let put = |sink: &mut dyn Sink, model: &Model, whole: bool| {
            let table = strongroom_store::Table {
                name: model.name.clone(),
                multimap: false,
                entries: model.entries.len() as u64,
                bytes_about: 0,
                key_type: model.key.name(),
                value_type: model.value.name(),
                identity: Vec::new(),
            };
            sink.table(&table).unwrap();
            let mut packed = Vec::new();
            model.entries.iter().for_each(|(key, value)| frame::push(&mut packed, key, value).unwrap());
            if !whole {
                packed.truncate(packed.len() - 3);
            }
            sink.append(&packed).unwrap();
            if whole {
                sink.finish_table().unwrap();
            } else {
                assert_eq!(sink.finish_table().unwrap_err().code, ErrorCode::Corrupt);
                sink.abandon_table().unwrap();
            }
        };
        put(sink.as_mut(), &tables[0], true);
        put(sink.as_mut(), &model("b", 100_000), false);
        put(sink.as_mut(), &tables[1], true);
        sink.finish().unwrap();
        sink.describe(&origin()).unwrap();
        sink.publish().unwrap();
        fill(make(&same, false).unwrap(), &tables, 100).unwrap();
        if number == 0 {
            assert!(fs::read(&path).unwrap() == fs::read(&same).unwrap());
        }
        #[cfg(feature = "sqlite")]
        if number == 1 {
            let connection = rusqlite::Connection::open(&path).unwrap();
            let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
            assert_eq!(connection.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
            let tables = "SELECT count(*) FROM strongroom_tables";
            assert_eq!(connection.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        }
    }
}

#[test]
fn calls_out_of_order_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    for make in made() {
        let mut sink = make(&dir.path().join("out"), false).unwrap();
        assert!(sink.append(b"x").is_err() && sink.finish().is_err() && sink.finish_table().is_err());
        sink.create(b"").unwrap();
        assert!(sink.create(b"").is_err() && sink.append(b"x").is_err() && sink.abandon_table().is_err());
        assert!(sink.describe(&origin()).is_err());
        assert!(sink.publish().is_err());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_who_has_enough_is_told_from_a_disk_that_is_full() {
    struct Fails(io::ErrorKind);
    impl Write for Fails {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for (kind, code) in
        [(io::ErrorKind::BrokenPipe, ErrorCode::Cancelled), (io::ErrorKind::StorageFull, ErrorCode::Full)]
    {
        let error = fill(Box::new(JsonLinesSink::stream(Fails(kind))), &[model("a", 3)], 100).unwrap_err();
        assert_eq!(error.code, code);
    }
}

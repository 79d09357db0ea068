//! A restore is all there or not there at all.
#![allow(clippy::unwrap_used)]

mod common;

use common::{copy, drain, filled, scan};
use redb::{
    Builder, ConcurrencyMode, Database, MultimapTableDefinition, ReadableDatabase, ReadableTableMetadata,
    TableDefinition,
};
use std::fs;
use strongroom_store::redb::{RedbSink, RedbStore};
use strongroom_store::{ErrorCode, Sink, Store, Table, bytes, frame};

struct Source {
    dir: tempfile::TempDir,
    _database: Database,
    store: RedbStore,
    tables: Vec<Table>,
    threads: bool,
}

/// With a sink that has a thread, and with one that has none.
fn sources() -> [Source; 2] {
    [true, false].map(source)
}

fn source(threads: bool) -> Source {
    let dir = tempfile::tempdir().unwrap();
    let database = filled(&dir.path().join("a.redb"), &[]);
    let txn = database.begin_write().unwrap();
    {
        let mut plain = txn.open_table(TableDefinition::<u64, &[u8]>::new("plain")).unwrap();
        let mut multi = txn.open_multimap_table(MultimapTableDefinition::<u8, u64>::new("multi")).unwrap();
        for i in 0..20_000 {
            plain.insert(i, &[i as u8; 100][..]).unwrap();
            multi.insert(i as u8 % 3, i).unwrap();
        }
    }
    txn.commit().unwrap();
    let store = RedbStore::live(&database).unwrap();
    let tables = store.tables().unwrap();
    Source { dir, _database: database, store, tables, threads }
}

impl Source {
    fn new_sink(&self) -> RedbSink {
        let sink = RedbSink::new(&self.dir.path().join("out.redb"), false).unwrap();
        if self.threads { sink } else { sink.on_this_thread() }
    }

    fn sink(&self) -> RedbSink {
        let mut sink = self.new_sink();
        sink.create(&self.store.template().unwrap()).unwrap();
        sink
    }

    fn entries(&self, table: &str) -> Vec<u8> {
        drain(self.store.scan(table, None, None).unwrap(), 1 << 20).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn nothing_is_left_of_a_sink_that_is_dropped() {
    for source in sources() {
        for stage in 0..4 {
            let mut sink = source.sink();
            if stage > 0 {
                sink.table(&source.tables[1]).unwrap();
                sink.append(&source.entries("plain")).unwrap();
            }
            if stage > 1 {
                sink.finish_table().unwrap();
            }
            if stage > 2 {
                sink.finish().unwrap();
            }
            assert_eq!(source.names(), ["a.redb", "out.redb.strongroom-partial"]);
            drop(sink);
            assert_eq!(source.names(), ["a.redb"], "stage {stage}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_restored_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    for source in sources() {
        let out = source.dir.path().join("out.redb");
        copy(&source.store, &out, 1 << 20).unwrap();
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(source.names(), ["a.redb", "out.redb"]);
    }
}

#[test]
fn an_existing_file_stays_whole_until_it_may_be_replaced() {
    for source in sources() {
        let out = source.dir.path().join("out.redb");
        fs::write(&out, b"precious").unwrap();
        assert_eq!(RedbSink::new(&out, false).err().unwrap().code, ErrorCode::Exists);
        let mut sink = RedbSink::new(&out, true).unwrap();
        sink.create(&source.store.template().unwrap()).unwrap();
        sink.finish().unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"precious");
        Box::new(sink).publish().unwrap();
        assert!(RedbStore::open(&out).unwrap().tables().unwrap().is_empty());
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    for source in sources() {
        let mut sink = source.sink();
        sink.finish().unwrap();
        let out = source.dir.path().join("out.redb");
        fs::write(&out, b"precious").unwrap();
        assert_eq!(Box::new(sink).publish().unwrap_err().code, ErrorCode::Exists);
        assert_eq!(fs::read(&out).unwrap(), b"precious");
        assert_eq!(source.names(), ["a.redb", "out.redb"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_database_that_is_open_is_not_replaced() {
    for source in sources() {
        let out = source.dir.path().join("open.redb");
        for mode in
            [ConcurrencyMode::ExclusiveWriter, ConcurrencyMode::SingleWriter, ConcurrencyMode::MultiWriter]
        {
            let _open = Builder::new().set_concurrency_mode(mode).create(&out).unwrap();
            assert_eq!(RedbSink::new(&out, true).err().unwrap().code, ErrorCode::Busy, "{mode:?}");
        }
        RedbSink::new(&out, true).unwrap();
    }
}

#[test]
fn a_leftover_is_replaced_but_not_that_of_a_restore_that_runs() {
    for source in sources() {
        fs::write(source.dir.path().join("out.redb.strongroom-partial"), b"of an interrupted restore")
            .unwrap();
        let mut sink = source.sink();
        sink.table(&source.tables[0]).unwrap();
        if cfg!(target_os = "linux") {
            let second = RedbSink::new(&source.dir.path().join("out.redb"), false);
            assert_eq!(second.err().unwrap().code, ErrorCode::Busy);
        }
        sink.append(&source.entries("multi")).unwrap();
        sink.finish_table().unwrap();
        sink.finish().unwrap();
        Box::new(sink).publish().unwrap();
        let again = RedbStore::open(&source.dir.path().join("out.redb")).unwrap();
        assert_eq!(again.tables().unwrap().len(), 1, "a table that is left out is not there");
        assert_eq!(scan(&again, "multi"), scan(&source.store, "multi"));
    }
}

/// Values that are written straight to their place, among small ones.
#[test]
fn a_large_value_is_taken_in_pieces_and_given_up_like_any_other() {
    const LARGE: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("large");
    let dir = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..5_000_000u32).map(|i| (i % 251) as u8).collect();
    let values = [("a", &b"small"[..]), ("b", &large), ("c", &large[1..]), ("d", b""), ("e", &large[2..])];
    let database = redb::Database::create(dir.path().join("in.redb")).unwrap();
    let write = database.begin_write().unwrap();
    for (key, value) in values {
        write.open_table(LARGE).unwrap().insert(key, value).unwrap();
    }
    write.commit().unwrap();
    let store = RedbStore::live(&database).unwrap();
    let (table, entries) = (&store.tables().unwrap()[0], scan(&store, "large"));
    let mut packed = Vec::new();
    for (key, value) in &entries {
        strongroom_store::frame::push(&mut packed, key, value).unwrap();
    }
    for threads in [true, false] {
        let out = dir.path().join(format!("out-{threads}.redb"));
        let sink = RedbSink::new(&out, false).unwrap();
        let mut sink = if threads { sink } else { sink.on_this_thread() };
        sink.create(&store.template().unwrap()).unwrap();
        let mut twice = packed.clone();
        let (key, value) = entries.last().unwrap();
        strongroom_store::frame::push(&mut twice, key, value).unwrap();
        for bad in [&packed[..packed.len() - 1], &packed[..3_000_000], &twice] {
            sink.table(table).unwrap();
            let failed = bad
                .chunks(700_001)
                .try_for_each(|piece| sink.append(piece))
                .and_then(|()| sink.finish_table());
            assert_eq!(failed.unwrap_err().code, ErrorCode::Corrupt);
            sink.abandon_table().unwrap();
        }
        sink.table(table).unwrap();
        sink.append(&packed[..4_000_000]).unwrap();
        sink.abandon_table().unwrap();
        sink.table(table).unwrap();
        for piece in packed.chunks(700_001) {
            sink.append(piece).unwrap();
        }
        assert_eq!(sink.finish_table().unwrap(), 5);
        sink.finish().unwrap();
        Box::new(sink).publish().unwrap();
        assert_eq!(scan(&RedbStore::open(&out).unwrap(), "large"), entries);
    }
}

#[test]
fn a_table_can_be_given_up_and_begun_again() {
    for source in sources() {
        let mut sink = source.sink();
        for table in &source.tables {
            let entries = source.entries(&table.name);
            // Cut off, twice the same key, impossible lengths, and simply given up.
            let cut = &entries[..entries.len() - 1];
            let twice = [&entries[..], &entries[entries.len() - unpacked_len(&entries)..]].concat();
            let garbage = [0xff; 100];
            for bad in [cut, &twice, &garbage] {
                sink.table(table).unwrap();
                let failed = sink.append(bad).and_then(|()| sink.finish_table());
                assert_eq!(failed.unwrap_err().code, ErrorCode::Corrupt, "{}", table.name);
                sink.abandon_table().unwrap();
            }
            sink.table(table).unwrap();
            sink.append(&entries[..entries.len() / 2]).unwrap();
            sink.abandon_table().unwrap();
            sink.table(table).unwrap();
            sink.append(&entries).unwrap();
            assert_eq!(sink.finish_table().unwrap(), table.entries);
        }
        sink.finish().unwrap();
        Box::new(sink).publish().unwrap();
        let again = RedbStore::open(&source.dir.path().join("out.redb")).unwrap();
        for table in &source.tables {
            assert_eq!(scan(&again, &table.name), scan(&source.store, &table.name));
        }
    }
}

/// How long the last entry is.
fn unpacked_len(entries: &[u8]) -> usize {
    let mut last = 0;
    let count = |key: &[u8], value: &[u8]| {
        last = frame::HEADER + key.len() + value.len();
        Ok(())
    };
    frame::Decoder::new().decode(entries, count).unwrap();
    last
}

#[test]
fn calls_out_of_order_are_errors() {
    for source in sources() {
        let mut sink = source.new_sink();
        assert!(sink.table(&source.tables[0]).is_err());
        assert!(sink.finish().is_err());
        sink.create(&source.store.template().unwrap()).unwrap();
        assert!(sink.create(&source.store.template().unwrap()).is_err());
        assert!(sink.append(b"").is_err());
        assert!(sink.finish_table().is_err());
        assert!(sink.abandon_table().is_err());
        sink.table(&source.tables[0]).unwrap();
        assert!(sink.table(&source.tables[1]).is_err());
        assert!(sink.finish().is_err());
        sink.finish_table().unwrap();
        sink.finish().unwrap();
        assert!(sink.finish().is_err());
        assert!(sink.table(&source.tables[1]).is_err());
        drop(sink);
        assert!(Box::new(source.sink()).publish().is_err());
        assert_eq!(source.names(), ["a.redb"]);
    }
}

#[test]
fn a_table_that_is_not_the_templates_is_refused() {
    for source in sources() {
        let mut sink = source.sink();
        let mut other = source.tables[0].clone();
        other.name = "other".to_owned();
        assert_eq!(sink.table(&other).unwrap_err().code, ErrorCode::Corrupt);
        let mut other = source.tables[0].clone();
        other.identity = source.tables[1].identity.clone();
        assert_eq!(sink.table(&other).unwrap_err().code, ErrorCode::Corrupt);
        let mut other = source.tables[0].clone();
        other.multimap = false;
        assert_eq!(sink.table(&other).unwrap_err().code, ErrorCode::Corrupt);
        sink.table(&source.tables[0]).unwrap();
    }
}

/// A store of bytes that is no redb: what it says of a table, and the table's entries packed.
fn of_bytes(entries: &[(&[u8], Vec<u8>)]) -> (Table, Vec<u8>) {
    let mut packed = Vec::new();
    for (key, value) in entries {
        frame::push(&mut packed, key, value).unwrap();
    }
    (bytes::table("of bytes", entries.len() as u64, packed.len() as u64), packed)
}

#[test]
fn a_store_of_bytes_becomes_redb_tables_of_bytes() {
    for threads in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out.redb");
        // Also a value that is written straight to its place.
        let (table, packed) =
            of_bytes(&[(b"", vec![1]), (b"\x00", vec![]), (b"a", vec![7; 3 << 20]), (b"\xff", vec![0xff])]);
        let mut sink = RedbSink::new(&out, false).unwrap();
        if !threads {
            sink = sink.on_this_thread();
        }
        sink.create(bytes::TEMPLATE).unwrap();
        for name in ["empty", "of bytes"] {
            sink.table(&Table { name: name.to_owned(), ..table.clone() }).unwrap();
            if name != "empty" {
                packed.chunks(1000).for_each(|chunk| sink.append(chunk).unwrap());
            }
            sink.finish_table().unwrap();
        }
        sink.finish().unwrap();
        Box::new(sink).publish().unwrap();
        let database = Database::open(&out).unwrap();
        let txn = database.begin_read().unwrap();
        let definition = |name| TableDefinition::<&[u8], &[u8]>::new(name);
        assert!(txn.open_table(definition("empty")).unwrap().is_empty().unwrap());
        let table = txn.open_table(definition("of bytes")).unwrap();
        assert_eq!(table.len().unwrap(), 4);
        assert_eq!(table.get(&b"a"[..]).unwrap().unwrap().value(), vec![7; 3 << 20]);
        assert_eq!(table.get(&b""[..]).unwrap().unwrap().value(), [1]);
        // And what is read from it is what was written to it.
        drop((table, txn, database));
        let store = RedbStore::open(&out).unwrap();
        assert_eq!(drain(store.scan("of bytes", None, None).unwrap(), 1 << 20).unwrap(), packed);
        assert_eq!(store.tables().unwrap()[1].identity, bytes::IDENTITY);
    }
}

#[test]
fn keys_of_bytes_that_are_out_of_order_are_refused() {
    let large = || vec![7; 3 << 20];
    for (first, second) in [(b"b", b"a"), (b"a", b"a")] {
        for (value, other) in [(vec![], vec![]), (large(), vec![]), (vec![], large())] {
            let dir = tempfile::tempdir().unwrap();
            let (table, packed) = of_bytes(&[(first, value), (second, other)]);
            let mut sink = RedbSink::new(&dir.path().join("out.redb"), false).unwrap();
            sink.create(bytes::TEMPLATE).unwrap();
            sink.table(&table).unwrap();
            let refused = sink.append(&packed).and_then(|()| sink.finish_table().map(drop)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::Corrupt);
            let named =
                refused.message.contains("\"of bytes\"") && refused.message.contains("order of their bytes");
            assert!(named, "{refused}");
        }
    }
}

#[test]
fn a_store_of_bytes_has_tables_of_bytes_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = RedbSink::new(&dir.path().join("out.redb"), false).unwrap();
    sink.create(bytes::TEMPLATE).unwrap();
    let (table, _) = of_bytes(&[]);
    for wrong in [
        Table { multimap: true, ..table.clone() },
        Table { identity: b"another".to_vec(), ..table.clone() },
        Table { name: String::new(), ..table },
    ] {
        sink.table(&wrong).unwrap_err();
    }
}

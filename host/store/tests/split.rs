//! Marks cut a table into parts that add up to it, whatever its order.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Backwards, Seven, drain, mix, scan, unpack};
use redb::{Database, MultimapTableDefinition, TableDefinition};
use strongroom_store::redb::RedbStore;
use strongroom_store::{ErrorCode, Store};

/// The same tables through redb, and from the pages of the file.
fn stores(dir: &tempfile::TempDir) -> [(RedbStore, Option<Database>); 2] {
    let (live, file) = (dir.path().join("live.redb"), dir.path().join("file.redb"));
    let database = database(&live);
    drop(self::database(&file));
    [(RedbStore::live(&database).unwrap(), Some(database)), (RedbStore::open(&file).unwrap(), None)]
}

fn database(path: &std::path::Path) -> Database {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut sorted = txn.open_table(TableDefinition::<u64, &[u8]>::new("sorted")).unwrap();
        let mut random = txn.open_table(TableDefinition::<u64, &[u8]>::new("random")).unwrap();
        let mut users = txn.open_table(TableDefinition::<Backwards, Seven>::new("users")).unwrap();
        let mut wide = txn.open_table(TableDefinition::<Seven, &[u8]>::new("wide")).unwrap();
        // A page has few children with keys so long: many groups of leaves.
        let mut long = txn.open_table(TableDefinition::<&[u8], u64>::new("long")).unwrap();
        for i in 0..8_000 {
            long.insert(&[&[7; 300][..], &mix(i).to_be_bytes()].concat()[..], i as u64).unwrap();
        }
        for i in 0..20_000 {
            sorted.insert(i as u64, &[i as u8; 50][..]).unwrap();
            random.insert(mix(i), &[i as u8; 50][..]).unwrap();
            users.insert(Backwards(mix(i).to_le_bytes()[..i % 8 + 1].to_vec()), Seven::of(i)).unwrap();
        }
        for i in 0..12 {
            wide.insert(Seven::of(i), vec![i as u8; 3 << 20].as_slice()).unwrap();
        }
        txn.open_table(TableDefinition::<u8, u8>::new("empty")).unwrap();
        txn.open_table(TableDefinition::<u8, u8>::new("one")).unwrap().insert(1, 1).unwrap();
        let mut few = txn.open_table(TableDefinition::<u8, u8>::new("few")).unwrap();
        for i in 0..5 {
            few.insert(i, i).unwrap();
        }
        let mut multi =
            txn.open_multimap_table(MultimapTableDefinition::<Backwards, u64>::new("multi")).unwrap();
        for i in 0..20_000 {
            let few = mix(i) % 900;
            multi.insert(Backwards(few.to_le_bytes()[..few as usize % 3 + 1].to_vec()), mix(i)).unwrap();
        }
        let mut single = txn.open_multimap_table(MultimapTableDefinition::<u8, u64>::new("one key")).unwrap();
        for i in 0..5_000 {
            single.insert(1, mix(i)).unwrap();
        }
    }
    txn.commit().unwrap();
    database
}

#[test]
fn parts_add_up_to_the_table() {
    let dir = tempfile::tempdir().unwrap();
    for (store, _database) in &stores(&dir) {
        for table in store.tables().unwrap() {
            let name = &table.name;
            let all = drain(store.scan(name, None, None).unwrap(), 1 << 20).unwrap();
            for parts in [0, 1, 2, 3, 8, 64, 1000, u32::MAX] {
                let marks = store.split(name, parts).unwrap();
                assert_eq!(marks, store.split(name, parts).unwrap(), "the same moment has the same marks");
                assert!(marks.len() < parts.max(1) as usize, "{name}: {parts} parts");
                let mut ends: Vec<Option<&[u8]>> = vec![None];
                ends.extend(marks.iter().map(|mark| Some(&mark[..])));
                ends.push(None);
                let mut sum = Vec::new();
                for pair in ends.windows(2) {
                    let part = drain(store.scan(name, pair[0], pair[1]).unwrap(), 1 << 16).unwrap();
                    assert!(marks.is_empty() || !part.is_empty(), "{name}: an empty part");
                    unpack(&part);
                    sum.extend(part);
                }
                assert!(sum == all, "{name} in {parts} parts");
            }
        }
    }
}

#[test]
fn large_tables_are_cut_about_evenly() {
    let dir = tempfile::tempdir().unwrap();
    for (store, _database) in &stores(&dir) {
        for name in ["sorted", "random", "users", "long"] {
            let marks = store.split(name, 8).unwrap();
            assert_eq!(marks.len(), 7, "{name}");
            let mut ends: Vec<Option<&[u8]>> = vec![None];
            ends.extend(marks.iter().map(|mark| Some(&mark[..])));
            ends.push(None);
            let sizes: Vec<usize> = ends
                .windows(2)
                .map(|pair| drain(store.scan(name, pair[0], pair[1]).unwrap(), 1 << 20).unwrap().len())
                .collect();
            let mean = sizes.iter().sum::<usize>() / sizes.len();
            assert!(sizes.iter().all(|size| *size < 3 * mean), "{name}: {sizes:?}");
        }
        assert!(store.split("one key", 8).unwrap().is_empty());
    }
}

#[test]
fn parts_may_be_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for (store, _database) in &stores(&dir) {
        let all = scan(store, "users");
        let marks = store.split("users", 6).unwrap();
        let mut ends: Vec<Option<&[u8]>> = vec![None];
        ends.extend(marks.iter().map(|mark| Some(&mark[..])));
        ends.push(None);
        let parts = std::thread::scope(|scope| {
            let parts: Vec<_> = ends
                .windows(2)
                .map(|pair| {
                    let (from, to) = (pair[0], pair[1]);
                    scope.spawn(move || unpack(&drain(store.scan("users", from, to).unwrap(), 4096).unwrap()))
                })
                .collect();
            parts.into_iter().flat_map(|part| part.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(parts == all);
    }
}

#[test]
fn marks_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (store, _database) in &stores(&dir) {
        for name in ["users", "long"] {
            let marks = store.split(name, 4).unwrap();
            let of_another = store.split(if name == "users" { "sorted" } else { "users" }, 4).unwrap();
            let mut cut = marks[1].clone();
            cut.pop();
            let mut other_version = marks[1].clone();
            other_version[0] = 9;
            for bad in [&b""[..], b"garbage", &[1; 9], &[1; 40], &cut, &other_version, &of_another[0]] {
                let from = store.scan(name, Some(bad), None).and_then(|entries| drain(entries, 1 << 20));
                assert_eq!(from.unwrap_err().code, ErrorCode::NotFound, "{bad:?}");
                let to = store.scan(name, None, Some(bad)).and_then(|entries| drain(entries, 1 << 20));
                assert_eq!(to.unwrap_err().code, ErrorCode::NotFound, "{bad:?}");
            }
            let backwards =
                store.scan(name, Some(&marks[2]), Some(&marks[0])).and_then(|part| drain(part, 1 << 20));
            assert_eq!(backwards.unwrap_err().code, ErrorCode::NotFound);
            assert!(
                drain(store.scan(name, Some(&marks[1]), Some(&marks[1])).unwrap(), 9).unwrap().is_empty()
            );
        }
        assert_eq!(store.split("no such table", 4).unwrap_err().code, ErrorCode::NotFound);
    }
}

#[test]
fn sizes_are_about_right() {
    let dir = tempfile::tempdir().unwrap();
    for (store, _database) in &stores(&dir) {
        for table in store.tables().unwrap() {
            let real: usize =
                scan(store, &table.name).iter().map(|(key, value)| key.len() + value.len()).sum();
            let (about, real) = (table.bytes_about as f64, real as f64);
            assert!((0.8 * real..=1.25 * real).contains(&about), "{}: {about} for {real}", table.name);
        }
    }
}

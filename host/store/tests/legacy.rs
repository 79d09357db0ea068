//! Files that redb 3.1 made: their types are spelled in an older way, which is kept.
#![allow(clippy::unwrap_used)]

mod common;

use common::{copy, mix, scan};
use redb::{Builder, ReadableDatabase, ReadableTable, TableDefinition};
use redb31::ReadableTable as _;
use strongroom_store::redb::{RedbStore, to_text};
use strongroom_store::{ErrorCode, Store};

type OldTuple = redb31::TableDefinition<'static, (u32, &'static str), Option<u64>>;
type NewTuple = TableDefinition<'static, (u32, &'static str), Option<u64>>;

#[test]
fn what_redb_3_wrote_comes_back_for_redb_3_and_for_redb_4() {
    let dir = tempfile::tempdir().unwrap();
    let (path, restored) = (dir.path().join("a.redb"), dir.path().join("restored.redb"));
    {
        let database = redb31::Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let mut tuples = txn.open_table(OldTuple::new("tuples")).unwrap();
            let arrays = redb31::TableDefinition::<[u8; 32], Vec<&str>>::new("arrays");
            let mut arrays = txn.open_table(arrays).unwrap();
            let multi = redb31::MultimapTableDefinition::<Option<u32>, (u8, u8)>::new("multi");
            let mut multi = txn.open_multimap_table(multi).unwrap();
            for i in 0..2000 {
                tuples.insert((mix(i) as u32 % 50, format!("{i}").as_str()), Some(i as u64)).unwrap();
                arrays.insert([i as u8; 32], vec!["a", "b"]).unwrap();
                multi.insert(Some(i as u32 % 7), (i as u8, (i >> 8) as u8)).unwrap();
            }
        }
        txn.commit().unwrap();
    }
    let store = RedbStore::open(&path).unwrap();
    copy(&store, &restored, 1 << 16).unwrap();
    let again = RedbStore::open(&restored).unwrap();
    for (a, b) in store.tables().unwrap().iter().zip(&again.tables().unwrap()) {
        assert_eq!(
            (&a.name, &a.identity, &a.value_type, a.entries),
            (&b.name, &b.identity, &b.value_type, b.entries)
        );
        assert_eq!(scan(&store, &a.name), scan(&again, &a.name));
    }
    let first = &scan(&store, "tuples")[0].0;
    let shown = to_text("(u32,&str)", first);
    assert!(shown.starts_with("(0, \""), "{shown}");
    drop((store, again));

    {
        let mut database = Builder::new().set_check_integrity_on_open(true).open(&restored).unwrap();
        let txn = database.begin_read().unwrap();
        let table = txn.open_table(NewTuple::new("tuples")).unwrap();
        for entry in table.iter().unwrap() {
            let (key, value) = entry.unwrap();
            assert_eq!(table.get(key.value()).unwrap().unwrap().value(), value.value());
        }
        drop((table, txn));
        assert!(database.check_integrity().unwrap());
    }
    let mut database = redb31::Database::open(&restored).unwrap();
    assert!(database.check_integrity().unwrap());
    let txn = redb31::ReadableDatabase::begin_read(&database).unwrap();
    let table = txn.open_table(OldTuple::new("tuples")).unwrap();
    assert_eq!(table.iter().unwrap().count(), 2000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_database_that_redb_3_has_open_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let _open = redb31::Database::create(&path).unwrap();
    assert_eq!(RedbStore::open(&path).err().unwrap().code, ErrorCode::Busy);
}

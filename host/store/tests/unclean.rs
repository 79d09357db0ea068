//! A file that was not closed cleanly is repaired in memory, and never written to.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::scan;
use redb::{Database, DatabaseError, Durability, TableDefinition};
use strongroom_store::redb::RedbStore;
use strongroom_store::{ErrorCode, Store};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");

/// What a killed process leaves: its last durable commit, and marks that nobody took away.
fn killed(dir: &Path, quick: bool) -> std::path::PathBuf {
    let (path, killed) = (dir.join("app.redb"), dir.join("killed.redb"));
    let database = Database::create(&path).unwrap();
    let mut txn = database.begin_write().unwrap();
    txn.set_quick_repair(quick);
    for key in 0..500 {
        txn.open_table(TABLE).unwrap().insert(key, [7; 900].as_slice()).unwrap();
    }
    txn.commit().unwrap();
    let mut lost = database.begin_write().unwrap();
    lost.set_durability(Durability::None).unwrap();
    lost.open_table(TABLE).unwrap().remove(3).unwrap();
    lost.commit().unwrap();
    fs::copy(&path, &killed).unwrap();
    killed
}

#[test]
fn what_was_not_closed_cleanly_is_read_and_not_changed() {
    for quick in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let killed = killed(dir.path(), quick);
        let before = fs::read(&killed).unwrap();
        {
            let store = RedbStore::open(&killed).unwrap();
            assert_eq!(scan(&store, "table").len(), 500);
            let notes = store.notes().unwrap();
            assert!(notes.iter().any(|(_, how)| how.contains("after a repair in memory")), "{notes:?}");
            // Nobody writes to it meanwhile.
            let writer = Database::open(&killed).map(drop);
            assert!(matches!(writer, Err(DatabaseError::DatabaseAlreadyOpen)), "{writer:?}");
        }
        assert!(fs::read(&killed).unwrap() == before, "the file was written to");
        // Once its application has opened it, it is as any other.
        drop(Database::open(&killed).unwrap());
        let notes = RedbStore::open(&killed).unwrap().notes().unwrap();
        assert!(notes.iter().all(|(_, how)| !how.contains("repair")), "{notes:?}");
    }
}

#[test]
fn a_repair_in_memory_is_given_up_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let killed = killed(dir.path(), false);
    let error = RedbStore::open_unless(&killed, || true).map(drop).unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled, "{error}");
    RedbStore::open_unless(&killed, || false).unwrap();
}

//! Reading a database file never changes it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{drain, mix};
use redb::{Database, TableDefinition};
use std::fs;
use std::time::{Duration, SystemTime};
use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

#[test]
fn a_file_is_the_same_to_the_byte_and_to_the_second_after_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    {
        let database = Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(TableDefinition::<u64, u64>::new("table")).unwrap();
            for i in 0..10_000 {
                table.insert(mix(i), i as u64).unwrap();
            }
        }
        txn.commit().unwrap();
    }
    let before = fs::read(&path).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    {
        let store = RedbStore::open(&path).unwrap();
        store.template().unwrap();
        store.split("table", 8).unwrap();
        assert!(store.position("table/5").is_err());
        drain(store.scan("table", None, None).unwrap(), 1 << 20).unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);
    assert!(fs::read(&path).unwrap() == before);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_written_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    drop(Database::create(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(RedbStore::open(&path).unwrap().tables().unwrap().is_empty());
}

//! Something happens to the database in the middle of a backup: the backup fails and says so, no snapshot is published,
//! the earlier ones are whole, and the next one succeeds.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strongroom::store::redb::RedbStore;
use strongroom::store::{self, Result};
use strongroom::{Backup, Entries, ErrorCode, Store};

use common::{assert_whole, names, noise, repository};

/// A store to which something happens at its n-th read of entries.
struct Eventful {
    store: RedbStore,
    reads: Arc<AtomicUsize>,
    at: usize,
    happens: Arc<dyn Fn() + Send + Sync>,
}

struct EventfulEntries(Box<dyn Entries>, Arc<AtomicUsize>, usize, Arc<dyn Fn() + Send + Sync>);

impl Entries for EventfulEntries {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.1.fetch_add(1, Ordering::Relaxed) == self.2 {
            self.3();
        }
        self.0.read(max.min(20_000), out)
    }
}

impl Store for Eventful {
    fn tables(&self) -> Result<Vec<store::Table>> {
        self.store.tables()
    }
    fn template(&self) -> Result<Vec<u8>> {
        self.store.template()
    }
    fn position(&self, at: &str) -> Result<u64> {
        self.store.position(at)
    }
    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        self.store.split(table, parts)
    }
    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>> {
        let entries = self.store.scan(table, from, to)?;
        Ok(Box::new(EventfulEntries(entries, self.reads.clone(), self.at, self.happens.clone())))
    }
}

const ROWS: redb::TableDefinition<'_, u32, &[u8]> = redb::TableDefinition::new("rows");

fn database(path: &Path) -> redb::Database {
    let database = redb::Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    for row in 0..4000u32 {
        txn.open_table(ROWS).unwrap().insert(row, noise(u64::from(row), 250).as_slice()).unwrap();
    }
    txn.commit().unwrap();
    database
}

/// Backs up before, while it happens, and after; what the middle one came to.
fn while_it_happens(
    at: usize,
    live: bool,
    happens: impl Fn(&Path, &mut Option<redb::Database>) + Send + Sync + 'static,
) -> Option<strongroom::Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.redb");
    let repository = repository(dir.path().join("backups"));
    let sound = database(&dir.path().join("sound.redb"));
    repository.backup(&sound, &Backup::new().name("first")).unwrap();
    let database = database(&path);
    let (store, database) = if live {
        (RedbStore::live(&database).unwrap(), Some(database))
    } else {
        drop(database);
        (RedbStore::open(&path).unwrap(), None)
    };
    let database = std::sync::Mutex::new(database);
    let happens: Arc<dyn Fn() + Send + Sync> = {
        let path: PathBuf = path.clone();
        Arc::new(move || happens(&path, &mut database.lock().unwrap()))
    };
    let store = Arc::new(Eventful { store, reads: Arc::default(), at, happens });
    let done = repository.backup(&store, &Backup::new().name("second"));
    drop(store);
    assert_whole(&repository);
    match done {
        Ok(_) => {
            assert_eq!(names(&repository), ["first", "second"]);
            // All that it says it holds is what the sound one holds.
            let snapshots = repository.snapshots().unwrap().snapshots;
            assert_eq!(snapshots[0].id, snapshots[1].id, "a snapshot of other data was published");
            None
        }
        Err(error) => {
            assert_eq!(names(&repository), ["first"]);
            repository.backup(&sound, &Backup::new().name("third")).unwrap();
            assert_whole(&repository);
            Some(error)
        }
    }
}

#[test]
fn a_database_that_is_closed_under_a_backup_ends_it() {
    let error = while_it_happens(3, true, |_, database| drop(database.take())).unwrap();
    assert_eq!(error.code(), ErrorCode::Locked, "{error}");
    assert!(error.to_string().contains("closed"), "{error}");
}

#[test]
fn a_database_that_is_cut_off_under_a_backup_ends_it() {
    for at in [0, 1, 20, 40] {
        let cut = |path: &Path, _: &mut Option<redb::Database>| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(20_000).unwrap();
        };
        let error = while_it_happens(at, false, cut).unwrap();
        assert!(error.to_string().contains("rows"), "{error}");
    }
}

#[test]
fn a_database_that_is_replaced_under_a_backup_is_backed_up_as_it_was() {
    let replace = |path: &Path, _: &mut Option<redb::Database>| {
        let other = path.with_extension("other");
        std::fs::write(&other, b"something else").unwrap();
        std::fs::rename(other, path).unwrap();
    };
    assert!(while_it_happens(5, false, replace).is_none());
}

#[test]
fn a_store_that_gives_other_entries_than_it_counts_is_not_published() {
    /// Leaves the last of the rows out, without a word.
    struct Short(RedbStore);
    struct ShortEntries(Vec<u8>);
    impl Entries for ShortEntries {
        fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
            out.extend(self.0.drain(..self.0.len().min(max)));
            Ok(())
        }
    }
    impl Store for Short {
        fn tables(&self) -> Result<Vec<store::Table>> {
            self.0.tables()
        }
        fn template(&self) -> Result<Vec<u8>> {
            self.0.template()
        }
        fn position(&self, at: &str) -> Result<u64> {
            self.0.position(at)
        }
        fn split(&self, _: &str, _: u32) -> Result<Vec<Vec<u8>>> {
            Ok(Vec::new())
        }
        fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>> {
            let mut entries = self.0.scan(table, from, to)?;
            let mut all = Vec::new();
            while {
                let before = all.len();
                entries.read(1 << 20, &mut all)?;
                all.len() > before
            } {}
            // 8 bytes of lengths, 4 of the key, 250 of the value.
            all.truncate(all.len() - 262);
            Ok(Box::new(ShortEntries(all)))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let database = database(&dir.path().join("app.redb"));
    let short = Arc::new(Short(RedbStore::live(&database).unwrap()));
    let error = repository.backup(&short, &Backup::new()).unwrap_err();
    for words in ["\"rows\"", "3999 entries", "4000"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(names(&repository), [""; 0]);
}

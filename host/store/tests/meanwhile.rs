//! Something happens to the database while it is scanned: it is closed, moved away, cut off or overwritten. What comes
//! is an error that says so, or every entry; never a panic.
//!
//! redb does not check the checksums of the pages that it reads. Bytes that somebody else writes into its file under a
//! scan can thus come out as other entries, and no reader of redb can tell.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::mix;
use redb::{Database, MultimapTableDefinition, TableDefinition};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use strongroom_store::redb::RedbStore;
use strongroom_store::{Entries, ErrorCode, Result, Store};

const ROWS: u64 = 6000;

/// A database whose scan takes far more pages than a cache holds back.
fn database(path: &Path) -> Database {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut rows = txn.open_table(TableDefinition::<u64, &[u8]>::new("rows")).unwrap();
        let mut pairs = txn.open_multimap_table(MultimapTableDefinition::<u64, u64>::new("pairs")).unwrap();
        for i in 0..ROWS {
            rows.insert(i, [i as u8; 300].as_slice()).unwrap();
            pairs.insert(i % 40, i).unwrap();
        }
    }
    txn.commit().unwrap();
    database
}

/// The first bytes of a scan, and the rest of it.
struct Begun {
    entries: Box<dyn Entries>,
    bytes: Vec<u8>,
}

impl Begun {
    fn new(store: &RedbStore, table: &str, first: usize) -> Self {
        let mut begun = Self { entries: store.scan(table, None, None).unwrap(), bytes: Vec::new() };
        while begun.bytes.len() < first {
            begun.entries.read(first - begun.bytes.len(), &mut begun.bytes).unwrap();
        }
        begun
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        loop {
            let before = self.bytes.len();
            self.entries.read(10_000, &mut self.bytes)?;
            if self.bytes.len() == before {
                return Ok(self.bytes);
            }
        }
    }
}

/// What came of it, counted.
#[derive(Default, Debug)]
struct Figures {
    whole: usize,
    other: usize,
    errors: BTreeMap<String, usize>,
}

impl Figures {
    fn count(&mut self, scanned: Result<Vec<u8>>, expected: &[u8]) {
        match scanned {
            Ok(scanned) if scanned == expected => self.whole += 1,
            Ok(_) => self.other += 1,
            Err(error) => {
                assert!(error.message.contains("table"), "{error}");
                *self.errors.entry(format!("{:?}", error.code)).or_default() += 1;
            }
        }
    }
}

/// For every table and several places in it: begins, lets it happen, goes on, and begins again.
fn during_scans(happens: impl Fn(&Path, &mut Option<Database>), live: bool) -> Figures {
    let mut figures = Figures::default();
    for table in ["rows", "pairs"] {
        let dir = tempfile::tempdir().unwrap();
        let open = |round: usize| -> (PathBuf, Option<Database>, RedbStore) {
            let path = dir.path().join(format!("{round}.redb"));
            let database = database(&path);
            if live {
                let store = RedbStore::live(&database).unwrap();
                (path, Some(database), store)
            } else {
                drop(database);
                (path.clone(), None, RedbStore::open(&path).unwrap())
            }
        };
        let (_, _kept, whole) = open(0);
        let expected = Begun::new(&whole, table, 0).finish().unwrap();
        for (round, first) in [0, 1, 4000, expected.len() / 2, expected.len() - 1].into_iter().enumerate() {
            let (path, mut database, store) = open(round + 1);
            let begun = Begun::new(&store, table, first);
            happens(&path, &mut database);
            figures.count(begun.finish(), &expected);
            // Whoever comes later, with the same moment.
            let again = store
                .scan(table, None, None)
                .and_then(|entries| Begun { entries, bytes: Vec::new() }.finish());
            figures.count(again, &expected);
            let _ = store.split(table, 4);
            let _ = store.template();
            let _ = store.position("rows/1");
        }
    }
    println!("{figures:?}");
    figures
}

#[test]
fn a_database_that_its_application_closes_is_busy() {
    let figures = during_scans(|_, database| drop(database.take()), true);
    assert_eq!(figures.other, 0, "{figures:?}");
    assert!(figures.errors.keys().all(|code| code == "Busy"), "{figures:?}");
}

#[test]
fn a_file_that_is_moved_replaced_or_removed_gives_all_that_it_had() {
    let happens: [fn(&Path, &mut Option<Database>); 3] = [
        |path, _| fs::remove_file(path).unwrap(),
        |path, _| fs::rename(path, path.with_extension("away")).unwrap(),
        |path, _| {
            let other = path.with_extension("other");
            fs::write(&other, b"something else").unwrap();
            fs::rename(other, path).unwrap();
        },
    ];
    for happens in happens {
        for live in [false, true] {
            let figures = during_scans(happens, live);
            assert_eq!((figures.whole, figures.errors.len(), figures.other), (20, 0, 0), "{figures:?}");
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error_or_gives_all() {
    for share in [0, 1, 10, 50, 90, 99] {
        let figures = during_scans(
            |path, _| {
                let file = OpenOptions::new().write(true).open(path).unwrap();
                file.set_len(file.metadata().unwrap().len() * share / 100).unwrap();
            },
            false,
        );
        assert_eq!(figures.other, 0, "{figures:?}");
        // After its first error redb gives no more than that there was one.
        assert!(figures.errors.keys().all(|code| code == "Corrupt" || code == "Io"), "{figures:?}");
        assert!(share > 10 || figures.errors.values().sum::<usize>() >= 8, "{share}: {figures:?}");
    }
}

/// Overwrites pages of the file, all or some, with zeros or noise.
fn overwrite(path: &Path, one_in: u64, noise: bool) {
    let file: File = OpenOptions::new().write(true).open(path).unwrap();
    for page in 1..file.metadata().unwrap().len() / 4096 {
        if mix(page as usize).is_multiple_of(one_in) {
            let byte = |i: usize| if noise { mix(page as usize * 4096 + i) as u8 } else { 0 };
            let bytes: Vec<u8> = (0..4096).map(byte).collect();
            file.write_all_at(&bytes, page * 4096).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_overwritten_never_panics() {
    for (one_in, noise) in [(1, false), (1, true), (7, false), (7, true), (40, true)] {
        let figures = during_scans(|path, _| overwrite(path, one_in, noise), false);
        assert!(!figures.errors.is_empty(), "{figures:?}");
        assert!(figures.errors.keys().all(|code| code == "Corrupt" || code == "Io"), "{figures:?}");
    }
}

#[test]
fn an_error_of_a_scan_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    drop(database(&path));
    let store = RedbStore::open(&path).unwrap();
    let mut begun = Begun::new(&store, "rows", 4000);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    let mut out = Vec::new();
    let first = loop {
        let before = out.len();
        match begun.entries.read(50_000, &mut out) {
            Ok(()) => {
                assert!(out.len() > before, "a scan that cannot go on must not look like one at its end")
            }
            Err(error) => break error,
        }
    };
    assert_eq!(first.code, ErrorCode::Corrupt, "{first}");
    assert_eq!(begun.entries.read(10, &mut out).unwrap_err().message, first.message);
}

//! Stores that fail, or break their promises.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom::store::{self, ErrorCode as StoreCode, frame};
use strongroom::{Backup, Entries, ErrorCode, Store};

use crate::common::map::{Maps, Packed};
use crate::{assert_budget, assert_unharmed, limited, restored, with_a_snapshot};

/// A store that fails, or breaks its promises.
struct Bad {
    good: Maps,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    FailsMidway,
    FailsToList,
    FailsToGiveTheTemplate,
    FailsToGiveNotes,
    CutsTheLastEntry,
    GivesAnImpossibleLength,
    GivesMoreThanAsked,
    MiscountsEntries,
    ListsOutOfOrder,
    ListsTwice,
    SplitsAnywhere,
    NeverEnds,
    NeverEndsButPanicsInTheFirstThread,
    Panics(&'static str),
}

const PANICS: [&str; 5] = ["tables", "template", "notes", "scan", "read"];

struct BadEntries {
    good: Packed,
    how: How,
    reads: u32,
}

fn broken() -> store::Error {
    store::Error::new(StoreCode::Io, "the disk fell off")
}

impl Bad {
    fn new(how: How) -> Arc<Self> {
        Arc::new(Self { good: Maps::filled(&[("large", 200, 100_000), ("small", 10, 10)]), how })
    }

    fn panic_in(&self, what: &str) {
        assert!(!matches!(self.how, How::Panics(place) if place == what), "the store's own mistake");
    }
}

impl Store for Bad {
    fn tables(&self) -> store::Result<Vec<store::Table>> {
        self.panic_in("tables");
        let mut tables = self.good.tables()?;
        match self.how {
            How::FailsToList => return Err(broken()),
            How::MiscountsEntries => {
                tables.iter_mut().for_each(|table| table.entries = table.entries * 3 + 7)
            }
            How::ListsOutOfOrder => tables.reverse(),
            How::ListsTwice => tables = [tables.clone(), tables].concat(),
            _ => {}
        }
        Ok(tables)
    }

    fn template(&self) -> store::Result<Vec<u8>> {
        self.panic_in("template");
        if self.how == How::FailsToGiveTheTemplate { Err(broken()) } else { self.good.template() }
    }

    fn notes(&self) -> store::Result<Vec<(String, String)>> {
        self.panic_in("notes");
        if self.how == How::FailsToGiveNotes { Err(broken()) } else { self.good.notes() }
    }

    fn position(&self, _at: &str) -> store::Result<u64> {
        self.panic_in("position");
        Ok(1)
    }

    fn split(&self, table: &str, parts: u32) -> store::Result<Vec<Vec<u8>>> {
        if self.how == How::SplitsAnywhere {
            // Backwards, twice the same, and past the end.
            return Ok(["key 00000150", "key 00000050", "key 00000050", "zzz"]
                .map(|mark| mark.into())
                .into());
        }
        self.good.split(table, parts)
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> store::Result<Box<dyn Entries>> {
        self.panic_in("scan");
        let (mut packed, mut entries) = (Vec::new(), Vec::new());
        // A range that ends before it begins is empty.
        if !matches!((from, to), (Some(from), Some(to)) if from > to) {
            let mut good = self.good.scan(table, from, to)?;
            loop {
                good.read(1 << 20, &mut entries)?;
                if entries.is_empty() {
                    break;
                }
                packed.append(&mut entries);
            }
        }
        if self.how == How::CutsTheLastEntry {
            packed.pop();
        }
        let good = Packed { packed, at: 0 };
        Ok(Box::new(BadEntries { good, how: self.how, reads: 0 }))
    }
}

impl Entries for BadEntries {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> store::Result<()> {
        self.reads += 1;
        match self.how {
            How::FailsMidway if self.reads == 3 => return Err(broken()),
            How::GivesAnImpossibleLength if self.reads == 2 => out.extend_from_slice(&[0xff; 100]),
            How::Panics("read") if self.reads == 3 => panic!("the store's own mistake"),
            How::GivesMoreThanAsked => return self.good.read(usize::MAX / 2, out),
            How::NeverEndsButPanicsInTheFirstThread
                if std::thread::current().name() == Some("strongroom-backup") =>
            {
                std::thread::sleep(Duration::from_millis(300));
                panic!("the store's own mistake");
            }
            How::NeverEnds | How::NeverEndsButPanicsInTheFirstThread => {
                // Large enough to be as quick as a store can be.
                for number in 0..8 {
                    frame::push(out, &self.reads.to_be_bytes(), &[number; 100_000])?;
                }
            }
            _ => {}
        }
        match self.how {
            How::NeverEnds | How::NeverEndsButPanicsInTheFirstThread => Ok(()),
            _ => self.good.read(max, out),
        }
    }
}

#[test]
fn a_store_that_fails_ends_the_backup_with_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    for how in [How::FailsMidway, How::FailsToList, How::FailsToGiveTheTemplate, How::FailsToGiveNotes] {
        let error = repository.backup(&Bad::new(how), &Backup::new()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Io, "{how:?}: {error}");
        assert!(error.to_string().contains("the disk fell off"), "{how:?}: {error}");
        assert_unharmed(&repository, &first);
    }
    let error = repository.backup(&Bad::new(How::FailsMidway), &Backup::new()).unwrap_err();
    assert!(error.to_string().contains("\"large\""), "the table is named: {error}");
}

#[test]
fn a_store_that_breaks_its_promises_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let cases = [
        (How::CutsTheLastEntry, "table \"large\""),
        (How::GivesAnImpossibleLength, "table \"large\""),
        (How::ListsOutOfOrder, "order"),
        (How::ListsTwice, "each once"),
    ];
    for (how, text) in cases {
        for threads in [1, 3] {
            let error = repository.backup(&Bad::new(how), &Backup::new().threads(threads)).unwrap_err();
            assert!(error.to_string().contains(text), "{how:?}: {error}");
            assert!(!error.to_string().contains("wasm"), "{how:?} is told, not trapped: {error}");
            assert_unharmed(&repository, &first);
        }
    }
}

#[test]
fn a_store_that_gives_fewer_entries_than_it_counts_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    for threads in [1, 3] {
        let bad = Bad::new(How::MiscountsEntries);
        let e = repository.backup(&bad, &Backup::new().name("bad").threads(threads)).unwrap_err();
        assert!(e.code() == ErrorCode::Io && e.to_string().contains("200 entries"), "{e}");
        assert_unharmed(&repository, &first);
    }
}

#[test]
fn a_promise_that_does_not_matter_may_be_broken() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let bad = Bad::new(How::GivesMoreThanAsked);
    let expected = repository.backup(&Arc::new(bad.good.clone()), &Backup::new().name("good")).unwrap();
    let snapshot = repository.backup(&bad, &Backup::new().name("bad").threads(3)).unwrap();
    assert_eq!((&snapshot.id, snapshot.entries), (&expected.id, 210));
    assert!(restored(&repository, "bad") == bad.good);
    std::fs::remove_file(repository.dir().join("snapshots/bad.json")).unwrap();
    std::fs::remove_file(repository.dir().join("snapshots/good.json")).unwrap();
    assert_unharmed(&repository, &first);
}

#[test]
fn marks_that_are_not_in_order_lose_nothing_silently() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let bad = Bad::new(How::SplitsAnywhere);
    // Either it is found out, or all is there.
    match repository.backup(&bad, &Backup::new().name("bad").threads(3)) {
        Err(error) => assert!(error.to_string().contains("large"), "{error}"),
        Ok(snapshot) => {
            assert_eq!(snapshot.entries, 210);
            assert!(restored(&repository, "bad") == bad.good);
            std::fs::remove_file(repository.dir().join("snapshots/bad.json")).unwrap();
        }
    }
    assert_unharmed(&repository, &first);
}

#[test]
fn a_store_without_end_ends_with_the_time_budget() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let limited = limited(&repository, |budgets| budgets.time = Some(Duration::from_millis(700)));
    for threads in [1, 3] {
        let error = limited.backup(&Bad::new(How::NeverEnds), &Backup::new().threads(threads)).unwrap_err();
        assert_budget(&error, "--timeout");
        assert_unharmed(&repository, &first);
    }
}

#[test]
fn a_store_that_panics_ends_the_backup_and_not_the_application() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    for what in PANICS.into_iter().chain(["position"]) {
        for threads in [1, 3] {
            let backup = Backup::new().name("bad").threads(threads).position("here");
            let run = || repository.backup(&Bad::new(How::Panics(what)), &backup);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let error =
                done.unwrap_or_else(|_| panic!("the panic in {what} reached the application")).unwrap_err();
            assert!(error.to_string().contains("the store's own mistake"), "{what}: {error}");
            assert_unharmed(&repository, &first);
        }
    }
}

#[test]
fn a_panic_in_one_thread_stops_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    // Were they not stopped, they would go on for so long.
    let limited = limited(&repository, |budgets| budgets.time = Some(Duration::from_secs(10)));
    let bad = Bad::new(How::NeverEndsButPanicsInTheFirstThread);
    let started = Instant::now();
    let error = limited.backup(&bad, &Backup::new().threads(3)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.code(), ErrorCode::Other, "{error}");
    assert!(error.to_string().contains("the store's own mistake"), "{error}");
    assert_unharmed(&repository, &first);
}

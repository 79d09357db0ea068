//! The library as applications call it: from any thread or task, with a listener, with a way to stop, for any store.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase as _, TableDefinition};
use strongroom::store::{self, frame};
use strongroom::{
    Backup, Cancel, Depth, Entries, Error, ErrorCode, Repository, Restore, Result, Snapshot, Source, Store,
};

use common::map::{MapSink, Maps};
use common::{assert_whole, mix, names, noise, repository};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");

fn insert(db: &Database, keys: impl Iterator<Item = u64>) {
    let txn = db.begin_write().unwrap();
    {
        let mut table = txn.open_table(TABLE).unwrap();
        for key in keys {
            table.insert(key, noise(key, 200).as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
}

fn small_database(path: &Path) -> Database {
    let db = Database::create(path).unwrap();
    insert(&db, 0..1000);
    db
}

/// Every verb once.
fn use_every_verb(dir: &Path) {
    let db = small_database(&dir.join("app.redb"));
    let repository = repository(dir.join("backups"));
    let snapshot = repository.backup(&db, &Backup::new().threads(2)).unwrap();
    assert_eq!(repository.snapshots().unwrap().snapshots, [snapshot]);
    assert_whole(&repository);
    repository.restore("latest", dir.join("restored.redb"), &Restore::new()).unwrap();
    let mut entries = 0;
    let count = |_: &[u8], _: &[u8]| {
        entries += 1;
        Ok(ControlFlow::Continue(()))
    };
    repository.scan("latest", "table", count).unwrap();
    assert_eq!(entries, 1000);
}

#[test]
fn every_verb_may_be_called_inside_a_task_of_a_runtime_of_many_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(inside_a_task_of_many_threads());
}

async fn inside_a_task_of_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    tokio::spawn(async move { use_every_verb(&path) }).await.unwrap();
    let path = dir.path().join("blocking");
    std::fs::create_dir(&path).unwrap();
    tokio::task::spawn_blocking(move || use_every_verb(&path)).await.unwrap();
    let path = dir.path().join("in place");
    std::fs::create_dir(&path).unwrap();
    tokio::task::block_in_place(|| use_every_verb(&path));
}

#[test]
fn every_verb_may_be_called_inside_a_task_of_a_runtime_of_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(inside_a_task_of_one_thread());
}

async fn inside_a_task_of_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    use_every_verb(dir.path());
    let path = dir.path().join("spawned");
    std::fs::create_dir(&path).unwrap();
    let local = tokio::task::spawn(async move { use_every_verb(&path) });
    local.await.unwrap();
}

/// What a listener was told: phase, bytes, entries, and both totals.
type Told = Arc<Mutex<Vec<(String, u64, u64, u64, u64)>>>;

fn listening(repository: &Repository) -> (Repository, Told) {
    let told = Told::default();
    let (inside, noted) = (AtomicBool::new(false), Arc::clone(&told));
    let repository = repository.clone().on_progress(move |p| {
        assert!(!inside.swap(true, Ordering::SeqCst), "a listener is told one thing at a time");
        let at = (p.phase.to_owned(), p.bytes, p.entries, p.bytes_total, p.entries_total);
        noted.lock().unwrap().push(at);
        inside.store(false, Ordering::SeqCst);
    });
    (repository, told)
}

fn assert_monotone(told: &[(String, u64, u64, u64, u64)]) {
    assert!(told.len() > 3, "{told:?}");
    assert!(told.is_sorted_by_key(|(_, bytes, entries, _, _)| (*bytes, *entries)), "{told:?}");
    assert!(told.is_sorted_by_key(|(_, _, entries, _, _)| *entries), "{told:?}");
}

#[test]
fn a_listener_hears_of_every_byte_and_entry_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let maps = Arc::new(Maps::filled(&[("large", 400, 100_000), ("many", 30_000, 30), ("none", 0, 0)]));
    for threads in [1, 3] {
        let (repository, told) = listening(&repository(dir.path().join(format!("backups {threads}"))));
        let snapshot = repository.backup(&maps, &Backup::new().threads(threads)).unwrap();
        let heard = std::mem::take(&mut *told.lock().unwrap());
        assert_monotone(&heard);
        let (_, bytes, entries, bytes_total, entries_total) = heard.last().unwrap().clone();
        assert_eq!((bytes_total, entries_total), (snapshot.bytes, snapshot.entries), "maps know their size");
        assert_eq!(
            (bytes, entries),
            (bytes_total, entries_total),
            "all of it is told, with {threads} threads"
        );
        let phases: HashSet<&str> = heard.iter().map(|(phase, ..)| phase.as_str()).collect();
        assert_eq!(phases, HashSet::from(["copy", "seal"]));

        let (sink, _) = MapSink::new();
        repository.restore_into("latest", Box::new(sink), &Restore::new()).unwrap();
        let heard = std::mem::take(&mut *told.lock().unwrap());
        assert_monotone(&heard);
        let (phase, bytes, entries, bytes_total, entries_total) = heard.last().unwrap().clone();
        assert_eq!((phase.as_str(), bytes, entries), ("restore", bytes_total, entries_total));
        assert_eq!(entries, snapshot.entries);

        let verified = repository.verify(None, Depth::Data).unwrap();
        let heard = std::mem::take(&mut *told.lock().unwrap());
        assert_monotone(&heard);
        assert!(heard.last().unwrap().1 >= snapshot.bytes && verified.bytes > 0);
    }
}

#[test]
fn a_backup_that_is_stopped_publishes_nothing_and_the_next_one_goes_on_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let plain = repository(dir.path().join("backups"));
    let first =
        plain.backup(&Arc::new(Maps::filled(&[("a", 10, 10)])), &Backup::new().name("first")).unwrap();
    let maps = Arc::new(Maps::filled(&[("large", 640, 100_000)]));

    let cancel = Cancel::new();
    let token = cancel.clone();
    let stopping = plain.clone().cancel_with(cancel).on_progress(move |progress| {
        if progress.phase == "copy" && progress.bytes > progress.bytes_total * 3 / 4 {
            token.cancel();
        }
    });
    let error = stopping.backup(&maps, &Backup::new().name("second").threads(2)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled);
    assert!(error.to_string().contains("nothing was published"), "{error}");
    assert_eq!(names(&plain), ["first"]);
    assert_whole(&plain);

    let second = plain.backup(&maps, &Backup::new().name("second").threads(2)).unwrap();
    assert!(
        second.bytes_added < second.bytes * 2 / 3,
        "{} of {} were written again",
        second.bytes_added,
        second.bytes
    );
    assert_eq!(second.parent.as_deref(), Some(first.name.as_str()));
    assert_whole(&plain);
    let (sink, restored) = MapSink::new();
    plain.restore_into("second", Box::new(sink), &Restore::new()).unwrap();
    assert!(restored.lock().unwrap().as_ref() == Some(&*maps));
    // A token that was used stays used.
    let error = stopping.backup(&maps, &Backup::new().name("third")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled);
}

#[test]
fn a_restore_that_is_stopped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::create(dir.path().join("app.redb")).unwrap();
    insert(&db, 0..20_000);
    let repository = repository(dir.path().join("backups"));
    repository.backup(&db, &Backup::new()).unwrap();
    let cancel = Cancel::new();
    let token = cancel.clone();
    let stopping = repository.clone().cancel_with(cancel).on_progress(move |progress| {
        if progress.phase == "restore" && progress.bytes > progress.bytes_total / 2 {
            token.cancel();
        }
    });
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let error = stopping.restore("latest", out.join("app.redb"), &Restore::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled, "{error}");
    assert_eq!(common::files_below(&out), Vec::<std::path::PathBuf>::new());
    repository.restore("latest", out.join("app.redb"), &Restore::new()).unwrap();
    assert_eq!(common::files_below(&out).len(), 1);
}

/// A source that counts how many of its stores are being read.
struct Counted<'a> {
    number: u64,
    inside: &'a Arc<AtomicU32>,
}

struct CountedStore {
    good: Maps,
    inside: Arc<AtomicU32>,
    counted: AtomicBool,
}

impl Source for Counted<'_> {
    fn store(&self) -> Result<Arc<dyn Store>> {
        let good = Maps::filled(&[("a", 500 + self.number, 500)]);
        Ok(Arc::new(CountedStore { good, inside: Arc::clone(self.inside), counted: AtomicBool::new(false) }))
    }
}

impl Store for CountedStore {
    fn tables(&self) -> store::Result<Vec<store::Table>> {
        if !self.counted.swap(true, Ordering::SeqCst) {
            assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "one backup at a time");
        }
        self.good.tables()
    }

    fn template(&self) -> store::Result<Vec<u8>> {
        self.good.template()
    }

    fn position(&self, at: &str) -> store::Result<u64> {
        self.good.position(at)
    }

    fn split(&self, table: &str, parts: u32) -> store::Result<Vec<Vec<u8>>> {
        self.good.split(table, parts)
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> store::Result<Box<dyn Entries>> {
        self.good.scan(table, from, to)
    }
}

impl Drop for CountedStore {
    fn drop(&mut self) {
        if self.counted.load(Ordering::SeqCst) {
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn of_many_writers_one_at_a_time_is_at_work_and_readers_never_wait_or_fail() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    repository.backup(&Arc::new(Maps::filled(&[("a", 10, 10)])), &Backup::new().name("first")).unwrap();
    let inside = Arc::new(AtomicU32::new(0));
    let (refused, read, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(repository.snapshots().unwrap().damage, []);
                    assert_whole(&repository);
                    let (sink, _) = MapSink::new();
                    repository.restore_into("latest", Box::new(sink), &Restore::new()).unwrap();
                    read.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (repository, inside, refused) = (&repository, &inside, &refused);
                scope.spawn(move || {
                    for run in 0..5 {
                        let source = Counted { number: writer * 5 + run, inside };
                        let backup = Backup::new().name(format!("{writer}-{run}")).threads(2);
                        let deadline = Instant::now() + Duration::from_secs(60);
                        loop {
                            match repository.backup(&source, &backup) {
                                Ok(_) => break,
                                Err(error)
                                    if error.code() == ErrorCode::Locked && Instant::now() < deadline =>
                                {
                                    let me = format!("process {}", std::process::id());
                                    assert!(error.to_string().contains(&me), "{error}");
                                    refused.fetch_add(1, Ordering::Relaxed);
                                    std::thread::sleep(Duration::from_millis(2));
                                }
                                Err(error) => panic!("{:?}: {error}", error.code()),
                            }
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        stop.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    assert_eq!(names(&repository).len(), 1 + 20);
    assert!(refused.into_inner() > 0, "they were never in each other's way");
    assert!(read.into_inner() > 0);
    assert_whole(&repository);
    assert!(!repository.dir().join("lock").exists());
}

#[test]
fn a_store_and_a_sink_of_ones_own_go_round() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let mut maps = Maps::filled(&[("a", 3000, 100), ("b", 3, 1_000_000), ("none", 0, 0)]);
    maps.0.insert("odd".to_owned(), [(Vec::new(), Vec::new()), (noise(1, 300_000), vec![0])].into());
    let store: Arc<dyn Store> = Arc::new(maps.clone());
    let snapshot = repository.backup(&store, &Backup::new().source("maps")).unwrap();
    assert_eq!((snapshot.tables, snapshot.source.as_str()), (4, "maps"));
    let (sink, restored) = MapSink::new();
    repository.restore_into("latest", Box::new(sink), &Restore::new()).unwrap();
    assert!(restored.lock().unwrap().take() == Some(maps.clone()));
    // Some of it.
    let (sink, restored) = MapSink::new();
    repository.restore_into("latest", Box::new(sink), &Restore::new().tables(["?"])).unwrap();
    maps.0.retain(|name, _| name.len() == 1);
    assert!(restored.lock().unwrap().take() == Some(maps));
}

/// The same maps from a store that does everything else in another way.
struct Contrary(Maps);

/// Gives a few bytes at a time, never whole entries.
struct Dribbling(Vec<u8>, usize);

impl Entries for Dribbling {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> store::Result<()> {
        let len = (mix(self.1 as u64) % 5000 + 1) as usize;
        let end = self.0.len().min(self.1 + len.min(max));
        out.extend_from_slice(&self.0[self.1..end]);
        self.1 = end;
        Ok(())
    }
}

impl Store for Contrary {
    fn tables(&self) -> store::Result<Vec<store::Table>> {
        let mut tables = self.0.tables()?;
        for table in &mut tables {
            (table.bytes_about, table.key_type) = (table.bytes_about * 2, "octets".to_owned());
        }
        Ok(tables)
    }

    fn template(&self) -> store::Result<Vec<u8>> {
        Ok(b"another template".to_vec())
    }

    fn notes(&self) -> store::Result<Vec<(String, String)>> {
        Ok(vec![("mood".to_owned(), "contrary".to_owned())])
    }

    fn position(&self, at: &str) -> store::Result<u64> {
        self.0.position(at)
    }

    fn split(&self, table: &str, parts: u32) -> store::Result<Vec<Vec<u8>>> {
        let all: Vec<Vec<u8>> = self.0.0[table].keys().cloned().collect();
        Ok((1..u64::from(parts)).filter_map(|part| all.get((part * part * 11) as usize).cloned()).collect())
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> store::Result<Box<dyn Entries>> {
        let mut packed = Vec::new();
        for (key, value) in &self.0.0[table] {
            if from.is_none_or(|from| &key[..] >= from) && to.is_none_or(|to| &key[..] < to) {
                frame::push(&mut packed, key, value)?;
            }
        }
        Ok(Box::new(Dribbling(packed, 0)))
    }
}

#[test]
fn equal_data_has_one_id_whatever_the_store_and_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let maps = Maps::filled(&[("large", 300, 100_000), ("many", 20_000, 20)]);
    let mut ids = HashSet::new();
    for threads in 1..=4 {
        let repository = repository(dir.path().join(format!("{threads}")));
        let backup = Backup::new().threads(threads);
        let plain = repository.backup(&Arc::new(maps.clone()), &backup).unwrap();
        let contrary = repository.backup(&Arc::new(Contrary(maps.clone())), &backup).unwrap();
        assert_eq!(contrary.labels[0], ("mood".to_owned(), "contrary".to_owned()));
        ids.extend([plain.id, contrary.id]);
    }
    assert_eq!(ids.len(), 1);
    let mut other = maps;
    other.0.get_mut("many").unwrap().pop_last();
    let other = repository(dir.path().join("1")).backup(&Arc::new(other), &Backup::new()).unwrap();
    assert!(!ids.contains(&other.id));
}

#[test]
fn equal_databases_have_one_id_whatever_their_history() {
    let dir = tempfile::tempdir().unwrap();
    let one = Database::create(dir.path().join("one.redb")).unwrap();
    insert(&one, 0..5000);
    let other = Database::create(dir.path().join("other.redb")).unwrap();
    insert(&other, (0..9000).rev().filter(|key| key % 3 != 0));
    insert(&other, (0..5000).filter(|key| key % 3 == 0));
    let txn = other.begin_write().unwrap();
    txn.open_table(TABLE).unwrap().retain(|key, _| key < 5000).unwrap();
    txn.commit().unwrap();
    let repository = repository(dir.path().join("backups"));
    let one = repository.backup(&one, &Backup::new().source("one")).unwrap();
    let other = repository.backup(&other, &Backup::new().source("other").threads(1)).unwrap();
    assert_eq!(one.id, other.id);
    let packs = |snapshot: &Snapshot| snapshot.bytes_added;
    assert!(packs(&other) < packs(&one) / 100, "other sources share what is equal");
    assert_eq!(other.parent, None, "but each has its own history");
}

#[test]
fn a_scan_ends_where_its_caller_breaks_and_fails_as_its_caller_fails() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let maps = Maps::filled(&[("a", 200_000, 20)]);
    repository.backup(&Arc::new(maps.clone()), &Backup::new()).unwrap();
    let mut seen = Vec::new();
    let stop = |key: &[u8], value: &[u8]| {
        seen.push((key.to_vec(), value.to_vec()));
        Ok(if seen.len() == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    repository.scan("latest", "a", stop).unwrap();
    let expected: Vec<_> = maps.0["a"].iter().take(7).map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(seen, expected);

    let mut calls = 0;
    let fail = |_: &[u8], _: &[u8]| {
        calls += 1;
        Err(Error::new(ErrorCode::Full, "my own disk is full"))
    };
    let error = repository.scan("latest", "a", fail).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str(), calls),
        (ErrorCode::Full, "my own disk is full", 1)
    );
    let never = |_: &[u8], _: &[u8]| -> Result<ControlFlow<()>> { unreachable!("there is no such table") };
    let error = repository.scan("latest", "b", never).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.to_string().contains("\"b\""), "{error}");
}

#[test]
fn snapshots_are_found_by_name_by_the_beginning_of_an_id_and_as_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let db = small_database(&dir.path().join("app.redb"));
    let day = |days: u64| std::time::UNIX_EPOCH + Duration::from_secs(days * 86_400);
    let backup =
        |name: &str, days| repository.backup(&db, &Backup::new().name(name).time(day(days))).unwrap();
    let (old, same) = (backup("old", 1), backup("same data, later", 2));
    insert(&db, 5000..5001);
    let new = backup("new", 3);
    assert_eq!(old.id, same.id);
    let find = |which: &str| repository.find(which).map(|snapshot| snapshot.name);
    assert_eq!(find("old").unwrap(), "old");
    assert_eq!(find("latest").unwrap(), "new");
    assert_eq!(find(&new.id).unwrap(), "new");
    assert_eq!(find(&new.id[..4]).unwrap(), "new");
    assert_eq!(find(&old.id[..8].to_uppercase()).unwrap(), "same data, later", "the newest that has it");
    for none in ["", "ol", "0", &format!("{}0", new.id), "../old", "old.json", "OLD"] {
        assert_eq!(find(none).unwrap_err().code(), ErrorCode::NotFound, "{none:?}");
    }
    assert_eq!(names(&repository), ["old", "same data, later", "new"]);
}

#[test]
fn tables_of_a_snapshot_are_told_with_types_counts_and_ids() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let db = small_database(&dir.path().join("app.redb"));
    let txn = db.begin_write().unwrap();
    txn.open_table(TableDefinition::<u64, &[u8]>::new("another of the same")).unwrap();
    txn.open_multimap_table(redb::MultimapTableDefinition::<&str, u32>::new("several"))
        .unwrap()
        .insert("a", 1)
        .unwrap();
    txn.commit().unwrap();
    repository.backup(&db, &Backup::new().name("one")).unwrap();
    insert(&db, 5000..5001);
    repository.backup(&db, &Backup::new().name("two")).unwrap();
    let (one, two) = (repository.tables("one").unwrap(), repository.tables("two").unwrap());
    let told: Vec<_> = one.iter().map(|t| (t.name.as_str(), t.multimap, t.entries, t.bytes)).collect();
    assert_eq!(
        told,
        [("another of the same", false, 0, 0), ("several", true, 1, 5), ("table", false, 1000, 1000 * 208)]
    );
    assert_eq!((one[2].key_type.as_str(), one[2].value_type.as_str()), ("u64", "&[u8]"));
    assert_eq!(one[1].id, two[1].id, "a table that did not change keeps its id");
    assert_ne!(one[2].id, two[2].id);
    assert_eq!(repository.tables("none").unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn unchanged_data_adds_a_snapshot_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let db = small_database(&dir.path().join("app.redb"));
    repository.backup(&db, &Backup::new().name("one")).unwrap();
    let before: HashSet<_> = common::files_below(repository.dir()).into_iter().collect();
    let snapshot = repository.backup(&db, &Backup::new().name("two")).unwrap();
    assert_eq!(snapshot.bytes_added, 0);
    let after: HashSet<_> = common::files_below(repository.dir()).into_iter().collect();
    let new: Vec<_> = after.difference(&before).collect();
    let file = repository.dir().join("snapshots/two.json");
    assert_eq!(new, [&file]);
    assert!(file.metadata().unwrap().len() < 4096);
    let read = db.begin_read().unwrap();
    assert_eq!(redb::ReadableTableMetadata::len(&read.open_table(TABLE).unwrap()).unwrap(), 1000);
}

//! What changed is what a scan would find.
#![allow(clippy::unwrap_used)]

mod common;

use common::edits::{Kept, both, keep, rows, tells, write};
use redb::{ConcurrencyMode, Database, Durability, ReadableTableMetadata};
use std::sync::atomic::{AtomicBool, Ordering};
use strongroom_store::redb::RedbStore;
use strongroom_store::{ErrorCode, Store};

fn all(store: &dyn Store) -> Kept {
    keep(store, "table").unwrap().expect("the store can tell")
}

#[test]
fn one_row_of_many_is_told_by_few_edits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..20_000, 1);
    let before = all(&RedbStore::live_with_file(&database, &path).unwrap());
    write(&database, 77..78, 2);
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    let now = all(&store);
    assert_ne!(before.stamp, now.stamp);
    let edits = tells(&store, "table", &before, &now, 100, 1000).expect("the store can tell");
    assert!(edits.len() < 60_000, "{} bytes of edits", edits.len());
    let same = tells(&store, "table", &now, &now, 1 << 20, 1 << 20).expect("the store can tell");
    assert_eq!(same.len(), 9);
}

#[test]
fn the_baseline_is_at_most_a_thousandth_of_the_data() {
    for sorted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let database = Database::create(&path).unwrap();
        let many = 100_000;
        let mut order: Vec<usize> = (0..many).collect();
        if sorted {
            order.sort_by_key(|i| rows::key(*i));
        }
        write(&database, order, 1);
        let kept = all(&RedbStore::live_with_file(&database, &path).unwrap());
        let share = kept.baseline.len() as f64 / (many * 232) as f64;
        assert!(share <= 0.001, "{:.3} % of data that was loaded sorted: {sorted}", share * 100.0);
    }
}

#[test]
fn the_moment_is_the_pinned_one_beside_a_writer_that_never_rests() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..3000, 1);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let mut txn = database.begin_write().unwrap();
                // Some commits are in memory only.
                if i % 3 == 1 {
                    txn.set_durability(Durability::None).unwrap();
                }
                rows::insert(&txn, [i * 7 % 3000, i * 11 % 4000], i as u8);
                txn.commit().unwrap();
            }
        });
        let mut before: Option<Kept> = None;
        let mut told = 0;
        for _ in 0..60 {
            let store = RedbStore::live_with_file(&database, &path).unwrap();
            let Some(now) = keep(&store, "table").unwrap() else {
                // It says why.
                assert!(store.notes().unwrap().iter().any(|(name, _)| name == "changes"));
                continue;
            };
            if let Some(before) = &before {
                told += usize::from(tells(&store, "table", before, &now, 5000, 5000).is_some());
            }
            before = Some(now);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(told > 10, "only {told} of 60");
    });
}

#[test]
fn commits_in_memory_only_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..3000, 1);
    let before = all(&RedbStore::live_with_file(&database, &path).unwrap());
    let mut txn = database.begin_write().unwrap();
    txn.set_durability(Durability::None).unwrap();
    rows::insert(&txn, [3, 7000], 9);
    txn.commit().unwrap();
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    let now = all(&store);
    assert_eq!(now.entries.len(), 3001);
    tells(&store, "table", &before, &now, 1000, 1000).expect("the store can tell");
}

#[test]
fn an_application_may_share_its_database_with_other_processes() {
    for mode in [ConcurrencyMode::SingleWriter, ConcurrencyMode::MultiWriter] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let database = Database::builder().set_concurrency_mode(mode).create(&path).unwrap();
        write(&database, 0..3000, 1);
        let before = all(&RedbStore::live_with_file(&database, &path).unwrap());
        assert_eq!(before, all(&RedbStore::open(&path).unwrap()));
        write(&database, [5, 9000], 2);
        let store = RedbStore::live_with_file(&database, &path).unwrap();
        let now = all(&store);
        tells(&store, "table", &before, &now, 1000, 1000).expect("the store can tell");
        write(&database, 9000..9300, 3);
        let later = RedbStore::open(&path).unwrap();
        tells(&later, "table", &now, &all(&later), 1000, 1000).expect("the store can tell");
        // The moment before is still there.
        tells(&store, "table", &before, &now, 1000, 1000).expect("the store can tell");
    }
}

#[test]
fn a_database_that_is_repaired_quickly_still_is_after_a_backup() {
    for quick in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("a.redb"), dir.path().join("b.redb"));
        let database = Database::create(&path).unwrap();
        let mut txn = database.begin_write().unwrap();
        txn.set_quick_repair(quick);
        rows::insert(&txn, 0..3000, 1);
        txn.commit().unwrap();
        let _store = RedbStore::live_with_file(&database, &path).unwrap();
        // As after a crash.
        std::fs::copy(&path, &copy).unwrap();
        let all_was_read = std::sync::Arc::new(AtomicBool::new(false));
        let flag = std::sync::Arc::clone(&all_was_read);
        let builder = &mut Database::builder();
        drop(builder.set_repair_callback(move |_| flag.store(true, Ordering::Relaxed)).open(&copy).unwrap());
        assert_eq!(all_was_read.load(Ordering::Relaxed), !quick);
    }
}

#[test]
fn tables_by_the_thousand_have_a_stamp_each() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    let change = |tables: std::ops::Range<usize>| {
        let txn = database.begin_write().unwrap();
        for i in tables {
            let name = format!("table {i}");
            let mut table = txn.open_table(redb::TableDefinition::<u64, u64>::new(&name)).unwrap();
            if i % 3 > 0 {
                let len = table.len().unwrap();
                table.insert(len, len).unwrap();
            }
        }
        txn.commit().unwrap();
    };
    let stamps = || {
        let store = RedbStore::live_with_file(&database, &path).unwrap();
        let tables = store.tables().unwrap();
        let stamp = |table: &strongroom_store::Table| {
            (table.name.clone(), store.stamp(&table.name).unwrap().unwrap())
        };
        tables.iter().map(stamp).collect::<std::collections::BTreeMap<_, _>>()
    };
    change(0..2000);
    let before = stamps();
    change(1000..1009);
    let after = stamps();
    let changed: Vec<_> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!((before.len(), after.len(), changed.len()), (2000, 2000, 6), "{changed:?}");
}

#[test]
fn without_its_own_file_a_store_cannot_tell() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("a.redb"), dir.path().join("b.redb"));
    let database = Database::create(&path).unwrap();
    write(&database, 0..100, 1);
    std::fs::copy(&path, &other).unwrap();
    let held = database.begin_write().unwrap();
    let waits_in_vain = RedbStore::live_with_file(&database, &path).unwrap();
    drop(held);
    for store in [
        waits_in_vain,
        RedbStore::live(&database).unwrap(),
        RedbStore::live_with_file(&database, &other).unwrap(),
        RedbStore::live_with_file(&database, &dir.path().join("none")).unwrap(),
        RedbStore::live_with_file(&database, dir.path()).unwrap(),
    ] {
        assert_eq!(store.stamp("table").unwrap(), None);
        assert!(store.baseline("table").unwrap().is_none());
        assert!(store.changes("table", &[1; 42]).unwrap().is_none());
        assert_eq!(common::scan(&store, "table").len(), 100);
    }
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    assert!(store.stamp("table").unwrap().is_some());
    assert_eq!(store.stamp("none").unwrap_err().code, ErrorCode::NotFound);
}

#[test]
fn a_baseline_that_is_not_the_tables_own_is_never_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..4000, 1);
    let first = all(&RedbStore::live_with_file(&database, &path).unwrap());
    write(&database, 2000..2005, 2);
    let second = all(&RedbStore::live_with_file(&database, &path).unwrap());
    write(&database, 3000..4100, 3);
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    let now = all(&store);
    for old in [&first, &second, &now] {
        tells(&store, "table", old, &now, 300, 300).expect("the store can tell");
    }
    let told = |stamp: &[u8], baseline: &[u8]| {
        let old = Kept { stamp: stamp.to_vec(), entries: first.entries.clone(), baseline: baseline.to_vec() };
        store.changes("table", stamp).unwrap().map(|mut changes| {
            let read = both(&mut *changes, &old.baseline, 700, 700);
            let error = read.err()?;
            assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
            // It stays so.
            assert!(changes.entries(10, &mut Vec::new()).is_err() && changes.offer(b"").is_err());
            Some(error)
        })
    };
    let fails = |stamp: &[u8], baseline: &[u8]| matches!(told(stamp, baseline), None | Some(Some(_)));
    assert!(fails(&first.stamp, &second.baseline));
    assert!(fails(&second.stamp, &first.baseline));
    assert!(fails(&first.stamp, b""));
    for end in (0..first.baseline.len()).step_by(first.baseline.len() / 37) {
        assert!(fails(&first.stamp, &first.baseline[..end]));
        let mut damaged = first.baseline.clone();
        damaged[end] ^= 1 << (end % 8);
        assert!(fails(&first.stamp, &damaged));
        let mut longer = first.baseline.clone();
        longer.extend_from_slice(&first.baseline[..end]);
        assert!(end == 0 || fails(&first.stamp, &longer));
        let garbage: Vec<u8> = (0..end).map(|i| common::mix(i) as u8).collect();
        assert!(fails(&first.stamp, &garbage));
    }
    for at in 0..first.stamp.len() {
        let mut stamp = first.stamp.clone();
        stamp[at] ^= 1;
        assert!(fails(&stamp, &first.baseline), "byte {at} of the stamp");
    }
    for stamp in [&b""[..], &first.stamp[1..], &[&first.stamp[..], b"\0"].concat()] {
        assert!(store.changes("table", stamp).unwrap().is_none());
    }
}

#[test]
fn calls_out_of_order_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..1000, 1);
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    let now = all(&store);
    let changes = || store.changes("table", &now.stamp).unwrap().unwrap();
    let mut early = changes();
    let mut out = Vec::new();
    early.entries(100, &mut out).unwrap();
    early.baseline(100, &mut out).unwrap();
    assert!(out.is_empty());
    both(&mut *early, &now.baseline, 10, 10).unwrap();
    early.entries(100, &mut out).unwrap();
    early.baseline(100, &mut out).unwrap();
    assert!(out.is_empty());
    assert!(early.offer(b"more").is_err());
    let mut flooded = changes();
    let piece = vec![0; 1 << 20];
    assert!((0..100).any(|_| flooded.offer(&piece).is_err()));
}

#[test]
fn damage_is_never_told_as_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("a.redb"), dir.path().join("b.redb"));
    let database = Database::create(&path).unwrap();
    write(&database, 0..1500, 1);
    drop(database);
    let before = all(&RedbStore::open(&path).unwrap());
    let database = Database::open(&path).unwrap();
    write(&database, 10..13, 2);
    drop(database);
    let now = all(&RedbStore::open(&path).unwrap());
    let sound = std::fs::read(&path).unwrap();
    let (mut told, mut doubted) = (0, 0);
    for page in 0..sound.len() / 4096 {
        for at in [page % 320, 5 + page * 7 % 64, common::mix(page) as usize % 4096] {
            let mut bytes = sound.clone();
            bytes[page * 4096 + at] ^= 1 << (page % 8);
            std::fs::write(&copy, bytes).unwrap();
            let Ok(store) = RedbStore::open(&copy) else { continue };
            let kept = store.stamp("table").and_then(|stamp| {
                let Some(stamp) = stamp else { return Ok(None) };
                assert_eq!(stamp, now.stamp);
                Ok(store.baseline("table")?.and_then(|baseline| common::drain(baseline, 5000).ok()))
            });
            if let Ok(Some(baseline)) = kept {
                assert!(baseline == now.baseline);
            }
            let Ok(Some(_)) = store.changes("table", &before.stamp) else {
                doubted += 1;
                continue;
            };
            match tells(&store, "table", &before, &now, 3000, 3000) {
                Some(_) => told += 1,
                None => doubted += 1,
            }
        }
    }
    assert!(told > 100 && doubted > 2, "{told} told, {doubted} doubted");
}

#[test]
fn what_redb_3_wrote_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let fill = |rows: std::ops::Range<u64>, value: &str| {
        let database = redb31::Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        {
            let definition = redb31::TableDefinition::<(u64, &str), &str>::new("table");
            let mut table = txn.open_table(definition).unwrap();
            let definition = redb31::MultimapTableDefinition::<u8, u64>::new("multi");
            let mut multi = txn.open_multimap_table(definition).unwrap();
            for i in rows {
                table.insert((i, "row"), value).unwrap();
                multi.insert(i as u8 % 7, i).unwrap();
            }
        }
        txn.commit().unwrap();
    };
    fill(0..20_000, "first");
    let store = RedbStore::open(&path).unwrap();
    let before = ["table", "multi"].map(|name| keep(&store, name).unwrap().unwrap());
    drop(store);
    fill(7000..7010, "then");
    fill(30_000..30_010, "then");
    let store = RedbStore::open(&path).unwrap();
    for (name, before) in ["table", "multi"].iter().zip(&before) {
        let now = keep(&store, name).unwrap().unwrap();
        let edits = tells(&store, name, before, &now, 1000, 1000).expect("the store can tell");
        assert!(*name == "multi" || edits.len() < 100_000, "{name}: {} bytes", edits.len());
    }
}

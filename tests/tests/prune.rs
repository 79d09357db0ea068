//! Forgetting and pruning through the component: true to the byte, beside readers, stopped anywhere, under the lock.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use strongroom::{Backup, Cancel, Depth, ErrorCode, Forget, Prune, Pruned, Repository, Restore};

use common::map::{MapSink, Maps};
use common::{assert_whole, files_below, mix, names, noise, repository};

/// Rows that are nearly all the same whatever the number, and a large value of its own.
fn maps(number: u64) -> Arc<Maps> {
    let mut maps = Maps::filled(&[("large", 3, 400_000), ("rows", 8000, 150)]);
    maps.0.insert("own".to_owned(), [(b"large".to_vec(), noise(number, 500_000))].into());
    let rows = maps.0.get_mut("rows").unwrap();
    for i in 0..20 {
        let row = mix(number * 20 + i) % 8000;
        rows.insert(format!("key {row:08}").into_bytes(), noise(number ^ i, 150));
    }
    Arc::new(maps)
}

fn backup(repository: &Repository, number: u64) {
    repository.backup(&maps(number), &Backup::new().name(format!("{number:04}")).threads(2)).unwrap();
}

fn forget(repository: &Repository, numbers: impl IntoIterator<Item = u64>) {
    let names = numbers.into_iter().map(|number| format!("{number:04}"));
    repository.forget(names, &Forget::new()).unwrap();
}

fn assert_restores(repository: &Repository, number: u64) {
    let (sink, restored) = MapSink::new();
    repository.restore_into(&format!("{number:04}"), Box::new(sink), &Restore::new()).unwrap();
    assert!(restored.lock().unwrap().as_ref() == Some(&*maps(number)), "{number}");
}

fn bytes_of(dir: &Path) -> i64 {
    files_below(dir)
        .iter()
        .filter(|path| path.is_file())
        .map(|path| path.metadata().unwrap().len() as i64)
        .sum()
}

/// Every file and what it holds.
fn state_of(dir: &Path) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    files_below(dir).into_iter().map(|path| (path.clone(), std::fs::read(path).ok())).collect()
}

#[test]
fn freed_bytes_are_true_to_the_byte_and_a_dry_run_knows_them_before() {
    let temp = tempfile::tempdir().unwrap();
    let dir = &temp.path().join("backups");
    let repository = repository(dir);
    for number in 0..10 {
        backup(&repository, number);
    }
    forget(&repository, [0, 1, 3, 4, 6, 7, 8]);
    std::fs::write(dir.join("packs/tmp-left"), [1; 12_345]).unwrap();
    let (before, state) = (bytes_of(dir), state_of(dir));

    let announced = repository.prune(&Prune::new().dry_run(true)).unwrap();
    assert!(state_of(dir) == state, "a dry run changes nothing");
    let pruned = repository.prune(&Prune::new()).unwrap();
    assert_eq!(announced, pruned);
    assert_eq!(pruned.bytes_freed, before - bytes_of(dir));
    assert_eq!(pruned.bytes_left as i64, bytes_of(dir));
    assert!(pruned.bytes_freed > 7 * 500_000, "{pruned:?}");
    assert_eq!((pruned.snapshots, pruned.packs_written), (3, 1));
    assert_eq!(names(&repository), ["0002", "0005", "0009"]);
    assert_whole(&repository);
    for number in [2, 5, 9] {
        assert_restores(&repository, number);
    }
    let again = repository.prune(&Prune::new().max_unused(0)).unwrap();
    assert_eq!((again.bytes_freed, again.bytes_moved), (0, 0));
    // In JSON as in Rust.
    let json = serde_json::to_value(&pruned).unwrap();
    assert_eq!(json["bytes_freed"], pruned.bytes_freed);
    assert!(json["objects_moved"].as_u64().unwrap() > 0);
}

#[test]
fn forget_takes_all_names_or_none_and_not_the_last_snapshot() {
    let temp = tempfile::tempdir().unwrap();
    let dir = &temp.path().join("backups");
    let repository = repository(dir);
    for number in 0..3 {
        backup(&repository, number);
    }
    let try_forget = |names: &[&str], forget: Forget| {
        repository.forget(names.iter().copied(), &forget).map_err(|e| (e.code(), e.to_string()))
    };
    let (code, message) = try_forget(&["0000", "nobody"], Forget::new()).unwrap_err();
    assert_eq!(code, ErrorCode::NotFound);
    assert!(message.contains("\"nobody\""), "{message}");
    assert_eq!(try_forget(&["latest"], Forget::new()).unwrap_err().0, ErrorCode::NotFound);
    let (code, message) = try_forget(&["0000", "0001", "0002"], Forget::new()).unwrap_err();
    assert_eq!(code, ErrorCode::Invalid);
    assert!(message.contains("--allow-empty"), "{message}");
    try_forget(&["0000", "0001"], Forget::new().dry_run(true)).unwrap();
    try_forget(&[], Forget::new()).unwrap();
    assert_eq!(names(&repository).len(), 3);

    try_forget(&["0000", "0001"], Forget::new()).unwrap();
    assert_eq!(names(&repository), ["0002"]);
    assert_restores(&repository, 2);
    try_forget(&["0002"], Forget::new().allow_empty(true)).unwrap();
    let error = repository.prune(&Prune::new()).unwrap_err();
    assert!(error.to_string().contains("allow_empty"), "{error}");
    repository.prune(&Prune::new().allow_empty(true)).unwrap();
    let left: Vec<_> = files_below(dir).into_iter().filter(|path| path.is_file()).collect();
    assert_eq!(left, [dir.join("repository.json")]);
    backup(&repository, 5);
    assert_restores(&repository, 5);
}

#[test]
fn only_what_writes_waits_for_the_lock() {
    let temp = tempfile::tempdir().unwrap();
    let dir = &temp.path().join("backups");
    let repository = repository(dir);
    backup(&repository, 0);
    backup(&repository, 1);
    let lock = dir.join("lock");
    std::fs::write(&lock, r#"{"kind":"component","machine":"elsewhere","pid":7,"doing":"a backup"}"#)
        .unwrap();
    let code = |e: strongroom::Error| e.code();
    assert_eq!(repository.prune(&Prune::new()).map_err(code), Err(ErrorCode::Locked));
    assert_eq!(repository.forget(["0000"], &Forget::new()).map_err(code), Err(ErrorCode::Locked));
    repository.prune(&Prune::new().dry_run(true)).unwrap();
    repository.forget(["0000"], &Forget::new().dry_run(true)).unwrap();
    std::fs::remove_file(&lock).unwrap();
    forget(&repository, [0]);
    repository.prune(&Prune::new()).unwrap();
    assert!(!lock.exists());
    let nowhere = common::repository(dir.join("nowhere"));
    assert_eq!(nowhere.prune(&Prune::new()).map_err(code), Err(ErrorCode::NoRepository));
    assert_eq!(nowhere.forget(["x"], &Forget::new()).map_err(code), Err(ErrorCode::NoRepository));
    assert!(!dir.join("nowhere").exists());
}

#[test]
fn a_prune_that_is_stopped_anywhere_harms_nothing_and_the_next_one_ends_where_it_would_have() {
    let temp = tempfile::tempdir().unwrap();
    let dir = &temp.path().join("backups");
    let plain = repository(dir);
    for number in 0..6 {
        backup(&plain, number);
    }
    forget(&plain, [0, 2, 4]);
    let mut announced: Option<Pruned> = None;
    let mut stopped = 0;
    for question in 0.. {
        let dry = plain.prune(&Prune::new().dry_run(true)).unwrap();
        assert_eq!(announced.get_or_insert_with(|| dry.clone()).bytes_left, dry.bytes_left);
        let (cancel, asked) = (Cancel::new(), AtomicU64::new(0));
        let token = cancel.clone();
        let stopping = plain.clone().cancel_with(cancel).on_progress(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == question {
                token.cancel();
            }
        });
        match stopping.prune(&Prune::new()) {
            Ok(pruned) => {
                assert_eq!(Some(pruned.bytes_left), announced.map(|announced| announced.bytes_left));
                break;
            }
            Err(e) => assert_eq!(e.code(), ErrorCode::Cancelled, "{e}"),
        }
        stopped += 1;
        assert_whole(&plain);
    }
    assert!(stopped > 5, "{stopped}");
    for number in [1, 3, 5] {
        assert_restores(&plain, number);
    }
}

#[test]
fn readers_beside_prunes_never_miss_anything() {
    let temp = tempfile::tempdir().unwrap();
    let dir = &temp.path().join("backups");
    let writing = repository(dir);
    for number in 0..4 {
        backup(&writing, number);
    }
    let done = AtomicBool::new(false);
    let rounds = [const { AtomicU64::new(0) }; 3];
    std::thread::scope(|scope| {
        let reader = |of: usize, read: fn(&Repository)| {
            let (done, rounds, reading) = (&done, &rounds, repository(dir));
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) || rounds[of].load(Ordering::Relaxed) == 0 {
                    read(&reading);
                    rounds[of].fetch_add(1, Ordering::Relaxed);
                }
            });
        };
        // One snapshot is there all the time.
        reader(0, |reading| assert_restores(reading, 0));
        reader(1, |reading| {
            assert_eq!(reading.verify(Some("0000"), Depth::Data).unwrap().damage, []);
            assert_eq!(reading.verify(Some("0000"), Depth::Structure).unwrap().damage, []);
        });
        reader(2, |reading| {
            assert_eq!(reading.tables("0000").unwrap().len(), 3);
            let (mut entries, expected) = (0, maps(0));
            let rows = &expected.0["rows"];
            let each = |key: &[u8], value: &[u8]| {
                assert_eq!(rows.get(key).map(Vec::as_slice), Some(value));
                entries += 1;
                Ok(ControlFlow::Continue(()))
            };
            reading.scan("0000", "rows", each).unwrap();
            assert_eq!(entries, rows.len());
        });
        for number in 4..30 {
            backup(&writing, number);
            forget(&writing, [number - 3]);
            let pruned = writing.prune(&Prune::new().max_unused(0)).unwrap();
            assert!(pruned.packs_removed > 0);
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{rounds:?} rounds of readers");
    assert_whole(&writing);
    assert_eq!(names(&writing).len(), 4);
}

//! What the component can touch, what ends a run, and that whatever ends it harms nothing.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod budgets;
mod contract;
mod permissions;
mod reading;
mod stores;
mod turned;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use strongroom::{Backup, Budgets, Error, ErrorCode, Repository, Restore, Snapshot};

use common::map::{MapSink, Maps};
use common::{assert_whole, builder, files_below, names, noise, repository};

/// A repository with a snapshot `first` of some tables.
pub fn with_a_snapshot(dir: &Path) -> (Repository, Maps, Snapshot) {
    let repository = repository(dir.join("backups"));
    let maps = Maps::filled(&[("a", 2000, 100), ("b", 20, 5000), ("empty", 0, 0)]);
    let snapshot = repository.backup(&Arc::new(maps.clone()), &Backup::new().name("first")).unwrap();
    (repository, maps, snapshot)
}

pub fn restored(repository: &Repository, snapshot: &str) -> Maps {
    let (sink, restored) = MapSink::new();
    repository.restore_into(snapshot, Box::new(sink), &Restore::new()).unwrap();
    restored.lock().unwrap().take().expect("it is published")
}

/// The earlier snapshot is all there is, it is whole, and the next backup works.
pub fn assert_unharmed(repository: &Repository, first: &Maps) {
    let repository = &common::repository(repository.dir());
    assert_eq!(names(repository), ["first"]);
    assert_whole(repository);
    assert!(restored(repository, "first") == *first);
    let mut more = first.clone();
    more.0.insert("more".to_owned(), [(b"key".to_vec(), noise(9, 1000))].into());
    repository.backup(&Arc::new(more.clone()), &Backup::new().name("next")).unwrap();
    assert!(restored(repository, "next") == more);
    assert_whole(repository);
    std::fs::remove_file(repository.dir().join("snapshots/next.json")).unwrap();
}

/// Every file below a directory: name, bytes, and when it was last written.
pub fn state_of(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, SystemTime)> {
    let state = |path: PathBuf| {
        let modified = path.metadata().unwrap().modified().unwrap();
        let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
        (path, bytes, modified)
    };
    files_below(dir).into_iter().chain([dir.to_owned()]).map(state).collect()
}

pub fn budgets(change: impl FnOnce(&mut Budgets)) -> Budgets {
    let mut budgets = Budgets::default();
    change(&mut budgets);
    budgets
}

pub fn limited(repository: &Repository, change: impl FnOnce(&mut Budgets)) -> Repository {
    let sandbox = builder().budgets(budgets(change)).build().unwrap();
    Repository::with_sandbox(repository.dir(), sandbox).unwrap()
}

pub fn assert_budget(error: &Error, flag: &str) {
    assert_eq!(error.code(), ErrorCode::Budget, "{error}");
    assert!(error.to_string().contains(flag), "{error}");
}

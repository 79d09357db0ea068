//! Every system call that a restore makes on its files is where the process is killed, or where it fails. The target is
//! then what it was before, or the whole new database; and the next restore succeeds.
//!
//! The calls are struck by `strace`, which has to be installed; without it this says so and looks at nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use common::scan;
use redb::{Database, TableDefinition};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use strongroom_store::redb::{RedbSink, RedbStore};
use strongroom_store::{Entries, Result, Sink, Store};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

fn database(path: &Path, rows: u64, byte: u8) {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    for row in 0..rows {
        txn.open_table(ROWS).unwrap().insert(row, [byte; 200].as_slice()).unwrap();
    }
    txn.commit().unwrap();
}

fn restore(from: &Path, to: &Path, overwrite: bool) -> Result<()> {
    let store = RedbStore::open(from)?;
    let mut sink = RedbSink::new(to, overwrite)?;
    sink.create(&store.template()?)?;
    for table in store.tables()? {
        sink.table(&table)?;
        let mut entries: Box<dyn Entries> = store.scan(&table.name, None, None)?;
        let mut piece = Vec::new();
        loop {
            piece.clear();
            entries.read(100_000, &mut piece)?;
            if piece.is_empty() {
                break;
            }
            sink.append(&piece)?;
        }
        sink.finish_table()?;
    }
    sink.finish()?;
    Box::new(sink).publish()
}

/// Not a test: the restore that is disturbed. 0: done, 3: it said that it failed.
#[test]
#[ignore = "what the other tests start as another process"]
fn restores() {
    let Some(dir) = std::env::var_os("ATOMIC_DIR").map(PathBuf::from) else { return };
    let overwrite = std::env::var_os("ATOMIC_OVERWRITE").is_some();
    if let Err(error) = restore(&dir.join("source.redb"), &dir.join("out.redb"), overwrite) {
        eprintln!("it failed: {error}");
        std::process::exit(3);
    }
}

/// Calls that open, change, sync or name a file.
const CALLS: &str =
    "openat,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,flock";

struct Scene {
    dir: tempfile::TempDir,
    overwrite: bool,
}

impl Scene {
    fn new(overwrite: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        database(&dir.path().join("source.redb"), 800, 1);
        let scene = Self { dir, overwrite };
        scene.set();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// As it is before the restore.
    fn set(&self) {
        for name in ["out.redb", "out.redb.strongroom-partial"] {
            let _ = fs::remove_file(self.path(name));
        }
        if self.overwrite {
            database(&self.path("out.redb"), 50, 2);
        }
    }

    /// Restores under strace, which looks only at what concerns the target.
    fn run(&self, strace: &[&str]) -> Output {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-y", "-o"]).arg(self.path("log"));
        for name in ["out.redb", "out.redb.strongroom-partial", ""] {
            command.arg("-P").arg(self.path(name).as_os_str().to_str().unwrap().trim_end_matches('/'));
        }
        command.args(strace).arg(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "restores", "--nocapture", "--test-threads", "1"]);
        command.env("ATOMIC_DIR", self.dir.path());
        if self.overwrite {
            command.env("ATOMIC_OVERWRITE", "1");
        }
        command.output().unwrap()
    }

    /// The calls of a restore that nothing disturbs: their names, and what they are about.
    fn calls(&self) -> Vec<(String, String)> {
        let done = self.run(&["-e", &format!("trace={CALLS}")]);
        assert!(done.status.success(), "{done:?}");
        let log = fs::read_to_string(self.path("log")).unwrap();
        let call = |line: &str| {
            let (name, rest) = line.split_whitespace().nth(1)?.split_once('(')?;
            let _ = rest;
            Some((name.to_owned(), line.split_once('(')?.1.to_owned()))
        };
        log.lines().filter_map(call).collect()
    }

    /// The whole new database, the old one, or nothing; anything else is a failure of the test.
    fn is_new(&self, what: &str) -> bool {
        let target = self.path("out.redb");
        if !self.overwrite && !target.exists() {
            return false;
        }
        let store = RedbStore::open(&target).unwrap_or_else(|error| panic!("{what}: {error}"));
        let rows = scan(&store, "rows");
        let all = |byte: u8, count: usize| {
            rows.len() == count && rows.iter().all(|(_, value)| *value == [byte; 200])
        };
        drop(store);
        if self.overwrite && all(2, 50) {
            return false;
        }
        assert!(all(1, 800), "{what}: the target is neither the old database nor the new one");
        assert!(Database::open(&target).unwrap().check_integrity().unwrap(), "{what}");
        true
    }
}

fn has_strace() -> bool {
    let has = Command::new("strace")
        .args(["-e", "trace=none", "true"])
        .output()
        .is_ok_and(|done| done.status.success());
    if !has {
        println!("there is no strace here, or it may not trace: nothing was looked at");
    }
    has
}

fn everywhere(overwrite: bool, effects: &[&str], step: usize) {
    if !has_strace() {
        return;
    }
    let scene = Scene::new(overwrite);
    let mut counts = BTreeMap::<String, usize>::new();
    for (name, _) in scene.calls() {
        *counts.entry(name).or_default() += 1;
    }
    assert!(scene.is_new("undisturbed"));
    println!("calls: {counts:?}");
    let (mut tried, mut new, mut said) = (0, 0, 0);
    for (call, count) in &counts {
        for number in (1..=*count).step_by(step) {
            for effect in effects {
                let what = format!("{call} {number} of {count}: {effect}");
                scene.set();
                let inject = format!("inject={call}:{effect}:when={number}");
                let done = scene.run(&["-e", &format!("trace={call}"), "-e", &inject]);
                let is_new = scene.is_new(&what);
                tried += 1;
                new += usize::from(is_new);
                match done.status.code() {
                    Some(0) => assert!(is_new, "{what}: it reported success"),
                    Some(3) => {
                        let text = String::from_utf8_lossy(&done.stderr).into_owned();
                        assert!(text.contains("it failed: ") && text.contains("out.redb"), "{what}: {text}");
                        said += 1;
                        // What failed leaves nothing behind, unless it could not take it away.
                        let left = scene.path("out.redb.strongroom-partial").exists();
                        assert!(!left || call.starts_with("unlink"), "{what}: it left its file");
                    }
                    _ => assert!(effect.contains("KILL"), "{what}: {done:?}"),
                }
                // The next one succeeds, whatever this one left.
                if !is_new || overwrite {
                    restore(&scene.path("source.redb"), &scene.path("out.redb"), overwrite)
                        .unwrap_or_else(|error| panic!("{what}, and then: {error}"));
                    assert!(scene.is_new(&what));
                    assert!(!scene.path("out.redb.strongroom-partial").exists(), "{what}");
                }
            }
        }
    }
    println!("{tried} tried: {new} times the new database was there, {said} times an error was reported");
    assert!(tried > 10);
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_or_the_new() {
    everywhere(false, &["signal=KILL"], 3);
    everywhere(true, &["signal=KILL"], 3);
}

#[test]
fn a_restore_that_meets_an_error_leaves_the_old_or_the_new() {
    everywhere(false, &["error=EIO"], 3);
    everywhere(true, &["error=ENOSPC"], 3);
}

#[test]
#[ignore = "minutes"]
fn a_restore_that_is_disturbed_anywhere_leaves_the_old_or_the_new() {
    for overwrite in [false, true] {
        everywhere(overwrite, &["signal=KILL", "error=EIO", "error=ENOSPC", "error=EINTR"], 1);
    }
}

#[test]
fn a_restored_file_is_durable_before_it_has_its_name_and_then_its_name_is() {
    if !has_strace() {
        return;
    }
    for overwrite in [false, true] {
        let calls = Scene::new(overwrite).calls();
        let last = |wanted: &dyn Fn(&str, &str) -> bool| {
            calls
                .iter()
                .rposition(|(name, about)| wanted(name, about))
                .unwrap_or_else(|| panic!("{calls:#?}"))
        };
        let written = last(&|name, about| {
            (name == "pwrite64" || name == "ftruncate") && about.contains("out.redb.strongroom-partial>")
        });
        let synced = last(&|name, about| name == "fsync" && about.contains("out.redb.strongroom-partial>"));
        let named = last(&|name, about| {
            (name.starts_with("rename") || name.starts_with("link")) && about.contains("out.redb")
        });
        let name_synced = last(&|name, about| name == "fsync" && !about.contains("out.redb"));
        assert!(written < synced && synced < named && named < name_synced, "{calls:#?}");
    }
}

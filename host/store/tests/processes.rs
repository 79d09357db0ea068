//! Another process has the database open.
#![allow(clippy::unwrap_used)]

mod common;

use common::edits::{keep, tells};
use common::{copy, scan};
use redb::{Builder, ConcurrencyMode, TableDefinition};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use strongroom_store::redb::RedbStore;
use strongroom_store::{ErrorCode, Store};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");
const ROWS: u64 = 3000;
/// Of which a commit changes a few rows.
const FEW: TableDefinition<u64, &[u8]> = TableDefinition::new("few");

/// Not a test: the application in another process. It commits a generation for every line that it reads.
#[test]
fn writer() {
    let (Ok(path), Ok(mode)) = (std::env::var("STORE_TEST_PATH"), std::env::var("STORE_TEST_MODE")) else {
        return;
    };
    let mode = match &mode[..] {
        "single" => ConcurrencyMode::SingleWriter,
        "multi" => ConcurrencyMode::MultiWriter,
        _ => ConcurrencyMode::ExclusiveWriter,
    };
    let database = Builder::new().set_concurrency_mode(mode).create(path).unwrap();
    for generation in (1..=250).cycle() {
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(TABLE).unwrap();
            for i in 0..ROWS {
                table.insert(i, [generation; 100].as_slice()).unwrap();
            }
            let mut few = txn.open_table(FEW).unwrap();
            for i in 0..if generation == 1 { ROWS } else { 5 } {
                few.insert(i * 599 * u64::from(generation) % ROWS, [generation; 100].as_slice()).unwrap();
            }
        }
        txn.commit().unwrap();
        eprintln!("committed {generation}");
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap() == 0 {
            return;
        }
    }
}

struct Writer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStderr>,
    _stdout: Option<ChildStdout>,
}

impl Writer {
    fn start(path: &Path, mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env("STORE_TEST_PATH", path)
            .env("STORE_TEST_MODE", mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stderr.take().unwrap());
        let mut this = Self { child, input, output, _stdout: None };
        this.committed();
        this
    }

    fn committed(&mut self) {
        let mut line = String::new();
        while !line.starts_with("committed") {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the writer ended");
        }
    }

    fn commit(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
        self.committed();
    }

    fn stop(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

fn generations(store: &RedbStore) -> Vec<u8> {
    let entries = scan(store, "table");
    assert_eq!(entries.len() as u64, ROWS);
    let mut generations: Vec<u8> = entries.iter().flat_map(|(_, value)| value.clone()).collect();
    generations.dedup();
    generations
}

#[test]
fn one_moment_is_read_beside_a_writer_that_shares() {
    for mode in ["single", "multi"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let mut writer = Writer::start(&path, mode);
        let store = RedbStore::open(&path).unwrap();
        for _ in 0..4 {
            writer.commit();
        }
        assert_eq!(generations(&store), [1], "{mode}");
        let later = RedbStore::open(&path).unwrap();
        assert_eq!(generations(&later), [5], "{mode}");
        assert!(
            later
                .notes()
                .unwrap()
                .iter()
                .any(|(name, value)| name == "opened" && value.contains("read-only"))
        );
        let restored = dir.path().join("restored.redb");
        copy(&store, &restored, 1 << 20).unwrap();
        writer.commit();
        assert_eq!(generations(&RedbStore::open(&restored).unwrap()), [1], "{mode}");
        drop((store, later));
        writer.stop();
        assert_eq!(generations(&RedbStore::open(&path).unwrap()), [6], "{mode}");
    }
}

#[test]
fn a_writer_that_does_not_share_is_busy_and_the_ways_out_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let writer = Writer::start(&path, "exclusive");
    let error = RedbStore::open(&path).err().unwrap();
    assert_eq!(error.code, ErrorCode::Busy);
    for way in ["embed", "set_concurrency_mode(ConcurrencyMode::SingleWriter)", "stop it"] {
        assert!(error.message.contains(way), "{error}");
    }
    writer.stop();
    assert_eq!(generations(&RedbStore::open(&path).unwrap()), [1]);
}

#[test]
fn a_killed_writer_leaves_readers_whole_and_its_file_to_its_application() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let mut writer = Writer::start(&path, "single");
    let store = RedbStore::open(&path).unwrap();
    writer.commit();
    writer.child.kill().unwrap();
    writer.child.wait().unwrap();
    assert_eq!(generations(&store), [1]);
    drop(store);
    // Repaired in memory.
    let file = std::fs::read(&path).unwrap();
    assert_eq!(generations(&RedbStore::open(&path).unwrap()), [2]);
    assert!(std::fs::read(&path).unwrap() == file);
    drop(redb::Database::open(&path).unwrap());
    assert_eq!(generations(&RedbStore::open(&path).unwrap()), [2]);
}

#[test]
fn an_application_may_start_in_a_shared_mode_while_a_backup_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    Writer::start(&path, "single").stop();
    let store = RedbStore::open(&path).unwrap();
    let mut writer = Writer::start(&path, "single");
    writer.commit();
    assert_eq!(generations(&store), [1]);
    writer.stop();
}

#[test]
fn what_changed_is_told_beside_a_writer_that_never_rests() {
    for mode in ["single", "multi"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let mut writer = Writer::start(&path, mode);
        let stop = AtomicBool::new(false);
        let look = || {
            let store = RedbStore::open(&path).unwrap();
            // All of one commit.
            generations(&store);
            let kept =
                ["few", "table"].map(|table| keep(&store, table).unwrap().expect("the store can tell"));
            (store, kept)
        };
        let (_, mut before) = look();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    writer.commit();
                }
                writer
            });
            for _ in 0..20 {
                let (store, now) = look();
                for ((table, before), now) in ["few", "table"].iter().zip(&before).zip(&now) {
                    tells(&store, table, before, now, 3000, 3000).expect("the store can tell");
                }
                before = now;
            }
            stop.store(true, Ordering::Relaxed);
            writer.join().unwrap().stop();
        });
        let (store, now) = look();
        for ((table, before), now) in ["few", "table"].iter().zip(&before).zip(&now) {
            tells(&store, table, before, now, 3000, 3000).expect("the store can tell");
        }
    }
}

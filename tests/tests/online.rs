//! A backup beside writers is one moment of the database, and leaves no trace in its file.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::{
    Builder, ConcurrencyMode, Database, Durability, ReadOnlyDatabase, ReadableDatabase as _,
    ReadableTable as _, ReadableTableMetadata as _, TableDefinition,
};
use strongroom::{Backup, Error, ErrorCode, RedbStore, Repository, Restore, Snapshot, Store as _};

use common::{assert_whole, mix, repository};

const ACCOUNTS: TableDefinition<u32, i64> = TableDefinition::new("accounts");
/// From, to, amount, by number.
const TRANSFERS: TableDefinition<u64, (u32, u32, i64)> = TableDefinition::new("transfers");
const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
const N: u32 = 1000;
const EACH: i64 = 1_000_000;

/// What the transfer of this number moves.
fn transfer(number: u64) -> (u32, u32, i64) {
    let mixed = mix(number);
    ((mixed % u64::from(N)) as u32, (mixed >> 20) as u32 % N, (mixed >> 50) as i64)
}

fn open_accounts(db: &Database) {
    let txn = db.begin_write().unwrap();
    {
        let mut accounts = txn.open_table(ACCOUNTS).unwrap();
        for account in 0..N {
            accounts.insert(account, EACH).unwrap();
        }
        txn.open_table(TRANSFERS).unwrap();
        txn.open_table(STATE).unwrap().insert("transfers", 0).unwrap();
    }
    txn.commit().unwrap();
}

/// One commit touches all three tables.
fn make_transfer(db: &Database, number: u64, durability: Durability) {
    let (from, to, amount) = transfer(number);
    let mut txn = db.begin_write().unwrap();
    txn.set_durability(durability).unwrap();
    {
        let mut accounts = txn.open_table(ACCOUNTS).unwrap();
        for (account, change) in [(from, -amount), (to, amount)] {
            let balance = accounts.get(account).unwrap().unwrap().value();
            accounts.insert(account, balance + change).unwrap();
        }
        txn.open_table(TRANSFERS).unwrap().insert(number, (from, to, amount)).unwrap();
        txn.open_table(STATE).unwrap().insert("transfers", number).unwrap();
    }
    txn.commit().unwrap();
}

/// Restores a snapshot and checks that it is the state after one transfer, in every table; says after which.
fn check_one_moment(repository: &Repository, snapshot: &Snapshot, dir: &Path) -> u64 {
    let path = dir.join(format!("{}.restored", snapshot.name));
    repository.restore(&snapshot.name, &path, &Restore::new()).unwrap();
    let db = Database::open(&path).unwrap();
    let txn = db.begin_read().unwrap();
    let last = txn.open_table(STATE).unwrap().get("transfers").unwrap().unwrap().value();
    let transfers = txn.open_table(TRANSFERS).unwrap();
    assert_eq!(transfers.len().unwrap(), last, "{}", snapshot.name);
    let mut expected = vec![EACH; N as usize];
    for (entry, number) in transfers.iter().unwrap().zip(1..) {
        let (stored, moved) = entry.unwrap();
        let (from, to, amount) = moved.value();
        assert_eq!((stored.value(), (from, to, amount)), (number, transfer(number)));
        expected[from as usize] -= amount;
        expected[to as usize] += amount;
    }
    let balances = txn.open_table(ACCOUNTS).unwrap();
    let balances: Vec<i64> = balances.iter().unwrap().map(|entry| entry.unwrap().1.value()).collect();
    assert_eq!(balances.iter().sum::<i64>(), i64::from(N) * EACH, "{}", snapshot.name);
    assert_eq!(balances, expected, "{} is a mixture of moments", snapshot.name);
    drop(txn);
    std::fs::remove_file(path).unwrap();
    last
}

#[test]
fn fifty_backups_beside_a_writer_are_fifty_moments() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::create(dir.path().join("bank.redb")).unwrap();
    open_accounts(&db);
    let repository = repository(dir.path().join("backups"));
    let (committed, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let snapshots: Vec<(u64, Snapshot, u64)> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (1..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                make_transfer(&db, number, Durability::Immediate);
                committed.store(number, Ordering::SeqCst);
            }
        });
        let mut seen = 0;
        let backups = (0..50).map(|number| {
            // The application has gone on since the backup before.
            while committed.load(Ordering::SeqCst) == seen {
                std::thread::yield_now();
            }
            seen = committed.load(Ordering::SeqCst);
            let backup = Backup::new().name(format!("moment-{number:02}")).position("state/transfers");
            let snapshot = repository.backup(&db, &backup);
            (seen, snapshot, committed.load(Ordering::SeqCst))
        });
        let backups: Vec<_> = backups.collect();
        stop.store(true, Ordering::Relaxed);
        backups.into_iter().map(|(before, snapshot, after)| (before, snapshot.unwrap(), after)).collect()
    });
    let mut last = 0;
    for (before, snapshot, after) in &snapshots {
        let moment = check_one_moment(&repository, snapshot, dir.path());
        assert!((*before..=*after + 1).contains(&moment), "{moment} is not between {before} and {after}");
        assert!(moment > last, "the writer had gone on since {last}");
        assert_eq!(snapshot.position, Some(moment), "the position is of the same moment");
        last = moment;
    }
    let beside = snapshots.iter().filter(|(before, _, after)| after > before).count();
    assert!(beside > 25, "the writer committed during {beside} of 50 backups only");
    assert_whole(&repository);
}

/// Not a test: the application, in another process. It makes transfers until it is killed.
#[test]
#[ignore = "what other tests start as another process"]
fn application() {
    let Ok(path) = std::env::var("ONLINE_PATH") else { return };
    let mode = match std::env::var("ONLINE_MODE").unwrap().as_str() {
        "single" => ConcurrencyMode::SingleWriter,
        "multi" => ConcurrencyMode::MultiWriter,
        _ => ConcurrencyMode::ExclusiveWriter,
    };
    let db = Builder::new().set_concurrency_mode(mode).create(path).unwrap();
    open_accounts(&db);
    for number in 1.. {
        make_transfer(&db, number, Durability::Immediate);
        if number == 10 {
            eprintln!("open");
        }
    }
}

/// The application's process, which ends with this.
struct Application(Child);

impl Application {
    fn start(path: &Path, mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "application", "--nocapture"])
            .env("ONLINE_PATH", path)
            .env("ONLINE_MODE", mode)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let this = Self(child);
        let mut line = String::new();
        while line != "open\n" {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the application ended");
        }
        this
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_writer_in_another_process_that_shares_its_database_is_backed_up_from_outside() {
    for mode in ["single", "multi"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bank.redb");
        let application = Application::start(&path, mode);
        let repository = repository(dir.path().join("backups"));
        let mut snapshots = Vec::new();
        for _ in 0..10 {
            let store = RedbStore::open(&path).unwrap();
            let backup = Backup::new().name("{position}").position("state/transfers").source(mode);
            snapshots.push(repository.backup(&Arc::new(store), &backup).unwrap());
            let last = snapshots.last().and_then(|snapshot| snapshot.position).unwrap();
            while RedbStore::open(&path).unwrap().position("state/transfers").unwrap() == last {
                std::thread::yield_now();
            }
        }
        drop(application);
        let moments: Vec<u64> =
            snapshots.iter().map(|snapshot| check_one_moment(&repository, snapshot, dir.path())).collect();
        assert!(moments.is_sorted_by(|a, b| a < b), "{mode}: {moments:?}");
        let positions: Vec<Option<u64>> = snapshots.iter().map(|snapshot| snapshot.position).collect();
        assert_eq!(positions, moments.iter().map(|moment| Some(*moment)).collect::<Vec<_>>(), "{mode}");
        assert_whole(&repository);
    }
}

#[test]
fn a_database_that_is_open_elsewhere_and_not_shared_is_locked_and_the_ways_out_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bank.redb");
    let application = Application::start(&path, "default");
    let error = Error::from(RedbStore::open(&path).err().expect("it is open elsewhere"));
    assert_eq!(error.code(), ErrorCode::Locked);
    let message = error.to_string();
    for words in ["bank.redb", "embed", "ConcurrencyMode::SingleWriter", "stop it"] {
        assert!(message.contains(words), "{words:?} is missing in {message:?}");
    }
    drop(application);

    // The same in this process: whoever has it open backs up from the inside.
    let other = dir.path().join("other.redb");
    let db = Database::create(&other).unwrap();
    open_accounts(&db);
    assert_eq!(Error::from(RedbStore::open(&other).err().unwrap()).code(), ErrorCode::Locked);
    let repository = repository(dir.path().join("backups"));
    let snapshot = repository.backup(&db, &Backup::new()).unwrap();
    assert_eq!(check_one_moment(&repository, &snapshot, dir.path()), 0);
}

/// Everything in a directory that a write would change.
fn state_of(dir: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_users_file_is_never_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app");
    std::fs::create_dir(&app).unwrap();
    let path = app.join("bank.redb");
    let db = Database::create(&path).unwrap();
    open_accounts(&db);
    for number in 1..20 {
        make_transfer(&db, number, Durability::Immediate);
    }
    drop(db);
    let before = state_of(&app);
    let repository = repository(dir.path().join("backups"));
    let from_outside = repository.backup(&Arc::new(RedbStore::open(&path).unwrap()), &Backup::new()).unwrap();
    let read_only = ReadOnlyDatabase::open(&path).unwrap();
    let from_inside = repository.backup(&read_only, &Backup::new().source("bank")).unwrap();
    drop(read_only);
    assert_eq!(from_outside.id, from_inside.id);
    assert_eq!(check_one_moment(&repository, &from_inside, dir.path()), 19);
    // A run that fails does not write to it either.
    let wrong = Backup::new().position("state/no such key");
    let error = repository.backup(&Arc::new(RedbStore::open(&path).unwrap()), &wrong).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound, "{error}");
    assert!(state_of(&app) == before, "the application's directory is as it was");
}

fn label<'s>(snapshot: &'s Snapshot, name: &str) -> &'s str {
    let label = snapshot.labels.iter().find(|(label, _)| label == name);
    label.map(|(_, value)| value.as_str()).unwrap_or_default()
}

#[test]
fn a_snapshot_says_whether_it_saw_commits_that_were_not_durable() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));

    // From the inside they are seen.
    let db = Database::create(dir.path().join("inside.redb")).unwrap();
    open_accounts(&db);
    for number in 1..=5 {
        make_transfer(&db, number, Durability::None);
    }
    let inside = repository.backup(&db, &Backup::new().source("inside")).unwrap();
    assert_eq!(check_one_moment(&repository, &inside, dir.path()), 5);
    assert_eq!(label(&inside, "opened"), "in process");
    assert!(label(&inside, "durability").contains("not yet durable are included"), "{:?}", inside.labels);

    // From the outside there are only those that are in the file. (redb refuses others where a file is shared.)
    let path = dir.path().join("outside.redb");
    let shared = Builder::new().set_concurrency_mode(ConcurrencyMode::SingleWriter).create(&path).unwrap();
    open_accounts(&shared);
    make_transfer(&shared, 1, Durability::Immediate);
    assert!(shared.begin_write().unwrap().set_durability(Durability::None).is_err());
    let store = Arc::new(RedbStore::open(&path).unwrap());
    let outside = repository.backup(&store, &Backup::new().source("outside")).unwrap();
    assert_eq!(check_one_moment(&repository, &outside, dir.path()), 1);
    assert!(label(&outside, "opened").contains("read-only"), "{:?}", outside.labels);
    assert!(label(&outside, "durability").contains("only durable commits"), "{:?}", outside.labels);

    // And the repository remembers it.
    let listed = repository.find(&outside.name).unwrap();
    assert_eq!(listed.labels, outside.labels);
}

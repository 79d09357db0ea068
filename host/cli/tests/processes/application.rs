//! The application, in a process of its own: it commits all the while, and what it holds follows from how often it did.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redb::{
    Builder, ConcurrencyMode, Database, MultimapTableDefinition, ReadOnlyDatabase, ReadableDatabase as _,
    ReadableTable as _, TableDefinition,
};

use crate::place::{mix, random};

const ROWS: TableDefinition<u32, &[u8]> = TableDefinition::new("rows");
const PAIRS: MultimapTableDefinition<u64, u64> = MultimapTableDefinition::new("pairs");
const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");

/// Where it says how often it has committed.
pub(crate) const POSITION: &str = "state/commits";

/// Rows, and how long they are.
const N: u32 = 4000;
const LEN: usize = 400;

/// Rows that a commit writes anew or takes away.
fn changes(commit: u64) -> impl Iterator<Item = (u32, bool)> {
    (0..4).map(move |n| mix(commit * 4 + n)).map(|mixed| ((mixed >> 8) as u32 % N, !mixed.is_multiple_of(7)))
}

fn value(row: u32, commit: u64) -> Vec<u8> {
    random(commit << 16 ^ u64::from(row), LEN)
}

/// What it holds after some number of commits: of every row, the commit that wrote it.
#[derive(Default)]
pub(crate) struct Model {
    commits: u64,
    rows: BTreeMap<u32, u64>,
    pairs: BTreeSet<(u64, u64)>,
}

impl Model {
    pub(crate) fn after(commits: u64) -> Self {
        let mut model = Self { rows: (0..N).map(|row| (row, 0)).collect(), ..Self::default() };
        for commit in 1..=commits {
            for (row, stays) in changes(commit) {
                match stays {
                    true => drop(model.rows.insert(row, commit)),
                    false => drop(model.rows.remove(&row)),
                }
            }
            model.pairs.insert((commit % 60, commit));
            model.pairs.remove(&((commit.wrapping_sub(600)) % 60, commit.wrapping_sub(600)));
        }
        Self { commits, ..model }
    }

    /// Fails unless a file holds exactly this.
    pub(crate) fn check(&self, path: &Path) {
        let shown = path.display();
        let db = ReadOnlyDatabase::open(path).unwrap();
        let txn = db.begin_read().unwrap();
        assert_eq!(commits(&txn), self.commits, "{shown}");
        let rows = txn.open_table(ROWS).unwrap();
        let mut expected = self.rows.iter();
        for entry in rows.iter().unwrap() {
            let (row, found) = entry.unwrap();
            let (wanted, commit) =
                expected.next().unwrap_or_else(|| panic!("{shown}: there is a row too many"));
            assert!(
                row.value() == *wanted && found.value() == value(*wanted, *commit),
                "{shown}: row {wanted}"
            );
        }
        assert_eq!(expected.next(), None, "{shown}: a row is missing");
        let mut pairs = BTreeSet::new();
        for entry in txn.open_multimap_table(PAIRS).unwrap().range::<u64>(..).unwrap() {
            let (key, values) = entry.unwrap();
            pairs.extend(values.map(|value| (key.value(), value.unwrap().value())));
        }
        assert!(pairs == self.pairs, "{shown}: other pairs");
    }
}

fn commits(txn: &redb::ReadTransaction) -> u64 {
    txn.open_table(STATE).unwrap().get("commits").unwrap().unwrap().value()
}

/// How often the application had committed when a file was as it is.
pub(crate) fn position(path: &Path) -> u64 {
    commits(&ReadOnlyDatabase::open(path).unwrap().begin_read().unwrap())
}

fn fill(db: &Database) {
    let txn = db.begin_write().unwrap();
    {
        let mut rows = txn.open_table(ROWS).unwrap();
        for row in 0..N {
            rows.insert(row, value(row, 0).as_slice()).unwrap();
        }
        txn.open_multimap_table(PAIRS).unwrap();
        txn.open_table(STATE).unwrap().insert("commits", 0).unwrap();
    }
    txn.commit().unwrap();
}

fn commit(db: &Database, number: u64) {
    let txn = db.begin_write().unwrap();
    {
        let mut rows = txn.open_table(ROWS).unwrap();
        for (row, stays) in changes(number) {
            match stays {
                true => drop(rows.insert(row, value(row, number).as_slice()).unwrap()),
                false => drop(rows.remove(row).unwrap()),
            }
        }
        let mut pairs = txn.open_multimap_table(PAIRS).unwrap();
        pairs.insert(number % 60, number).unwrap();
        if let Some(old) = number.checked_sub(600).filter(|old| *old > 0) {
            pairs.remove(old % 60, old).unwrap();
        }
        txn.open_table(STATE).unwrap().insert("commits", number).unwrap();
    }
    txn.commit().unwrap();
}

/// A database after so many commits that nobody has open.
pub(crate) fn database(path: &Path, count: u64) {
    let db = Database::create(path).unwrap();
    fill(&db);
    (1..=count).for_each(|number| commit(&db, number));
}

/// Not a test: the application. It commits until it is killed.
#[test]
#[ignore = "what other tests start as another process"]
fn at_work() {
    let Ok(path) = std::env::var("APPLICATION_PATH") else { return };
    let mode = match std::env::var("APPLICATION_MODE").unwrap().as_str() {
        "single" => ConcurrencyMode::SingleWriter,
        _ => ConcurrencyMode::MultiWriter,
    };
    let db = Builder::new().set_concurrency_mode(mode).create(path).unwrap();
    fill(&db);
    for number in 1.. {
        commit(&db, number);
        if number == 1 {
            eprintln!("at work");
        }
        std::thread::sleep(Duration::from_millis(8));
    }
}

/// The application's process, which ends with this.
pub(crate) struct Application(Child);

impl Application {
    pub(crate) fn start(path: &Path, mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "application::at_work", "--nocapture"])
            .env("APPLICATION_PATH", path)
            .env("APPLICATION_MODE", mode)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let this = Self(child);
        let mut line = String::new();
        while line != "at work\n" {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the application ended");
        }
        this
    }

    pub(crate) fn is_at_work(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

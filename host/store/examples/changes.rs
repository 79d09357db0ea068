//! How long it takes to be told what changed, and what it reads for that.
//!
//! `cargo run --release -p strongroom-store --example changes [ROWS]`: rows of 32 and 200 bytes, a million unless said
//! otherwise, in a database in the directory for temporary files.

use redb::{Database, TableDefinition};
use std::error::Error;
use std::ops::Bound;
use std::time::Instant;
use strongroom_store::redb::RedbStore;
use strongroom_store::{Changes, Entries, Store};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;
const TABLE: Bytes = Bytes::new("table");

fn mix(i: u64) -> u64 {
    let x = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ x >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31)
}

fn key(i: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (part, chunk) in key.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&mix(i * 4 + part as u64).to_be_bytes());
    }
    key
}

/// Reads all, and says how many bytes that were.
fn all(mut entries: Box<dyn Entries>, keep: bool) -> Result<(Vec<u8>, usize)> {
    let (mut all, mut sum) = (Vec::new(), 0);
    loop {
        let before = all.len();
        entries.read(1 << 20, &mut all)?;
        sum += all.len() - before;
        if all.len() == before {
            return Ok((all, sum));
        }
        if !keep {
            all.clear();
        }
    }
}

fn new_baseline(store: &RedbStore) -> Result<Box<dyn Entries>> {
    Ok(store.baseline("table")?.ok_or("the store cannot tell")?)
}

fn edits(changes: &mut dyn Changes, baseline: &[u8]) -> Result<(usize, usize)> {
    let (mut sums, mut out) = ((0, 0), Vec::new());
    for piece in baseline.chunks(1 << 20).chain([&[][..]]) {
        changes.offer(piece)?;
        loop {
            out.clear();
            changes.entries(1 << 20, &mut out)?;
            let entries = out.len();
            changes.baseline(1 << 20, &mut out)?;
            sums = (sums.0 + entries, sums.1 + out.len() - entries);
            if out.is_empty() {
                break;
            }
        }
    }
    Ok(sums)
}

/// Calls of the system that read, and bytes of them, so far; where the system tells.
fn reads() -> (u64, u64) {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let value = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    (value("syscr:"), value("rchar:"))
}

fn measured<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (before, begin) = (reads(), Instant::now());
    let result = work()?;
    let (after, time) = (reads(), begin.elapsed());
    let (calls, bytes) = (after.0 - before.0, after.1 - before.1);
    println!("{what:24} {:9.2} ms  {calls:8} reads {:9.3} MB", time.as_secs_f64() * 1e3, bytes as f64 / 1e6);
    Ok(result)
}

fn main() -> Result<()> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.redb");
    let database = Database::builder().set_cache_size(256 << 20).create(&path)?;
    let txn = database.begin_write()?;
    txn.open_table(TABLE)?;
    txn.commit()?;
    let empty = RedbStore::live_with_file(&database, &path)?;
    let nothing =
        (empty.stamp("table")?.ok_or("the store cannot tell")?, all(new_baseline(&empty)?, true)?.0);
    drop(empty);
    let txn = database.begin_write()?;
    {
        let mut order: Vec<u64> = (0..rows).collect();
        order.sort_by_cached_key(|i| key(*i));
        let mut table = txn.open_table(TABLE)?;
        let mut end = table.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        for i in order {
            end.insert_before(&key(i)[..], &[1; 200][..])?;
        }
        end.close()?;
    }
    txn.commit()?;
    drop(database);
    let store = RedbStore::open(&path)?;
    let scan = || all(store.scan("table", None, None)?, false);
    measured("a scan", scan)?;
    measured("a scan again", scan)?;
    measured("all rows are new", || {
        let changes = store.changes("table", &nothing.0)?;
        edits(&mut *changes.ok_or("the store cannot tell")?, &nothing.1)
    })?;
    let mut old = store.stamp("table")?.ok_or("the store cannot tell")?;
    let (mut baseline, len) = measured("the baseline", || all(new_baseline(&store)?, true))?;
    println!("{rows} rows, a baseline of {len} bytes: {:.3} %", len as f64 / (rows * 232) as f64 * 100.0);
    drop(store);
    for changed in [0, 1, 1000, 10_000] {
        let database = Database::builder().set_cache_size(256 << 20).create(&path)?;
        let txn = database.begin_write()?;
        {
            let mut table = txn.open_table(TABLE)?;
            for i in 0..changed {
                table.insert(&key(mix(i + changed * 7919) % rows)[..], &[changed as u8 + 2; 200][..])?;
            }
        }
        txn.commit()?;
        drop(database);
        let store = RedbStore::open(&path)?;
        // That the tables are listed is not what is measured.
        store.tables()?;
        let (entries, of_baseline) = measured(&format!("{changed} rows changed"), || {
            let changes = store.changes("table", &old)?;
            edits(&mut *changes.ok_or("the store cannot tell")?, &baseline)
        })?;
        println!("{:24} {entries} bytes of edits, {of_baseline} of the baseline", "");
        old = store.stamp("table")?.ok_or("the store cannot tell")?;
        baseline = all(new_baseline(&store)?, true)?.0;
    }
    Ok(())
}

//! The entries that the benchmark backs up: 32-byte keys, 200-byte values of which half is random. The same on every
//! machine.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::ops::Bound;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use redb::{Database, TableDefinition};

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a value.
pub const VALUE: usize = 200;
/// Bytes of an entry.
pub const ENTRY: usize = KEY + VALUE;
/// Bytes at the front of a value that nothing can compress.
const RANDOM: usize = 100;

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");

/// A key and its value, end to end.
type Entry = [u8; ENTRY];

/// A number that looks random.
pub fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ (x >> 29)
}

fn key(number: u64) -> [u8; KEY] {
    let mut key = [0; KEY];
    for (word, bytes) in key.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&mix(number * 4 + word as u64).to_be_bytes());
    }
    key
}

/// The value of a key: a random half, and a half in which four bytes repeat.
fn value(key: &[u8; KEY], version: u64) -> [u8; VALUE] {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ mix(version);
    let mut value = [0; VALUE];
    let (random, repeated) = value.split_at_mut(RANDOM);
    for (word, bytes) in random.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&mix(seed ^ word as u64).to_le_bytes()[..bytes.len()]);
    }
    for bytes in repeated.chunks_mut(4) {
        bytes.copy_from_slice(&[b'#', a, b, c]);
    }
    value
}

/// Writes `count` entries in the order of their keys, one after another, as the peers read them.
pub fn write_raw(to: &Path, count: u64) -> Result<()> {
    let mut keys: Vec<[u8; KEY]> = (0..count).map(key).collect();
    keys.sort_unstable();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(to)?);
    for key in &keys {
        out.write_all(key)?;
        out.write_all(&value(key, 0))?;
    }
    out.flush()?;
    Ok(())
}

/// Goes through what [`write_raw`] wrote.
pub fn read_raw(from: &Path, mut each: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    let file = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    let entries = file.metadata()?.len() / ENTRY as u64;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut entry: Entry = [0; ENTRY];
    for _ in 0..entries {
        file.read_exact(&mut entry)?;
        let (key, value) = entry.split_at(KEY);
        each(key, value)?;
    }
    Ok(())
}

/// Makes a redb database of the entries in the way that is redb's own fastest: sorted, through a cursor, in one
/// transaction. Gives the seconds from the creation of the file until it is synced and closed.
pub fn bulk_load(raw: &Path, to: &Path) -> Result<f64> {
    let entries = std::fs::read(raw)?;
    let started = Instant::now();
    let db = Database::create(to)?;
    let write = db.begin_write()?;
    {
        let mut table = write.open_table(TABLE)?;
        let mut cursor = table.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        for entry in entries.chunks_exact(ENTRY) {
            let (key, value) = entry.split_at(KEY);
            cursor.insert_before(key, value)?;
        }
        cursor.close()?;
    }
    write.commit()?;
    drop(db);
    Ok(started.elapsed().as_secs_f64())
}

/// Gives back what a database has no use for.
pub fn compact(database: &Path) -> Result<()> {
    Database::open(database)?.compact()?;
    Ok(())
}

/// The rows that a change of `count` rows gives new values, and these. A row may come up twice, with the same value.
pub fn changed(raw: &Path, count: u64) -> Result<impl Iterator<Item = ([u8; KEY], [u8; VALUE])>> {
    let entries = std::fs::metadata(raw)?.len() / ENTRY as u64;
    Ok((0..count).map(move |n| {
        let key = key(mix(n ^ count << 32) % entries);
        (key, value(&key, count))
    }))
}

/// Gives `count` rows spread over the table new values, in one transaction. The file is compact again afterwards, so
/// that nobody has to read past the room that redb made for it.
pub fn change(database: &Path, raw: &Path, count: u64) -> Result<()> {
    let mut db = Database::open(database)?;
    let write = db.begin_write()?;
    {
        let mut table = write.open_table(TABLE)?;
        for (key, value) in changed(raw, count)? {
            table.insert(&key[..], &value[..])?;
        }
    }
    write.commit()?;
    db.compact()?;
    Ok(())
}

/// Gives `count` rows spread over a table of so many entries new values, another time each time that `version` is
/// another, in one transaction and as an application would: nothing is compacted.
pub fn change_again(database: &Path, entries: u64, count: u64, version: u64) -> Result<()> {
    let db = Database::open(database)?;
    let write = db.begin_write()?;
    {
        let mut table = write.open_table(TABLE)?;
        for n in 0..count {
            let key = key(mix(n ^ version << 32) % entries);
            table.insert(&key[..], &value(&key, version)[..])?;
        }
    }
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::ReadableDatabase as _;

    use super::*;

    #[test]
    fn entries_are_the_same_everywhere_and_change_where_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (raw, database) = (dir.path().join("raw"), dir.path().join("app.redb"));
        write_raw(&raw, 1000).unwrap();
        let hash = blake3::hash(&std::fs::read(&raw).unwrap()).to_hex();
        assert_eq!(&hash[..16], "83950ac58ce8cd25");
        bulk_load(&raw, &database).unwrap();
        change(&database, &raw, 1).unwrap();
        let db = Database::open(&database).unwrap();
        let table = db.begin_read().unwrap().open_table(TABLE).unwrap();
        let mut other = 0;
        read_raw(&raw, |key, value| {
            other += usize::from(table.get(key)?.context("a key is gone")?.value() != value);
            Ok(())
        })
        .unwrap();
        assert_eq!(other, 1);
    }
}

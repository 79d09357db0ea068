//! Makes what there are many of.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use redb::{Builder, MultimapTableDefinition, TableDefinition, TypeName, Value};
use serde_json::Value as Json;
use strongroom::{Backup, RedbStore, Repository};

thread_local! {
    static TYPE: Cell<u64> = const { Cell::new(0) };
}

/// A type of the application's own, another one for each number in `TYPE`.
#[derive(Debug)]
struct Own;

impl Value for Own {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> TypeName {
        TypeName::new(&format!("app::Own{}", TYPE.get()))
    }
}

/// Tables that are written in one transaction: redb keeps all of those in memory.
const AT_ONCE: u64 = 10_000;

/// A database of so many small tables of five kinds, one in eight with a type that no other has.
pub fn tables(path: &Path, count: u64) -> Result<()> {
    let db = Builder::new().create(path)?;
    for from in (0..count).step_by(usize::try_from(AT_ONCE)?) {
        let txn = db.begin_write()?;
        for number in from..count.min(from + AT_ONCE) {
            let name = format!("table-{number:06}");
            match number % 8 {
                0 | 4 => {
                    let mut table = txn.open_table(TableDefinition::<u64, &str>::new(&name))?;
                    (0..=number % 3).try_for_each(|key| table.insert(key, &*name).map(drop))?;
                }
                1 | 5 => {
                    let mut table = txn.open_table(TableDefinition::<&str, &[u8]>::new(&name))?;
                    table.insert("key", name.as_bytes())?;
                }
                2 => {
                    let definition = MultimapTableDefinition::<&str, u64>::new(&name);
                    let mut table = txn.open_multimap_table(definition)?;
                    (0..3).try_for_each(|value| table.insert("key", value).map(drop))?;
                }
                3 => {
                    TYPE.set(number);
                    let mut table = txn.open_table(TableDefinition::<u64, Own>::new(&name))?;
                    table.insert(number, name.as_bytes())?;
                }
                // Empty.
                _ => drop(txn.open_table(TableDefinition::<(u64, &str), Option<u32>>::new(&name))?),
            }
        }
        txn.commit()?;
    }
    Ok(())
}

/// One row more.
pub fn change(path: &Path, row: u64) -> Result<()> {
    let db = Builder::new().set_cache_size(1 << 20).open(path)?;
    let txn = db.begin_write()?;
    txn.open_table(TableDefinition::<u64, &str>::new("table-000000"))?.insert(1000 + row, "one row more")?;
    txn.commit()?;
    Ok(())
}

/// Snapshots that differ in what they hold; the others are as one of these, under other names.
const DIFFERENT: u64 = 20;

/// A repository of so many snapshots, an hour apart, of so many databases in turn: `source-0000`, ...
pub fn snapshots(dir: &Path, count: u64, sources: u64) -> Result<()> {
    let database = dir.with_extension("redb");
    tables(&database, 20)?;
    let repository = Repository::at(dir)?;
    let mut made = Vec::new();
    for row in 0..DIFFERENT.min(count) {
        change(&database, row)?;
        let backup = Backup::new().name(format!("made-{row}")).source("source-0000");
        repository.backup(&Arc::new(RedbStore::open(&database)?), &backup)?;
        made.push(std::fs::read(dir.join(format!("snapshots/made-{row}.json")))?);
        std::fs::remove_file(dir.join(format!("snapshots/made-{row}.json")))?;
    }
    let now = SystemTime::now();
    for number in 0..count {
        let (source, seq) = (number % sources, number / sources);
        let name = |seq: u64| format!("source-{source:04}-{seq:06}");
        let time = now - Duration::from_secs(3600 * (count - number));
        let like = &made[usize::try_from(seq % made.len() as u64)?];
        let text = renamed(like, |member| {
            member("name", name(seq).into());
            member("source", format!("source-{source:04}").into());
            member("seq", (seq + 1).into());
            member("parent", seq.checked_sub(1).map(name).into());
            member("time", time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).into());
        })?;
        std::fs::write(dir.join(format!("snapshots/{}.json", name(seq))), text)?;
    }
    Ok(())
}

/// A snapshot file with other members: FORMAT.md, section 9.
fn renamed(text: &[u8], change: impl FnOnce(&mut dyn FnMut(&str, Json))) -> Result<String> {
    let mut file: serde_json::Map<String, Json> = serde_json::from_slice(text)?;
    file.remove("checksum").context("this is no snapshot file")?;
    change(&mut |name, value| drop(file.insert(name.to_owned(), value)));
    let rest = format!("{}\n", &serde_json::to_string(&file)?[1..]);
    Ok(format!("{{\"checksum\":\"{}\",{rest}", blake3::hash(rest.as_bytes()).to_hex()))
}

/// So many files of snapshots of which nothing is left.
pub fn unreadable(dir: &Path, count: u64) -> Result<()> {
    for number in 0..count {
        std::fs::write(dir.join(format!("snapshots/empty-{number:06}.json")), "")?;
    }
    Ok(())
}

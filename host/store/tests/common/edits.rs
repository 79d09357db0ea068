//! A backup of one table, as far as changes go: what is kept of it, and what edits make of that.

use super::{Dump, drain, mix, unpack};
use redb::{Database, TableDefinition, WriteTransaction};
use strongroom_store::{Changes, ErrorCode, Result, Store};

/// What is kept of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub stamp: Vec<u8>,
    pub entries: Dump,
    pub baseline: Vec<u8>,
}

/// Reads all of a table; `None`: the store cannot tell.
pub fn keep(store: &dyn Store, table: &str) -> Result<Option<Kept>> {
    let Some(stamp) = store.stamp(table)? else { return Ok(None) };
    assert!(!stamp.is_empty() && stamp.len() <= 256);
    let Some(baseline) = store.baseline(table)? else { return Ok(None) };
    let baseline = match drain(baseline, 1000) {
        Err(error) if error.code == ErrorCode::Unsupported => return Ok(None),
        other => other?,
    };
    let entries = unpack(&drain(store.scan(table, None, None)?, 1 << 20)?);
    Ok(Some(Kept { stamp, entries, baseline }))
}

/// What edits make of entries. They must use all of them up.
pub fn apply(old: &Dump, mut edits: &[u8]) -> Dump {
    let (mut new, mut old) = (Dump::new(), old.iter());
    while let Some((kind, rest)) = edits.split_first() {
        let (n, rest) = rest.split_first_chunk::<8>().expect("an edit has a number");
        let n = u64::from_le_bytes(*n);
        assert!(n > 0);
        edits = rest;
        match kind {
            0 => (0..n).for_each(|_| new.push(old.next().expect("an old entry to keep").clone())),
            1 => (0..n).for_each(|_| assert!(old.next().is_some(), "an old entry to leave out")),
            2 => {
                for _ in 0..n {
                    let len = |at: usize| u32::from_le_bytes(edits[at..at + 4].try_into().unwrap()) as usize;
                    let (key, value) = (len(0), len(4));
                    let (entry, rest) = edits.split_at(8 + key + value);
                    new.push((entry[8..8 + key].to_vec(), entry[8 + key..].to_vec()));
                    edits = rest;
                }
            }
            other => panic!("an edit of kind {other}"),
        }
    }
    assert!(old.next().is_none(), "all old entries are used up");
    new
}

/// Offers a baseline in pieces and reads both streams in pieces of at most `max`.
pub fn both(changes: &mut dyn Changes, baseline: &[u8], piece: usize, max: usize) -> Result<[Vec<u8>; 2]> {
    let (mut entries, mut baselines) = (Vec::new(), Vec::new());
    for piece in baseline.chunks(piece).chain([&[][..]]) {
        changes.offer(piece)?;
        loop {
            let before = (entries.len(), baselines.len());
            changes.entries(max, &mut entries)?;
            assert!(entries.len() - before.0 <= max);
            changes.baseline(max, &mut baselines)?;
            assert!(baselines.len() - before.1 <= max);
            if (entries.len(), baselines.len()) == before {
                break;
            }
        }
    }
    Ok([entries, baselines])
}

/// Whether the store can tell what changed since the table was as `old`; what it tells must be right.
pub fn tells(
    store: &dyn Store,
    table: &str,
    old: &Kept,
    now: &Kept,
    piece: usize,
    max: usize,
) -> Option<Vec<u8>> {
    let mut changes = match store.changes(table, &old.stamp) {
        Ok(changes) => changes?,
        Err(error) => panic!("{table}: {error}"),
    };
    match both(&mut *changes, &old.baseline, piece, max) {
        Err(error) if error.code == ErrorCode::Unsupported => None,
        Err(error) => panic!("{table}: {error}"),
        Ok([entries, baseline]) => {
            assert!(apply(&old.entries, &entries) == now.entries, "{table}: the entries");
            assert!(
                apply(&unpack(&old.baseline), &baseline) == unpack(&now.baseline),
                "{table}: the baseline"
            );
            Some(entries)
        }
    }
}

/// Rows of 32 and 200 bytes.
pub mod rows {
    use super::{TableDefinition, WriteTransaction, mix};

    type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;
    pub const TABLE: Bytes = Bytes::new("table");

    pub fn key(i: usize) -> [u8; 32] {
        let mut key = [0; 32];
        (0..4).for_each(|part| key[part * 8..][..8].copy_from_slice(&mix(i * 4 + part).to_be_bytes()));
        key
    }

    pub fn insert(txn: &WriteTransaction, rows: impl IntoIterator<Item = usize>, byte: u8) {
        let mut table = txn.open_table(TABLE).unwrap();
        for i in rows {
            table.insert(&key(i)[..], &[byte; 200][..]).unwrap();
        }
    }
}

pub fn write(database: &Database, rows: impl IntoIterator<Item = usize>, byte: u8) {
    let txn = database.begin_write().unwrap();
    rows::insert(&txn, rows, byte);
    txn.commit().unwrap();
}

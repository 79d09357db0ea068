//! What is done with an opened table, compiled once for each pair of slots and called through a lease of it.

use super::fault::fault;
use super::order::{self, Mode, Side};
use super::packer::{Packer, Pairs, Stream};
use super::slots::Dyn;
use crate::{Error, ErrorCode, Result};
use redb::{
    AccessGuard, CursorMut, MultimapRange, MultimapTable, MultimapTableDefinition, MultimapValue, Range,
    ReadTransaction, ReadableTableMetadata, StorageError, TableDefinition, TableError, WriteTransaction,
};
use std::ops::Bound;

/// A table of one transaction.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) multimap: bool,
}

/// Takes entries in the source's order; later ones are greater.
pub(super) trait Fill {
    fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()>;
}

/// What a table is filled with.
pub(super) trait Work {
    /// Appends entries, until nothing is left to do now, or up to one whose value is too large to be held: its key and
    /// how many bytes its value has.
    fn some(&mut self, fill: &mut dyn Fill) -> Result<Option<(Vec<u8>, usize)>>;
    /// Writes that value to where it will be.
    fn value(&mut self, value: &mut [u8]) -> Result<()>;
}

/// Leaves a table empty.
pub(super) struct Nothing;

impl Work for Nothing {
    fn some(&mut self, _fill: &mut dyn Fill) -> Result<Option<(Vec<u8>, usize)>> {
        Ok(None)
    }

    fn value(&mut self, _value: &mut [u8]) -> Result<()> {
        Ok(())
    }
}

/// Opening tables of the types that a pair of slots stands for at the moment.
pub(super) trait Probing: Sync {
    /// Opens the table, or says why not.
    fn open(&self, txn: &ReadTransaction, place: Place<'_>) -> Result<(), TableError>;
}

/// Reading tables of the types that a pair of slots stands for.
pub(super) trait Reading: Sync {
    /// How many entries the table has.
    fn len(&self, txn: &ReadTransaction, place: Place<'_>) -> Result<u64>;
    /// The entries from a guided descent on, or from the first.
    fn stream(&self, txn: &ReadTransaction, place: Place<'_>, guide: Option<u64>) -> Result<Box<dyn Stream>>;
    /// Hands the value of a key of a plain table to `found`. The order of the keys must be in force.
    fn get(&self, txn: &ReadTransaction, name: &str, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()>;
}

/// Writing tables of the types that a pair of slots stands for.
pub(super) trait Writing: Sync {
    /// Makes the table and lets `work` fill it.
    fn fill(&self, txn: &WriteTransaction, place: Place<'_>, work: &mut dyn Work) -> Result<()>;
}

/// A pair of slots, as types.
pub(super) struct Pair<const K: usize, const V: usize>;

impl<const K: usize, const V: usize> Pair<K, V> {
    fn plain(name: &str) -> TableDefinition<'_, Dyn<K>, Dyn<V>> {
        TableDefinition::new(name)
    }

    fn multimap(name: &str) -> MultimapTableDefinition<'_, Dyn<K>, Dyn<V>> {
        MultimapTableDefinition::new(name)
    }
}

fn unopened(error: TableError) -> Error {
    fault("opening the table", error)
}

fn unread(error: StorageError) -> Error {
    fault("reading the table", error)
}

fn unwritten(error: StorageError) -> Error {
    fault("writing the table", error)
}

impl<const K: usize, const V: usize> Probing for Pair<K, V> {
    fn open(&self, txn: &ReadTransaction, place: Place<'_>) -> Result<(), TableError> {
        if place.multimap {
            txn.open_multimap_table(Self::multimap(place.name)).map(drop)
        } else {
            txn.open_table(Self::plain(place.name)).map(drop)
        }
    }
}

impl<const K: usize, const V: usize> Reading for Pair<K, V> {
    fn len(&self, txn: &ReadTransaction, place: Place<'_>) -> Result<u64> {
        let len = if place.multimap {
            txn.open_multimap_table(Self::multimap(place.name)).map_err(unopened)?.len()
        } else {
            txn.open_table(Self::plain(place.name)).map_err(unopened)?.len()
        };
        len.map_err(unread)
    }

    fn stream(&self, txn: &ReadTransaction, place: Place<'_>, guide: Option<u64>) -> Result<Box<dyn Stream>> {
        // redb seeks when the first entry is asked for, and asks for no other comparison.
        let from = if guide.is_some() { Bound::Included(&[][..]) } else { Bound::Unbounded };
        let range = (from, Bound::<&[u8]>::Unbounded);
        if place.multimap {
            let table = txn.open_multimap_table(Self::multimap(place.name)).map_err(unopened)?;
            let range = table.range::<&[u8]>(range).map_err(unread)?;
            let pairs = MultiPairs { range, key: Vec::new(), values: None, value: None, guide };
            Ok(Box::new(Packer::new(pairs)))
        } else {
            let table = txn.open_table(Self::plain(place.name)).map_err(unopened)?;
            let range = table.range::<&[u8]>(range).map_err(unread)?;
            Ok(Box::new(Packer::new(PlainPairs { range, entry: None, guide })))
        }
    }

    fn get(&self, txn: &ReadTransaction, name: &str, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        let table = txn.open_table(Self::plain(name)).map_err(unopened)?;
        if let Some(value) = table.get(key).map_err(unread)? {
            found(value.value());
        }
        Ok(())
    }
}

impl<const K: usize, const V: usize> Writing for Pair<K, V> {
    fn fill(&self, txn: &WriteTransaction, place: Place<'_>, work: &mut dyn Work) -> Result<()> {
        if place.multimap {
            let table = txn.open_multimap_table(Self::multimap(place.name)).map_err(unopened)?;
            return work.some(&mut MultiFill::<K, V> { table }).map(drop);
        }
        let mut table = txn.open_table(Self::plain(place.name)).map_err(unopened)?;
        loop {
            let large = {
                let cursor = table.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(unwritten)?;
                let mut fill = PlainFill::<K, V> { cursor };
                let worked = work.some(&mut fill);
                // Also after an error: a cursor that is only dropped cannot report that its last inserts failed.
                fill.cursor.close().map_err(unwritten).and(worked)?
            };
            let Some((key, len)) = large else { return Ok(()) };
            order::append_next(Side::Key, &key);
            let mut place = table.insert_reserve(&key[..], len).map_err(unwritten)?;
            work.value(place.as_mut())?;
        }
    }
}

struct PlainPairs<const K: usize, const V: usize> {
    // Guards before the range, which keeps the transaction.
    entry: Option<(AccessGuard<'static, Dyn<K>>, AccessGuard<'static, Dyn<V>>)>,
    range: Range<'static, Dyn<K>, Dyn<V>>,
    guide: Option<u64>,
}

fn guided<T>(guide: &mut Option<u64>, next: impl FnOnce() -> T) -> T {
    match guide.take() {
        Some(fraction) => order::with(Mode::Guided(fraction), next),
        None => next(),
    }
}

impl<const K: usize, const V: usize> Pairs for PlainPairs<K, V> {
    fn advance(&mut self) -> Result<bool> {
        self.entry = None;
        let Some(next) = guided(&mut self.guide, || self.range.next()) else { return Ok(false) };
        self.entry = Some(next.map_err(unread)?);
        Ok(true)
    }

    fn entry(&self) -> Option<(&[u8], &[u8])> {
        self.entry.as_ref().map(|(key, value)| (key.value(), value.value()))
    }
}

struct MultiPairs<const K: usize, const V: usize> {
    value: Option<AccessGuard<'static, Dyn<V>>>,
    values: Option<MultimapValue<'static, Dyn<V>>>,
    key: Vec<u8>,
    range: MultimapRange<'static, Dyn<K>, Dyn<V>>,
    guide: Option<u64>,
}

impl<const K: usize, const V: usize> Pairs for MultiPairs<K, V> {
    fn advance(&mut self) -> Result<bool> {
        self.value = None;
        loop {
            if let Some(value) = self.values.as_mut().and_then(Iterator::next) {
                self.value = Some(value.map_err(unread)?);
                return Ok(true);
            }
            self.values = None;
            let Some(next) = guided(&mut self.guide, || self.range.next()) else { return Ok(false) };
            let (key, values) = next.map_err(unread)?;
            self.key.clear();
            self.key.extend_from_slice(key.value());
            self.values = Some(values);
        }
    }

    fn entry(&self) -> Option<(&[u8], &[u8])> {
        self.value.as_ref().map(|value| (&self.key[..], value.value()))
    }
}

struct PlainFill<'a, const K: usize, const V: usize> {
    cursor: CursorMut<'a, Dyn<K>, Dyn<V>>,
}

impl<const K: usize, const V: usize> Fill for PlainFill<'_, K, V> {
    fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        order::append_next(Side::Key, key);
        self.cursor.insert_before(key, value).map_err(|error| match error {
            redb::CursorError::UnorderedKey => Error::new(ErrorCode::Corrupt, "the same key comes twice"),
            other => fault("writing the table", other),
        })
    }
}

struct MultiFill<'a, const K: usize, const V: usize> {
    table: MultimapTable<'a, Dyn<K>, Dyn<V>>,
}

impl<const K: usize, const V: usize> Fill for MultiFill<'_, K, V> {
    fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        order::append_next(Side::Key, key);
        order::append_next(Side::Value, value);
        if self.table.insert(key, value).map_err(unwritten)? {
            return Err(Error::new(ErrorCode::Corrupt, "the same key and value come twice"));
        }
        Ok(())
    }
}

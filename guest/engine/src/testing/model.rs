//! A store whose tables are plain lists, and a sink that makes such a store.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::store::{Bytes, Changes, Sink, Store, Table};

use super::tells::{Lie, ModelChanges, Tells, fails};

/// A table: entries in whatever order the test gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelTable {
    /// One key may have several values.
    pub multimap: bool,
    /// Keys and values.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ModelTable {
    /// All entries, packed.
    pub(super) fn pack(&self) -> Vec<u8> {
        Self::packed(&self.entries)
    }

    pub(super) fn packed(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut packed = Vec::new();
        for (key, value) in entries {
            packed.extend_from_slice(&(key.len() as u32).to_le_bytes());
            packed.extend_from_slice(&(value.len() as u32).to_le_bytes());
            packed.extend_from_slice(key);
            packed.extend_from_slice(value);
        }
        packed
    }
}

/// A store in memory.
#[derive(Debug, Clone, Default)]
pub struct ModelStore {
    /// Its tables by name.
    pub tables: BTreeMap<String, ModelTable>,
    /// What it says when it is asked for its position.
    pub position: Option<u64>,
    /// No call returns more bytes: 0 is no limit. Entries are cut there.
    pub read_max: usize,
    /// The scan fails after so many bytes.
    pub fails_after: Option<u64>,
    /// How it tells what changed, if it can.
    pub tells: Option<Tells>,
    /// Tables that are of another type than usual.
    pub identities: BTreeMap<String, Vec<u8>>,
    read: Cell<u64>,
    calls: Cell<u32>,
}

impl ModelStore {
    /// A store with these tables.
    pub fn new(tables: impl IntoIterator<Item = (&'static str, ModelTable)>) -> Self {
        let tables = tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect();
        Self { tables, ..Self::default() }
    }

    /// How many bytes of entries were read by scans.
    pub fn bytes_scanned(&self) -> u64 {
        self.read.get()
    }

    fn table(&self, name: &str) -> Result<&ModelTable> {
        self.tables.get(name).ok_or_else(|| Error::new(Code::NotFound, format!("no table {name:?}")))
    }
}

struct Scan<'a> {
    store: &'a ModelStore,
    packed: Vec<u8>,
    at: usize,
}

impl Bytes for Scan<'_> {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let max = if self.store.read_max == 0 { max as usize } else { self.store.read_max.min(max as usize) };
        let end = self.packed.len().min(self.at + max);
        let bytes = self.packed[self.at..end].to_vec();
        self.at = end;
        self.store.read.set(self.store.read.get() + bytes.len() as u64);
        match self.store.fails_after {
            Some(limit) if self.store.read.get() > limit => Err(Error::new(Code::Io, "the store failed")),
            _ => Ok(bytes),
        }
    }
}

impl Store for ModelStore {
    fn tables(&self) -> Result<Vec<Table>> {
        let tables = self.tables.iter().map(|(name, table)| Table {
            name: name.clone(),
            multimap: table.multimap,
            entries: table.entries.len() as u64,
            bytes_about: table.entries.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum(),
            key_type: "bytes".to_owned(),
            value_type: "bytes".to_owned(),
            identity: self.identities.get(name).cloned().unwrap_or_else(|| b"model".to_vec()),
        });
        Ok(tables.collect())
    }

    fn template(&self) -> Result<Box<dyn Bytes + '_>> {
        Ok(Box::new(Scan { store: self, packed: b"a template".to_vec(), at: 0 }))
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(vec![("store".to_owned(), "a model".to_owned())])
    }

    fn position(&self, at: &str) -> Result<u64> {
        self.position.ok_or_else(|| Error::new(Code::NotFound, format!("no position at {at:?}")))
    }

    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        let entries = self.table(table)?.entries.len();
        let parts = (parts as usize).min(entries).max(1);
        Ok((1..parts).map(|part| (entries * part / parts).to_le_bytes().to_vec()).collect())
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Bytes + '_>> {
        let entries = &self.table(table)?.entries;
        let at = |mark: &[u8]| mark.try_into().ok().map(usize::from_le_bytes);
        let (from, to) = (from.map_or(Some(0), at), to.map_or(Some(entries.len()), at));
        let entries = from.zip(to).and_then(|(from, to)| entries.get(from..to));
        let entries = entries.ok_or_else(|| Error::invalid("this mark is not one of this store"))?;
        Ok(Box::new(Scan { store: self, packed: ModelTable::packed(entries), at: 0 }))
    }

    fn stamp(&self, table: &str) -> Result<Option<Vec<u8>>> {
        let Some(tells) = self.tells else { return Ok(None) };
        fails(&tells, &self.calls)?;
        self.table(table).map(|table| Some(tells.stamp(table)))
    }

    fn baseline(&self, table: &str) -> Result<Option<Box<dyn Bytes + '_>>> {
        let Some(tells) = self.tells else { return Ok(None) };
        fails(&tells, &self.calls)?;
        let packed = tells.baseline(self.table(table)?);
        Ok(Some(Box::new(Baseline { packed, max: tells.read_max, at: 0 })))
    }

    fn changes(&self, table: &str, _stamp: &[u8]) -> Result<Option<Box<dyn Changes + '_>>> {
        let Some(tells) = self.tells.filter(|tells| tells.lie != Some(Lie::CannotTell)) else {
            return Ok(None);
        };
        fails(&tells, &self.calls)?;
        Ok(Some(Box::new(ModelChanges::new(tells, self.table(table)?, &self.calls))))
    }
}

struct Baseline {
    packed: Vec<u8>,
    max: usize,
    at: usize,
}

impl Bytes for Baseline {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let max = if self.max == 0 { max as usize } else { self.max.min(max as usize) };
        let bytes = self.packed[self.at..self.packed.len().min(self.at + max)].to_vec();
        self.at += bytes.len();
        Ok(bytes)
    }
}

/// What came out of a restore.
pub type Restored = BTreeMap<String, ModelTable>;

/// A sink that makes a [`Restored`].
pub struct RestoringSink<'a> {
    into: &'a mut Restored,
    done: Restored,
    /// The table at hand, and its entries.
    open: Option<(String, bool, Vec<u8>)>,
}

impl<'a> RestoringSink<'a> {
    /// A sink into this.
    pub fn new(into: &'a mut Restored) -> Self {
        Self { into, done: Restored::new(), open: None }
    }
}

impl Sink for RestoringSink<'_> {
    fn table(&mut self, table: &Table) -> Result<()> {
        assert!(self.open.is_none(), "a table is still being written");
        self.open = Some((table.name.clone(), table.multimap, Vec::new()));
        Ok(())
    }

    fn append(&mut self, entries: &[u8]) -> Result<()> {
        let (_, _, packed) = self.open.as_mut().expect("no table is being written");
        packed.extend_from_slice(entries);
        Ok(())
    }

    fn finish_table(&mut self) -> Result<u64> {
        let (name, multimap, packed) = self.open.take().expect("no table is being written");
        let mut rest = &packed[..];
        let mut entries = Vec::new();
        let length = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize;
        while !rest.is_empty() {
            let (key, value) = (length(&rest[..4]), length(&rest[4..8]));
            entries.push((rest[8..8 + key].to_vec(), rest[8 + key..8 + key + value].to_vec()));
            rest = &rest[8 + key + value..];
        }
        let count = entries.len() as u64;
        self.done.insert(name, ModelTable { multimap, entries });
        Ok(count)
    }

    fn abandon_table(&mut self) {
        self.open = None;
    }

    fn finish(self: Box<Self>) -> Result<()> {
        assert!(self.open.is_none(), "a table is still being written");
        *self.into = self.done;
        Ok(())
    }
}

//! What is backed up and what is restored into, as the engine sees them: packed entries in, packed entries out.

use crate::error::Result;

/// A table of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name; a store has each name once.
    pub name: String,
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries; in a multimap, how many pairs. A backup whose scans give another number is refused.
    pub entries: u64,
    /// About how many bytes its keys and values have.
    pub bytes_about: u64,
    /// How the store names the type of the keys, for people.
    pub key_type: String,
    /// How the store names the type of the values, for people.
    pub value_type: String,
    /// The canonical spelling of what the table is; this goes into ids.
    pub identity: Vec<u8>,
}

/// One moment of one database.
pub trait Store {
    /// The tables, sorted by the bytes of their names.
    fn tables(&self) -> Result<Vec<Table>>;
    /// All that the store needs to make these tables again, empty.
    fn template(&self) -> Result<Box<dyn Bytes + '_>>;
    /// What a reader of the backup should know of this moment, as (name, value).
    fn notes(&self) -> Result<Vec<(String, String)>>;
    /// How far the store had come; `at` says where to look.
    fn position(&self, at: &str) -> Result<u64>;
    /// Up to `parts - 1` opaque marks that cut a table into stretches of about equal size, in order.
    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>>;
    /// The packed entries from one mark up to, and without, another.
    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Bytes + '_>>;
    /// What tells at a glance whether a table changed: equal stamps, equal entries. `None`: the store cannot tell.
    fn stamp(&self, _table: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    /// What a later run must bring to [`Store::changes`], as packed entries. `None`: the store cannot tell.
    fn baseline(&self, _table: &str) -> Result<Option<Box<dyn Bytes + '_>>> {
        Ok(None)
    }
    /// Begins to find out what changed in a table since the moment that had this stamp. `None`: it must be scanned.
    fn changes(&self, _table: &str, _stamp: &[u8]) -> Result<Option<Box<dyn Changes + '_>>> {
        Ok(None)
    }
}

/// What changed in one table, as edits: `0x00 n` keeps the next n old entries, `0x01 n` leaves them out, `0x02 n` is
/// followed by n new entries in the packed form; n is a u64 LE above zero. Cut anywhere.
///
/// Every call may answer [`Code::Unsupported`](crate::Code::Unsupported): the store cannot tell after all.
pub trait Changes {
    /// Gives the next bytes of the old baseline, cut anywhere; none: this was all of it.
    fn offer(&mut self, baseline: &[u8]) -> Result<()>;
    /// The next edits of the table's entries, at most `max` bytes. None: no more for now, or, once all of the baseline
    /// was offered, at all.
    fn entries(&mut self, max: u32) -> Result<Vec<u8>>;
    /// The same for the edits that turn the old baseline into the new one.
    fn baseline(&mut self, max: u32) -> Result<Vec<u8>>;
}

/// Bytes that come in order.
pub trait Bytes {
    /// The next bytes, at most `max`; none only at the end.
    fn read(&mut self, max: u32) -> Result<Vec<u8>>;
}

/// A new database that is filled once, table by table. The entries of a table come in the order in which its store gave
/// them.
pub trait Sink {
    /// Begins a table; the one before it was finished or abandoned.
    fn table(&mut self, table: &Table) -> Result<()>;
    /// Appends packed entries to the table at hand, cut anywhere.
    fn append(&mut self, entries: &[u8]) -> Result<()>;
    /// Ends the table at hand and says how many entries it took.
    fn finish_table(&mut self) -> Result<u64>;
    /// Gives the table at hand up: it is left out.
    fn abandon_table(&mut self);
    /// Makes everything durable, under a name that is not yet the final one.
    fn finish(self: Box<Self>) -> Result<()>;
}

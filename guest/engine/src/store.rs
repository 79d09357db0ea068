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
}

/// Bytes that come in order.
pub trait Bytes {
    /// The next bytes, at most `max`; none only at the end.
    fn read(&mut self, max: u32) -> Result<Vec<u8>>;
}

/// A new database that is filled once.
pub trait Sink {
    /// Begins a table; the writer before it was finished or dropped.
    fn table(&mut self, table: &Table) -> Result<Box<dyn TableWriter + '_>>;
    /// Makes everything durable, under a name that is not yet the final one.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The entries of one table, in the order in which its store gave them. Dropped unfinished, the table is given up.
pub trait TableWriter {
    /// Appends packed entries, cut anywhere.
    fn append(&mut self, entries: &[u8]) -> Result<()>;
    /// Ends the table and says how many entries it took.
    fn finish(self: Box<Self>) -> Result<u64>;
}

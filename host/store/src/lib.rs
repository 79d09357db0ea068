//! What Strongroom backs up and restores into, as a host sees it: the [`Store`] and [`Sink`] traits, the framing in
//! which entries travel, and [redb](mod@redb) behind them.
//!
//! The traits say what the WIT interfaces `kv-store` and `kv-sink` say, so that whatever implements them can be handed
//! to the sandboxed engine.

use std::path::{Path, PathBuf};

// The helpers in `tests/` name this crate.
#[cfg(test)]
extern crate self as strongroom_store;

pub mod bytes;
mod error;
pub mod frame;
pub mod redb;
pub mod rows;

pub use error::{Error, ErrorCode, Result, in_words};

/// The name of the [note](Store::notes) that says what a store cannot hand over, so that no backup has it.
pub const LEFT_BEHIND: &str = "left-behind";

/// A table of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name; a store has each name once.
    pub name: String,
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries; in a multimap, how many pairs. A backup whose scans give another number is refused.
    pub entries: u64,
    /// About how many bytes its keys and values have. For progress and for even parts, never for correctness.
    pub bytes_about: u64,
    /// How the store names the type of the keys, for people.
    pub key_type: String,
    /// How the store names the type of the values, for people.
    pub value_type: String,
    /// The canonical spelling of what the table is. Tables with equal identity and equal entries are equal.
    pub identity: Vec<u8>,
}

/// One moment of one database.
///
/// All methods may be called from several threads at once, and all of them see the same moment.
pub trait Store: Send + Sync {
    /// The tables, sorted by the bytes of their names. An empty table is a table.
    fn tables(&self) -> Result<Vec<Table>>;

    /// All that is needed to make these tables again, empty; it goes to [`Sink`]s of the same kind of store.
    fn template(&self) -> Result<Vec<u8>>;

    /// Facts about this moment that a reader of the backup should know, as (name, value).
    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    /// How far the store had come; `at` says where to look, in the store's own words.
    fn position(&self, at: &str) -> Result<u64>;

    /// Up to `parts - 1` opaque marks that cut a table into stretches of about equal size, in order.
    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>>;

    /// The packed entries (see [`frame`]) from one mark up to, and without, another.
    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>>;

    /// What tells at a glance whether a table changed: if a table has the same stamp at two moments, it has the same
    /// entries. At most 256 bytes. `None`: this store cannot tell.
    fn stamp(&self, _table: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// What a later run must bring to [`Store::changes`] in order to be told what changed in a table since this moment, as
    /// packed entries that mean something to the store only. `None`: this store cannot tell.
    fn baseline(&self, _table: &str) -> Result<Option<Box<dyn Entries>>> {
        Ok(None)
    }

    /// Begins to find out what changed in a table since the moment that had this stamp. `None`: the store cannot tell, for
    /// whatever reason; the caller then scans.
    fn changes(&self, _table: &str, _stamp: &[u8]) -> Result<Option<Box<dyn Changes>>> {
        Ok(None)
    }

    /// The file that it reads, if it is one: errors name it, and sources are named after it.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// The directories below which this store opens files from now on; `None` if that is not known. Threads that read a
    /// store that knows are confined, by systems that can, to these directories besides their own.
    fn directories(&self) -> Option<Vec<PathBuf>> {
        None
    }
}

/// Packed entries that come in order.
pub trait Entries: Send {
    /// Appends the next bytes to `out`: at least one and at most `max`, none only at the end. An entry may be cut
    /// anywhere.
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// What changed in one table, as edits: `0x00 n` keeps the next n old entries, `0x01 n` leaves them out, `0x02 n` is
/// followed by n new entries in the packed form; n is a u64 LE above zero. Together they use up the old entries exactly.
///
/// The old baseline is offered piece by piece, and between the pieces both streams of edits are read until they are
/// empty, in turn and the entries first: both are made in step, and what is not read is held. Every call may answer [`ErrorCode::Unsupported`]: the store cannot tell after all, and the table is scanned.
pub trait Changes: Send {
    /// Takes the next bytes of the old baseline, cut anywhere; none: this was all of it.
    fn offer(&mut self, baseline: &[u8]) -> Result<()>;

    /// Appends the next edits of the table's entries to `out`, at most `max` bytes and cut anywhere. None: no more for
    /// now, or, once all of the baseline was offered, at all.
    fn entries(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()>;

    /// The same for the edits that turn the old baseline into the new one.
    fn baseline(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// Which snapshot was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// Its id, hex.
    pub id: String,
    /// The database that it is of.
    pub source: String,
    /// When it was made, in seconds since 1970, UTC.
    pub time: u64,
    /// How far the database had come.
    pub position: Option<u64>,
    /// What its store noted.
    pub labels: Vec<(String, String)>,
}

/// A new database that is filled once, one table after the other. Dropped before [`Sink::finish`], it leaves nothing
/// behind.
///
/// A sink is driven by one thread; it need not be the one that made it.
pub trait Sink: Send {
    /// Takes the template of the store that is copied; the first call, made once.
    fn create(&mut self, template: &[u8]) -> Result<()>;

    /// Begins a table. The one before it must be finished.
    fn table(&mut self, table: &Table) -> Result<()>;

    /// Appends packed entries to the table, cut anywhere, in the order in which its store gave them.
    fn append(&mut self, entries: &[u8]) -> Result<()>;

    /// Ends the table and says how many entries it took. An entry that was cut off is [`ErrorCode::Corrupt`].
    fn finish_table(&mut self) -> Result<u64>;

    /// Gives up the table that is being written, which may then be begun again or left out.
    fn abandon_table(&mut self) -> Result<()>;

    /// Makes everything durable, under a name that is not yet the final one.
    fn finish(&mut self) -> Result<()>;

    /// Says which snapshot the finished database is, for sinks that keep it. Called before [`Sink::publish`], or not at all.
    fn describe(&mut self, _origin: &Origin) -> Result<()> {
        Ok(())
    }

    /// Puts the finished database under its final name. Called after the engine has confirmed all of it.
    fn publish(self: Box<Self>) -> Result<()>;

    /// The directories below which this sink opens, makes and renames files from now on; `None` if that is not known.
    /// Threads that fill a sink that knows are confined, by systems that can, to these directories besides their own.
    fn directories(&self) -> Option<Vec<PathBuf>> {
        None
    }
}

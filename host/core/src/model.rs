//! What the verbs answer.

use serde::Serialize;

/// One backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name, which no other of the repository has.
    pub name: String,
    /// Equal ids, equal data, whatever the names: 64 hex digits.
    pub id: String,
    /// Which database it is of, among those that share the repository.
    pub source: String,
    /// The snapshot before it of the same source.
    pub parent: Option<String>,
    /// When it was made: seconds since 1970, UTC.
    pub time: u64,
    /// How far the database had come, where that was asked.
    pub position: Option<u64>,
    /// How many tables it holds.
    pub tables: u32,
    /// How many tables of the database were left out on request.
    pub tables_left_out: u32,
    /// Entries of all its tables.
    pub entries: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// Bytes that it added to the repository.
    pub bytes_added: u64,
    /// What else is known of it, as (name, value).
    pub labels: Vec<(String, String)>,
}

/// One table of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries; in a multimap, how many pairs.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// How the database names the type of the keys.
    pub key_type: String,
    /// How the database names the type of the values.
    pub value_type: String,
    /// Equal ids, equal entries in equal order: 64 hex digits.
    pub id: String,
}

/// One thing that is wrong, and what it costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// The file it is in, from the repository's root; empty where there is none to name.
    pub file: String,
    /// What is wrong.
    pub what: String,
    /// Snapshots that are not whole because of it.
    pub snapshots: Vec<String>,
    /// Tables of theirs that are not.
    pub tables: Vec<String>,
}

/// All snapshots of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshots {
    /// Those that can be read, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Files of others, which cannot.
    pub damage: Vec<Damage>,
}

/// How closely `Repository::verify` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Depth {
    /// Every object is there, in a file of the right length.
    #[default]
    Structure,
    /// Every byte is read and hashed.
    Data,
    /// A share of the data; which one follows from `number` (the day, say), so that over consecutive numbers all of it
    /// is read.
    Sample {
        /// How much, in thousandths.
        permille: u32,
        /// Which share.
        number: u64,
    },
}

/// What a look at a repository found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verified {
    /// Snapshots that were looked at.
    pub snapshots: u32,
    /// Objects that were looked at.
    pub objects: u64,
    /// Stored bytes that were read and hashed.
    pub bytes: u64,
    /// What is wrong.
    pub damage: Vec<Damage>,
}

/// What a prune did; of a dry run, what it would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pruned {
    /// Snapshots that are there, all of which keep what they need.
    pub snapshots: u32,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Packs that were written.
    pub packs_written: u64,
    /// Objects that were removed.
    pub objects_removed: u64,
    /// Objects that were moved to new packs.
    pub objects_moved: u64,
    /// Bytes of all files of the repository before, less those afterwards; negative if an index had to be made again and
    /// nothing was there to be freed.
    pub bytes_freed: i64,
    /// Stored bytes of the objects that were moved.
    pub bytes_moved: u64,
    /// Bytes that are left in packs although no snapshot needs them.
    pub bytes_unused: u64,
    /// Bytes of all files of the repository afterwards.
    pub bytes_left: u64,
}

/// What was restored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restored {
    /// From which snapshot.
    pub snapshot: Snapshot,
    /// Tables that were left out because they could not be read in full.
    pub damage: Vec<Damage>,
}

impl Restored {
    /// Restored from this snapshot, but for what was damaged.
    pub fn new(snapshot: Snapshot, damage: Vec<Damage>) -> Self {
        Self { snapshot, damage }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done: `copy`, `seal`, `restore`, `verify`, `mark` and `prune`.
    pub phase: &'a str,
    /// Bytes of keys and values (while verifying and pruning, of what is read of the repository) that are done.
    pub bytes: u64,
    /// Entries that are done.
    pub entries: u64,
    /// About how many bytes there are in all; 0 if that is not known.
    pub bytes_total: u64,
    /// How many entries there are in all; 0 if that is not known.
    pub entries_total: u64,
}

//! What the verbs answer.

use serde::{Deserialize, Serialize};

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
    /// Which one it is of its source, counted from 1. Within a source this is the order; a clock may be wrong.
    pub seq: u64,
    /// Whether it came in with an archive instead of being made in this repository.
    pub imported: bool,
    /// The database's file, as its canonical path, where that is known.
    pub origin: Option<String>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// How many entries of each of these tables are lost with it, if that is known.
    pub entries: Option<u64>,
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
    /// What costs some snapshot something, and snapshot files that cannot be read.
    pub damage: Vec<Damage>,
    /// Files that are not what was written, of which nothing that is needed is lost: what lies in them is read all the
    /// same, or lies elsewhere too.
    pub warnings: Vec<Note>,
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

/// A file of the repository, and what is the matter with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Note {
    /// The file, from the repository's root.
    pub file: String,
    /// What is the matter, and what becomes of it.
    pub what: String,
}

/// An object that no file of the repository gives back, and what it costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// Its id: 64 hex digits.
    pub object: String,
    /// What it is, for people: a leaf, a node, a list of tables, ...
    pub what: String,
    /// The pack that was said to hold it; empty if none was.
    pub file: String,
    /// Snapshots that are not whole because of it.
    pub snapshots: Vec<String>,
    /// Tables of theirs that are not, as far as the lists of tables can be read.
    pub tables: Vec<String>,
    /// How many entries lie in it or below it, each time that a table has it, if that is known.
    pub entries: Option<u64>,
    /// Sources whose newest snapshot needs it: their next backup writes it again, if the database still holds the same.
    pub heals: Vec<String>,
}

/// What a repair did, and what it could not; of a dry run, what it would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Repaired {
    /// Snapshots whose files can be read.
    pub snapshots: u32,
    /// Those of them that are whole afterwards.
    pub whole: u32,
    /// Objects that were read and hashed, wherever they lie.
    pub objects: u64,
    /// Bytes that were read for that.
    pub bytes: u64,
    /// What was wrong and is put right.
    pub mended: Vec<Note>,
    /// Snapshot files that cannot be read, with what is known of them. They stay as they are.
    pub unreadable: Vec<Note>,
    /// Files of which nothing comes back. They stay too.
    pub left: Vec<Note>,
    /// What stays lost.
    pub lost: Vec<Loss>,
    /// How many more objects are lost than are listed, at least.
    pub lost_more: u64,
}

impl Repaired {
    /// Whether every snapshot is whole, then.
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty() && self.lost.is_empty()
    }
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

/// A snapshot that went into an archive, or came out of one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Archived {
    /// The snapshot; of an import, as it is in the repository now.
    pub snapshot: Snapshot,
    /// How many bytes the archive has.
    pub bytes: u64,
}

impl Archived {
    /// This snapshot, in so many bytes.
    pub fn new(snapshot: Snapshot, bytes: u64) -> Self {
        Self { snapshot, bytes }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done: `copy`, `seal`, `restore`, `verify`, `mark`, `prune`, `repair`,
    /// `export`, `import` and `diff`.
    pub phase: &'a str,
    /// Bytes of keys and values (while verifying, pruning and repairing, of what is read of the repository; of an
    /// archive that is read, its own) that are done.
    pub bytes: u64,
    /// Entries that are done.
    pub entries: u64,
    /// About how many bytes there are in all; 0 if that is not known.
    pub bytes_total: u64,
    /// How many entries there are in all; 0 if that is not known.
    pub entries_total: u64,
}

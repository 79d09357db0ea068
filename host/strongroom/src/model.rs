//! What the verbs answer.

use serde::Serialize;

use crate::sandbox::wit;

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl From<wit::Snapshot> for Snapshot {
    fn from(snapshot: wit::Snapshot) -> Self {
        let wit::Snapshot { name, id, source, parent, time, position, tables, tables_left_out, .. } =
            snapshot;
        let wit::Snapshot { entries, bytes, bytes_added, labels, .. } = snapshot;
        Self {
            name,
            id,
            source,
            parent,
            time,
            position,
            tables,
            tables_left_out,
            entries,
            bytes,
            bytes_added,
            labels,
        }
    }
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl From<wit::Table> for Table {
    fn from(table: wit::Table) -> Self {
        Self {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes: table.bytes,
            key_type: table.key_type,
            value_type: table.value_type,
            id: table.id,
        }
    }
}

/// One thing that is wrong, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl From<wit::Damage> for Damage {
    fn from(damage: wit::Damage) -> Self {
        let wit::Damage { file, what, snapshots, tables } = damage;
        Self { file, what, snapshots, tables }
    }
}

/// All snapshots of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Snapshots {
    /// Those that can be read, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Files of others, which cannot.
    pub damage: Vec<Damage>,
}

/// How closely [`Repository::verify`](crate::Repository::verify) looks.
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

/// What a prune did; of a dry run, what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl From<wit::Pruned> for Pruned {
    fn from(pruned: wit::Pruned) -> Self {
        Self {
            snapshots: pruned.snapshots,
            packs_removed: pruned.packs_removed,
            packs_written: pruned.packs_written,
            objects_removed: pruned.objects_removed,
            objects_moved: pruned.objects_moved,
            bytes_freed: pruned.bytes_freed,
            bytes_moved: pruned.bytes_moved,
            bytes_unused: pruned.bytes_unused,
            bytes_left: pruned.bytes_left,
        }
    }
}

/// What a look at a repository found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

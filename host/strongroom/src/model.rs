//! What the verbs answer.

use serde::Serialize;

use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::{excerpt, wit};

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

impl Snapshot {
    /// What an engine says of a snapshot. One from outside may say anything; the name and the id are what a caller acts
    /// on, so these must be possible.
    pub(crate) fn checked(snapshot: wit::Snapshot) -> Result<Self> {
        let wit::Snapshot { name, id, source, parent, time, position, tables, tables_left_out, .. } =
            snapshot;
        let wit::Snapshot { entries, bytes, bytes_added, labels, .. } = snapshot;
        let names_a_file = |name: &str| {
            let separates = |c: char| c.is_control() || matches!(c, '/' | '\\');
            !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && !name.contains(separates)
        };
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !names_a_file(&name) || !parent.as_deref().is_none_or(names_a_file) || !is_id {
            let message = format!(
                "the engine spoke of a snapshot that cannot be: {:?} with the id {:?}",
                excerpt(&name, NAME_MAX),
                excerpt(&id, 64)
            );
            return Err(Error::new(ErrorCode::Invalid, message));
        }
        Ok(Self {
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
        })
    }
}

/// No file system has longer names.
const NAME_MAX: usize = 255;

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

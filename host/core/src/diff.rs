//! What differs between two moments.

use serde::Serialize;

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Happened {
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// Both have the key, with another value each.
    Changed,
}

/// An entry that is not the same on both sides. In a multimap this is a pair, which never is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryDifference {
    /// What happened to it.
    pub what: Happened,
    /// The key; empty if it has more than 262,144 bytes.
    pub key: Vec<u8>,
    /// How many bytes the key has.
    pub key_bytes: u32,
    /// How many bytes the value has on the first side.
    pub before: Option<u32>,
    /// How many bytes the value has on the second side.
    pub after: Option<u32>,
}

/// A table on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableSide {
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries; in a multimap, how many pairs.
    pub entries: u64,
    /// How the database names the type of the keys.
    pub key_type: String,
    /// How the database names the type of the values.
    pub value_type: String,
}

/// A table that is not the same on both sides. If its types or its kind are not, all its entries count as removed and
/// added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableDifference {
    /// Its name.
    pub table: String,
    /// The table on the first side.
    pub before: Option<TableSide>,
    /// The table on the second side.
    pub after: Option<TableSide>,
    /// Entries that only the second side has.
    pub added: u64,
    /// Entries that only the first side has.
    pub removed: u64,
    /// Entries with the same key and another value.
    pub changed: u64,
}

/// What is told of a difference, one thing after another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// Entries of this table follow; nothing is counted yet.
    Begin(TableDifference),
    /// An entry of that table, in no order that a caller could rely on.
    Entry(EntryDifference),
    /// All of a table was told.
    Table(TableDifference),
}

/// Turns what bindings generated from the WIT interface `diff` tell into the words of this crate.
#[macro_export]
macro_rules! diff_from_wit {
    ($diff:path) => {
        const _: () = {
            use $diff as wit;

            impl From<wit::Side> for $crate::TableSide {
                fn from(from: wit::Side) -> Self {
                    Self::new(from.multimap, from.entries, from.key_type, from.value_type)
                }
            }

            impl From<wit::TableDifference> for $crate::TableDifference {
                fn from(from: wit::TableDifference) -> Self {
                    let mut table =
                        Self::new(from.name, from.before.map(Into::into), from.after.map(Into::into));
                    (table.added, table.removed, table.changed) = (from.added, from.removed, from.changed);
                    table
                }
            }

            impl From<wit::Told> for $crate::Told {
                fn from(from: wit::Told) -> Self {
                    use $crate::Happened;
                    match from {
                        wit::Told::Begin(table) => $crate::Told::Begin(table.into()),
                        wit::Told::Table(table) => $crate::Told::Table(table.into()),
                        wit::Told::Entry(entry) => {
                            let what = match entry.what {
                                wit::What::Added => Happened::Added,
                                wit::What::Removed => Happened::Removed,
                                wit::What::Changed => Happened::Changed,
                            };
                            let mut told = $crate::EntryDifference::new(what, entry.key, entry.key_bytes);
                            (told.before, told.after) = (entry.before, entry.after);
                            $crate::Told::Entry(told)
                        }
                    }
                }
            }
        };
    };
}

impl TableSide {
    /// A table of this kind, with so many entries and these types.
    pub fn new(multimap: bool, entries: u64, key_type: String, value_type: String) -> Self {
        Self { multimap, entries, key_type, value_type }
    }
}

impl TableDifference {
    /// A table with these sides, of which nothing is counted yet.
    pub fn new(table: String, before: Option<TableSide>, after: Option<TableSide>) -> Self {
        Self { table, before, after, added: 0, removed: 0, changed: 0 }
    }
}

impl EntryDifference {
    /// An entry with this key, whose value has no size yet.
    pub fn new(what: Happened, key: Vec<u8>, key_bytes: u32) -> Self {
        Self { what, key, key_bytes, before: None, after: None }
    }
}

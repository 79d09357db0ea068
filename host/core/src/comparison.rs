//! How a database differs from a snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::{Snapshot, Table};

/// A database beside a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The id that a snapshot of the database would have now, of the same tables: 64 hex digits.
    pub id: String,
    /// What was read of the database.
    pub entries: u64,
    /// Bytes of keys and values that were read of the database.
    pub bytes: u64,
    /// The tables that are not the same, sorted by name.
    pub differences: Vec<Difference>,
}

/// A table that is not the same in a database and in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Its name.
    pub table: String,
    /// How many entries it has in the snapshot; none if it is not in there.
    pub in_snapshot: Option<u64>,
    /// How many entries it has in the database; none if it is not in there.
    pub in_database: Option<u64>,
    /// The entries are the same and the types are not.
    pub types_only: bool,
}

impl Comparison {
    /// Of a snapshot and its tables with what a database holds.
    pub fn new(snapshot: Snapshot, of_snapshot: Vec<Table>, id: String, of_database: Vec<Table>) -> Self {
        let (entries, bytes) = of_database
            .iter()
            .fold((0, 0), |(entries, bytes), table| (entries + table.entries, bytes + table.bytes));
        let mut tables: BTreeMap<String, [Option<Table>; 2]> = BTreeMap::new();
        for (side, of_side) in [of_snapshot, of_database].into_iter().enumerate() {
            for table in of_side {
                let name = table.name.clone();
                tables.entry(name).or_default()[side] = Some(table);
            }
        }
        let difference = |(name, [snapshot, database]): (String, [Option<Table>; 2])| {
            if snapshot == database {
                return None;
            }
            let id = |table: &Option<Table>| table.as_ref().map(|table| table.id.clone());
            let types_only = id(&snapshot) == id(&database);
            Some(Difference {
                table: name,
                in_snapshot: snapshot.map(|table| table.entries),
                in_database: database.map(|table| table.entries),
                types_only,
            })
        };
        let mut differences: Vec<Difference> = tables.into_iter().filter_map(difference).collect();
        if id == snapshot.id {
            // How types are called is not part of what is the same.
            differences.clear();
        }
        Self { snapshot, id, entries, bytes, differences }
    }

    /// Whether every table has the same entries and the same types.
    pub fn is_equal(&self) -> bool {
        self.id == self.snapshot.id
    }
}

/// What came of restoring a snapshot for the sake of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drilled {
    /// What was restored, beside the snapshot.
    pub comparison: Comparison,
    /// Time for restoring it, redb's check before it got its name included.
    pub restoring: Duration,
    /// Time for opening it anew and checking it once more.
    pub checking: Duration,
    /// Time for reading and hashing all that is in it.
    pub comparing: Duration,
}

impl Drilled {
    /// From a comparison and the times that it took.
    pub fn new(comparison: Comparison, restoring: Duration, checking: Duration, comparing: Duration) -> Self {
        Self { comparison, restoring, checking, comparing }
    }

    /// Whether every table came back with the same entries and the same types.
    pub fn is_equal(&self) -> bool {
        self.comparison.is_equal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, id: &str, key_type: &str) -> Table {
        Table { name: name.into(), id: id.into(), key_type: key_type.into(), entries: 3, ..Table::default() }
    }

    #[test]
    fn what_differs_is_named() {
        let snapshot = Snapshot { id: "s".into(), ..Snapshot::default() };
        let of_snapshot = vec![
            table("gone", "1", "u64"),
            table("more", "2", "u64"),
            table("same", "3", "u64"),
            table("type", "4", "u64"),
        ];
        let of_database = vec![
            table("more", "9", "u64"),
            table("new", "5", "u64"),
            table("same", "3", "u64"),
            table("type", "4", "i64"),
        ];
        let comparison = Comparison::new(snapshot.clone(), of_snapshot.clone(), "d".into(), of_database);
        let found: Vec<_> = comparison
            .differences
            .iter()
            .map(|d| (d.table.as_str(), d.in_snapshot.is_some(), d.in_database.is_some(), d.types_only))
            .collect();
        let expected = [
            ("gone", true, false, false),
            ("more", true, true, false),
            ("new", false, true, false),
            ("type", true, true, true),
        ];
        assert_eq!(found, expected);
        assert!(!comparison.is_equal());
        let same = Comparison::new(snapshot, of_snapshot.clone(), "s".into(), of_snapshot);
        assert!(same.is_equal() && same.differences.is_empty());
    }
}

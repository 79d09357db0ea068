//! A repository that is made up.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;

use strongroom_core::{
    Archived, Comparison, Depth, Error, ErrorCode, Pruned, Repaired, Restored, Result, Snapshot, Snapshots,
    Table, Verified,
};

use super::NOW;
use crate::host::{self, Repository};

/// A repository that says what it is told to say.
#[derive(Default)]
pub(super) struct Made {
    pub(super) snapshots: Snapshots,
    /// Of every snapshot: name, and how many entries more it has from one to the next.
    pub(super) tables: Vec<(&'static str, u64)>,
    /// Names that tables have instead of their own.
    pub(super) names: Vec<String>,
    pub(super) verified: Verified,
    pub(super) calls: Cell<usize>,
    /// No list of tables can be read.
    pub(super) lost: bool,
}

impl Made {
    /// A snapshot every so often, the last one now.
    pub(super) fn history(source: &str, number: u64, every: u64) -> Self {
        let mut made = Self { tables: vec![("accounts", 3), ("blobs", 80), ("tags", 0)], ..Self::default() };
        made.add(source, number, every);
        made
    }

    pub(super) fn add(&mut self, source: &str, number: u64, every: u64) {
        for i in 0..number {
            let mut snapshot = Snapshot::default();
            snapshot.name = format!("{source}-{i:04}");
            snapshot.id = format!("{i:064x}");
            snapshot.source = source.to_owned();
            snapshot.parent = i.checked_sub(1).map(|i| format!("{source}-{i:04}"));
            snapshot.time = NOW - (number - 1 - i) * every - 600;
            snapshot.tables = 3;
            snapshot.entries = 100_000 + i * 40;
            snapshot.bytes = 232_000_000 + i * 150_000;
            snapshot.bytes_added = if i == 0 { 163_000_000 } else { 3_000 + (i * 7919) % 900_000 };
            self.snapshots.snapshots.push(snapshot);
        }
        self.snapshots.snapshots.sort_by_key(|snapshot| snapshot.time);
    }
}

fn none<T>() -> Result<T> {
    Err(Error::new(ErrorCode::Unsupported, "a report needs no such thing"))
}

impl Repository for Made {
    fn init(&self) -> Result<bool> {
        none()
    }
    fn snapshots(&self) -> Result<Snapshots> {
        Ok(self.snapshots.clone())
    }
    fn tables(&self, snapshot: &str) -> Result<Vec<Table>> {
        self.calls.set(self.calls.get() + 1);
        if self.lost {
            let message = format!("/nowhere/backups: the tables of snapshot {snapshot:?}: gone");
            return Err(Error::new(ErrorCode::Damaged, message));
        }
        let number: u64 = snapshot.rsplit('-').next().unwrap().parse().unwrap();
        let names = self.tables.iter().map(|(name, _)| (*name).to_owned());
        let names = names.chain(self.names.iter().cloned());
        let growths = self.tables.iter().map(|(_, growth)| *growth).chain(std::iter::repeat(1));
        let tables = names.zip(growths).map(|(name, growth)| {
            let mut table = Table::default();
            (table.entries, table.bytes) = (1000 + number * growth, 5_000_000 + number * growth * 70_000);
            table.multimap = name == "tags";
            table.name = name;
            table
        });
        let mut tables: Vec<Table> = tables.collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }
    fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified> {
        assert!(snapshot.is_some() && depth == Depth::Structure, "all of it may take minutes");
        self.calls.set(self.calls.get() + 1);
        Ok(self.verified.clone())
    }
    fn backup(&self, _: &host::Backup<'_>) -> anyhow::Result<Snapshot> {
        Ok(none()?)
    }
    fn find(&self, _: &str) -> Result<Snapshot> {
        none()
    }
    fn restore(&self, _: &host::Restore<'_>) -> Result<Restored> {
        none()
    }
    fn restore_archive(&self, _: host::Incoming<'_>, _: &host::Restore<'_>) -> Result<Restored> {
        none()
    }
    fn export(&self, _: &str, _: &mut (dyn Write + Send), _: Option<&Path>) -> Result<Archived> {
        none()
    }
    fn import(&self, _: host::Incoming<'_>, _: Option<&str>, _: Option<&str>, _: bool) -> Result<Archived> {
        none()
    }
    fn forget(&self, _: &[String], _: bool, _: bool) -> Result<()> {
        none()
    }
    fn prune(&self, _: u32, _: bool, _: bool) -> Result<Pruned> {
        none()
    }
    fn repair(&self, _: bool) -> Result<Repaired> {
        none()
    }
    fn compare(&self, _: &str, _: &Path) -> Result<Comparison> {
        none()
    }
    fn diff(&self, _: &host::Diff<'_>, _: &mut host::Tell<'_>) -> Result<(Snapshot, Option<Snapshot>)> {
        none()
    }
    fn scan(&self, _: &str, _: &str, _: &mut host::Each<'_>) -> Result<()> {
        none()
    }
}

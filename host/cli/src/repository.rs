//! The verbs on a repository, done by the library.

use std::sync::Arc;

use strongroom::{Depth, RedbStore, Repository, Restored, Result, Snapshot, Snapshots, Table, Verified};
use strongroom_command::host;

/// A repository as the library has it.
pub(crate) struct Native(pub(crate) Repository);

impl host::Repository for Native {
    fn backup(&self, wanted: &host::Backup<'_>) -> Result<Snapshot> {
        let store = Arc::new(RedbStore::open(wanted.database)?);
        let mut backup = strongroom::Backup::new()
            .name(wanted.name)
            .source(wanted.source)
            .override_permissions(wanted.override_permissions);
        if let Some(position) = wanted.position {
            backup = backup.position(position);
        }
        if !wanted.tables.is_empty() {
            backup = backup.tables(wanted.tables);
        }
        if let Some(threads) = wanted.threads {
            backup = backup.threads(threads);
        }
        self.0.backup(&store, &backup)
    }

    fn snapshots(&self) -> Result<Snapshots> {
        self.0.snapshots()
    }

    fn find(&self, which: &str) -> Result<Snapshot> {
        self.0.find(which)
    }

    fn tables(&self, snapshot: &str) -> Result<Vec<Table>> {
        self.0.tables(snapshot)
    }

    fn restore(&self, wanted: &host::Restore<'_>) -> Result<Restored> {
        let mut restore =
            strongroom::Restore::new().overwrite(wanted.overwrite).skip_damaged(wanted.skip_damaged);
        if !wanted.tables.is_empty() {
            restore = restore.tables(wanted.tables);
        }
        self.0.restore(wanted.snapshot, wanted.to, &restore)
    }

    fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified> {
        self.0.verify(snapshot, depth)
    }

    fn scan(&self, snapshot: &str, table: &str, each: &mut host::Each<'_>) -> Result<()> {
        self.0.scan(snapshot, table, each)
    }
}

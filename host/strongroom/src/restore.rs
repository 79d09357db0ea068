//! Restoring.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use strongroom_store::redb::RedbSink;
use strongroom_store::{Origin, Sink};

use crate::host::Grants;
use crate::model::{Damage, Restored, Snapshot};
use crate::repository::Repository;
use crate::sandbox::Access;
use crate::{Error, ErrorCode, Result};

/// How to restore.
#[derive(Debug, Clone, Default)]
pub struct Restore {
    tables: Option<Vec<String>>,
    overwrite: bool,
    skip_damaged: bool,
}

impl Restore {
    /// All tables, into a file that is not there yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only tables whose names match one of these globs (`*`, `?`).
    #[must_use]
    pub fn tables(mut self, globs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tables = Some(globs.into_iter().map(Into::into).collect());
        self
    }

    /// Puts the restored database in the place of a file that is there. That file stays whole until the new one is
    /// complete and checked.
    #[must_use]
    pub fn overwrite(mut self, yes: bool) -> Self {
        self.overwrite = yes;
        self
    }

    pub(crate) fn chosen_tables(&self) -> Option<&[String]> {
        self.tables.as_deref()
    }

    pub(crate) fn overwrites(&self) -> bool {
        self.overwrite
    }

    pub(crate) fn skips_damaged(&self) -> bool {
        self.skip_damaged
    }

    /// Leaves out tables that cannot be read in full, and reports them, instead of failing at the first.
    #[must_use]
    pub fn skip_damaged(mut self, yes: bool) -> Self {
        self.skip_damaged = yes;
        self
    }
}

impl Repository {
    /// Restores a snapshot to a new redb database, which the application opens with its own definitions.
    ///
    /// The file is built beside its final place, synced, checked by redb, and only then given its name.
    pub fn restore(&self, snapshot: &str, to: impl AsRef<Path>, restore: &Restore) -> Result<Restored> {
        let to = to.as_ref();
        let snapshot = self.find(snapshot)?;
        let sink = RedbSink::new(to, restore.overwrite)?;
        tracing::info!(snapshot = snapshot.name, to = %to.display(), "restoring");
        self.restore_into(&snapshot.name, Box::new(sink), restore)
    }

    /// Restores a snapshot into any sink: a [`JsonLinesSink`](crate::JsonLinesSink), say, or one of your own.
    pub fn restore_into(&self, snapshot: &str, sink: Box<dyn Sink>, restore: &Restore) -> Result<Restored> {
        let snapshot = self.find(snapshot)?;
        let grants = Grants { sink: Mutex::new(Some(sink)), ..Grants::new(self.meter()) };
        let framed = snapshot.bytes.saturating_add(snapshot.entries.saturating_mul(8));
        grants.meter.set_total(framed, snapshot.entries);
        let tables = restore.tables.as_deref();
        self.run("restore", Access::Read, grants, |engine, grants| {
            let damage = engine.call(|engine, store| {
                engine.call_restore(store, &snapshot.name, tables, "sink", restore.skip_damaged)
            })?;
            // The engine has confirmed every entry: now the new database gets its name.
            let finished = grants.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
            let finished = finished.ok_or_else(|| {
                Error::new(
                    ErrorCode::Other,
                    "the engine said that it was done without finishing the new database",
                )
            })?;
            publish(finished, &snapshot)?;
            Ok(Restored::new(snapshot.clone(), damage.into_iter().map(Damage::from).collect()))
        })
    }
}

/// Gives what was restored its name, and tells it whose it is.
pub(crate) fn publish(mut finished: Box<dyn Sink>, snapshot: &Snapshot) -> Result<()> {
    finished.describe(&Origin {
        name: snapshot.name.clone(),
        id: snapshot.id.clone(),
        source: snapshot.source.clone(),
        time: snapshot.time,
        position: snapshot.position,
        labels: snapshot.labels.clone(),
    })?;
    Ok(finished.publish()?)
}

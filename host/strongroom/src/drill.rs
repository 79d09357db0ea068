//! Proving that a snapshot restores.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_core::checks;
use strongroom_store::redb::{RedbStore, check_file};

use crate::model::Drilled;
use crate::repository::Repository;
use crate::restore::Restore;
use crate::scratch::Scratch;
use crate::{Error, Result};

/// How to drill.
#[derive(Debug, Clone, Default)]
pub struct Drill {
    dir: Option<PathBuf>,
}

impl Drill {
    /// In the system's directory for temporary files.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this directory, which must have room for the whole database.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }
}

impl Repository {
    /// Restores a snapshot to a temporary file, opens that as an application would, has redb check it, derives the ids
    /// of all its tables from what is in it, compares them with the snapshot's, and removes it; what a drill that was killed left there goes first.
    ///
    /// That they differ is no error: [`Drilled::is_equal`] tells. [`checks`](Self::checks) knows afterwards what came of
    /// it.
    pub fn drill(&self, snapshot: &str, drill: &Drill) -> Result<Drilled> {
        let drilled = self.restore_and_compare(snapshot, drill);
        if self.remembers() {
            checks::note_drilled(self.dir(), snapshot, &drilled);
        }
        drilled
    }

    fn restore_and_compare(&self, snapshot: &str, drill: &Drill) -> Result<Drilled> {
        let began = Instant::now();
        let within = drill.dir.clone().unwrap_or_else(std::env::temp_dir);
        let place = Scratch::new(&within).map_err(|e| Error::io("make a directory in", &within, &e))?;
        let file = place.path().join("restored.redb");
        let restored = self.restore(snapshot, &file, &Restore::new())?;
        let lap = |since: &mut Instant| -> Duration {
            let lap = since.elapsed();
            *since = Instant::now();
            lap
        };
        let mut since = began;
        let restoring = lap(&mut since);
        check_file(&file)?;
        let checking = lap(&mut since);
        let store = Arc::new(RedbStore::open(&file)?);
        let comparison = self.compare(&restored.snapshot.name, &store)?;
        let comparing = lap(&mut since);
        drop(store);
        place.close().map_err(|e| Error::io("remove what was restored to", &within, &e))?;
        Ok(Drilled::new(comparison, restoring, checking, comparing))
    }
}

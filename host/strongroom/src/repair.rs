//! Repairing.

use crate::Result;
use crate::host::Grants;
use crate::model::Repaired;
use crate::repository::Repository;
use crate::sandbox::Access;
use strongroom_core::directory;

/// How to repair.
#[derive(Debug, Clone, Default)]
pub struct Repair {
    dry_run: bool,
}

impl Repair {
    /// All that can be put right is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only says what would be done. Everything is read; no lock is taken, and the repository is seen read-only.
    #[must_use]
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }
}

impl Repository {
    /// Reads everything, makes again what can be made again, and says what cannot.
    ///
    /// Nothing gets worse by it: what is whole stays as it is, and a snapshot file is never removed or changed. It can be
    /// stopped at any moment; the next repair ends it. That something stays lost is no error:
    /// [`Repaired::is_whole`] says whether all is well.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NoRepository`](crate::ErrorCode::NoRepository) and
    /// [`ErrorCode::Damaged`](crate::ErrorCode::Damaged) if nothing shows that the directory is a repository,
    /// [`ErrorCode::NewerFormat`](crate::ErrorCode::NewerFormat) if a later version wrote there (nothing was changed then),
    /// [`ErrorCode::Locked`](crate::ErrorCode::Locked) if another run writes to the repository,
    /// [`ErrorCode::Full`](crate::ErrorCode::Full) if there is no room for what has to be written again.
    pub fn repair(&self, repair: &Repair) -> Result<Repaired> {
        directory::check(self.dir())?;
        let access = if repair.dry_run { Access::Read } else { Access::Write };
        let lock = if repair.dry_run { None } else { Some(self.lock("a repair")?) };
        let repaired: Repaired = self
            .run("repair", access, Grants::locked(self.meter(), lock), |engine, _| {
                engine.call(|engine, store| engine.call_repair(store, repair.dry_run))
            })?
            .into();
        tracing::info!(
            mended = repaired.mended.len(),
            unreadable = repaired.unreadable.len(),
            lost = repaired.lost.len(),
            dry_run = repair.dry_run,
            "repaired"
        );
        Ok(repaired)
    }
}

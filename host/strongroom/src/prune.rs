//! Pruning.

use crate::Result;
use crate::host::Grants;
use crate::model::Pruned;
use crate::repository::Repository;
use crate::sandbox::Access;
use strongroom_core::directory;

/// How to prune.
#[derive(Debug, Clone)]
pub struct Prune {
    max_unused: u32,
    dry_run: bool,
    allow_empty: bool,
}

impl Default for Prune {
    fn default() -> Self {
        Self { max_unused: 50, dry_run: false, allow_empty: false }
    }
}

impl Prune {
    /// Packs of which more than a twentieth is unused are rewritten.
    pub fn new() -> Self {
        Self::default()
    }

    /// Packs of which more than so many thousandths are unused are rewritten. 0 leaves nothing unused, 1000 rewrites no
    /// pack for this reason.
    #[must_use]
    pub fn max_unused(mut self, permille: u32) -> Self {
        self.max_unused = permille;
        self
    }

    /// Only says what it would do, to the byte. It takes no lock and sees the repository read-only; it reads what would be
    /// moved.
    #[must_use]
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// Also if there is no snapshot, so that everything goes.
    #[must_use]
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.allow_empty = yes;
        self
    }
}

impl Repository {
    /// Frees what no snapshot of any source needs, and what runs left behind that did not end.
    ///
    /// It can be stopped at any moment, and readers may be at work beside it: every snapshot stays whole.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Damaged`](crate::ErrorCode::Damaged) and
    /// [`ErrorCode::NewerFormat`](crate::ErrorCode::NewerFormat) if a snapshot cannot be read, so that what it needs is not
    /// known (nothing was removed then, and the message says what to do),
    /// [`ErrorCode::Invalid`](crate::ErrorCode::Invalid) if there are packs and no snapshot, and [`Prune::allow_empty`] does
    /// not allow it,
    /// [`ErrorCode::Locked`](crate::ErrorCode::Locked) if another run writes to the repository,
    /// [`ErrorCode::Full`](crate::ErrorCode::Full) if there is no room for what has to be moved.
    pub fn prune(&self, prune: &Prune) -> Result<Pruned> {
        directory::check(self.dir())?;
        let access = if prune.dry_run { Access::Read } else { Access::Write };
        let lock = if prune.dry_run { None } else { Some(self.lock("a prune")?) };
        let pruned: Pruned = self
            .run("prune", access, Grants::locked(self.meter(), lock), |engine, _| {
                let Prune { max_unused, dry_run, allow_empty } = *prune;
                engine.call(|engine, store| engine.call_prune(store, max_unused, dry_run, allow_empty))
            })?
            .into();
        tracing::info!(
            freed = pruned.bytes_freed,
            moved = pruned.bytes_moved,
            unused = pruned.bytes_unused,
            dry_run = prune.dry_run,
            "pruned"
        );
        Ok(pruned)
    }
}

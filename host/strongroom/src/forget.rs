//! Forgetting snapshots.

use crate::host::Grants;
use crate::repository::Repository;
use crate::sandbox::Access;
use crate::{Error, ErrorCode, Result};
use strongroom_core::directory;

/// How to forget.
#[derive(Debug, Clone, Default)]
pub struct Forget {
    dry_run: bool,
    allow_empty: bool,
}

impl Forget {
    /// For good, but never the last snapshot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only looks whether all of them are there.
    #[must_use]
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// Also when no snapshot would be left.
    #[must_use]
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.allow_empty = yes;
        self
    }
}

impl Repository {
    /// Takes snapshots away, durably. What they alone held is freed by the next [`prune`](Self::prune).
    ///
    /// Only whole names count, no ids and no `latest`. A snapshot whose file cannot be read can be forgotten too.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`] if one of them is not there, [`ErrorCode::Invalid`] if no snapshot that can be read would be
    /// left and [`Forget::allow_empty`] does not allow it, [`ErrorCode::Locked`] if another run writes to the repository: in
    /// all of these cases nothing was taken away.
    pub fn forget(&self, names: impl IntoIterator<Item = impl Into<String>>, forget: &Forget) -> Result<()> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        directory::check(self.dir())?;
        let access = if forget.dry_run { Access::Read } else { Access::Write };
        let lock = if forget.dry_run { None } else { Some(self.lock("a forget")?) };
        self.run("forget", access, Grants::locked(self.meter(), lock), |engine, grants| {
            let (there, _) = engine.call(|engine, store| engine.call_snapshots(store))?;
            // A dry run of the engine says which of them are not there.
            engine.call(|engine, store| engine.call_forget(store, &names, true))?;
            let left = there.iter().filter(|snapshot| !names.contains(&snapshot.name)).count();
            if left == 0 && !names.is_empty() && !forget.allow_empty {
                return Err(Error::new(ErrorCode::Invalid, strongroom_core::NOTHING_LEFT));
            }
            if forget.dry_run {
                return Ok(());
            }
            if grants.meter.is_over() {
                return Err(Error::new(ErrorCode::Cancelled, "stopped on request; nothing was forgotten"));
            }
            engine.call(|engine, store| engine.call_forget(store, &names, false))?;
            tracing::info!(snapshots = names.len(), left, "forgotten");
            Ok(())
        })
    }
}

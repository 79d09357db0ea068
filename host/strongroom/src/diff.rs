//! What differs between two moments.

use std::ops::ControlFlow;
use std::sync::Arc;

use strongroom_store::Store;

use crate::host::Grants;
use crate::model::{Snapshot, Told, checked};
use crate::repository::Repository;
use crate::sandbox::{Access, wit_diff};
use crate::source::Source;
use crate::{Error, ErrorCode, Result};

/// What is to be told.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    tables: Option<Vec<String>>,
    keys: bool,
}

impl Diff {
    /// The counts of all tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only tables whose names match one of these globs (`*`, `?`).
    #[must_use]
    pub fn tables(mut self, globs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tables = Some(globs.into_iter().map(Into::into).collect());
        self
    }

    /// Every entry that is not the same, too.
    #[must_use]
    pub fn keys(mut self, yes: bool) -> Self {
        self.keys = yes;
        self
    }
}

impl Repository {
    /// Tells what differs between a snapshot and another one, until `tell` breaks or all is told: tables sorted by name,
    /// those that are the same left out. Both snapshots are returned.
    ///
    /// It takes time in proportion to the difference: what both share is not read.
    pub fn diff(
        &self,
        before: &str,
        after: &str,
        diff: &Diff,
        tell: impl FnMut(Told) -> Result<ControlFlow<()>> + Send,
    ) -> Result<(Snapshot, Snapshot)> {
        match self.tell(before, wit_diff::Other::Snapshot(after.to_owned()), None, diff, tell)? {
            (before, Some(after)) => Ok((before, after)),
            _ => Err(Error::new(ErrorCode::Invalid, "the engine does not say what it has compared")),
        }
    }

    /// Tells what differs between a snapshot and a database as it is at this moment, which is read. The snapshot is
    /// returned.
    pub fn diff_with<S: Source + ?Sized>(
        &self,
        before: &str,
        after: &S,
        diff: &Diff,
        tell: impl FnMut(Told) -> Result<ControlFlow<()>> + Send,
    ) -> Result<Snapshot> {
        let store = after.store()?;
        let other = wit_diff::Other::Store("store".to_owned());
        self.tell(before, other, Some(store), diff, tell).map(|(before, _)| before)
    }

    fn tell(
        &self,
        before: &str,
        other: wit_diff::Other,
        store: Option<Arc<dyn Store>>,
        diff: &Diff,
        mut tell: impl FnMut(Told) -> Result<ControlFlow<()>> + Send,
    ) -> Result<(Snapshot, Option<Snapshot>)> {
        let grants = Grants { store, ..Grants::new(self.meter()) };
        self.run("diff", Access::Read, grants, |engine, _| {
            let differences = engine.with_diffs(|diffs, store| {
                diffs.call_begin(store, before, &other, diff.tables.as_deref(), diff.keys)
            })?;
            let (before, after) = engine
                .with_diffs(|diffs, store| diffs.differences().call_snapshots(store, differences).map(Ok))?;
            let compared = (checked(before)?, after.map(checked).transpose()?);
            loop {
                let told =
                    engine.with_diffs(|diffs, store| diffs.differences().call_next(store, differences))?;
                if told.is_empty() {
                    return Ok(compared);
                }
                for told in told {
                    if tell(told.into())?.is_break() {
                        return Ok(compared);
                    }
                }
            }
        })
    }
}

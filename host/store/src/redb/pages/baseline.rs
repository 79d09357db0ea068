//! The baseline of a table as it is now.

use super::branches::Branches;
use super::counts::Counts;
use super::file::Pages;
use super::group::{self, Group, Run, Sum};
use super::tables::Definition;
use super::{Stamp, doubt, items};
use crate::{Entries, Error, Result, frame};
use std::any::Any;
use std::sync::Arc;

/// A baseline on its way: it reads all leaves that no scan has, for how many entries they have.
pub(in crate::redb) struct Baseline {
    pages: Pages,
    table: Definition,
    known: Arc<Counts>,
    /// Gone once the last entry is written.
    branches: Option<Branches>,
    sum: Sum,
    entries: u64,
    out: Vec<u8>,
    taken: usize,
    failed: Option<Error>,
    _pin: Box<dyn Any + Send + Sync>,
}

impl Baseline {
    /// `pin` keeps the moment of the pages.
    pub(in crate::redb) fn begin(
        pages: Pages,
        table: Definition,
        known: Arc<Counts>,
        pin: impl Any + Send + Sync,
    ) -> Result<Self> {
        let branches = Some(Branches::new(&pages, &table)?);
        Ok(Self {
            pages,
            table,
            known,
            branches,
            sum: Sum::default(),
            entries: 0,
            out: Vec::new(),
            taken: 0,
            failed: None,
            _pin: Box::new(pin),
        })
    }

    /// Writes the next entry to `self.out`.
    fn next(&mut self) -> Result<()> {
        let Some(branches) = &mut self.branches else { return Ok(()) };
        if let Some(branch) = branches.next(&self.pages)? {
            let mut group = Group::new(group::digest(branch));
            let members = branches.members(&self.pages, branch)?;
            let counts = match self.known.get(branch, members.len()) {
                Some(counts) => counts,
                // All at once, for most are neighbours in the file.
                None => items::counts(&self.pages, &self.table, &members)?,
            };
            let mut counts = counts.into_iter();
            for (digest, leaves) in group::cut(&members) {
                let entries = counts.by_ref().take(leaves.len()).try_fold(0, u64::checked_add);
                let run = entries.map(|entries| Run { digest, entries });
                run.and_then(|run| group.push(run)).ok_or_else(wrong_number)?;
            }
            self.entries = self.entries.checked_add(group.entries).ok_or_else(wrong_number)?;
            return group.write(&mut self.out, &mut self.sum);
        }
        self.branches = None;
        if self.entries != self.table.entries {
            return Err(wrong_number());
        }
        frame::push(&mut self.out, b"", &self.sum.last(&Stamp::of(&self.table).write()))
    }

    fn read_on(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
            while self.branches.is_some() && self.out.len() < max.min(64 << 10) {
                self.next()?;
            }
        }
        let now = (self.out.len() - self.taken).min(max);
        out.extend_from_slice(&self.out[self.taken..self.taken + now]);
        self.taken += now;
        Ok(())
    }
}

fn wrong_number() -> Error {
    doubt("a table does not have as many entries as it says")
}

impl Entries for Baseline {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.read_on(max.max(1), out).inspect_err(|error| self.failed = Some(error.clone()))
    }
}

//! What changed in a table, between an old baseline and the tree as it is.

use super::edits::Edits;
use super::file::Pages;
use super::group::{Group, Run, Sum};
use super::items::Items;
use super::planner::{Planner, Step};
use super::tables::Definition;
use super::window::Window;
use super::{Stamp, doubt};
use crate::{Changes, Error, Result, frame};
use std::any::Any;

/// Edits of the baseline wait until they are read, while those of the entries are. More than this are not held.
const WAITING: usize = 64 << 20;

/// Both streams of edits, which are made in step.
pub(in crate::redb) struct Changed {
    pages: Pages,
    table: Definition,
    /// The stamp of the old table.
    old: Stamp,
    window: Window,
    planner: Planner,
    /// The group that is being put together.
    group: Option<Group>,
    items: Option<Items>,
    entries: Edits,
    baseline: Edits,
    /// Of the new baseline.
    sum: Sum,
    /// How many entries the edits gave, and used up.
    made: u64,
    used: u64,
    over: bool,
    failed: Option<Error>,
    _pin: Box<dyn Any + Send + Sync>,
}

impl Changed {
    /// `old` is the stamp of the same table, or one that is like it, at another moment. `pin` keeps the moment of the
    /// pages.
    pub(in crate::redb) fn begin(
        pages: Pages,
        table: Definition,
        old: Stamp,
        pin: impl Any + Send + Sync,
    ) -> Result<Self> {
        let planner = Planner::new(&pages, &table)?;
        Ok(Self {
            pages,
            table,
            old,
            window: Window::new(old),
            planner,
            group: None,
            items: None,
            entries: Edits::default(),
            baseline: Edits::default(),
            sum: Sum::default(),
            made: 0,
            used: 0,
            over: false,
            failed: None,
            _pin: Box::new(pin),
        })
    }

    /// Goes on until there are edits of entries to be read; false if there can be none for now.
    fn advance(&mut self) -> Result<bool> {
        while self.entries.waiting() == 0 {
            if self.baseline.waiting() > WAITING {
                return Err(doubt("edits of the baseline are not read"));
            }
            if let Some(items) = &mut self.items {
                if !items.pack(&self.pages, &self.table, self.entries.entries())? {
                    self.items = None;
                }
                continue;
            }
            if self.over {
                return Ok(false);
            }
            match self.planner.next(&self.pages, &mut self.window)? {
                Some(step) => self.step(step)?,
                None if self.planner.is_over(&self.window) => self.finish()?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Passed(passed) => {
                self.used += passed.entries;
                self.entries.skip(passed.entries);
                self.baseline.skip(passed.groups);
            }
            Step::Keep(group) => {
                self.keep(group.entries)?;
                self.baseline.keep(1);
                // What is kept is in the new baseline as well.
                group.write(&mut Vec::new(), &mut self.sum)?;
            }
            Step::Begin(digest) => self.group = Some(Group::new(digest)),
            Step::Run(run, last) => {
                self.keep(run.entries)?;
                self.add(run)?;
                if last {
                    self.baseline.skip(1);
                }
            }
            Step::New(digest, leaves) => {
                let (items, entries) = Items::read(&self.pages, &self.table, &leaves)?;
                self.made = self.made.checked_add(entries).ok_or_else(wrong_number)?;
                self.entries.items(entries);
                self.items = Some(items);
                self.add(Run { digest, entries })?;
            }
            Step::End => {
                let group = self.group.take().ok_or_else(wrong_number)?;
                group.write(self.baseline.items(1), &mut self.sum)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, entries: u64) -> Result<()> {
        self.made = self.made.checked_add(entries).ok_or_else(wrong_number)?;
        self.used += entries;
        self.entries.keep(entries);
        Ok(())
    }

    fn add(&mut self, run: Run) -> Result<()> {
        self.group.as_mut().and_then(|group| group.push(run)).ok_or_else(wrong_number)
    }

    /// Nothing is left of the old and of the new table.
    fn finish(&mut self) -> Result<()> {
        if self.made != self.table.entries || self.used != self.old.entries {
            return Err(wrong_number());
        }
        self.over = true;
        self.entries.close();
        self.baseline.skip(1);
        let last = self.sum.last(&Stamp::of(&self.table).write());
        frame::push(self.baseline.items(1), b"", &last)
    }

    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        let end = out.len().saturating_add(max);
        while out.len() < end && self.advance()? {
            self.entries.take(end - out.len(), out);
        }
        Ok(())
    }

    fn once<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        work(self).inspect_err(|error| self.failed = Some(error.clone()))
    }
}

fn wrong_number() -> Error {
    doubt("a table does not have as many entries as it says")
}

impl Changes for Changed {
    fn offer(&mut self, baseline: &[u8]) -> Result<()> {
        self.once(|this| this.window.offer(baseline))
    }

    fn entries(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        self.once(|this| this.read(max, out))
    }

    fn baseline(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        self.once(|this| {
            this.baseline.take(max, out);
            Ok(())
        })
    }
}

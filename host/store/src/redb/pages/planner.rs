//! Which runs of the old tree are in the new one.
//!
//! Entries are ordered, so what both trees have comes in the same order in both: whatever is found ahead in the window
//! is gone on with there, and what was passed over is gone. What is not found is read anew. Should the order be another,
//! more than what changed is read, and the edits still are right: they only ever keep what comes next.

use super::branches::Branches;
use super::file::{Pages, Ptr};
use super::group::{self, Group, Run};
use super::window::{Passed, RUNS, Window};
use super::{doubt, tables};
use crate::Result;
use std::collections::VecDeque;

/// New runs that wait for where the old tree goes on, so that what they replace is known before them.
const WAITING: usize = if cfg!(test) { 8 } else { 1024 };
/// So many groups are looked ahead for one that both trees have.
const AHEAD: usize = if cfg!(test) { 3 } else { 32 };
/// After so many new runs without one of the old ones, what is in the window is taken to be gone, half by half. A
/// smaller number is worse for many entries that come together, a greater one for many that went.
const LOST: usize = 4 * RUNS;

/// What becomes of the old and the new sequence, in the order of the new one.
pub(super) enum Step {
    /// Old entries, and groups, that are gone.
    Passed(Passed),
    /// A group that is as it was.
    Keep(Group),
    /// A group that has changed begins; it has this digest.
    Begin(u64),
    /// A run in it that is as it was; its old group may be passed with it.
    Run(Run, bool),
    /// A new run in it, and its digest.
    New(u64, Vec<Ptr>),
    /// The group ends.
    End,
}

pub(super) struct Planner {
    branches: Branches,
    /// Groups that were taken from there already.
    ahead: VecDeque<Ptr>,
    /// No groups are left.
    over: bool,
    steps: VecDeque<Step>,
    /// Steps from a new run on whose place in the old sequence is not known yet.
    waiting: Vec<Step>,
    /// How many new runs there were since one of the old ones was found.
    lost: usize,
}

impl Planner {
    pub(super) fn new(pages: &Pages, table: &tables::Definition) -> Result<Self> {
        let branches = Branches::new(pages, table)?;
        Ok(Self {
            branches,
            ahead: VecDeque::new(),
            over: false,
            steps: VecDeque::new(),
            waiting: Vec::new(),
            lost: 0,
        })
    }

    /// The next step; `None`: none without more of the old baseline.
    pub(super) fn next(&mut self, pages: &Pages, window: &mut Window) -> Result<Option<Step>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            if !window.fill()? {
                if self.over {
                    let passed = window.pass_all();
                    return Ok((passed != Passed::default()).then_some(Step::Passed(passed)));
                }
                return Ok(None);
            }
            if self.over {
                let passed = window.pass_all();
                if passed != Passed::default() {
                    self.found(passed);
                } else if window.is_whole() {
                    self.settle();
                    if self.steps.is_empty() {
                        return Ok(None);
                    }
                }
                continue;
            }
            let next = match self.ahead.pop_front() {
                Some(branch) => Some(branch),
                None => self.branches.next(pages)?,
            };
            match next {
                Some(branch) => self.plan(pages, window, branch)?,
                None => self.over = true,
            }
        }
    }

    /// All steps were taken.
    pub(super) fn is_over(&self, window: &Window) -> bool {
        self.over && self.steps.is_empty() && self.waiting.is_empty() && window.is_whole()
    }

    fn plan(&mut self, pages: &Pages, window: &mut Window, branch: Ptr) -> Result<()> {
        let digest = group::digest(branch);
        if let Some(old) = window.group(digest) {
            let passed = window.pass((old, 0));
            self.found(passed);
            self.steps.push_back(Step::Keep(window.take_group().ok_or_else(astray)?));
            return Ok(());
        }
        self.push(Step::Begin(digest));
        let before = self.known_ahead(pages, window)?;
        for (digest, leaves) in group::cut(&self.branches.members(pages, branch)?) {
            match window.run(digest, before) {
                Some(old) => {
                    let passed = window.pass(old);
                    self.found(passed);
                    let (run, last) = window.take_run().ok_or_else(astray)?;
                    self.steps.push_back(Step::Run(run, last));
                }
                None => {
                    self.lost += 1;
                    self.waiting.push(Step::New(digest, leaves.to_vec()));
                }
            }
        }
        self.push(Step::End);
        if self.lost > LOST && !window.is_whole() {
            self.lost = 0;
            let passed = window.pass_half();
            self.steps.push_back(Step::Passed(passed));
            self.settle();
        } else if self.waiting.len() > WAITING {
            self.settle();
        }
        Ok(())
    }

    /// The next group of the new tree that is in the old one, in that. What is before the one is before the other.
    fn known_ahead(&mut self, pages: &Pages, window: &Window) -> Result<Option<u64>> {
        for i in 0..AHEAD {
            if i == self.ahead.len() {
                let Some(branch) = self.branches.next(pages)? else { return Ok(None) };
                self.ahead.push_back(branch);
            }
            if let Some(old) = window.group(group::digest(self.ahead[i])) {
                return Ok(Some(old));
            }
        }
        Ok(None)
    }

    fn push(&mut self, step: Step) {
        if self.waiting.is_empty() { self.steps.push_back(step) } else { self.waiting.push(step) }
    }

    /// The old sequence goes on after what was passed; what waits replaces that.
    fn found(&mut self, passed: Passed) {
        self.lost = 0;
        if passed != Passed::default() {
            self.steps.push_back(Step::Passed(passed));
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.steps.extend(self.waiting.drain(..));
    }
}

fn astray() -> crate::Error {
    doubt("the baseline is not in order")
}

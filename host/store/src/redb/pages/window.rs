//! The old baseline as far as it was offered and not passed yet.

use super::group::{Group, Run, Sum};
use super::{Stamp, doubt};
use crate::frame::Decoder;
use crate::{Error, ErrorCode, Result};
use std::collections::{HashMap, VecDeque};

/// So many runs are looked ahead, if there are as many.
pub(super) const RUNS: usize = if cfg!(test) { 48 } else { 64 << 10 };
/// More than this must not be offered before the edits are read.
const INBOX: usize = 32 << 20;
/// So many runs are looked through one by one.
const NEAR: usize = 256;
/// No entry of a baseline is longer.
const LONGEST: usize = 4 << 20;
/// So much of it is taken apart at once.
const PIECE: usize = if cfg!(test) { 64 } else { 16 << 10 };

/// Groups of the old baseline, and where in them the old entries have been come to.
pub(super) struct Window {
    /// The stamp that it must be the baseline of.
    stamp: Stamp,
    inbox: Vec<u8>,
    parsed: usize,
    /// All of it was offered.
    offered: bool,
    decoder: Decoder,
    /// How many bytes came since the last whole entry, or a few more.
    cut: usize,
    sum: Sum,
    entries: u64,
    /// The last entry was there, and was right.
    closed: bool,
    groups: VecDeque<Group>,
    /// The number of the first one of `groups`, counted from the beginning.
    first: u64,
    /// How many of its runs are passed.
    passed: usize,
    runs: usize,
    by_group: HashMap<u64, u64>,
    /// The runs of all groups up to the one of this number.
    by_run: HashMap<u64, Place>,
    indexed: u64,
}

/// A run: the number of its group, and which one of that it is.
pub(super) type Place = (u64, usize);

/// What was passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) entries: u64,
    pub(super) groups: u64,
}

impl Window {
    pub(super) fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            inbox: Vec::new(),
            parsed: 0,
            offered: false,
            decoder: Decoder::new(),
            cut: 0,
            sum: Sum::default(),
            entries: 0,
            closed: false,
            groups: VecDeque::new(),
            first: 0,
            passed: 0,
            runs: 0,
            by_group: HashMap::new(),
            by_run: HashMap::new(),
            indexed: 0,
        }
    }

    pub(super) fn offer(&mut self, piece: &[u8]) -> Result<()> {
        if self.offered {
            return Err(Error::new(ErrorCode::Other, "more of a baseline is offered after its end"));
        }
        if self.inbox.len() - self.parsed + piece.len() > INBOX {
            return Err(Error::new(
                ErrorCode::Other,
                "too much of a baseline is offered before the edits are read",
            ));
        }
        self.offered = piece.is_empty();
        self.inbox.drain(..self.parsed);
        self.parsed = 0;
        self.inbox.extend_from_slice(piece);
        Ok(())
    }

    /// Takes in what was offered, as far as there is room; false if there is still room, and more to be offered.
    pub(super) fn fill(&mut self) -> Result<bool> {
        while self.runs < RUNS {
            let piece = &self.inbox[self.parsed..];
            if piece.is_empty() {
                return self.end();
            }
            let piece = &piece[..piece.len().min(PIECE)];
            let mut groups = Vec::new();
            let closed = &mut self.closed;
            let (sum, entries, stamp) = (&mut self.sum, &mut self.entries, &self.stamp);
            self.decoder
                .decode(piece, |key, value| {
                    if *closed {
                        return Err(foreign());
                    }
                    if key.is_empty() {
                        *closed = *entries == stamp.entries && sum.last(&stamp.write()) == value;
                        return if *closed { Ok(()) } else { Err(foreign()) };
                    }
                    let group = Group::read(key, value).ok_or_else(foreign)?;
                    sum.add(key, value);
                    *entries = entries.checked_add(group.entries).ok_or_else(foreign)?;
                    groups.push(group);
                    Ok(())
                })
                .map_err(|_| foreign())?;
            self.parsed += piece.len();
            self.cut = if groups.is_empty() { self.cut + piece.len() } else { 0 };
            if self.cut > LONGEST {
                return Err(foreign());
            }
            groups.into_iter().for_each(|group| self.push(group));
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<bool> {
        if self.offered && !(self.closed && self.decoder.finish().is_ok()) {
            return Err(foreign());
        }
        Ok(self.offered)
    }

    /// All of the old baseline is in the window, or behind it.
    pub(super) fn is_whole(&self) -> bool {
        self.offered && self.parsed == self.inbox.len()
    }

    fn push(&mut self, group: Group) {
        let number = self.first + self.groups.len() as u64;
        self.by_group.insert(group.digest, number);
        self.runs += group.runs.len();
        self.groups.push_back(group);
    }

    /// Where a whole group is that is still to come.
    pub(super) fn group(&self, digest: u64) -> Option<u64> {
        let number = *self.by_group.get(&digest)?;
        ((number, 0) >= (self.first, self.passed)).then_some(number)
    }

    /// Where a run is that is still to come. If it is to come before a group that is still to come, only the runs before
    /// that are looked at, as long as they are few.
    pub(super) fn run(&mut self, digest: u64, before: Option<u64>) -> Option<Place> {
        let here = (self.first, self.passed);
        if let Some(near) =
            before.map(|group| self.groups.iter().take(group.saturating_sub(self.first) as usize))
            && near.clone().map(|group| group.runs.len()).sum::<usize>() <= NEAR
        {
            let places = (self.first..).zip(near).flat_map(|(number, group)| {
                group.runs.iter().enumerate().map(move |(i, run)| ((number, i), run.digest))
            });
            let found = places.filter(|(place, _)| *place >= here).find(|(_, found)| *found == digest);
            return found.map(|(place, _)| place);
        }
        let begin = self.indexed.max(self.first);
        for (number, group) in (self.first..).zip(&self.groups).skip((begin - self.first) as usize) {
            self.by_run.extend(group.runs.iter().enumerate().map(|(i, run)| (run.digest, (number, i))));
        }
        self.indexed = self.first + self.groups.len() as u64;
        self.by_run.get(&digest).copied().filter(|place| *place >= here)
    }

    /// Passes over everything before this place.
    pub(super) fn pass(&mut self, (group, run): Place) -> Passed {
        let mut passed = Passed::default();
        while self.first < group && !self.groups.is_empty() {
            passed.entries += self.rest_of_first();
            passed.groups += 1;
            self.pop();
        }
        if let Some(first) = self.groups.front().filter(|_| self.first == group) {
            let runs = first.runs.get(self.passed..run).unwrap_or_default();
            passed.entries += runs.iter().map(|run| run.entries).sum::<u64>();
            self.passed = self.passed.max(run);
        }
        passed
    }

    /// Passes over all that is in the window.
    pub(super) fn pass_all(&mut self) -> Passed {
        self.pass((self.first + self.groups.len() as u64, 0))
    }

    /// Passes over the first half of it.
    pub(super) fn pass_half(&mut self) -> Passed {
        self.pass((self.first + self.groups.len().div_ceil(2) as u64, 0))
    }

    fn rest_of_first(&self) -> u64 {
        let runs = self.groups.front().and_then(|group| group.runs.get(self.passed..)).unwrap_or_default();
        runs.iter().map(|run| run.entries).sum()
    }

    /// Takes the run that was passed up to, and says whether its group is passed with it.
    pub(super) fn take_run(&mut self) -> Option<(Run, bool)> {
        let group = self.groups.front()?;
        let run = *group.runs.get(self.passed)?;
        self.passed += 1;
        let last = self.passed == group.runs.len();
        if last {
            self.pop();
        }
        Some((run, last))
    }

    /// Takes the group that was passed up to.
    pub(super) fn take_group(&mut self) -> Option<Group> {
        if self.passed > 0 { None } else { self.pop() }
    }

    fn pop(&mut self) -> Option<Group> {
        let group = self.groups.pop_front()?;
        self.runs -= group.runs.len();
        if self.by_group.get(&group.digest) == Some(&self.first) {
            self.by_group.remove(&group.digest);
        }
        let indexed = if self.first < self.indexed { &group.runs[..] } else { &[] };
        for (i, run) in indexed.iter().enumerate() {
            if self.by_run.get(&run.digest) == Some(&(self.first, i)) {
                self.by_run.remove(&run.digest);
            }
        }
        self.first += 1;
        self.passed = 0;
        Some(group)
    }
}

fn foreign() -> Error {
    doubt("the baseline is not the one of this table at that moment")
}

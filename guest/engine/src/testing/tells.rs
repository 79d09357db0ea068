//! How a model store tells what changed: truly, and in the most awkward way; or falsely, on request.

use std::cell::Cell;
use std::collections::VecDeque;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::model::ModelTable;
use crate::error::{Code, Error, Result};
use crate::store::Changes;

/// How a store tells what changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tells {
    /// An entry of the baseline is about so many entries of a table.
    pub run: u64,
    /// Where else it cuts, and what it calls changed although it is not, follows from this.
    pub seed: u64,
    /// One in so many runs that are as they were is called changed; 0: none is.
    pub wide: u64,
    /// No call returns more bytes: 0 is no limit.
    pub read_max: usize,
    /// What it gets wrong.
    pub lie: Option<Lie>,
}

/// What a store gets wrong when it tells what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The call of this number fails like this; all calls that have to do with changes count.
    Fails(u32, Code),
    /// It says of every table that it cannot tell what changed, once it is asked.
    CannotTell,
    /// Its stamp is of the number of entries alone.
    OnlyCounts,
    /// The edits, of the entries or of the baseline, are wrong: the one of this number, in this way.
    Edits(Stream, u32, Wrong),
}

/// Which edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Those of the table's entries.
    Entries,
    /// Those of the baseline.
    Baseline,
}

/// How an edit is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is about no entries.
    Zero,
    /// It is about more, or fewer, entries than it should be.
    More,
    /// See above.
    Fewer,
    /// It is none of the three.
    Unknown,
    /// It is missing.
    Missing,
    /// All ends within it.
    Cut,
}

/// One entry of a baseline: how many entries, and a hash of them.
type Run = (u32, u128);

impl Tells {
    /// A stamp: equal for equal tables.
    pub(super) fn stamp(&self, table: &ModelTable) -> Vec<u8> {
        if self.lie == Some(Lie::OnlyCounts) {
            return table.entries.len().to_le_bytes().to_vec();
        }
        let mut stamp = xxh3_128(&table.pack()).to_le_bytes().to_vec();
        stamp.push(u8::from(table.multimap));
        stamp
    }

    /// The runs of a table, and where each begins.
    fn runs(&self, table: &ModelTable) -> Vec<(usize, Run)> {
        let mut runs = Vec::new();
        let mut begin = 0;
        for (at, (key, value)) in table.entries.iter().enumerate() {
            let identity = if table.multimap { value } else { key };
            let ends = xxh3_64(identity).is_multiple_of(self.run.max(1))
                || (self.wide > 0
                    && xxh3_64(&[&self.seed.to_le_bytes()[..], key].concat()).is_multiple_of(40));
            if ends || at + 1 == table.entries.len() {
                let count = (at + 1 - begin) as u32;
                runs.push((begin, (count, xxh3_128(&ModelTable::packed(&table.entries[begin..=at])))));
                begin = at + 1;
            }
        }
        runs
    }

    /// The packed baseline of a table.
    pub(super) fn baseline(&self, table: &ModelTable) -> Vec<u8> {
        self.runs(table).iter().flat_map(|(_, run)| pack_run(*run)).collect()
    }
}

fn pack_run((count, hash): Run) -> Vec<u8> {
    let mut packed = Vec::from([4, 0, 0, 0, 16, 0, 0, 0]);
    packed.extend_from_slice(&count.to_le_bytes());
    packed.extend_from_slice(&hash.to_le_bytes());
    packed
}

/// What changed in a table of a model.
pub(super) struct ModelChanges<'a> {
    pub(super) tells: Tells,
    pub(super) table: &'a ModelTable,
    pub(super) calls: &'a Cell<u32>,
    new: Vec<(usize, Run)>,
    next: usize,
    offered: Vec<u8>,
    entries: Edits,
    baseline: Edits,
    random: u64,
}

/// Edits that wait to be read.
struct Edits {
    stream: Stream,
    bytes: VecDeque<u8>,
    number: u32,
    ended: bool,
}

impl<'a> ModelChanges<'a> {
    pub(super) fn new(tells: Tells, table: &'a ModelTable, calls: &'a Cell<u32>) -> Self {
        let edits = |stream| Edits { stream, bytes: VecDeque::new(), number: 0, ended: false };
        Self {
            tells,
            table,
            calls,
            new: tells.runs(table),
            next: 0,
            offered: Vec::new(),
            entries: edits(Stream::Entries),
            baseline: edits(Stream::Baseline),
            random: tells.seed,
        }
    }

    fn random(&mut self) -> u64 {
        self.random = xxh3_64(&self.random.to_le_bytes());
        self.random
    }

    /// One entry of the old baseline: its entries are there still, or they are not.
    fn old(&mut self, run: Run) {
        let near = &self.new[self.next..self.new.len().min(self.next + 100)];
        let found = near.iter().position(|(_, new)| *new == run);
        // What is as it was may be called changed.
        let found = found.filter(|_| self.tells.wide == 0 || !self.random().is_multiple_of(self.tells.wide));
        let lie = self.tells.lie;
        match found {
            None => {
                self.entries.say(lie, 1, u64::from(run.0), &[]);
                self.baseline.say(lie, 1, 1, &[]);
            }
            Some(found) => {
                self.come(self.next + found);
                self.entries.say(lie, 0, u64::from(run.0), &[]);
                self.baseline.say(lie, 0, 1, &[]);
                self.next += 1;
            }
        }
    }

    /// New runs up to this one.
    fn come(&mut self, to: usize) {
        for (begin, run) in &self.new[self.next..to] {
            let entries = &self.table.entries[*begin..*begin + run.0 as usize];
            self.entries.say(self.tells.lie, 2, entries.len() as u64, &[ModelTable::packed(entries)]);
            self.baseline.say(self.tells.lie, 2, 1, &[pack_run(*run)]);
        }
        self.next = to;
    }

    fn read(&mut self, stream: Stream, max: u32) -> Result<Vec<u8>> {
        fails(&self.tells, self.calls)?;
        let limit =
            if self.tells.read_max == 0 { max as usize } else { self.tells.read_max.min(max as usize) };
        let edits = match stream {
            Stream::Entries => &mut self.entries,
            Stream::Baseline => &mut self.baseline,
        };
        let len = limit.min(edits.bytes.len());
        Ok(edits.bytes.drain(..len).collect())
    }
}

impl Edits {
    fn say(&mut self, lie: Option<Lie>, op: u8, n: u64, entries: &[Vec<u8>]) {
        let wrong = match lie {
            Some(Lie::Edits(stream, number, wrong)) if stream == self.stream && number == self.number => {
                Some(wrong)
            }
            _ => None,
        };
        self.number += 1;
        if self.ended || wrong == Some(Wrong::Missing) {
            return;
        }
        self.bytes.push_back(if wrong == Some(Wrong::Unknown) { 9 } else { op });
        let n = match wrong {
            Some(Wrong::Zero) => 0,
            Some(Wrong::More) => n + 1,
            Some(Wrong::Fewer) => n - 1,
            _ => n,
        };
        self.bytes.extend(n.to_le_bytes());
        self.bytes.extend(entries.iter().flatten());
        if wrong == Some(Wrong::Cut) {
            self.bytes.pop_back();
            self.ended = true;
        }
    }
}

/// Counts a call, and fails if this is the one.
pub(super) fn fails(tells: &Tells, calls: &Cell<u32>) -> Result<()> {
    calls.set(calls.get() + 1);
    match tells.lie {
        Some(Lie::Fails(at, code)) if at == calls.get() => Err(Error::new(code, "the store fails here")),
        _ => Ok(()),
    }
}

impl Changes for ModelChanges<'_> {
    fn offer(&mut self, baseline: &[u8]) -> Result<()> {
        fails(&self.tells, self.calls)?;
        self.offered.extend_from_slice(baseline);
        let whole = self.offered.len() / 28 * 28;
        let runs: Vec<u8> = self.offered.drain(..whole).collect();
        for entry in runs.chunks(28) {
            let count = u32::from_le_bytes(entry[8..12].try_into().expect("four bytes"));
            let hash = u128::from_le_bytes(entry[12..].try_into().expect("sixteen bytes"));
            self.old((count, hash));
        }
        if baseline.is_empty() {
            self.come(self.new.len());
        }
        Ok(())
    }

    fn entries(&mut self, max: u32) -> Result<Vec<u8>> {
        self.read(Stream::Entries, max)
    }

    fn baseline(&mut self, max: u32) -> Result<Vec<u8>> {
        self.read(Stream::Baseline, max)
    }
}

//! Finds the entries of a run of leaves that both sides have.

use std::collections::{HashMap, VecDeque};

use xxhash_rust::xxh3::xxh3_64;

use super::merge::Run;
use super::nodes::{Node, Source};
use super::{EntryDiff, What};
use crate::error::Result;
use crate::tree::item::{Field, Item, Items};

/// A side of a run with at most so many bytes is read first: then nothing of the other one has to wait.
const SMALL: u64 = 4 << 20;
/// So many entries may always be held.
const FEW: usize = 32;
/// About what an entry costs that is held, beside its key.
pub(super) const OVERHEAD: usize = 160;

/// Compares the entries of one run after the other.
pub(super) struct Join {
    multimap: bool,
    /// Of so many shares of all keys, the one that counts.
    share: u64,
    shares: u64,
    held_max: usize,
    /// The leaves that are still to come, of each side.
    leaves: [VecDeque<Node>; 2],
    /// Bytes of each side's part of the run, and of those the ones that were read.
    total: [u64; 2],
    used: [u64; 2],
    ends: bool,
    /// Anything to do in this run.
    open: bool,
    held: [Held; 2],
    /// What was found out and not yet told.
    pub(super) told: VecDeque<EntryDiff>,
    /// Entries that were looked at.
    pub(super) entries: u64,
    bytes: u64,
}

/// Entries of a side that were not found on the other one so far.
#[derive(Default)]
struct Held {
    entries: VecDeque<Entry>,
    gone: usize,
    at: HashMap<Box<[u8]>, usize>,
    bytes: usize,
}

struct Entry {
    /// Who it is.
    identity: Box<[u8]>,
    key: Vec<u8>,
    key_len: u32,
    value: [u8; 32],
    value_len: u32,
}

impl Held {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.identity.len() * 2 + entry.key.len() + OVERHEAD;
        self.at.insert(entry.identity.clone(), self.gone + self.entries.len());
        self.entries.push_back(entry);
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        if self.at.get(&entry.identity) == Some(&self.gone) {
            self.at.remove(&entry.identity);
        }
        self.gone += 1;
        self.bytes -= entry.identity.len() * 2 + entry.key.len() + OVERHEAD;
        Some(entry)
    }
}

/// What a leaf counts.
fn size(leaf: &Node) -> u64 {
    leaf.node.bytes.saturating_add(1)
}

/// The bytes that a field is equal by.
fn bytes<'i>(field: &Field<'i>) -> &'i [u8] {
    match field {
        Field::Here(bytes) | Field::Pieces(bytes, _) => bytes,
    }
}

impl Entry {
    fn of(item: &Item<'_>, identity: Vec<u8>) -> Self {
        let key = match item.key {
            Field::Here(key) => key.to_vec(),
            Field::Pieces(..) => Vec::new(),
        };
        Self {
            identity: identity.into(),
            key,
            key_len: item.key.len(),
            value: value(item),
            value_len: item.value.len(),
        }
    }

    /// It is on one side alone.
    fn alone(self, side: usize) -> EntryDiff {
        let len = Some(self.value_len);
        let (what, before, after) =
            if side == 0 { (What::Removed, len, None) } else { (What::Added, None, len) };
        EntryDiff { what, key: self.key, key_len: self.key_len, before, after }
    }
}

/// What stands for a value.
fn value(item: &Item<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&item.value.len().to_le_bytes());
    hasher.update(bytes(&item.value));
    *hasher.finalize().as_bytes()
}

impl Join {
    /// Counts the keys of one share of so many.
    pub(super) fn new(multimap: bool, share: u32, shares: u32, held_max: usize) -> Self {
        Self {
            multimap,
            share: share.into(),
            shares: shares.into(),
            held_max,
            leaves: Default::default(),
            total: [0; 2],
            used: [0; 2],
            ends: true,
            open: false,
            held: Default::default(),
            told: VecDeque::new(),
            entries: 0,
            bytes: 0,
        }
    }

    /// More has to be held than may be. A few are held however large they are: fewer keys would not help then.
    pub(super) fn is_full(&self) -> bool {
        let held = self.held.iter().fold((0, 0), |(n, b), held| (n + held.entries.len(), b + held.bytes));
        held.0 > FEW && held.1 > self.held_max
    }

    /// Bytes that were looked at since this was last asked.
    pub(super) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Goes on with this run, the one before being over.
    pub(super) fn begin(&mut self, run: Run) {
        self.total = [0, 1].map(|side| run.sides[side].iter().map(size).fold(0, u64::saturating_add));
        self.leaves = run.sides.map(VecDeque::from);
        self.used = [0; 2];
        self.ends = run.ends;
        self.open = true;
    }

    /// Looks at one more leaf; `false` if the run is over.
    pub(super) fn step(&mut self, sources: &[Source<'_>; 2]) -> Result<bool> {
        if !self.open {
            return Ok(false);
        }
        let Some(side) = self.side() else {
            self.open = false;
            if self.ends {
                self.let_go([usize::MAX; 2]);
            }
            return Ok(true);
        };
        let Some(leaf) = self.leaves[side].pop_front() else { return Ok(true) };
        self.used[side] = self.used[side].saturating_add(size(&leaf));
        let node = leaf.node;
        let content = match leaf.content {
            Some(content) => content,
            None => sources[side].read(0, node.id)?,
        };
        self.bytes += content.len() as u64;
        let items = Items::new(&content).collect::<Result<Vec<_>>>()?;
        node.check_leaf(&items)?;
        self.entries += node.entries;
        for item in &items {
            self.entry(side, item);
        }
        Ok(true)
    }

    /// The side of which the next leaf is read.
    fn side(&self) -> Option<usize> {
        match [0, 1].map(|side| self.leaves[side].is_empty()) {
            [true, true] => return None,
            [true, false] => return Some(1),
            [false, true] => return Some(0),
            [false, false] => {}
        }
        let small = usize::from(self.total[1] < self.total[0]);
        if self.ends && self.total[small] <= SMALL {
            return Some(small);
        }
        // The one of which less waits for the other; if none does, in step.
        let waiting = [0, 1].map(|side| self.held[side].bytes);
        let share = |side: usize| u128::from(self.used[side]) * u128::from(self.total[1 - side]);
        Some(usize::from((waiting[1], share(1)) < (waiting[0], share(0))))
    }

    fn entry(&mut self, side: usize, item: &Item<'_>) {
        let identity = match (self.multimap, item.key) {
            (true, _) => item.raw.to_vec(),
            // So that no key passes for the ids of another's pieces.
            (false, Field::Here(key)) => [&[0], key].concat(),
            (false, Field::Pieces(ids, _)) => [&[1], ids].concat(),
        };
        if self.shares > 1 && xxh3_64(&identity) % self.shares != self.share {
            return;
        }
        let other = &self.held[1 - side];
        let Some(at) = other.at.get(&identity[..]).map(|at| at - other.gone) else {
            let entry = Entry::of(item, identity);
            // The other side has nothing more to come that it could be.
            if self.ends && self.leaves[1 - side].is_empty() && self.held[1 - side].entries.is_empty() {
                let before = self.held[side].entries.len();
                self.let_go(if side == 0 { [before, 0] } else { [0, before] });
                self.told.push_back(entry.alone(side));
            } else {
                self.held[side].push(entry);
            }
            return;
        };
        // What comes before it on either side has not turned up on the other one, and cannot any more.
        let mut count = [usize::MAX; 2];
        count[1 - side] = at;
        self.let_go(count);
        let Some(found) = self.held[1 - side].pop() else { return };
        if found.value == value(item) {
            return;
        }
        let lens = [item.value.len(), found.value_len];
        let (before, after) = if side == 0 { (lens[0], lens[1]) } else { (lens[1], lens[0]) };
        let Entry { key, key_len, .. } = found;
        let diff = EntryDiff { what: What::Changed, key, key_len, before: Some(before), after: Some(after) };
        self.told.push_back(diff);
    }

    /// So many of each side are on that side alone.
    fn let_go(&mut self, count: [usize; 2]) {
        for (side, count) in count.into_iter().enumerate() {
            for _ in 0..count.min(self.held[side].entries.len()) {
                let Some(entry) = self.held[side].pop() else { break };
                self.told.push_back(entry.alone(side));
            }
        }
    }
}

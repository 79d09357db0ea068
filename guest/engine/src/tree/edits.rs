//! Edits as a store tells them, cut down to what did change, and carried out.
//!
//! A store may call a stretch changed in which little is. Where it leaves old entries out and gives new ones, those that
//! are byte for byte old ones stay, and the nodes around them with them.

use std::collections::HashMap;
use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_64;

use super::Put;
use super::arrivals::Arrivals;
use super::node::Root;
use super::old::{OldNode, OldTree};
use super::splice::Splice;
use crate::error::{Error, Result};
use crate::object::equal;

/// New entries are compared with old ones when there are so many, or so many bytes of them, or when a stretch ends.
const BATCH: usize = 1 << 12;
const BATCH_BYTES: usize = 1 << 20;
/// Old entries that they are compared with: twice as many, and these.
const MORE: u64 = 256;
/// But not more bytes of leaves.
const WINDOW_BYTES: usize = 4 << 20;

/// Makes a tree of these packed entries, where an earlier one has most of them.
pub(crate) fn renew(
    old: OldTree<'_>,
    entries: impl ExactSizeIterator<Item = Vec<u8>>,
    out: &mut dyn Put,
) -> Result<Option<Root>> {
    let mut edits = Edits::new(old, false);
    let counts = [(1u8, edits.splice.old.entries()), (2, entries.len() as u64)];
    for (op, n) in counts.into_iter().filter(|(_, n)| *n > 0) {
        edits.push(&[&[op][..], &n.to_le_bytes()].concat(), out)?;
    }
    for entry in entries {
        edits.push(&entry, out)?;
    }
    edits.finish(out)
}

/// What is to come of the edit at hand.
enum Now {
    /// An edit begins; the bytes of its head that are there.
    Head([u8; 9], usize),
    /// New entries, so many more.
    Entries(u64),
}

/// Takes edits, cut anywhere, of one sequence.
pub(crate) struct Edits<'a> {
    splice: Splice<'a>,
    /// An entry is who it is by its value too.
    whole: bool,
    now: Now,
    /// Old entries that were dealt with, and how many behind them the store left out.
    at: u64,
    gone: u64,
    /// What came in their place.
    new: Arrivals,
    /// What was found to differ.
    pub(crate) changed: u64,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(old: OldTree<'a>, whole: bool) -> Self {
        let new = Arrivals::new(old.tree());
        let now = Now::Head([0; 9], 0);
        Self { splice: Splice::new(old), whole, now, at: 0, gone: 0, new, changed: 0 }
    }

    /// The next bytes of the edits. [`Code::Invalid`](crate::Code::Invalid) if they contradict themselves.
    pub(crate) fn push(&mut self, mut edits: &[u8], out: &mut dyn Put) -> Result<()> {
        while !edits.is_empty() {
            match &mut self.now {
                Now::Head(head, len) => {
                    let (part, rest) = edits.split_at((9 - *len).min(edits.len()));
                    head[*len..*len + part.len()].copy_from_slice(part);
                    *len += part.len();
                    edits = rest;
                    if *len == 9 {
                        let [op, n @ ..] = *head;
                        self.begin(op, u64::from_le_bytes(n), out)?;
                    }
                }
                Now::Entries(left) => {
                    let before = self.new.len();
                    edits = self.new.push(edits, out)?;
                    *left -= (self.new.len() - before) as u64;
                    if *left == 0 {
                        self.now = Now::Head([0; 9], 0);
                    }
                    if self.new.len() >= BATCH || self.new.bytes() >= BATCH_BYTES {
                        self.settle(out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, op: u8, n: u64, out: &mut dyn Put) -> Result<()> {
        self.now = Now::Head([0; 9], 0);
        let left = self.splice.old.entries() - self.at - self.gone;
        match op {
            _ if n == 0 => Err(Error::invalid("an edit is about no entries")),
            0 | 1 if n > left => Err(Error::invalid("the edits are about more entries than there were")),
            0 => {
                self.end_stretch(out)?;
                self.at += n;
                self.splice.keep(n, out)
            }
            1 => {
                self.gone += n;
                Ok(())
            }
            2 => {
                self.now = Now::Entries(n);
                Ok(())
            }
            _ => Err(Error::invalid(format!("{op} is no edit"))),
        }
    }

    /// There are no more edits: the new tree.
    pub(crate) fn finish(mut self, out: &mut dyn Put) -> Result<Option<Root>> {
        if !matches!(self.now, Now::Head(_, 0)) || !self.new.is_whole() {
            return Err(Error::invalid("the edits are cut off"));
        }
        self.end_stretch(out)?;
        if self.at != self.splice.old.entries() {
            return Err(Error::invalid("the edits are about fewer entries than there were"));
        }
        self.splice.finish(out)
    }

    /// What was left out and is not back by now is gone.
    fn end_stretch(&mut self, out: &mut dyn Put) -> Result<()> {
        self.settle(out)?;
        let gone = std::mem::take(&mut self.gone);
        self.leave_out(gone, out)
    }

    fn leave_out(&mut self, entries: u64, out: &mut dyn Put) -> Result<()> {
        if entries == 0 {
            return Ok(());
        }
        self.at += entries;
        self.changed += entries;
        self.splice.skip(entries, out)
    }

    /// Compares the new entries at hand with the old ones that were left out, and passes on what differs.
    fn settle(&mut self, out: &mut dyn Put) -> Result<()> {
        if self.new.len() == 0 {
            return Ok(());
        }
        let window = self.window()?;
        let begin = self.at;
        let mut known = Known::new(&window);
        let new = std::mem::replace(&mut self.new, Arrivals::new(self.splice.old.tree()));
        for number in 0..new.len() {
            let item = new.item(number);
            let next = (self.at - begin) as usize;
            if let Some(found) = known.find(item, next) {
                self.gone -= (found - next) as u64 + 1;
                self.leave_out((found - next) as u64, out)?;
                self.at += 1;
                self.splice.keep(1, out)?;
            } else {
                self.changed += 1;
                self.splice.insert(&Arrivals::piece(item, self.whole)?, out)?;
            }
        }
        self.new = new;
        self.new.clear();
        Ok(())
    }

    /// Old entries that were left out, from the first on: their leaves, and their numbers there.
    fn window(&mut self) -> Result<Vec<(Rc<OldNode>, usize)>> {
        let end = self.at + self.gone.min(2 * self.new.len() as u64 + MORE);
        let mut window = Vec::new();
        let (mut at, mut bytes) = (self.at, 0);
        while at < end && bytes < WINDOW_BYTES {
            let (start, leaf) = self.splice.old.find(0, at)?;
            let leaf = self.splice.old.node(0, start, leaf)?;
            let items = (at - start) as usize..(end.min(leaf.end()) - start) as usize;
            bytes += leaf.base.content.len();
            at = leaf.end();
            window.extend(items.map(|item| (Rc::clone(&leaf), item)));
        }
        Ok(window)
    }
}

/// Old entries by what they are.
struct Known<'w> {
    window: &'w [(Rc<OldNode>, usize)],
    /// The first of those with this hash; made when the first new entry is not just the next old one.
    first: Option<HashMap<u64, u32>>,
    /// For each the next one with the same hash.
    next: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<'w> Known<'w> {
    fn new(window: &'w [(Rc<OldNode>, usize)]) -> Self {
        Self { window, first: None, next: Vec::new() }
    }

    fn is(&self, at: usize, item: &[u8]) -> bool {
        self.window.get(at).is_some_and(|(leaf, number)| equal(leaf.piece(*number).raw, item))
    }

    /// The first entry from `from` on that is this one.
    fn find(&mut self, item: &[u8], from: usize) -> Option<usize> {
        if self.is(from, item) {
            return Some(from);
        }
        let (window, next) = (self.window, &mut self.next);
        let first = self.first.get_or_insert_with(|| {
            let mut first = HashMap::with_capacity(window.len() - from.min(window.len()));
            next.resize(window.len(), NONE);
            for (at, (leaf, number)) in window.iter().enumerate().skip(from).rev() {
                let before = first.insert(xxh3_64(leaf.piece(*number).raw), at as u32);
                next[at] = before.unwrap_or(NONE);
            }
            first
        });
        let mut at = first.get(&xxh3_64(item)).copied().unwrap_or(NONE);
        while at != NONE && ((at as usize) < from || !self.is(at as usize, item)) {
            at = self.next[at as usize];
        }
        (at != NONE).then_some(at as usize)
    }
}

//! The entries of a table, or of some of its groups, from the pages.

use super::branches::Branches;
use super::counts::Counts;
use super::file::{Pages, Ptr, Together};
use super::large::{LargeBytes, Piece};
use super::page::Leaf;
use super::tables::Definition;
use super::{doubt, misshapen};
use crate::{Error, ErrorCode, Result, frame};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// So many groups make a stretch at least.
const EVEN: u64 = 4;

/// Entries on their way. Every page is checked before any of it is packed, but for large ones, which are checked at their
/// end.
///
/// After an error, [`Scanned::came_to`] says where another reader goes on.
pub(in crate::redb) struct Scanned {
    pages: Pages,
    table: Definition,
    branches: Branches,
    /// Groups that are left to come.
    left: u64,
    /// The key that comes next must be this one, and the one after the last group this.
    first: Option<Vec<u8>>,
    until: Option<Vec<u8>>,
    /// The group at hand, its leaves, how many of these were read, and how many entries those have.
    group: Option<Ptr>,
    members: Vec<Ptr>,
    read: usize,
    counts: Vec<u16>,
    /// Leaves that were read together, each of so many bytes, and how many of them were packed.
    leaves: Vec<u8>,
    leaf_len: usize,
    packed: Range<usize>,
    large: Option<LargeBytes>,
    /// What is packed and did not fit, and how much of it was taken.
    waiting: Vec<u8>,
    taken: usize,
    came_to: CameTo,
    known: Arc<Counts>,
}

/// Groups that follow one another.
#[derive(Debug, Clone)]
pub(in crate::redb) struct Groups {
    pub(in crate::redb) numbers: Range<u64>,
    /// The key that the first of them begins with, and the one with which the group after the last begins, where they are
    /// not the first and the last of all.
    pub(in crate::redb) first: Option<Vec<u8>>,
    pub(in crate::redb) until: Option<Vec<u8>>,
}

/// How far a scan came.
#[derive(Clone, Default)]
pub(in crate::redb) struct CameTo {
    /// The last key after which its bytes were counted; none: from its beginning.
    pub(in crate::redb) key: Option<Vec<u8>>,
    /// So many bytes of packed entries after that, and their hash: part of a large leaf may be among them, which is
    /// checked at its end.
    pub(in crate::redb) bytes: u64,
    pub(in crate::redb) hash: Xxh3Default,
}

impl Scanned {
    /// The entries of these groups of a table, which is no multimap. How many entries its leaves have is told to `known`.
    pub(in crate::redb) fn begin(
        pages: Pages,
        table: Definition,
        groups: Groups,
        known: Arc<Counts>,
    ) -> Result<Self> {
        let Groups { numbers, first, until } = groups;
        let mut branches = Branches::new(&pages, &table)?;
        for _ in 0..numbers.start {
            branches.next(&pages)?.ok_or_else(wrong_mark)?;
        }
        let left = numbers.end.checked_sub(numbers.start).ok_or_else(wrong_mark)?;
        Ok(Self {
            pages,
            table,
            branches,
            left,
            first,
            until,
            group: None,
            members: Vec::new(),
            read: 0,
            counts: Vec::new(),
            leaves: Vec::new(),
            leaf_len: 0,
            packed: 0..0,
            large: None,
            waiting: Vec::new(),
            taken: 0,
            came_to: CameTo::default(),
            known,
        })
    }

    /// Appends at most `max` bytes of packed entries; none only at the end.
    pub(in crate::redb) fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        let begin = out.len();
        let end = begin.saturating_add(max.max(1));
        while out.len() < end {
            if self.taken < self.waiting.len() {
                self.take(end, out);
            } else if let Some(large) = &mut self.large {
                self.waiting.clear();
                self.taken = 0;
                match large.next(&self.pages)? {
                    None => self.large = None,
                    Some(Piece::Bytes(bytes)) => self.waiting.extend_from_slice(bytes),
                    Some(Piece::Entry { key_len, value_len, key }) => {
                        self.waiting.extend_from_slice(&frame::header(key_len, value_len)?);
                        self.waiting.extend_from_slice(key);
                    }
                }
            } else if !self.packed.is_empty() {
                self.leaf(end, out)?;
            } else if !self.load()? {
                break;
            }
        }
        Ok(())
    }

    /// How far it came.
    pub(in crate::redb) fn came_to(&self) -> &CameTo {
        &self.came_to
    }

    fn take(&mut self, end: usize, out: &mut Vec<u8>) {
        let rest = &self.waiting[self.taken..];
        let now = &rest[..rest.len().min(end - out.len())];
        out.extend_from_slice(now);
        self.taken += now.len();
        self.came_to.bytes += now.len() as u64;
        self.came_to.hash.update(now);
    }

    /// Packs the next leaf: to `out` if it fits, else to what waits.
    fn leaf(&mut self, end: usize, out: &mut Vec<u8>) -> Result<()> {
        let at = self.packed.start * self.leaf_len;
        let bytes = self.leaves.get(at..at + self.leaf_len).ok_or_else(misshapen)?;
        let leaf = Leaf::parse(bytes, self.table.stored()).ok_or_else(misshapen)?;
        if let Some(first) = self.first.take()
            && leaf.entry(0).is_none_or(|(key, _)| key != first)
        {
            return Err(wrong_mark());
        }
        let used = leaf.end().and_then(|end| end.checked_sub(leaf.keys_start())).ok_or_else(misshapen)?;
        let size = used + frame::HEADER * leaf.count();
        let fits = size <= end - out.len();
        let into = if fits { &mut *out } else { &mut self.waiting };
        if !fits {
            into.clear();
            self.taken = 0;
        }
        let begin = into.len();
        into.reserve(size);
        let packed = (0..leaf.count()).try_for_each(|i| {
            let (key, value) = leaf.entry(i).ok_or_else(misshapen)?;
            frame::push(into, key, value)
        });
        if packed.is_err() || into.len() - begin != size {
            into.truncate(begin);
            return packed.and(Err(misshapen()));
        }
        self.packed.start += 1;
        self.counts.push(u16::try_from(leaf.count()).map_err(doubt)?);
        if fits {
            let (last, _) = leaf.entry(leaf.count() - 1).ok_or_else(misshapen)?;
            let key = self.came_to.key.get_or_insert_default();
            key.clear();
            key.extend_from_slice(last);
            if self.came_to.bytes > 0 {
                self.came_to.bytes = 0;
                self.came_to.hash.reset();
            }
        }
        Ok(())
    }

    /// The stretch must end where the next one begins.
    fn check_end(&mut self) -> Result<()> {
        let Some(until) = self.until.take() else { return Ok(()) };
        let next = self.branches.next(&self.pages)?.ok_or_else(wrong_mark)?;
        let key = first_key(&self.pages, &self.table, &self.branches, next)?;
        if key.as_ref() == Some(&until) { Ok(()) } else { Err(wrong_mark()) }
    }

    /// Reads the next leaves; false if there are none.
    fn load(&mut self) -> Result<bool> {
        if self.read == self.members.len() {
            if let Some(group) = self.group.take() {
                self.known.put(group, &self.counts);
            }
            if self.left == 0 {
                self.check_end()?;
                return Ok(false);
            }
            let Some(group) = self.branches.next(&self.pages)? else {
                self.left = 0;
                return if self.until.is_some() { Err(wrong_mark()) } else { Ok(false) };
            };
            self.left -= 1;
            self.members = self.branches.members(&self.pages, group)?;
            self.group = Some(group);
            self.read = 0;
            self.counts.clear();
        }
        match self.pages.together(&self.members[self.read..], self.table.stored(), &mut self.leaves)? {
            Together::Small { count, len } => {
                self.packed = 0..count;
                self.leaf_len = len;
                self.read += count;
            }
            Together::Large(_) if self.first.is_some() => return Err(wrong_mark()),
            Together::Large(leaf) => {
                self.counts.push(u16::try_from(leaf.count()).map_err(doubt)?);
                self.large = Some(leaf.stream());
                self.read += 1;
            }
        }
        Ok(true)
    }
}

/// The key that a group begins with, unless it is in a large leaf.
fn first_key(pages: &Pages, table: &Definition, branches: &Branches, group: Ptr) -> Result<Option<Vec<u8>>> {
    let members = branches.members(pages, group)?;
    let first = members.get(..1).ok_or_else(misshapen)?;
    let mut leaf = Vec::new();
    match pages.together(first, table.stored(), &mut leaf)? {
        Together::Large(_) => Ok(None),
        Together::Small { .. } => {
            let leaf = Leaf::parse(&leaf, table.stored()).ok_or_else(misshapen)?;
            let (key, _) = leaf.entry(0).ok_or_else(misshapen)?;
            Ok(Some(key.to_vec()))
        }
    }
}

fn wrong_mark() -> Error {
    Error::new(ErrorCode::NotFound, "this mark is of another table or another moment")
}

/// A group by its number, and its first key.
pub(in crate::redb) type Begin = (u64, Vec<u8>);

/// Cuts a table into stretches of groups: where each stretch but the first begins. `None`: it has too few groups to be cut evenly.
pub(in crate::redb) fn cut(pages: &Pages, table: &Definition, parts: u64) -> Result<Option<Vec<Begin>>> {
    let mut branches = Branches::new(pages, table)?;
    let mut groups = Vec::new();
    while let Some(group) = branches.next(pages)? {
        groups.push(group);
    }
    let count = groups.len() as u64;
    if count < parts.saturating_mul(EVEN) {
        return Ok(None);
    }
    let mut marks = Vec::new();
    for part in 1..parts {
        let at = u64::try_from(u128::from(count) * u128::from(part) / u128::from(parts)).map_err(doubt)?;
        let group = groups.get(usize::try_from(at).map_err(doubt)?).ok_or_else(misshapen)?;
        // The keys of a large leaf may be large too: such a place is no good.
        marks.extend(first_key(pages, table, &branches, *group)?.map(|key| (at, key)));
    }
    Ok(Some(marks))
}

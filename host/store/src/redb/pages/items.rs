//! The entries of leaves, as a scan packs them.

use super::file::{LeafPage, Loaded, Pages, Ptr};
use super::large::{LargeBytes, Piece};
use super::page::Leaf;
use super::tables::Definition;
use super::values::{self, Values};
use super::{doubt, misshapen};
use crate::{Result, frame};
use std::collections::VecDeque;

/// How many entries a leaf of the table has.
fn count_of(table: &Definition, leaf: &Loaded<'_>) -> Result<u64> {
    match leaf {
        Loaded::Small(bytes) if table.multimap => values::count(table, bytes),
        Loaded::Small(bytes) => Ok(Leaf::parse(bytes, table.stored()).ok_or_else(misshapen)?.count() as u64),
        Loaded::Large(_) if table.multimap => Err(doubt("a key that is too large")),
        Loaded::Large(leaf) => Ok(leaf.count() as u64),
    }
}

fn sum(so_far: u64, more: u64) -> Result<u64> {
    so_far.checked_add(more).ok_or_else(|| doubt("more entries than can be counted"))
}

/// How many entries each of these leaves has.
pub(super) fn counts(pages: &Pages, table: &Definition, leaves: &[Ptr]) -> Result<Vec<u64>> {
    let mut counts = Vec::with_capacity(leaves.len());
    pages.leaves(leaves, table.stored(), |leaf| {
        counts.push(count_of(table, &leaf)?);
        match leaf {
            Loaded::Small(_) => Ok(()),
            Loaded::Large(large) => large.stream().check(pages),
        }
    })?;
    Ok(counts)
}

/// The entries of some leaves, on their way.
pub(super) struct Items {
    leaves: VecDeque<LeafPage>,
    now: Now,
    /// How many are left to come.
    left: u64,
}

/// What is packed at the moment.
enum Now {
    Nothing,
    Multimap(Values),
    Large(LargeBytes),
}

impl Items {
    /// Reads the leaves; says how many entries they have.
    pub(super) fn read(pages: &Pages, table: &Definition, ptrs: &[Ptr]) -> Result<(Self, u64)> {
        let (mut left, mut leaves) = (0u64, VecDeque::new());
        pages.leaves(ptrs, table.stored(), |leaf| {
            left = sum(left, count_of(table, &leaf)?)?;
            leaves.push_back(match leaf {
                Loaded::Small(bytes) => LeafPage::Small(bytes.to_vec()),
                Loaded::Large(large) => LeafPage::Large(large),
            });
            Ok(())
        })?;
        Ok((Self { leaves, now: Now::Nothing, left }, left))
    }

    /// Appends some bytes of the entries; false if those before were all.
    pub(super) fn pack(&mut self, pages: &Pages, table: &Definition, out: &mut Vec<u8>) -> Result<bool> {
        let more = match &mut self.now {
            Now::Nothing => return self.begin(table, out),
            Now::Large(large) => match large.next(pages)? {
                None => None,
                Some(Piece::Bytes(bytes)) => {
                    out.extend_from_slice(bytes);
                    Some(0)
                }
                Some(Piece::Entry { key_len, value_len, key }) => {
                    out.extend_from_slice(&frame::header(key_len, value_len)?);
                    out.extend_from_slice(key);
                    Some(1)
                }
            },
            Now::Multimap(values) => values.pack(pages, table, out)?,
        };
        match more {
            Some(entries) => self.took(entries)?,
            None => self.now = Now::Nothing,
        }
        Ok(true)
    }

    /// Goes to the next leaf.
    fn begin(&mut self, table: &Definition, out: &mut Vec<u8>) -> Result<bool> {
        match self.leaves.pop_front() {
            None if self.left == 0 => return Ok(false),
            None => return Err(doubt("fewer entries than there should be")),
            Some(LeafPage::Large(large)) => self.now = Now::Large(large.stream()),
            Some(LeafPage::Small(leaf)) if table.multimap => self.now = Now::Multimap(Values::new(leaf)),
            Some(LeafPage::Small(bytes)) => {
                let leaf = Leaf::parse(&bytes, table.stored()).ok_or_else(misshapen)?;
                for i in 0..leaf.count() {
                    let (key, value) = leaf.entry(i).ok_or_else(misshapen)?;
                    frame::push(out, key, value)?;
                }
                self.took(leaf.count() as u64)?;
            }
        }
        Ok(true)
    }

    fn took(&mut self, entries: u64) -> Result<()> {
        let left = self.left.checked_sub(entries);
        self.left = left.ok_or_else(|| doubt("more entries than there should be"))?;
        Ok(())
    }
}

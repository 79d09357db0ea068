//! Groups and runs of leaves: what a baseline says of them.

use super::bytes::{push_varint, take_u64, take_varint};
use super::file::Ptr;
use crate::{Result, frame};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// A run ends after a leaf whose checksum has none of these bits, about every fourth...
const CUT: u128 = 3;
/// ...or with its eighth leaf.
const LONGEST: usize = 8;

/// Leaves next to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) digest: u64,
    pub(super) entries: u64,
}

/// The leaves of a branch page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) digest: u64,
    pub(super) entries: u64,
    pub(super) runs: Vec<Run>,
}

/// What stands for a branch page, by its checksum.
pub(super) fn digest(branch: Ptr) -> u64 {
    branch.sum as u64
}

/// Cuts the leaves of a group into runs: their digests, and their leaves.
pub(super) fn cut(leaves: &[Ptr]) -> impl Iterator<Item = (u64, &[Ptr])> {
    let mut rest = leaves;
    std::iter::from_fn(move || {
        let last = rest.iter().take(LONGEST).position(|leaf| leaf.sum & CUT == 0);
        let (run, later) = rest.split_at(last.map_or(LONGEST, |last| last + 1).min(rest.len()));
        rest = later;
        let sums: Vec<u8> = run.iter().flat_map(|leaf| leaf.sum.to_le_bytes()).collect();
        (!run.is_empty()).then(|| (xxh3_64(&sums), run))
    })
}

impl Group {
    pub(super) fn new(digest: u64) -> Self {
        Self { digest, entries: 0, runs: Vec::new() }
    }

    /// `None`: more entries than there can be.
    pub(super) fn push(&mut self, run: Run) -> Option<()> {
        self.entries = self.entries.checked_add(run.entries)?;
        self.runs.push(run);
        Some(())
    }

    /// Appends it as an entry of a baseline.
    pub(super) fn write(&self, out: &mut Vec<u8>, sum: &mut Sum) -> Result<()> {
        let mut value = Vec::with_capacity(10 * (self.runs.len() + 1));
        push_varint(&mut value, self.entries);
        for run in &self.runs {
            value.extend_from_slice(&run.digest.to_le_bytes());
            push_varint(&mut value, run.entries);
        }
        let key = self.digest.to_le_bytes();
        sum.add(&key, &value);
        frame::push(out, &key, &value)
    }

    /// Reads it from an entry of a baseline; `None` if it is not as [`Group::write`] writes it.
    pub(super) fn read(key: &[u8], mut value: &[u8]) -> Option<Self> {
        let mut group = Self::new(u64::from_le_bytes(key.try_into().ok()?));
        let entries = take_varint(&mut value)?;
        while !value.is_empty() {
            let run = Run { digest: take_u64(&mut value)?, entries: take_varint(&mut value)? };
            group.push(run).filter(|()| run.entries > 0)?;
        }
        (entries > 0 && group.entries == entries).then_some(group)
    }
}

/// The sum over all groups of a baseline.
#[derive(Default)]
pub(super) struct Sum(Xxh3Default);

impl Sum {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.0.update(key);
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value);
    }

    /// The value of the last entry of the baseline of the table that had this stamp.
    pub(super) fn last(&self, stamp: &[u8]) -> Vec<u8> {
        [stamp, &self.0.digest128().to_le_bytes()].concat()
    }
}

//! What tells at a glance whether a table changed.

use super::bytes::{u64_at, u128_at};
use super::tables::Definition;

/// Of stamps and baselines: another digest, or another way to cut runs, needs another.
const VERSION: u8 = 1;
const LEN: usize = 42;

/// A table at one moment: what it is, the checksum of its root, and how many entries it has. Written as a version
/// byte, whether there is a root, its checksum, the number of entries as u64 LE, and XXH3-128 of what the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redb) struct Stamp {
    root: Option<u128>,
    pub(super) entries: u64,
    identity: u128,
}

impl Stamp {
    pub(in crate::redb) fn of(table: &Definition) -> Self {
        Self { root: table.root.map(|root| root.sum), entries: table.entries, identity: table.identity }
    }

    /// `None`: not a stamp of this version.
    pub(in crate::redb) fn read(bytes: &[u8]) -> Option<Self> {
        let (VERSION, root) = (*bytes.first()?, *bytes.get(1)?) else { return None };
        let sum = u128_at(bytes, 2)?;
        let this = Self {
            root: (root != 0).then_some(sum),
            entries: u64_at(bytes, 18)?,
            identity: u128_at(bytes, 26)?,
        };
        (this.write() == bytes).then_some(this)
    }

    pub(in crate::redb) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN);
        out.extend_from_slice(&[VERSION, u8::from(self.root.is_some())]);
        out.extend_from_slice(&self.root.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.identity.to_le_bytes());
        out
    }

    /// Tables of the same types, whose leaves are laid out in the same way.
    pub(in crate::redb) fn is_like(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

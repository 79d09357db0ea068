//! The header of a redb file and its two commit slots.

use super::bytes::{u16_at, u32_at, u64_at, u128_at};
use super::file::{Geometry, Ptr};
use xxhash_rust::xxh3::xxh3_128;

/// How many bytes hold the header and both slots.
pub(in crate::redb) const LEN: usize = 320;

const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];
const GOD_BYTE: usize = MAGIC.len();
const PRIMARY: u8 = 1;
const TWO_PHASE: u8 = 4;
const PRIMARY_UNFLUSHED: u8 = 8;
/// Flags that are known here.
const FLAGS: u8 = 15;
const SLOTS: [usize; 2] = [64, 192];
const SLOT_LEN: usize = 128;
const VERSION: u8 = 3;
const PAGE_SIZE: u32 = 4096;

/// The header as it was read at one time, all of it understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redb) struct Header {
    pub(super) geometry: Geometry,
    god: u8,
    slots: [Option<Slot>; 2],
}

/// A commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redb) struct Slot {
    pub(in crate::redb) txn: u64,
    /// The root of the tree of user tables, and how many they are.
    pub(in crate::redb) root: Option<(Ptr, u64)>,
}

impl Header {
    /// `None`: not a header of file format 3.
    pub(in crate::redb) fn parse(bytes: &[u8]) -> Option<Self> {
        let god = *bytes.get(GOD_BYTE)?;
        // Two bytes of padding that a later version may use.
        let known = bytes.starts_with(&MAGIC) && god & !FLAGS == 0 && u16_at(bytes, GOD_BYTE + 1)? == 0;
        if !known || u32_at(bytes, 12)? != PAGE_SIZE {
            return None;
        }
        let geometry = Geometry::new(u32_at(bytes, 16)?, u32_at(bytes, 20)?)?;
        let slots = SLOTS.map(|at| Slot::parse(bytes.get(at..at + SLOT_LEN)?));
        Some(Self { geometry, god, slots })
    }

    fn primary_index(&self) -> usize {
        usize::from(self.god & PRIMARY)
    }

    pub(in crate::redb) fn primary(&self) -> Option<Slot> {
        self.slots[self.primary_index()]
    }

    pub(in crate::redb) fn secondary(&self) -> Option<Slot> {
        self.slots[1 - self.primary_index()]
    }

    /// The primary was made so by a commit in two phases.
    pub(in crate::redb) fn two_phase(&self) -> bool {
        self.god & TWO_PHASE != 0
    }

    /// The primary may still be lost, so that other processes read the secondary.
    pub(in crate::redb) fn unflushed(&self) -> bool {
        self.god & PRIMARY_UNFLUSHED != 0
    }

    /// The commit of this id that other processes read.
    pub(in crate::redb) fn published(&self, txn: u64) -> Option<Slot> {
        let slot = if self.unflushed() { self.secondary() } else { self.primary() };
        slot.filter(|slot| slot.txn == txn)
    }

    /// The commit of a file that nobody has open for writing; `None` if redb might take the other.
    pub(in crate::redb) fn settled(&self) -> Option<Slot> {
        let primary = self.primary()?;
        let newer = self.secondary().is_some_and(|secondary| secondary.txn > primary.txn);
        (!self.unflushed() && !newer).then_some(primary)
    }
}

impl Slot {
    fn parse(slot: &[u8]) -> Option<Self> {
        let sum = u128_at(slot, 112)?;
        if slot.first() != Some(&VERSION) || xxh3_128(slot.get(..112)?) != sum {
            return None;
        }
        let root = match slot.get(1)? {
            0 => None,
            1 => Some((Ptr { page: u64_at(slot, 8)?, sum: u128_at(slot, 16)? }, u64_at(slot, 32)?)),
            _ => return None,
        };
        Some(Self { txn: u64_at(slot, 104)?, root })
    }
}

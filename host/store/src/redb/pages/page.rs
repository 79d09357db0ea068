//! Leaf and branch pages, which may be anything until they are found to have their checksum.

use super::bytes::{u16_at, u32_at, u64_at, u128_at};
use super::file::Ptr;
use std::ops::Range;

const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// The widths of the keys and values in a tree, where they are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    pub(super) key: Option<usize>,
    pub(super) value: Option<usize>,
}

/// `1, _, n: u16, [n x u32 key ends], [n x u32 value ends], keys, values`
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'p> {
    bytes: &'p [u8],
    widths: Widths,
    count: usize,
}

impl<'p> Leaf<'p> {
    /// `None`: this is not a leaf. Where its entries are is not checked yet.
    pub(super) fn parse(bytes: &'p [u8], widths: Widths) -> Option<Self> {
        let count = usize::from(u16_at(bytes, 2)?);
        (bytes.first() == Some(&LEAF) && count > 0).then_some(Self { bytes, widths, count })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where the ends of keys and values end.
    pub(super) fn keys_start(&self) -> usize {
        let ends = usize::from(self.widths.key.is_none()) + usize::from(self.widths.value.is_none());
        4 + 4 * ends * self.count
    }

    fn key_end(&self, i: usize) -> Option<usize> {
        match self.widths.key {
            Some(width) => width.checked_mul(i + 1)?.checked_add(self.keys_start()),
            None => usize::try_from(u32_at(self.bytes, 4 + 4 * i)?).ok(),
        }
    }

    fn value_end(&self, i: usize) -> Option<usize> {
        match self.widths.value {
            Some(width) => width.checked_mul(i + 1)?.checked_add(self.key_end(self.count - 1)?),
            None => {
                let ends = if self.widths.key.is_none() { 4 + 4 * self.count } else { 4 };
                usize::try_from(u32_at(self.bytes, ends + 4 * i)?).ok()
            }
        }
    }

    /// Where the part ends that is used, and has a checksum.
    pub(super) fn end(&self) -> Option<usize> {
        self.value_end(self.count - 1)
    }

    /// Where the key and the value of an entry are.
    pub(super) fn ranges(&self, i: usize) -> Option<(Range<usize>, Range<usize>)> {
        let (key, value) = match i.checked_sub(1) {
            None => (self.keys_start(), self.key_end(self.count - 1)?),
            Some(before) => (self.key_end(before)?, self.value_end(before)?),
        };
        (i < self.count).then_some((key..self.key_end(i)?, value..self.value_end(i)?))
    }

    pub(super) fn entry(&self, i: usize) -> Option<(&'p [u8], &'p [u8])> {
        let (key, value) = self.ranges(i)?;
        Some((self.bytes.get(key)?, self.bytes.get(value)?))
    }
}

/// `2, _, n: u16, pad4, (n+1) x checksum16, (n+1) x page8, [n x u32 key ends], keys`
pub(super) struct Branch<'p> {
    bytes: &'p [u8],
    children: usize,
    end: usize,
}

impl<'p> Branch<'p> {
    pub(super) fn is(bytes: &[u8]) -> bool {
        bytes.first() == Some(&BRANCH)
    }

    /// How many bytes come before the keys.
    pub(super) fn head(bytes: &[u8], key_width: Option<usize>) -> Option<usize> {
        let keys = usize::from(u16_at(bytes, 2)?);
        Some(8 + 24 * (keys + 1) + if key_width.is_none() { 4 * keys } else { 0 })
    }

    /// `len` is the length of the page, of which the keys need not be there.
    pub(super) fn parse(bytes: &'p [u8], key_width: Option<usize>, len: usize) -> Option<Self> {
        let keys = usize::from(u16_at(bytes, 2)?);
        let children = keys + 1;
        let ends = 8 + 24 * children;
        let end = match key_width {
            Some(width) => width.checked_mul(keys)?.checked_add(ends)?,
            None => usize::try_from(u32_at(bytes, ends + 4 * keys.checked_sub(1)?)?).ok()?,
        };
        let there = bytes.len() >= Self::head(bytes, key_width)?;
        let sound = Self::is(bytes) && keys > 0 && there && (ends..=len).contains(&end);
        sound.then_some(Self { bytes, children, end })
    }

    /// Where the part ends that is used, and has a checksum.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    pub(super) fn children(&self) -> Vec<Ptr> {
        let pages = 8 + 16 * self.children;
        let child =
            |i| Some(Ptr { sum: u128_at(self.bytes, 8 + 16 * i)?, page: u64_at(self.bytes, pages + 8 * i)? });
        (0..self.children).map_while(child).collect()
    }
}

//! Pages that are too large to be held: leaves with a large value, or, in the values of a multimap, a large key; branches
//! with such a key.

use super::file::{Pages, Ptr, SMALL, TOGETHER};
use super::page::{Branch, Leaf, Widths};
use super::{doubt, misshapen};
use crate::Result;
use xxhash_rust::xxh3::Xxh3Default;

/// The children of a page, if it is a branch.
pub(super) fn children(
    pages: &Pages,
    ptr: Ptr,
    offset: u64,
    len: usize,
    widths: Widths,
) -> Result<Option<Vec<Ptr>>> {
    let mut head = vec![0; 4];
    pages.read(offset, &mut head)?;
    if !Branch::is(&head) {
        return Ok(None);
    }
    let until = Branch::head(&head, widths.key).filter(|until| *until <= SMALL).ok_or_else(misshapen)?;
    head.resize(until, 0);
    pages.read(offset, &mut head)?;
    let branch = Branch::parse(&head, widths.key, len).ok_or_else(misshapen)?;
    let mut hash = Box::<Xxh3Default>::default();
    hash.update(&head);
    let (mut at, mut buffer) = (until, Vec::new());
    while at < branch.end() {
        buffer.resize((branch.end() - at).min(TOGETHER), 0);
        pages.read(offset + at as u64, &mut buffer)?;
        hash.update(&buffer);
        at += buffer.len();
    }
    if at != branch.end() || hash.digest128() != ptr.sum {
        return Err(wrong_sum());
    }
    Ok(Some(branch.children()))
}

fn wrong_sum() -> crate::Error {
    doubt("a large page does not have the checksum that its parent names")
}

/// The part of a leaf from which on its bytes are streamed, in the order in which they are.
#[derive(Debug, Clone)]
pub(super) struct LargeLeaf {
    ptr: Ptr,
    offset: u64,
    widths: Widths,
    /// The ends of keys and values; then the keys, unless they are streamed.
    head: Vec<u8>,
    /// Keys are streamed as well; where there are several, their values are empty.
    keys: bool,
    count: usize,
    end: usize,
}

impl LargeLeaf {
    /// Reads what comes before the bytes that are streamed.
    pub(super) fn read(pages: &Pages, ptr: Ptr, offset: u64, len: usize, widths: Widths) -> Result<Self> {
        let unknown = || doubt(format!("a page of {len} bytes"));
        let mut head = vec![0; 4];
        pages.read(offset, &mut head)?;
        let count = Leaf::parse(&head, widths).ok_or_else(unknown)?.count();
        let ends = Leaf::parse(&head, widths).ok_or_else(unknown)?.keys_start();
        let more = |until: usize, head: &mut Vec<u8>| {
            let from = head.len();
            if until < from || until > SMALL {
                return Err(unknown());
            }
            head.resize(until, 0);
            pages.read(offset + from as u64, &mut head[from..])
        };
        more(ends, &mut head)?;
        let leaf = Leaf::parse(&head, widths).ok_or_else(unknown)?;
        let (_, first) = leaf.ranges(0).ok_or_else(misshapen)?;
        let end = leaf.end().filter(|end| *end <= len && first.start <= *end).ok_or_else(misshapen)?;
        let keys = count == 1 || first.start == end;
        if !keys {
            more(first.start, &mut head)?;
        }
        Ok(Self { ptr, offset, widths, head, keys, count, end })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn stream(self) -> LargeBytes {
        let mut hash = Box::<Xxh3Default>::default();
        hash.update(&self.head);
        LargeBytes { at: self.head.len(), next: 0, left: 0, leaf: self, hash, buffer: Vec::new() }
    }
}

/// A large leaf on its way; the end of it tells whether it was sound.
pub(super) struct LargeBytes {
    leaf: LargeLeaf,
    at: usize,
    /// The entry that comes next.
    next: usize,
    /// How many bytes of the one before are left.
    left: usize,
    hash: Box<Xxh3Default>,
    buffer: Vec<u8>,
}

/// What comes next of a large leaf.
pub(super) enum Piece<'p> {
    /// An entry, whose key comes with it or before its value.
    Entry {
        key_len: usize,
        value_len: usize,
        key: &'p [u8],
    },
    Bytes(&'p [u8]),
}

impl LargeBytes {
    /// The next piece; `None` after the last, when all of them were sound.
    pub(super) fn next(&mut self, pages: &Pages) -> Result<Option<Piece<'_>>> {
        if self.left > 0 {
            self.buffer.resize(self.left.min(TOGETHER), 0);
            pages.read(self.leaf.offset + self.at as u64, &mut self.buffer)?;
            self.hash.update(&self.buffer);
            self.at += self.buffer.len();
            self.left -= self.buffer.len();
            return Ok(Some(Piece::Bytes(&self.buffer)));
        }
        if self.next == self.leaf.count {
            if self.at != self.leaf.end || self.hash.digest128() != self.leaf.ptr.sum {
                return Err(wrong_sum());
            }
            return Ok(None);
        }
        let leaf = Leaf::parse(&self.leaf.head, self.leaf.widths).ok_or_else(misshapen)?;
        let (key, value) = leaf.ranges(self.next).ok_or_else(misshapen)?;
        self.next += 1;
        let streamed = match (self.leaf.keys, self.leaf.count) {
            (true, 1) => key.start..value.end,
            (true, _) => key.clone(),
            (false, _) => value.clone(),
        };
        let key_len = key.end.checked_sub(key.start).ok_or_else(misshapen)?;
        let value_len = value.end.checked_sub(value.start).ok_or_else(misshapen)?;
        if streamed.start != self.at || streamed.end > self.leaf.end || streamed.len() < value_len {
            return Err(misshapen());
        }
        self.left = streamed.len();
        let key = if self.leaf.keys { &[] } else { self.leaf.head.get(key).ok_or_else(misshapen)? };
        Ok(Some(Piece::Entry { key_len, value_len, key }))
    }

    /// Reads all of it, only to check it.
    pub(super) fn check(mut self, pages: &Pages) -> Result<()> {
        while self.next(pages)?.is_some() {}
        Ok(())
    }
}

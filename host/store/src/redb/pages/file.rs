//! Pages by number, checked against the checksum that their parent names.

use super::large::{self, LargeLeaf};
use super::page::{Branch, Leaf, Widths};
use super::{bytes, doubt, misshapen};
use crate::Result;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

const PAGE: u64 = 4096;
/// The largest order of a page that redb makes.
const MAX_ORDER: u64 = 20;
/// Pages of up to this size are read and checked at once. Larger ones are streamed.
pub(super) const SMALL: usize = 1 << 20;
/// Neighbouring pages are read together up to this size.
pub(super) const TOGETHER: usize = 256 << 10;

/// A file that is read at any offset.
pub(in crate::redb) trait ReadAt: Send + Sync {
    /// Fills `out`, or fails.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// redb's own way to read, which it has for every system.
impl ReadAt for FileBackend {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read(offset, out)
    }
}

/// A page, as its parent names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redb) struct Ptr {
    pub(super) page: u64,
    pub(super) sum: u128,
}

/// How a file is laid out. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Pages before the data of a region, and how many pages of data it has at most.
    header_pages: u64,
    data_pages: u64,
}

impl Geometry {
    pub(super) fn new(header_pages: u32, data_pages: u32) -> Option<Self> {
        let max = 1 << 20;
        let sound = header_pages <= max && (1..=max).contains(&data_pages);
        sound.then(|| Self { header_pages: header_pages.into(), data_pages: data_pages.into() })
    }

    /// Where a page is, and how long it is.
    fn locate(&self, page: u64) -> Option<(u64, u64)> {
        let order = page >> 59;
        if order > MAX_ORDER {
            return None;
        }
        let (region, index) = (page >> 20 & 0xF_FFFF, page & (0xF_FFFF >> order));
        // None of these can overflow: 20 bits and 20 bits of pages of 12 bits.
        if (index + 1) << order > self.data_pages {
            return None;
        }
        let pages = 1 + region * (self.header_pages + self.data_pages) + self.header_pages + (index << order);
        Some((pages * PAGE, PAGE << order))
    }
}

/// The pages of one file.
#[derive(Clone)]
pub(in crate::redb) struct Pages {
    file: Arc<dyn ReadAt>,
    geometry: Geometry,
}

/// A page that was read.
pub(super) enum Node {
    Branch(Vec<Ptr>),
    Leaf(LeafPage),
}

/// A leaf.
pub(super) enum LeafPage {
    /// All of it, checked.
    Small(Vec<u8>),
    /// One that is too large to be held. Not checked before it is streamed.
    Large(LargeLeaf),
}

impl Pages {
    pub(in crate::redb) fn new(file: Arc<dyn ReadAt>, header: &super::Header) -> Self {
        Self { file, geometry: header.geometry }
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, out).map_err(|error| doubt(format!("reading a page: {error}")))
    }

    fn locate(&self, ptr: Ptr) -> Result<(u64, usize)> {
        let (offset, len) = self.geometry.locate(ptr.page).ok_or_else(|| doubt("a page outside the file"))?;
        Ok((offset, usize::try_from(len).map_err(doubt)?))
    }

    /// Reads a page of a tree whose leaves have these widths.
    pub(super) fn node(&self, ptr: Ptr, widths: Widths) -> Result<Node> {
        let (offset, len) = self.locate(ptr)?;
        if len > SMALL {
            if let Some(children) = large::children(self, ptr, offset, len, widths)? {
                return Ok(Node::Branch(children));
            }
            let leaf = LargeLeaf::read(self, ptr, offset, len, widths)?;
            return Ok(Node::Leaf(LeafPage::Large(leaf)));
        }
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes)?;
        check(ptr, &bytes, widths)?;
        if Branch::is(&bytes) {
            let branch = Branch::parse(&bytes, widths.key, len).ok_or_else(misshapen)?;
            return Ok(Node::Branch(branch.children()));
        }
        Ok(Node::Leaf(LeafPage::Small(bytes)))
    }

    /// The children of a page that must be a branch.
    pub(super) fn children(&self, ptr: Ptr, widths: Widths) -> Result<Vec<Ptr>> {
        match self.node(ptr, widths)? {
            Node::Branch(children) => Ok(children),
            Node::Leaf(_) => Err(doubt("a leaf where a branch is expected")),
        }
    }

    /// Hands on these pages in order, all of which must be leaves. Neighbours are read together.
    pub(super) fn leaves(
        &self,
        ptrs: &[Ptr],
        widths: Widths,
        mut each: impl FnMut(Loaded<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = Vec::new();
        let mut rest = ptrs;
        while !rest.is_empty() {
            match self.together(rest, widths, &mut buffer)? {
                Together::Large(leaf) => {
                    each(Loaded::Large(leaf))?;
                    rest = &rest[1..];
                }
                Together::Small { count, len } => {
                    rest = &rest[count..];
                    buffer.chunks_exact(len).take(count).try_for_each(|leaf| each(Loaded::Small(leaf)))?;
                }
            }
        }
        Ok(())
    }

    /// Reads the first of these pages, of which there is one at least, and with it those that follow it in the file too.
    /// All must be leaves. They are then what `buffer` begins with.
    pub(super) fn together(&self, ptrs: &[Ptr], widths: Widths, buffer: &mut Vec<u8>) -> Result<Together> {
        let first = ptrs.first().ok_or_else(misshapen)?;
        let (offset, len) = self.locate(*first)?;
        if len > SMALL {
            return Ok(Together::Large(LargeLeaf::read(self, *first, offset, len, widths)?));
        }
        let neighbour = |(i, ptr): &(usize, &Ptr)| {
            let expected = offset + (*i as u64) * len as u64;
            (i + 1) * len <= TOGETHER.max(len)
                && self.geometry.locate(ptr.page) == Some((expected, len as u64))
        };
        let count = ptrs.iter().enumerate().take_while(neighbour).count().max(1);
        // Never made smaller, for making it larger fills it with zeros.
        if buffer.len() < count * len {
            buffer.resize(count * len, 0);
        }
        let leaves = &mut buffer[..count * len];
        self.read(offset, leaves)?;
        for (ptr, leaf) in ptrs.iter().zip(leaves.chunks_exact(len)) {
            check(*ptr, leaf, widths)?;
            if Branch::is(leaf) {
                return Err(doubt("a branch where a leaf is expected"));
            }
        }
        Ok(Together::Small { count, len })
    }
}

/// What was read at once.
pub(super) enum Together {
    /// So many leaves of so many bytes each, checked.
    Small {
        count: usize,
        len: usize,
    },
    Large(LargeLeaf),
}

/// A leaf that was read. A small one is checked.
pub(super) enum Loaded<'p> {
    Small(&'p [u8]),
    Large(LargeLeaf),
}

/// Checks a page against the checksum of the part of it that is used.
fn check(ptr: Ptr, bytes: &[u8], widths: Widths) -> Result<()> {
    let end = if Branch::is(bytes) {
        Branch::parse(bytes, widths.key, bytes.len()).map(|branch| branch.end())
    } else {
        Leaf::parse(bytes, widths).and_then(|leaf| leaf.end())
    };
    let used = end.and_then(|end| bytes.get(..end)).ok_or_else(misshapen)?;
    if xxh3_128(used) == ptr.sum {
        Ok(())
    } else {
        Err(doubt("a page does not have the checksum that its parent names"))
    }
}

/// The root of a tree as it is stored in an entry: page and checksum, then its length.
pub(super) fn root_at(stored: &[u8], at: usize) -> Option<(Ptr, u64)> {
    let ptr = Ptr { page: bytes::u64_at(stored, at)?, sum: bytes::u128_at(stored, at + 8)? };
    Some((ptr, bytes::u64_at(stored, at + 24)?))
}

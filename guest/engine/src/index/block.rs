//! A block of an index file: entries sorted by id, as they are stored.

use std::rc::Rc;

use xxhash_rust::xxh3::xxh3_64;

use super::file::{CHECKSUM, ENTRY, Numbered};
use crate::bytes::Cursor;
use crate::id::Id;
use crate::pack::Entry;

/// A block that was checked; it may be part of what is held of its file.
#[derive(Clone)]
pub(crate) struct Block {
    bytes: Rc<Vec<u8>>,
    /// Where it begins, and how many entries it has.
    start: usize,
    len: usize,
}

impl Block {
    /// The block of so many entries that begins here, with its checksum behind it, of a file that names so many packs;
    /// `None` if it is not what was written.
    pub(super) fn check(bytes: &[u8], len: usize, packs: usize) -> Option<()> {
        let (list, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
        if list.len() != len * ENTRY || xxh3_64(list) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let mut last: Option<(u64, &[u8])> = None;
        for entry in list.chunks_exact(ENTRY) {
            let (Entry { id, .. }, pack) = decode(entry)?;
            // Eight bytes nearly always tell, and slices are compared byte by byte in a component.
            let here = (id.prefix(), &entry[..32]);
            if pack as usize >= packs || last.is_some_and(|last| last >= here) {
                return None;
            }
            last = Some(here);
        }
        Some(())
    }

    /// Of bytes that were checked.
    pub(super) fn new(bytes: Rc<Vec<u8>>, start: usize, len: usize) -> Self {
        Self { bytes, start, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry in this place.
    pub(crate) fn get(&self, at: usize) -> Option<Numbered> {
        let start = self.start + at * ENTRY;
        if at < self.len { decode(self.bytes.get(start..start + ENTRY)?) } else { None }
    }

    /// All entries.
    pub(crate) fn entries(&self) -> Vec<Numbered> {
        (0..self.len).filter_map(|at| self.get(at)).collect()
    }

    /// How many entries have ids before this one.
    pub(super) fn before(&self, id: &Id) -> usize {
        // Slices are compared byte by byte in a component, and eight bytes nearly always tell.
        let begin = id.prefix();
        let is_before = |at: usize| {
            let here = self.id(at);
            let prefix = here.first_chunk().map_or(0, |begin| u64::from_be_bytes(*begin));
            prefix < begin || (prefix == begin && here < &id.0[..])
        };
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The id in this place.
    pub(super) fn id(&self, at: usize) -> &[u8] {
        let start = self.start + at * ENTRY;
        &self.bytes[start..start + 32]
    }
}

fn decode(entry: &[u8]) -> Option<Numbered> {
    let mut cursor = Cursor(entry);
    Some((Entry::decode(&mut cursor)?, cursor.u32()?))
}

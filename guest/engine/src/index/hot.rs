//! Packs whose entries are held in memory because lookups fall into them one after the other.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Location;
use crate::id::Id;
use crate::pack::Entry;

/// So many packs, with so many entries together.
const PACKS: usize = 16;
const ENTRIES: usize = 1 << 17;

/// Sorted by id.
type Entries = Rc<[Entry]>;

/// The packs that are held, the latest last.
#[derive(Default)]
pub(super) struct Hot {
    packs: VecDeque<(Id, Entries)>,
    entries: usize,
}

impl Hot {
    pub(super) fn has(&self, pack: &Id) -> bool {
        self.packs.iter().any(|(hot, _)| hot == pack)
    }

    /// Where this object lies in one of them, resting on fewer objects than this.
    pub(super) fn find(&self, id: &Id, depth: u8) -> Option<Location> {
        let found = |(pack, entries): &(Id, Entries)| Some(find(entries, id)?.in_pack(*pack));
        self.packs.iter().rev().filter_map(found).find(|found| found.mark.depth() < depth)
    }

    /// Holds another one.
    pub(super) fn keep(&mut self, pack: Id, entries: Vec<Entry>) -> Entries {
        let entries: Entries = entries.into();
        self.entries += entries.len();
        self.packs.push_back((pack, Rc::clone(&entries)));
        while self.packs.len() > PACKS || (self.entries > ENTRIES && self.packs.len() > 1) {
            let gone = self.packs.pop_front().map_or(0, |(_, entries)| entries.len());
            self.entries -= gone;
        }
        entries
    }
}

/// The one of these entries that is of this object.
pub(super) fn find<'e>(entries: &'e [Entry], id: &Id) -> Option<&'e Entry> {
    entries.binary_search_by(|entry| entry.id.cmp(id)).ok().map(|at| &entries[at])
}

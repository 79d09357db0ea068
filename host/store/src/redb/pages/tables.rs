//! The tree of tables: name to definition.

use super::bytes::{u32_at, u64_at};
use super::doubt;
use super::file::{Pages, Ptr, root_at};
use super::header::Slot;
use super::leaves::{Leaves, leaf_of};
use super::page::Widths;
use crate::Result;
use crate::redb::schema::Schema;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

const PLAIN: u8 = 3;
const MULTIMAP: u8 = 4;
const NAMES: Widths = Widths { key: None, value: None };
/// A definition: kind, length, whether there is a root, root; then what the table is.
const ROOT_FLAG: usize = 9;
const ROOT: usize = 10;
const WHAT: usize = 42;

/// A table as the pages have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redb) struct Definition {
    pub(in crate::redb) multimap: bool,
    pub(in crate::redb) entries: u64,
    pub(super) root: Option<Ptr>,
    /// Of keys and values as the application has them; in a multimap, a value is stored as a collection.
    pub(super) widths: Widths,
    /// XXH3-128 of its kind, widths and types.
    pub(super) identity: u128,
}

/// All tables of one moment.
pub(in crate::redb) struct Tables(BTreeMap<String, Definition>);

impl Tables {
    pub(in crate::redb) fn read(pages: &Pages, slot: Slot) -> Result<Self> {
        let mut tables = BTreeMap::new();
        let Some((root, length)) = slot.root else { return Ok(Self(tables)) };
        let mut leaves = Leaves::new(root, NAMES);
        while let Some(leaf) = leaves.next(pages)? {
            let bytes = leaf_of(leaf)?;
            let leaf = super::page::Leaf::parse(&bytes, NAMES).ok_or_else(unknown)?;
            for i in 0..leaf.count() {
                let (name, stored) = leaf.entry(i).ok_or_else(unknown)?;
                let name = String::from_utf8(name.to_vec()).map_err(doubt)?;
                tables.insert(name, Definition::read(stored).ok_or_else(unknown)?);
            }
        }
        if tables.len() as u64 != length {
            return Err(doubt("the number of tables"));
        }
        Ok(Self(tables))
    }

    pub(in crate::redb) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::redb) fn get(&self, name: &str) -> Option<&Definition> {
        self.0.get(name)
    }
}

fn unknown() -> crate::Error {
    doubt("a table that is defined in a way that is not known here")
}

impl Definition {
    fn read(stored: &[u8]) -> Option<Self> {
        let multimap = match *stored.first()? {
            PLAIN => false,
            MULTIMAP => true,
            _ => return None,
        };
        let entries = u64_at(stored, 1)?;
        let (root, length) = root_at(stored, ROOT)?;
        let root = match stored.get(ROOT_FLAG)? {
            0 => None,
            1 => Some(root),
            _ => return None,
        };
        // Of a multimap's root it is the number of keys.
        let sound = match root {
            None => entries == 0,
            Some(_) if multimap => entries > 0,
            Some(_) => entries == length && length > 0,
        };
        let width = |at| match stored.get(at)? {
            0 => Some(None),
            1 => usize::try_from(u32_at(stored, at + 1)?).ok().map(Some),
            _ => None,
        };
        let widths = Widths { key: width(WHAT)?, value: width(WHAT + 5)? };
        // Alignments: redb knows no other.
        let aligned = u32_at(stored, WHAT + 10)? == 1 && u32_at(stored, WHAT + 14)? == 1;
        let mut identity = stored.get(WHAT..)?.to_vec();
        identity.push(stored[0]);
        (sound && aligned).then(|| Self { multimap, entries, root, widths, identity: xxh3_128(&identity) })
    }

    /// It is what redb says of the table.
    pub(in crate::redb) fn is(&self, table: &crate::Table, schema: &Schema) -> bool {
        let widths = Widths { key: schema.types.key.width, value: schema.types.value.width };
        (self.multimap, self.entries, self.widths) == (table.multimap, table.entries, widths)
    }

    /// The widths in the leaves of the table's own tree.
    pub(super) fn stored(&self) -> Widths {
        if self.multimap { Widths { key: self.widths.key, value: None } } else { self.widths }
    }

    /// The widths in the tree that holds the values of one key of a multimap, as its keys.
    pub(super) fn subtree(&self) -> Widths {
        Widths { key: self.widths.value, value: Some(0) }
    }
}

//! References: the items of nodes above level 0.

use serde::{Deserialize, Serialize};

use super::item::Item;
use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::id::Id;

/// How a node is named from one level up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ref {
    /// The node's id.
    pub id: Id,
    /// How many items it has.
    pub items: u32,
    /// How many entries lie below it.
    pub entries: u64,
    /// How many bytes the keys and values of those entries have.
    pub bytes: u64,
    /// The rank of the last of them.
    pub rank: u8,
}

impl Ref {
    /// How many bytes a reference has in a node.
    pub(crate) const LEN: usize = 32 + 4 + 8 + 8 + 1;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.items.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.push(self.rank);
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            id: Id(cursor.array()?),
            items: cursor.u32()?,
            entries: cursor.u64()?,
            bytes: cursor.u64()?,
            rank: cursor.u8()?,
        })
    }
}

/// How much a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    /// How many items it has.
    pub items: u32,
    /// How many entries lie below it.
    pub entries: u64,
    /// How many bytes their keys and values have.
    pub bytes: u64,
}

impl Sums {
    /// Of items given as entries and bytes below each; `None`: more than can be counted.
    fn of(items: impl Iterator<Item = (u64, u64)>) -> Option<Self> {
        let mut sums = Self { items: 0, entries: 0, bytes: 0 };
        for (entries, bytes) in items {
            sums = Self {
                items: sums.items.checked_add(1)?,
                entries: sums.entries.checked_add(entries)?,
                bytes: sums.bytes.checked_add(bytes)?,
            };
        }
        Some(sums)
    }

    /// Of a leaf with these items.
    pub(crate) fn of_items(items: &[Item<'_>]) -> Option<Self> {
        Self::of(items.iter().map(|item| (1, u64::from(item.key.len()) + u64::from(item.value.len()))))
    }

    /// Of a node above these.
    pub(crate) fn of_nodes(nodes: &[Ref]) -> Option<Self> {
        Self::of(nodes.iter().map(|node| (node.entries, node.bytes)))
    }
}

impl Ref {
    /// How much the node is said to hold.
    pub(crate) fn sums(&self) -> Sums {
        Sums { items: self.items, entries: self.entries, bytes: self.bytes }
    }

    /// Fails unless the leaf with these items is what is said of it.
    pub(crate) fn check_leaf(&self, items: &[Item<'_>]) -> Result<()> {
        self.check_sums(Sums::of_items(items))
    }

    /// Fails unless the node's items, given as entries and bytes below each, are what is said of it.
    pub(crate) fn check(&self, items: impl Iterator<Item = (u64, u64)>) -> Result<()> {
        self.check_sums(Sums::of(items))
    }

    fn check_sums(&self, sums: Option<Sums>) -> Result<()> {
        if sums != Some(self.sums()) {
            return Err(Error::damaged(format!("node {} does not hold what is said of it", self.id)));
        }
        Ok(())
    }
}

/// The references in the content of a node above level 0.
pub(crate) fn refs(content: &[u8]) -> Result<impl Iterator<Item = Ref> + '_> {
    if content.is_empty() || !content.len().is_multiple_of(Ref::LEN) {
        return Err(Error::damaged(format!("a node of {} bytes is not a list of references", content.len())));
    }
    let refs = || content.chunks_exact(Ref::LEN).filter_map(|item| Ref::decode(&mut Cursor(item)));
    // Whoever goes through a tree gets on with every leaf; without entries it could be gone through for ever.
    if refs().any(|node| node.items == 0 || node.entries == 0) {
        return Err(Error::damaged("a node is said to hold nothing"));
    }
    Ok(refs())
}

/// No tree is higher: entries of the highest rank alone make 5 levels of single references, above which only the
/// ceiling cuts, and five more levels hold more entries than can be counted.
pub(crate) const LEVEL_MAX: u8 = 15;

/// A tree, from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    /// The level of its topmost node.
    pub level: u8,
    /// That node.
    pub node: Ref,
}

impl Root {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.level);
        self.node.encode(out);
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let level = cursor.u8().filter(|level| *level <= LEVEL_MAX)?;
        Some(Self { level, node: Ref::decode(cursor)? })
    }
}

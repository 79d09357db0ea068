//! The engine's inner loops, each alone, for benchmarks.

use crate::delta;
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::index::Index;
use crate::object::{self, Encoder};
use crate::pack;
use crate::tree::leaves::{LeafSink, Leaves, Mode};
use crate::tree::node::Ref;
use crate::vault::Vault;

/// A leaf of a table.
const LEAF: Kind = Kind::Node { level: 0 };

/// The ends of the leaves that packed entries are cut into; nothing is hashed or kept.
pub fn cut(packed: &[u8]) -> Result<Vec<usize>> {
    struct Ends(Vec<usize>);
    impl LeafSink for Ends {
        fn put(&mut self, _: Kind, content: &[u8]) -> Result<Id> {
            self.0.push(self.0.last().unwrap_or(&0) + content.len());
            Ok(Id([0; 32]))
        }
        fn leaf(&mut self, _: Ref) -> Result<()> {
            Ok(())
        }
    }
    let (mut leaves, mut ends) = (Leaves::new(false, Mode::Cut), Ends(Vec::new()));
    leaves.push(packed, &mut ends)?;
    leaves.end(&mut ends)?;
    Ok(ends.0)
}

/// The id of a leaf.
pub fn hash(leaf: &[u8]) -> Id {
    LEAF.id_of(leaf)
}

/// Makes stored objects of leaves.
#[derive(Default)]
pub struct Objects(Encoder);

impl Objects {
    /// Puts a leaf as it is stored into `stored`: compressed, decoded again and hashed.
    pub fn encode(&mut self, leaf: &[u8], stored: &mut Vec<u8>) -> Result<Id> {
        stored.clear();
        Ok(self.0.encode(LEAF, leaf, None, stored)?.0)
    }

    /// Gives a leaf back, checked against its id.
    pub fn decode(id: Id, stored: &[u8]) -> Result<Vec<u8>> {
        object::decode(LEAF, id, stored)
    }
}

/// The edit script that makes one leaf of another.
pub fn edits(old: &[u8], new: &[u8]) -> Vec<u8> {
    delta::diff(LEAF, old, new)
}

/// What an edit script makes of a leaf.
pub fn edited(script: &[u8], old: &[u8], len: usize) -> Result<Vec<u8>> {
    delta::apply(script, old, len)
}

/// The ids of all objects in a repository's packs.
pub fn ids(vault: &dyn Vault) -> Result<Vec<Id>> {
    let mut ids = Vec::new();
    for name in vault.list("packs")? {
        if let Some(id) = Id::from_hex(&name) {
            ids.extend(pack::entries(vault, id)?.1.iter().map(|entry| entry.id));
        }
    }
    Ok(ids)
}

/// The index of a repository.
pub struct Known<'v>(Index<'v>);

impl<'v> Known<'v> {
    /// As it is now.
    pub fn open(vault: &'v dyn Vault) -> Result<Self> {
        Ok(Self(Index::open(vault)?))
    }

    /// Whether an object lies in a pack.
    pub fn finds(&self, id: &Id) -> Result<bool> {
        Ok(self.0.find_anywhere(id)?.is_some())
    }
}

//! Entries that come in packed, as items of leaves, a batch at a time.

use super::Put;
use super::item::{Field, Items, PIECE, SPILLED};
use super::leaves::{Large, lengths};
use super::old::Piece;
use super::rank::rank;
use crate::error::{Error, Result};
use crate::id::{Kind, Tree};

/// Items in the order in which they came, and the entry that has come only in part.
pub(crate) struct Arrivals {
    tree: Tree,
    items: Vec<u8>,
    ends: Vec<usize>,
    partial: Vec<u8>,
    large: Option<Large>,
}

impl Arrivals {
    pub(crate) fn new(tree: Tree) -> Self {
        Self { tree, items: Vec::new(), ends: Vec::new(), partial: Vec::new(), large: None }
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn item(&self, number: usize) -> &[u8] {
        let from = number.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.items[from..self.ends[number]]
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    /// No entry has come only in part.
    pub(crate) fn is_whole(&self) -> bool {
        self.partial.is_empty() && self.large.is_none()
    }

    /// Takes bytes up to the end of an entry, or all; says what is left of them.
    pub(crate) fn push<'c>(&mut self, chunk: &'c [u8], out: &mut dyn Put) -> Result<&'c [u8]> {
        if let Some(large) = &mut self.large {
            let rest = large.push(chunk, Some(&mut |piece| out.put(Kind::Blob, piece)))?;
            if !large.is_open() {
                self.items.extend_from_slice(&large.item());
                self.ends.push(self.items.len());
                self.large = None;
            }
            return Ok(rest);
        }
        if self.partial.is_empty()
            && let Some((key, value)) = lengths(chunk)
            && key <= PIECE
            && value <= PIECE
            && let Some((entry, rest)) = chunk.split_at_checked(8 + key + value)
        {
            self.items.extend_from_slice(entry);
            self.ends.push(self.items.len());
            return Ok(rest);
        }
        self.push_partial(chunk)
    }

    fn push_partial<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8]> {
        let missing = match lengths(&self.partial) {
            None => 8 - self.partial.len(),
            Some((key, value)) => 8 + key + value - self.partial.len(),
        };
        let (head, rest) = chunk.split_at(missing.min(chunk.len()));
        self.partial.extend_from_slice(head);
        match lengths(&self.partial) {
            Some((key, value)) if key > PIECE || value > PIECE => {
                if self.tree != Tree::Table {
                    return Err(Error::invalid("an entry has more bytes than can be tracked"));
                }
                if key == SPILLED as usize {
                    return Err(Error::invalid("a key has 4 GiB, a length that is never used"));
                }
                self.partial.clear();
                self.large = Some(Large::begin(key, value)?);
            }
            Some((key, value)) if self.partial.len() == 8 + key + value => {
                self.items.extend_from_slice(&self.partial);
                self.ends.push(self.items.len());
                self.partial.clear();
            }
            _ => {}
        }
        Ok(rest)
    }

    /// An item with all that the tree wants to know of it. `whole`: it is who it is by its value too.
    pub(crate) fn piece(item: &[u8], whole: bool) -> Result<Piece<'_>> {
        let read = Items::new(item).next().ok_or_else(|| Error::damaged("there is no item"))??;
        let bytes = u64::from(read.key.len()) + u64::from(read.value.len());
        let identity = match read.key {
            _ if whole => item,
            Field::Here(key) | Field::Pieces(key, _) => key,
        };
        Ok(Piece { raw: item, entries: 1, bytes, rank: rank(identity, 8 + bytes) })
    }
}

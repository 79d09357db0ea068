//! The entries of a leaf of a multimap: of each key, the values that stand beside it, or are a tree of their own.

use super::file::{LeafPage, Pages, Ptr, root_at};
use super::large::{LargeBytes, Piece};
use super::leaves::Leaves;
use super::page::{Leaf, Widths};
use super::tables::Definition;
use super::{doubt, misshapen};
use crate::{Result, frame};

const INLINE: u8 = 1;
const SUBTREE: u8 = 3;
/// So many bytes are packed at once.
const ENOUGH: usize = 64 << 10;

enum Stored<'p> {
    /// A leaf in the value.
    Inline(Leaf<'p>),
    /// A tree, and how many values are in it.
    Subtree(Ptr, u64),
}

impl<'p> Stored<'p> {
    fn read(stored: &'p [u8], widths: Widths) -> Result<Self> {
        let read = match stored.split_first() {
            Some((&INLINE, leaf)) => Leaf::parse(leaf, widths).map(Stored::Inline),
            Some((&SUBTREE, _)) => root_at(stored, 1).map(|(root, len)| Stored::Subtree(root, len)),
            _ => None,
        };
        read.ok_or_else(|| doubt("values that are stored in a way that is not known here"))
    }
}

/// How many values all keys in a leaf have.
pub(super) fn count(table: &Definition, leaf: &[u8]) -> Result<u64> {
    let leaf = Leaf::parse(leaf, table.stored()).ok_or_else(misshapen)?;
    (0..leaf.count()).try_fold(0u64, |sum, i| {
        let (_, stored) = leaf.entry(i).ok_or_else(misshapen)?;
        let more = match Stored::read(stored, table.subtree())? {
            Stored::Inline(values) => values.count() as u64,
            Stored::Subtree(_, len) => len,
        };
        sum.checked_add(more).filter(|_| more > 0).ok_or_else(|| doubt("a wrong number of values"))
    })
}

/// Where in a leaf of a multimap.
pub(super) struct Values {
    leaf: Vec<u8>,
    key: usize,
    of_key: OfKey,
}

/// Where in the values of a key.
enum OfKey {
    Before,
    Inline(usize),
    Subtree { leaves: Leaves, left: u64, now: Now },
}

/// Where in a tree of values.
enum Now {
    Nothing,
    Leaf(Vec<u8>, usize),
    Large(LargeBytes),
}

impl Values {
    pub(super) fn new(leaf: Vec<u8>) -> Self {
        Self { leaf, key: 0, of_key: OfKey::Before }
    }

    /// Appends some bytes of the entries, and says how many were begun; `None`: those before were all.
    pub(super) fn pack(
        &mut self,
        pages: &Pages,
        table: &Definition,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>> {
        let leaf = Leaf::parse(&self.leaf, table.stored()).ok_or_else(misshapen)?;
        let mut packed = 0;
        let enough = out.len() + ENOUGH;
        while self.key < leaf.count() {
            let (key, stored) = leaf.entry(self.key).ok_or_else(misshapen)?;
            let more = match &mut self.of_key {
                OfKey::Before => {
                    self.of_key = match Stored::read(stored, table.subtree())? {
                        Stored::Inline(_) => OfKey::Inline(0),
                        Stored::Subtree(root, left) => {
                            let leaves = Leaves::new(root, table.subtree());
                            OfKey::Subtree { leaves, left, now: Now::Nothing }
                        }
                    };
                    Some(0)
                }
                OfKey::Inline(next) => match Stored::read(stored, table.subtree())? {
                    Stored::Inline(values) => pack_leaf(key, &values, next, enough, out)?,
                    Stored::Subtree(..) => return Err(misshapen()),
                },
                OfKey::Subtree { leaves, left, now } => {
                    let more = pack_tree(pages, table, key, leaves, now, enough, out)?;
                    let now_left = left.checked_sub(more.unwrap_or(0));
                    *left = now_left.filter(|left| more.is_some() || *left == 0).ok_or_else(misshapen)?;
                    more
                }
            };
            match more {
                Some(more) => packed += more,
                None => {
                    self.of_key = OfKey::Before;
                    self.key += 1;
                }
            }
            if out.len() >= enough {
                return Ok(Some(packed));
            }
        }
        Ok((packed > 0).then_some(packed))
    }
}

/// Packs values of a key from a leaf of them.
fn pack_leaf(
    key: &[u8],
    values: &Leaf<'_>,
    next: &mut usize,
    enough: usize,
    out: &mut Vec<u8>,
) -> Result<Option<u64>> {
    let begin = *next;
    while *next < values.count() && out.len() < enough {
        let (value, _) = values.entry(*next).ok_or_else(misshapen)?;
        frame::push(out, key, value)?;
        *next += 1;
    }
    Ok((*next > begin).then_some((*next - begin) as u64))
}

/// Packs values of a key from their tree.
fn pack_tree(
    pages: &Pages,
    table: &Definition,
    key: &[u8],
    leaves: &mut Leaves,
    now: &mut Now,
    enough: usize,
    out: &mut Vec<u8>,
) -> Result<Option<u64>> {
    match now {
        Now::Nothing => match leaves.next(pages)? {
            None => return Ok(None),
            Some(LeafPage::Small(leaf)) => *now = Now::Leaf(leaf, 0),
            Some(LeafPage::Large(large)) => *now = Now::Large(large.stream()),
        },
        Now::Leaf(leaf, next) => {
            let values = Leaf::parse(leaf, table.subtree()).ok_or_else(misshapen)?;
            match pack_leaf(key, &values, next, enough, out)? {
                Some(more) => return Ok(Some(more)),
                None => *now = Now::Nothing,
            }
        }
        Now::Large(large) => match large.next(pages)? {
            Some(Piece::Bytes(bytes)) => out.extend_from_slice(bytes),
            Some(Piece::Entry { key_len, .. }) => {
                out.extend_from_slice(&frame::header(key.len(), key_len)?);
                out.extend_from_slice(key);
                return Ok(Some(1));
            }
            None => *now = Now::Nothing,
        },
    }
    Ok(Some(0))
}

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
    Tree(Box<Tree>),
}

/// Where in a tree of values.
struct Tree {
    leaves: Leaves,
    /// How many values are left to come.
    left: u64,
    now: Now,
}

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
                            OfKey::Tree(Box::new(Tree { leaves, left, now: Now::Nothing }))
                        }
                    };
                    Some(0)
                }
                OfKey::Inline(next) => match Stored::read(stored, table.subtree())? {
                    Stored::Inline(values) => pack_leaf(key, &values, next, enough, out)?,
                    Stored::Subtree(..) => return Err(misshapen()),
                },
                OfKey::Tree(tree) => tree.pack(pages, table, key, enough, out)?,
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

impl Tree {
    /// Packs values of this key; says how many were begun.
    fn pack(
        &mut self,
        pages: &Pages,
        table: &Definition,
        key: &[u8],
        enough: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>> {
        let more = match &mut self.now {
            Now::Nothing => {
                self.now = match self.leaves.next(pages)? {
                    None if self.left == 0 => return Ok(None),
                    None => return Err(doubt("fewer values than there should be")),
                    Some(LeafPage::Small(leaf)) => Now::Leaf(leaf, 0),
                    Some(LeafPage::Large(large)) => Now::Large(large.stream()),
                };
                0
            }
            Now::Leaf(leaf, next) => {
                let values = Leaf::parse(leaf, table.subtree()).ok_or_else(misshapen)?;
                match pack_leaf(key, &values, next, enough, out)? {
                    Some(more) => more,
                    None => {
                        self.now = Now::Nothing;
                        0
                    }
                }
            }
            Now::Large(large) => match large.next(pages)? {
                Some(Piece::Bytes(bytes)) => {
                    out.extend_from_slice(bytes);
                    0
                }
                Some(Piece::Entry { key_len, .. }) => {
                    out.extend_from_slice(&frame::header(key.len(), key_len)?);
                    out.extend_from_slice(key);
                    1
                }
                None => {
                    self.now = Now::Nothing;
                    0
                }
            },
        };
        self.left = self.left.checked_sub(more).ok_or_else(|| doubt("more values than there should be"))?;
        Ok(Some(more))
    }
}

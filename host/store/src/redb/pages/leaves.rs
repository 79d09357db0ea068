//! All leaves of a tree, in order.

use super::doubt;
use super::file::{LeafPage, Node, Pages, Ptr};
use super::page::Widths;
use crate::Result;

/// No tree of redb is nearly as deep.
pub(super) const MAX_DEPTH: usize = 64;

/// Where a walk from the first leaf to the last has come to.
pub(super) struct Leaves {
    /// For each level the children that come next, last one first.
    stack: Vec<Vec<Ptr>>,
    widths: Widths,
}

impl Leaves {
    pub(super) fn new(root: Ptr, widths: Widths) -> Self {
        Self { stack: vec![vec![root]], widths }
    }

    pub(super) fn next(&mut self, pages: &Pages) -> Result<Option<LeafPage>> {
        while let Some(level) = self.stack.last_mut() {
            let Some(ptr) = level.pop() else {
                self.stack.pop();
                continue;
            };
            match pages.node(ptr, self.widths)? {
                Node::Leaf(leaf) => return Ok(Some(leaf)),
                Node::Branch(mut children) => {
                    if self.stack.len() > MAX_DEPTH {
                        return Err(doubt("a tree that is too deep"));
                    }
                    children.reverse();
                    self.stack.push(children);
                }
            }
        }
        Ok(None)
    }
}

/// A leaf that must be one that can be held.
pub(super) fn leaf_of(leaf: LeafPage) -> Result<Vec<u8>> {
    match leaf {
        LeafPage::Small(bytes) => Ok(bytes),
        LeafPage::Large(_) => Err(doubt("a page that is too large")),
    }
}

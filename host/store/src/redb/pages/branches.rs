//! The groups of a table: its branch pages right above leaves, in order.

use super::doubt;
use super::file::{Node, Pages, Ptr};
use super::leaves::MAX_DEPTH;
use super::page::Widths;
use super::tables::Definition;
use crate::Result;

/// Where a walk over the groups has come to. It reads the branches above them, and not the groups.
pub(super) struct Branches {
    stack: Vec<Vec<Ptr>>,
    /// How many levels of branches are above the groups.
    above: usize,
    /// The table is a single leaf, which is its own group.
    leaf: bool,
    widths: Widths,
}

impl Branches {
    pub(super) fn new(pages: &Pages, table: &Definition) -> Result<Self> {
        let widths = table.stored();
        let Some(root) = table.root else {
            return Ok(Self { stack: Vec::new(), above: 0, leaf: false, widths });
        };
        // All leaves of a tree are equally deep. Should one not be, it is found where a leaf is expected.
        let (mut at, mut branches) = (root, 0);
        while let Node::Branch(children) = pages.node(at, widths)? {
            at = *children.first().ok_or_else(|| doubt("a branch without children"))?;
            branches += 1;
            if branches > MAX_DEPTH {
                return Err(doubt("a tree that is too deep"));
            }
        }
        Ok(Self { stack: vec![vec![root]], above: branches.max(1) - 1, leaf: branches == 0, widths })
    }

    /// The next group; not read, nor known to be sound.
    pub(super) fn next(&mut self, pages: &Pages) -> Result<Option<Ptr>> {
        while let Some(level) = self.stack.last_mut() {
            let Some(ptr) = level.pop() else {
                self.stack.pop();
                continue;
            };
            if self.stack.len() > self.above {
                return Ok(Some(ptr));
            }
            let mut children = pages.children(ptr, self.widths)?;
            children.reverse();
            self.stack.push(children);
        }
        Ok(None)
    }

    /// The leaves of a group.
    pub(super) fn members(&self, pages: &Pages, group: Ptr) -> Result<Vec<Ptr>> {
        if self.leaf { Ok(vec![group]) } else { pages.children(group, self.widths) }
    }
}

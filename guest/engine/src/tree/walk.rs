//! Goes through a tree in order, holding one node a level.

use super::node::{Ref, Root, refs};
use crate::error::{Place, Result};
use crate::id::{Kind, Tree};

/// Where content comes from.
pub(crate) trait Get {
    /// The content of this reference, verified against its id.
    fn get(&self, kind: Kind, node: &Ref) -> Result<Vec<u8>>;
}

/// The leaves of a tree, in order.
pub(crate) struct Walk {
    tree: Tree,
    /// What is still to visit, the next one last: (level, reference).
    todo: Vec<(u8, Ref)>,
    /// How many entries of the first leaf lie before the place where the walk begins.
    skip: u64,
}

impl Walk {
    /// All leaves of a table's tree.
    pub(crate) fn new(root: Option<Root>) -> Self {
        Self::of(Tree::Table, root)
    }

    /// All leaves of a tree of this kind.
    pub(crate) fn of(tree: Tree, root: Option<Root>) -> Self {
        Self { tree, todo: root.map(|root| (root.level, root.node)).into_iter().collect(), skip: 0 }
    }

    /// The leaves from the one that holds this entry, counted from 0; `skip` says where in it.
    pub(crate) fn from_entry(root: Option<Root>, entry: u64, get: &dyn Get) -> Result<Self> {
        let mut walk = Self::new(root);
        let mut before = 0;
        while let Some((level, node)) = walk.todo.pop() {
            if before + node.entries <= entry {
                before += node.entries;
            } else if level > 0 {
                walk.open(level, &node, get)?;
            } else {
                walk.todo.push((level, node));
                walk.skip = entry - before;
                break;
            }
        }
        Ok(walk)
    }

    /// How many entries of the next leaf lie before the beginning; nonzero only for the first one.
    pub(crate) fn take_skip(&mut self) -> u64 {
        std::mem::take(&mut self.skip)
    }

    /// Puts what lies below a node on the list.
    fn open(&mut self, level: u8, node: &Ref, get: &dyn Get) -> Result<()> {
        let content = get.get(self.tree.kind(level), node)?;
        let first = self.todo.len();
        self.todo
            .extend(refs(&content).place(format_args!("node {}", node.id))?.map(|below| (level - 1, below)));
        node.check(self.todo[first..].iter().map(|(_, below)| (below.entries, below.bytes)))?;
        self.todo[first..].reverse();
        Ok(())
    }

    /// The next leaf and its content.
    pub(crate) fn next(&mut self, get: &dyn Get) -> Result<Option<(Ref, Vec<u8>)>> {
        while let Some((level, node)) = self.todo.pop() {
            if level == 0 {
                let content = get.get(self.tree.kind(0), &node)?;
                return Ok(Some((node, content)));
            }
            self.open(level, &node, get)?;
        }
        Ok(None)
    }
}

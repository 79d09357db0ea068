//! The tree that is changed: any node by the entries below it, read only when asked for.

use std::collections::VecDeque;
use std::rc::Rc;

use super::item::Items;
use super::node::{Ref, Root, refs};
use crate::delta::Base;
use crate::error::{Error, Place, Result};
use crate::id::{Kind, Tree};

/// Bytes of leaves that are held because they may be asked for again.
const HELD: usize = 4 << 20;

/// Where the nodes come from.
pub(crate) trait Bases {
    /// The content of this node, verified against its id, with what it takes to store another as a delta of it.
    fn base(&self, kind: Kind, node: &Ref) -> Result<Base>;
}

/// A node, and where its items lie.
pub(crate) struct OldNode {
    pub(crate) node: Ref,
    /// The number of the first entry below it, counted from 0 over the whole tree.
    pub(crate) start: u64,
    pub(crate) base: Base,
    /// For each item: where it ends in the content, the number of the entry that follows it, and the bytes below it.
    items: Vec<(u32, u64, u64)>,
    /// Above the leaves: what they say.
    refs: Vec<Ref>,
}

/// An item of a node: an entry, or a reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) rank: u8,
}

impl OldNode {
    fn read(tree: Tree, level: u8, start: u64, node: Ref, from: &dyn Bases) -> Result<Self> {
        let base = from.base(tree.kind(level), &node)?;
        let mut old = Self { node, start, base, items: Vec::new(), refs: Vec::new() };
        old.list(level).place(format_args!("node {}", node.id))?;
        Ok(old)
    }

    fn list(&mut self, level: u8) -> Result<()> {
        let content = &self.base.content;
        let mut next = self.start;
        if level == 0 {
            let items = Items::new(content).collect::<Result<Vec<_>>>()?;
            self.node.check_leaf(&items)?;
            let mut end = 0;
            for item in items {
                end += item.raw.len() as u32;
                next += 1;
                let bytes = u64::from(item.key.len()) + u64::from(item.value.len());
                self.items.push((end, next, bytes));
            }
        } else {
            self.refs = refs(content)?.collect();
            self.node.check(self.refs.iter().map(|below| (below.entries, below.bytes)))?;
            for (number, below) in (1..).zip(&self.refs) {
                next = next.checked_add(below.entries).ok_or_else(|| Error::damaged("entries overflow"))?;
                self.items.push((number * Ref::LEN as u32, next, below.bytes));
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The number of the entry that follows the node.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.node.entries
    }

    /// The item of this number.
    pub(crate) fn piece(&self, number: usize) -> Piece<'_> {
        let (from, before) = match number.checked_sub(1) {
            Some(last) => (self.items[last].0, self.items[last].1),
            None => (0, self.start),
        };
        let (to, next, bytes) = self.items[number];
        let rank = match self.refs.get(number) {
            Some(below) => below.rank,
            // One that has a rank ends its leaf.
            None if number + 1 == self.items.len() => self.node.rank,
            None => 0,
        };
        Piece { raw: &self.base.content[from as usize..to as usize], entries: next - before, bytes, rank }
    }

    /// The number of the item that holds this entry, which lies below the node or just behind it.
    pub(crate) fn item_of(&self, entry: u64) -> usize {
        self.items.partition_point(|(_, next, _)| *next <= entry)
    }

    /// The number of the first entry below an item, or behind the last.
    pub(crate) fn entry_of(&self, item: usize) -> u64 {
        item.checked_sub(1).map_or(self.start, |last| self.items[last].1)
    }
}

/// A tree, opened where it is looked at.
pub(crate) struct OldTree<'a> {
    tree: Tree,
    root: Option<Root>,
    from: &'a dyn Bases,
    /// Above the leaves the last node of each level, from level 1 on.
    path: Vec<Option<Rc<OldNode>>>,
    leaves: VecDeque<Rc<OldNode>>,
    held: usize,
}

impl<'a> OldTree<'a> {
    pub(crate) fn new(tree: Tree, root: Option<Root>, from: &'a dyn Bases) -> Self {
        let levels = root.map_or(0, |root| usize::from(root.level));
        Self { tree, root, from, path: vec![None; levels], leaves: VecDeque::new(), held: 0 }
    }

    pub(crate) fn tree(&self) -> Tree {
        self.tree
    }

    pub(crate) fn root(&self) -> Option<Root> {
        self.root
    }

    /// How many entries it has.
    pub(crate) fn entries(&self) -> u64 {
        self.root.map_or(0, |root| root.node.entries)
    }

    /// The node of this level that holds this entry, and the number of the first entry below it.
    pub(crate) fn find(&mut self, level: u8, entry: u64) -> Result<(u64, Ref)> {
        let root = self.root.filter(|root| root.level >= level && entry < root.node.entries);
        let root = root.ok_or_else(|| Error::damaged("an entry is looked for where there is none"))?;
        let (mut start, mut node) = (0, root.node);
        for above in (level + 1..=root.level).rev() {
            let branch = self.node(above, start, node)?;
            let item = branch.item_of(entry);
            let below = branch.refs.get(item).ok_or_else(|| Error::damaged("an entry is below no node"))?;
            (start, node) = (branch.entry_of(item), *below);
        }
        Ok((start, node))
    }

    /// A node that was found.
    pub(crate) fn node(&mut self, level: u8, start: u64, node: Ref) -> Result<Rc<OldNode>> {
        let is_it = |held: &&Rc<OldNode>| held.start == start && held.node.id == node.id;
        let Some(place) = level.checked_sub(1).map(usize::from) else {
            if let Some(held) = self.leaves.iter().find(is_it) {
                return Ok(Rc::clone(held));
            }
            let read = Rc::new(OldNode::read(self.tree, level, start, node, self.from)?);
            self.held += read.base.content.len();
            self.leaves.push_back(Rc::clone(&read));
            while self.held > HELD && self.leaves.len() > 1 {
                self.held -= self.leaves.pop_front().map_or(0, |gone| gone.base.content.len());
            }
            return Ok(read);
        };
        if let Some(held) = self.path[place].as_ref().filter(is_it) {
            return Ok(Rc::clone(held));
        }
        let read = Rc::new(OldNode::read(self.tree, level, start, node, self.from)?);
        self.path[place] = Some(Rc::clone(&read));
        Ok(read)
    }

    /// The only item of a node that has one, if the node lies in the tree.
    pub(crate) fn only_child(&self, level: u8, node: &Ref) -> Result<Ref> {
        let read = OldNode::read(self.tree, level, 0, *node, self.from)?;
        read.refs.first().copied().ok_or_else(|| Error::damaged("a node above the leaves is empty"))
    }
}

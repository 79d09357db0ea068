//! The nodes of a side, in their order.

use std::cell::Cell;
use std::collections::VecDeque;

use crate::error::{Error, Place, Result};
use crate::id::{Id, Kind};
use crate::objects::Objects;
use crate::store::{Bytes, Store, Table};
use crate::tree::leaves::{LeafSink, Leaves, Mode};
use crate::tree::node::{Ref, Root, refs};
use crate::vault::Vault;

/// Where the nodes of a side are read.
pub(super) struct Source<'a> {
    objects: Objects<'a>,
    reads: Cell<u64>,
}

impl<'a> Source<'a> {
    pub(super) fn open(vault: &'a dyn Vault) -> Result<Self> {
        Ok(Self { objects: Objects::open(vault)?, reads: Cell::new(0) })
    }

    /// How many nodes were read.
    pub(super) fn reads(&self) -> u64 {
        self.reads.get()
    }

    pub(super) fn read(&self, level: u8, id: Id) -> Result<Vec<u8>> {
        self.reads.set(self.reads.get() + 1);
        self.objects.read(Kind::Node { level }, id)
    }
}

/// A node, with its content if nobody else has that.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) node: Ref,
    pub(super) content: Option<Vec<u8>>,
}

/// All nodes of one level, in order.
pub(super) enum Nodes<'a> {
    Tree {
        /// What is still to come, the next one last: level and reference.
        todo: Vec<(u8, Ref)>,
        level: u8,
    },
    Live(Box<Live<'a>>),
}

impl<'a> Nodes<'a> {
    pub(super) fn none() -> Self {
        Nodes::Tree { todo: Vec::new(), level: 0 }
    }

    /// Those of a tree at this level, which it reaches.
    pub(super) fn tree(root: Option<Root>, level: u8) -> Self {
        Nodes::Tree { todo: root.map(|root| (root.level, root.node)).into_iter().collect(), level }
    }

    /// Those right below these of a level.
    pub(super) fn below(nodes: &[Node], level: u8) -> Self {
        let todo = nodes.iter().rev().map(|node| (level, node.node)).collect();
        Nodes::Tree { todo, level: level.saturating_sub(1) }
    }

    pub(super) fn next(&mut self, source: &Source<'_>) -> Result<Option<Node>> {
        match self {
            Nodes::Live(live) => live.next(),
            Nodes::Tree { todo, level: wanted } => {
                while let Some((level, node)) = todo.pop() {
                    if level <= *wanted {
                        return Ok(Some(Node { node, content: None }));
                    }
                    let content = source.read(level, node.id)?;
                    let first = todo.len();
                    let below = refs(&content).place(format_args!("node {}", node.id))?;
                    todo.extend(below.map(|below| (level - 1, below)));
                    node.check(todo[first..].iter().map(|(_, below)| (below.entries, below.bytes)))?;
                    todo[first..].reverse();
                }
                Ok(None)
            }
        }
    }
}

/// The leaves that a snapshot of a store's table would have.
pub(super) struct Live<'a> {
    scan: Box<dyn Bytes + 'a>,
    leaves: Leaves,
    made: Made,
    ended: bool,
    /// How many entries the store says that it has.
    left: u64,
}

#[derive(Default)]
struct Made {
    /// The content of the leaf that ends next.
    content: Vec<u8>,
    leaves: VecDeque<Node>,
}

impl LeafSink for Made {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        if kind != Kind::Blob {
            self.content = content.to_vec();
        }
        Ok(kind.id_of(content))
    }

    fn leaf(&mut self, node: Ref) -> Result<()> {
        self.leaves.push_back(Node { node, content: Some(std::mem::take(&mut self.content)) });
        Ok(())
    }
}

impl<'a> Live<'a> {
    pub(super) fn new(store: &'a dyn Store, table: &Table) -> Result<Self> {
        let scan = store.scan(&table.name, None, None)?;
        let leaves = Leaves::new(table.multimap, Mode::Cut);
        Ok(Self { scan, leaves, made: Made::default(), ended: false, left: table.entries })
    }

    fn next(&mut self) -> Result<Option<Node>> {
        while self.made.leaves.is_empty() && !self.ended {
            let chunk = self.scan.read(1 << 20)?;
            if chunk.is_empty() {
                self.ended = true;
                self.leaves.end(&mut self.made)?;
            } else {
                self.leaves.push(&chunk, &mut self.made)?;
            }
        }
        let next = self.made.leaves.pop_front();
        let entries = next.as_ref().map_or(0, |next| next.node.entries);
        match self.left.checked_sub(entries) {
            Some(left) if next.is_some() || left == 0 => self.left = left,
            _ => {
                let message = "the store gave another number of entries than it counts; if the database is sound, run it again";
                return Err(Error::new(crate::Code::Io, message));
            }
        }
        Ok(next)
    }
}

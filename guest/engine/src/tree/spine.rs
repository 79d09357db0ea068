//! The nodes above the leaves, also of a sequence that is cut in parts.

use serde::{Deserialize, Serialize};

use super::Put;
use super::node::{LEVEL_MAX, Ref, Root, Sums};
use super::rank::{CEILING, RANK_MAX};
use crate::error::{Error, Result};
use crate::id::Tree;

/// Takes references to leaves in order and makes of them the nodes above.
///
/// A node is written only when something follows it on its level: so the root, once it is known, has nothing above it.
pub(crate) struct Spine {
    tree: Tree,
    /// The level of the nodes that it takes references to.
    above: u8,
    /// The sequence begins elsewhere: up to the first boundary of each level this is not the one to cut.
    ragged: bool,
    /// `levels[0]` takes references to leaves.
    levels: Vec<Level>,
}

/// The open node of a level.
#[derive(Default)]
struct Level {
    content: Vec<u8>,
    items: Vec<Ref>,
    /// The node has ended; the next item begins another.
    closed: bool,
    /// Nodes of this level have gone up.
    below_others: bool,
    /// Still before the first boundary.
    ragged: bool,
    /// What came before the first boundary, and with it.
    left: Vec<Ref>,
}

/// What a part leaves to whoever joins the parts, level by level.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Edges(Vec<Edge>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Edge {
    left: Vec<Ref>,
    /// Between left and right there are nodes, which the next level's edge tells of.
    split: bool,
    right: Vec<Ref>,
}

impl Spine {
    /// For a whole sequence, or its first part.
    pub(crate) fn new() -> Self {
        Self::above(Tree::Table, 0)
    }

    /// For a part that begins after some boundary between leaves.
    pub(crate) fn ragged() -> Self {
        Self { ragged: true, ..Self::new() }
    }

    /// For a whole sequence of nodes of this level in a tree of this kind.
    pub(crate) fn above(tree: Tree, level: u8) -> Self {
        Self { tree, above: level, ragged: false, levels: Vec::new() }
    }

    /// Takes a reference to a leaf, or to a node of the level that it begins above.
    pub(crate) fn leaf(&mut self, leaf: Ref, out: &mut dyn Put) -> Result<()> {
        self.push(0, leaf, out)
    }

    /// The level of the nodes that are made at this place.
    fn level(&self, at: usize) -> u8 {
        self.above + u8::try_from(at + 1).expect("a tree has few levels")
    }

    fn push(&mut self, at: usize, item: Ref, out: &mut dyn Put) -> Result<()> {
        if at == self.levels.len() {
            self.levels.push(Level { ragged: self.ragged, ..Level::default() });
        }
        let boundary = item.rank > self.level(at);
        if self.levels[at].ragged {
            self.levels[at].left.push(item);
            self.levels[at].ragged = !boundary;
            return Ok(());
        }
        if self.levels[at].closed {
            self.emit(at, out)?;
        }
        let level = &mut self.levels[at];
        item.encode(&mut level.content);
        level.items.push(item);
        level.closed = boundary || level.content.len() >= CEILING;
        Ok(())
    }

    /// Writes the open node of a level and hands it one level up.
    fn emit(&mut self, at: usize, out: &mut dyn Put) -> Result<()> {
        let kind = self.tree.kind(self.level(at));
        let level = &mut self.levels[at];
        let Some(last) = level.items.last() else { return Ok(()) };
        let sums = Sums::of_nodes(&level.items);
        let Sums { items, entries, bytes } =
            sums.ok_or_else(|| Error::invalid("a table is said to have more than can be counted"))?;
        let node = Ref { id: out.put(kind, &level.content)?, items, entries, bytes, rank: last.rank };
        level.content.clear();
        level.items.clear();
        (level.closed, level.below_others) = (false, true);
        self.push(at + 1, node, out)
    }

    /// Ends a part.
    pub(crate) fn into_edges(self) -> Edges {
        let splits: Vec<bool> = self.levels.iter().map(|level| level.below_others).collect();
        let edges = self.levels.into_iter().zip(splits);
        Edges(edges.map(|(level, split)| Edge { left: level.left, split, right: level.items }).collect())
    }

    /// Goes on with a part that was cut elsewhere.
    pub(crate) fn join(&mut self, part: &Edges, out: &mut dyn Put) -> Result<()> {
        let mut nodes = part.0.iter().flat_map(|edge| edge.left.iter().chain(&edge.right));
        let is_none = |node: &Ref| node.items == 0 || node.entries == 0 || node.rank > RANK_MAX;
        if part.0.len() > usize::from(LEVEL_MAX) || nodes.any(is_none) {
            return Err(Error::invalid("a part tells of nodes that cannot be"));
        }
        self.join_level(0, part, out)
    }

    fn join_level(&mut self, at: usize, part: &Edges, out: &mut dyn Put) -> Result<()> {
        let Some(edge) = part.0.get(at) else { return Ok(()) };
        for item in &edge.left {
            self.push(at, *item, out)?;
        }
        if edge.split {
            // What came so far ends with a boundary, or the part begins the sequence; nodes follow either way.
            if at < self.levels.len() {
                self.emit(at, out)?;
            } else {
                self.levels.push(Level::default());
            }
            self.levels[at].below_others = true;
            self.join_level(at + 1, part, out)?;
        }
        for item in &edge.right {
            self.push(at, *item, out)?;
        }
        Ok(())
    }

    /// Ends the sequence. `None` is the empty one.
    pub(crate) fn finish(mut self, out: &mut dyn Put) -> Result<Option<Root>> {
        let mut at = 0;
        while at < self.levels.len() {
            let level = &self.levels[at];
            if let ([only], false) = (&level.items[..], level.below_others) {
                return Ok(Some(Root { level: self.level(at) - 1, node: *only }));
            }
            self.emit(at, out)?;
            at += 1;
        }
        Ok(None)
    }
}

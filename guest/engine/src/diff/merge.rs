//! Parts two sequences of nodes at the nodes that both have.

use std::collections::{HashMap, VecDeque};

use super::Limits;
use super::nodes::{Node, Nodes, Source};
use crate::error::Result;
use crate::id::Id;

/// Nodes of both sides between two that both have.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sides: [Vec<Node>; 2],
    /// Nothing before it has anything to do with it.
    begins: bool,
    /// Nothing in it or before it has anything to do with what comes behind it.
    pub(super) ends: bool,
}

/// Two sequences of nodes of one level.
pub(super) struct Merge<'a> {
    level: u8,
    nodes: [Nodes<'a>; 2],
    over: [bool; 2],
    held: [Held; 2],
    /// Nothing of what was given on before has anything to do with what comes now.
    clean: bool,
    /// Whether the end of both is one of a run.
    ends: bool,
    done: bool,
    limits: Limits,
}

/// Nodes of a side that were not found on the other one so far.
#[derive(Default)]
struct Held {
    nodes: VecDeque<Node>,
    /// How many were let go of, and by id, where they are, counted from the first one ever.
    gone: usize,
    at: HashMap<Id, usize>,
    bytes: usize,
}

impl Held {
    fn push(&mut self, node: Node) {
        self.at.insert(node.node.id, self.gone + self.nodes.len());
        self.bytes += node.content.as_ref().map_or(0, Vec::len);
        self.nodes.push_back(node);
    }

    /// Lets go of so many.
    fn take(&mut self, count: usize) -> Vec<Node> {
        let taken: Vec<Node> = self.nodes.drain(..count).collect();
        for (at, node) in (self.gone..).zip(&taken) {
            // One that came again later stays known by its later place.
            if self.at.get(&node.node.id) == Some(&at) {
                self.at.remove(&node.node.id);
            }
            self.bytes -= node.content.as_ref().map_or(0, Vec::len);
        }
        self.gone += count;
        taken
    }

    fn is_full(&self, limits: &Limits) -> bool {
        self.nodes.len() >= limits.nodes || self.bytes >= limits.bytes
    }
}

impl<'a> Merge<'a> {
    /// Whole sequences, of nodes of this level.
    pub(super) fn of(first: Nodes<'a>, second: Nodes<'a>, level: u8, limits: Limits) -> Self {
        Self {
            level,
            nodes: [first, second],
            over: [false; 2],
            held: Default::default(),
            clean: true,
            ends: true,
            done: false,
            limits,
        }
    }

    /// What lies below a run of nodes of the level above this one.
    fn below(run: &Run, level: u8, limits: Limits) -> Self {
        let [first, second] = [0, 1].map(|side| Nodes::below(&run.sides[side], level + 1));
        Self { clean: run.begins, ends: run.ends, ..Self::of(first, second, level, limits) }
    }

    /// The next run, which may be empty on both sides.
    fn next(&mut self, sources: &[Source<'_>; 2]) -> Result<Option<Run>> {
        while !(self.over[0] && self.over[1]) {
            if self.held.iter().any(|held| held.is_full(&self.limits)) {
                // Where one side is over and nothing of it waits anywhere, what comes of the other one stands alone.
                let is_over = |side: usize| self.over[side] && self.held[side].nodes.is_empty();
                let ends = self.ends && self.clean && (is_over(0) || is_over(1));
                return Ok(Some(self.run(self.all(), ends)));
            }
            // The one of which less waits for the other.
            let behind = usize::from(self.held[1].nodes.len() < self.held[0].nodes.len());
            let side = if self.over[behind] { 1 - behind } else { behind };
            let Some(node) = self.nodes[side].next(&sources[side])? else {
                self.over[side] = true;
                continue;
            };
            let other = &self.held[1 - side];
            let Some(at) = other.at.get(&node.node.id).map(|at| at - other.gone) else {
                self.held[side].push(node);
                continue;
            };
            let mut count = self.all();
            count[1 - side] = at;
            let run = self.run(count, true);
            // The one that both have.
            self.held[1 - side].take(1);
            if run.sides.iter().any(|side| !side.is_empty()) || !run.begins {
                return Ok(Some(run));
            }
        }
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        Ok(Some(self.run(self.all(), self.ends)))
    }

    fn all(&self) -> [usize; 2] {
        [0, 1].map(|side| self.held[side].nodes.len())
    }

    fn run(&mut self, count: [usize; 2], ends: bool) -> Run {
        let begins = std::mem::replace(&mut self.clean, ends);
        Run { sides: [0, 1].map(|side| self.held[side].take(count[side])), begins, ends }
    }
}

/// Merges of one level under the other, down to the leaves.
pub(super) struct Levels<'a>(Vec<Merge<'a>>);

impl<'a> Levels<'a> {
    /// These sequences, the last one first.
    pub(super) fn new(merges: Vec<Merge<'a>>) -> Self {
        Self(merges)
    }

    /// The next run of leaves.
    pub(super) fn next(&mut self, sources: &[Source<'_>; 2]) -> Result<Option<Run>> {
        while let Some(lowest) = self.0.last_mut() {
            match lowest.next(sources)? {
                None => drop(self.0.pop()),
                Some(run) => match lowest.level.checked_sub(1) {
                    None => return Ok(Some(run)),
                    Some(level) => {
                        let below = Merge::below(&run, level, lowest.limits);
                        self.0.push(below);
                    }
                },
            }
        }
        Ok(None)
    }
}

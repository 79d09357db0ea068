//! A disk that has room for so much, and no more.

use std::collections::{BTreeMap, BTreeSet};

use super::Disk;
use super::state::{Node, ROOT, State};
use crate::error::{Code, Error, Result};

/// How much fits. What was removed takes room until nobody has it open.
#[derive(Clone, Default)]
pub(super) struct Room {
    bytes: Option<u64>,
    files: Option<u64>,
    /// How many have a file open.
    pub(super) open: BTreeMap<usize, u32>,
}

impl Disk {
    /// From now on has room for so many bytes in so many files.
    pub fn limit(&self, bytes: Option<u64>, files: Option<u64>) {
        let mut state = self.state();
        (state.room.bytes, state.room.files) = (bytes, files);
    }

    /// How many bytes in how many files take room.
    pub fn used(&self) -> (u64, u64) {
        self.state().used()
    }
}

impl State {
    fn used(&self) -> (u64, u64) {
        let mut taken: BTreeSet<usize> = self.room.open.keys().copied().collect();
        for node in self.dir(ROOT).seen.values() {
            match self.node(*node) {
                Node::File(_) => drop(taken.insert(*node)),
                Node::Dir(dir) => taken.extend(dir.seen.values()),
            }
        }
        (taken.iter().map(|node| self.file(*node).seen.len() as u64).sum(), taken.len() as u64)
    }

    /// How many of these bytes fit in a file that ends before them, or in the middle.
    pub(super) fn fit(&self, node: usize, offset: u64, len: usize) -> usize {
        let Some(most) = self.room.bytes else { return len };
        let grows = (offset + len as u64).saturating_sub(self.file(node).seen.len() as u64);
        let lacks = (self.used().0 + grows).saturating_sub(most).min(grows);
        len.saturating_sub(lacks as usize)
    }

    pub(super) fn room_for_a_file(&self, path: &str) -> Result<()> {
        match self.room.files {
            Some(most) if self.used().1 >= most => Err(full("create", path)),
            _ => Ok(()),
        }
    }
}

pub(super) fn full(doing: &str, path: &str) -> Error {
    Error::new(Code::Full, format!("cannot {doing} {path:?}: no room is left"))
}

//! Deltas: content that is stored as what differs from other content.
//!
//! An object that is a delta has a *depth*, from 1 to 8, and its base has a lesser one, 0 if it is stored whole. So a chain
//! of bases ends, whoever wrote it, and whoever has only the index can follow it.

mod diff;
#[cfg(test)]
mod hostile;
mod script;

pub(crate) use diff::diff;
pub(crate) use script::apply;

use crate::id::{Id, Kind};

/// No chain has more deltas.
pub(crate) const DEPTH_MAX: u8 = 8;

/// A delta is kept only if its payload has at most this part of what the payload of the whole content has.
pub(crate) const SHARE: usize = 2;

/// An object of the repository that another may be a delta of; made by
/// [`Objects::read_base`](crate::objects::Objects::read_base).
pub(crate) struct Base {
    /// What it is; a delta is of the same kind.
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    /// What it holds, verified against its id.
    pub(crate) content: Vec<u8>,
    /// How many deltas lie between it and an object that is stored whole.
    pub(crate) depth: u8,
    /// That object and its content, where the chain is as long as it may get.
    pub(crate) full: Option<(Id, Vec<u8>)>,
}

impl Base {
    /// Against what a delta of it is made: its id, its content, and the depth of the delta.
    pub(crate) fn target(&self) -> Option<(Id, &[u8], u8)> {
        if self.depth < DEPTH_MAX {
            return Some((self.id, &self.content, self.depth + 1));
        }
        self.full.as_ref().map(|(id, content)| (*id, &content[..], 1))
    }
}

/// What a list of objects says of how one is stored: nothing but zeros, or the first bytes of the id of its base and its
/// depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Mark([u8; 8]);

/// The beginning of an id.
pub(crate) type Prefix = [u8; 7];

impl Mark {
    /// Of what is stored whole.
    pub(crate) const WHOLE: Self = Self([0; 8]);

    pub(crate) fn new(base: &Id, depth: u8) -> Self {
        let mut bytes = [0; 8];
        bytes[..7].copy_from_slice(&base.0[..7]);
        bytes[7] = depth;
        Self(bytes)
    }

    /// The mark of these bytes, if there is one.
    pub(crate) fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let mark = Self(bytes);
        (mark == Self::WHOLE || (1..=DEPTH_MAX).contains(&mark.depth())).then_some(mark)
    }

    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    pub(crate) fn depth(self) -> u8 {
        self.0[7]
    }

    pub(crate) fn is_whole(self) -> bool {
        self.depth() == 0
    }

    /// How the id of its base begins.
    pub(crate) fn base(self) -> Prefix {
        let [prefix @ .., _] = self.0;
        prefix
    }

    /// Whether this object, stored in that way, may be what this is a delta of.
    pub(crate) fn may_rest_on(self, id: &Id, stored: Mark) -> bool {
        stored.depth() < self.depth() && id.0.starts_with(&self.base())
    }
}

//! What was looked at, and as what.

use std::collections::HashMap;

use crate::id::{Id, Kind};
use crate::tree::node::{Ref, Sums};

/// Objects that were looked at, so that what snapshots share is looked at once. Bounded: where there are more, what
/// they share is looked at more often.
#[derive(Default)]
pub(crate) struct Seen {
    branches: HashMap<u128, u64>,
    others: HashMap<u128, u64>,
}

/// What is said of an object by whoever names it: its kind, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim(u64);

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    New,
    /// It is there, because something rests on it; what it holds and what is below it was not looked at.
    Base,
    /// It was looked at, and the same was said of it.
    Known,
    /// Something else was said of it, and it was not read: this or that is not true.
    Doubtful,
    /// It was read, and is something else than this says.
    Lie,
}

/// Set in what is remembered of objects that were read.
const READ: u64 = 1;
/// Remembered of an object of which nothing was said. No claim looks like this.
const BASE: u64 = 0;

impl Claim {
    /// What cannot be true of anything.
    pub(crate) const NONE: Self = Self(2);

    /// What a reference says.
    pub(crate) fn of_node(kind: Kind, node: &Ref) -> Self {
        Self::new(kind, node.sums())
    }

    /// What an item says of a piece of a key or a value.
    pub(crate) fn of_piece(len: usize) -> Self {
        Self::new(Kind::Blob, Sums { items: 0, entries: 0, bytes: len as u64 })
    }

    /// Nothing but what kind it is.
    pub(crate) fn of_kind(kind: Kind) -> Self {
        Self::new(kind, Sums { items: 0, entries: 0, bytes: 0 })
    }

    pub(crate) fn new(kind: Kind, sums: Sums) -> Self {
        let mut said = [0; 22];
        said[..2].copy_from_slice(&kind.to_bytes());
        said[2..6].copy_from_slice(&sums.items.to_le_bytes());
        said[6..14].copy_from_slice(&sums.entries.to_le_bytes());
        said[14..].copy_from_slice(&sums.bytes.to_le_bytes());
        let hash = blake3::hash(&said);
        let hash = u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"));
        Self((hash & !READ).max(4))
    }
}

impl Seen {
    const BRANCHES_MAX: usize = 1 << 18;
    const OTHERS_MAX: usize = 1 << 20;

    fn of(&mut self, kind: Kind) -> (&mut HashMap<u128, u64>, usize) {
        match kind {
            Kind::Node { level: 0 } | Kind::Blob => (&mut self.others, Self::OTHERS_MAX),
            _ => (&mut self.branches, Self::BRANCHES_MAX),
        }
    }

    /// What is known of an object, of which something is said; `None`: only that it is there. This is remembered.
    pub(crate) fn look(&mut self, kind: Kind, id: &Id, claim: Option<Claim>) -> Sight {
        let (seen, max) = self.of(kind);
        let said = claim.map_or(BASE, |claim| claim.0);
        let room = seen.len() < max;
        match seen.get_mut(&key(id)) {
            None => {
                if room {
                    seen.insert(key(id), said);
                }
                Sight::New
            }
            Some(_) if claim.is_none() => Sight::Known,
            Some(known) if *known == BASE => {
                *known = said;
                Sight::Base
            }
            Some(known) if *known & !READ == said => Sight::Known,
            Some(known) if *known & READ == READ => Sight::Lie,
            Some(_) => Sight::Doubtful,
        }
    }

    /// An object was read, and this is true of it.
    pub(crate) fn was_read(&mut self, kind: Kind, id: &Id, truth: Claim) {
        if let Some(known) = self.of(kind).0.get_mut(&key(id)) {
            *known = truth.0 | READ;
        }
    }
}

fn key(id: &Id) -> u128 {
    u128::from_be_bytes(id.0[..16].try_into().expect("sixteen bytes"))
}

//! Trees over sequences of entries, whose shape follows from the entries alone.
//!
//! [`Leaves`](leaves::Leaves) cuts packed entries into leaves, [`Spine`](spine::Spine) the references to them into the
//! nodes above, also when several parts of one sequence are cut at once. [`Walk`](walk::Walk) goes the other way.
//! [`Splice`](splice::Splice) changes a tree without going through it.

pub(crate) mod arrivals;
pub(crate) mod edits;
pub(crate) mod item;
pub(crate) mod leaves;
pub(crate) mod node;
pub(crate) mod old;
pub(crate) mod rank;
pub(crate) mod spine;
pub(crate) mod splice;
pub(crate) mod walk;

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

use crate::delta::Base;
use crate::error::Result;
use crate::id::{Id, Kind};

/// Where finished content goes.
pub(crate) trait Put {
    /// Keeps this content, if it is not kept already, and says its id.
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id>;

    /// The same, where this content replaces that of `base`, of the same kind: it may be kept as what differs.
    fn put_with_base(&mut self, kind: Kind, content: &[u8], base: &Base) -> Result<Id> {
        let _ = base;
        self.put(kind, content)
    }
}

//! Deltas: content that is stored as what differs from other content.

use crate::id::{Id, Kind};

/// An object of the repository that another may be a delta of; made by
/// [`Objects::read_base`](crate::objects::Objects::read_base).
#[allow(dead_code, reason = "for those who know what they replace")]
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

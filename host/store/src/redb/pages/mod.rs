//! What changed, from redb's committed page tree.
//!
//! redb's pages are copy-on-write, and every parent names the checksums of its children. So a table whose root has the
//! same checksum as before has the same entries, and so has every subtree: a walk that stops wherever the tree is as it
//! was finds what changed by reading what changed. redb has no call for this; its file format (version 3, documented
//! in its `docs/design.md`) is read here instead.
//!
//! **Doubt.** Every page is checked against the checksum that its parent names, up to a root that is proven to be the
//! one that the store's read transaction pins. Whatever does not fit is [`ErrorCode::Unsupported`]: this store cannot
//! tell, and the caller scans the table.
//!
//! **The baseline** of a table has an entry for each *group*: a branch page right above leaves, in the order of the
//! table. Its leaves are cut into *runs*; where depends on the leaves' checksums only, so that a run is found again
//! when its neighbours changed or pages moved. The last entry binds all of it to the table's stamp.
//!
//! | entry | key | value |
//! |---|---|---|
//! | group | low half of the branch page's checksum, u64 LE | varint: how many entries; then for each run its digest, u64 LE, and a varint: how many entries |
//! | the last | none | the stamp; XXH3-128 of all entries before, u128 LE |

mod baseline;
mod branches;
mod bytes;
mod changes;
mod edits;
mod file;
mod group;
mod header;
mod items;
mod large;
mod leaves;
mod page;
mod planner;
mod stamp;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod window;

pub(super) use baseline::Baseline;
pub(super) use changes::Changed;
pub(super) use file::{Pages, ReadAt};
pub(super) use header::{Header, LEN as HEADER_LEN, Slot};
pub(super) use stamp::Stamp;
pub(super) use tables::{Definition, Tables};

use crate::{Error, ErrorCode};

/// This store cannot tell what changed, for this reason.
pub(super) fn doubt(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorCode::Unsupported,
        format!("cannot tell what changed from the pages of the database: {why}"),
    )
}

fn misshapen() -> Error {
    doubt("a page that is not as redb makes it")
}

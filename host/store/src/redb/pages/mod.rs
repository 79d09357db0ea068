//! What a table holds, and what changed in it, from redb's committed page tree.
//!
//! redb's pages are copy-on-write, and every parent names the checksums of its children. So a table whose root has the
//! same checksum as before has the same entries, and so has every subtree: a walk that stops wherever the tree is as it
//! was finds what changed by reading what changed. redb has no call for this; its file format (version 3, documented
//! in its `docs/design.md`) is read here instead.
//!
//! **A scan** of a table that is no multimap reads the same pages, which takes half the time of redb's own iteration and
//! checks what that does not.
//!
//! **Doubt.** Every page is checked against the checksum that its parent names, up to a root that is proven to be the
//! one that the store's read transaction pins. Whatever does not fit is [`ErrorCode::Unsupported`]: this store cannot
//! tell, and the caller scans the table; a scan goes on with redb where it was.
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
mod counts;
mod edits;
mod file;
mod group;
mod header;
mod items;
mod large;
mod leaves;
mod page;
mod planner;
mod scan;
mod stamp;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod window;

pub(super) use baseline::Baseline;
pub(super) use changes::Changed;
pub(super) use counts::Counts;
pub(super) use file::{Pages, ReadAt};
pub(super) use header::{Header, LEN as HEADER_LEN, Slot};
pub(super) use scan::{CameTo, Groups, Scanned, cut};
pub(super) use stamp::Stamp;
pub(super) use tables::{Definition, Tables};

use crate::{Error, ErrorCode};

/// The pages are not what they should be, or not what is known here.
pub(super) fn doubt(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Unsupported, format!("the pages of the database cannot be relied on: {why}"))
}

fn misshapen() -> Error {
    doubt("a page that is not as redb makes it")
}

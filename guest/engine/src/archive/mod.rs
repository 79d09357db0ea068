//! An archive: one snapshot as a stream of bytes, which needs no repository to be read.
//!
//! It begins with what the snapshot's file says; then come the objects that the snapshot needs, each stored whole, in the
//! one order that follows from the snapshot: a node, then what lies below it. So whoever reads it knows at every byte which
//! object must come next. Nobody ever goes back, neither to write an archive nor to read one, and nobody holds more of it
//! than one object and the references that lead there.

mod export;
mod import;
mod order;
mod reader;
mod restore;

pub use export::{Export, export};
pub use import::Import;
pub use restore::RestoreArchive;

use crate::backup::check_source;
use crate::error::Result;
use crate::snapshot::{self, Snapshot};

use reader::{Reader, Take};

/// What an archive begins with; the version and the length of the snapshot's file follow.
const MAGIC: [u8; 8] = *b"SRarchiv";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Bytes before the snapshot's file.
const HEADER: usize = 16;
/// What stands behind the last object; the number of objects follows.
const END: [u8; 8] = *b"SRarcend";
/// Bytes behind the last object.
const TRAILER: usize = 16;

/// What an archive begins with.
fn head(snapshot_file: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEADER + snapshot_file.len());
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(snapshot_file.len() as u32).to_le_bytes());
    head.extend_from_slice(snapshot_file);
    head
}

/// What an archive of so many objects ends with.
fn tail(objects: u64) -> [u8; TRAILER] {
    let mut tail = [0; TRAILER];
    tail[..END.len()].copy_from_slice(&END);
    tail[END.len()..].copy_from_slice(&objects.to_le_bytes());
    tail
}

/// An archive of anything, for the vectors of the format.
#[cfg(test)]
pub(crate) fn put_together(snapshot_file: &[u8], objects: &[Vec<u8>]) -> Vec<u8> {
    [&head(snapshot_file)[..], &objects.concat(), &tail(objects.len() as u64)].concat()
}

/// Fails if the names that an archive brings along could not be those of a snapshot that was made here.
fn check_names(snapshot: &Snapshot, what_to_do: &str) -> Result<()> {
    let brought = |mut e: crate::Error, what: &str| {
        e.message = format!("the archive brings it along: {}; {what}", e.message);
        e
    };
    snapshot::name::check(&snapshot.name).map_err(|e| brought(e, what_to_do))?;
    let nothing = "no import can change that";
    snapshot.parent.as_deref().map_or(Ok(()), snapshot::name::check).map_err(|e| brought(e, nothing))?;
    check_source(&snapshot.source).map_err(|e| brought(e, nothing))
}

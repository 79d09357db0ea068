//! What the command says, for people and for programs.

pub(crate) mod file;
pub(crate) mod json;
pub(crate) mod out;
pub(crate) mod style;
pub(crate) mod table;

use std::time::Duration;

use strongroom_core::Snapshot;
use strongroom_core::text::{counted, duration, short, size, visible};

/// A snapshot that was just made, in a line for people.
pub(crate) fn made(snapshot: &Snapshot, took: Duration) -> String {
    format!(
        "{}  {}  {}  {}  added {}  in {}",
        visible(&snapshot.name),
        short(&snapshot.id),
        counted(snapshot.entries, "entry"),
        size(snapshot.bytes),
        size(snapshot.bytes_added),
        duration(took),
    )
}

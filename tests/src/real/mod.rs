//! A database of real files, which any machine with Rust has: the sources of crates, the toolchain's documentation,
//! and if that is too little the toolchain itself.

mod build;
mod change;
mod walk;

pub use build::{Built, build, counts};
pub use change::{Changed, change};

use redb::{MultimapTableDefinition, TableDefinition};

/// What is in each file.
pub const FILES: TableDefinition<&str, &[u8]> = TableDefinition::new("files");
/// Its length, and its modification in seconds since 1970.
pub const META: TableDefinition<&str, (u64, u64)> = TableDefinition::new("meta");
/// The files with each ending.
pub const BY_EXTENSION: MultimapTableDefinition<&str, &str> = MultimapTableDefinition::new("by_extension");
/// The file with each content, by its BLAKE3 hash.
pub const BY_HASH: TableDefinition<&[u8; 32], &str> = TableDefinition::new("by_hash");

/// The ending by which a file is found; empty if it has none.
pub(crate) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

//! Strongroom's engine: a repository of snapshots of key-value stores, and every verb on it.
//!
//! A snapshot is a Merkle search tree over each table's entries: equal data gives equal ids, on every machine and
//! whatever the history. `FORMAT.md` beside this crate says what lies on disk, byte by byte.
//!
//! The engine does no I/O of its own. It reads entries from a [`Store`], writes them to a [`Sink`], keeps what it
//! makes of them in a [`Vault`], and tells a [`Progress`] how far it is. In the shipped component these are WIT imports
//! and one WASI directory; in tests they are maps in memory.
//!
//! Data flows one way: entries -> leaves and branches (`tree`) -> objects -> packs -> index -> snapshot, and back.

mod archive;
mod backup;
mod bytes;
mod catalog;
mod chain;
mod codec;
#[cfg(test)]
mod cost;
mod delta;
mod diff;
mod digest;
mod error;
mod forget;
mod globs;
#[cfg(test)]
mod hostile;
mod id;
mod index;
mod object;
mod objects;
mod open;
mod pack;
mod progress;
mod prune;
mod repair;
mod repository;
mod restore;
mod snapshot;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tracking;
mod tree;
mod vault;
#[cfg(test)]
mod vectors;
mod verify;

pub use archive::{Export, Import, RestoreArchive, export};
pub use backup::{
    Draft, FULL_SCAN_DAYS, FULL_SCAN_SNAPSHOTS, Folding, Job, PART_MIN, Plan, copy, draft_tables, prepare,
    publish, seal,
};
pub use catalog::Table as SnapshotTable;
pub use codec::Compression;
pub use diff::{Diff, EntryDiff, Other, Side, TableDiff, Told, What, diff};
pub use digest::{Digest, digest};
pub use error::{Code, Error, Result};
pub use forget::forget;
pub use id::{Id, Kind};
pub use open::{Entries, Opened, Whole, open};
pub use progress::{Level, Progress, Silent};
pub use prune::{Prune, Pruned, prune};
pub use repair::{Lost, Note, Repair, Repaired, repair};
pub use repository::{FORMAT, LOCK, init};
pub use restore::restore;
pub use snapshot::{Snapshot, Unreadable};
pub use store::{Bytes, Changes, Sink, Store, Table};
pub use vault::{Vault, VaultFile};
pub use verify::{Damage, Depth, Verified, verify};

/// All snapshots, oldest first, and the files that cannot be used. Within a source the number is the order; its last one is
/// its newest. Among sources times decide, as far as the order bears them out.
pub fn snapshots(vault: &dyn Vault) -> Result<(Vec<Snapshot>, Vec<Unreadable>)> {
    repository::check(vault)?;
    snapshot::all(vault)
}

/// The same as of now, in seconds since 1970: times over a day later do not count.
pub fn snapshots_as_of(vault: &dyn Vault, now: u64) -> Result<(Vec<Snapshot>, Vec<Unreadable>)> {
    repository::check(vault)?;
    snapshot::all_as_of(vault, Some(now))
}

/// The one snapshot that is meant: a name, the beginning of an id (the newest that has it), or `latest`.
pub fn find(vault: &dyn Vault, which: &str) -> Result<Snapshot> {
    repository::check(vault)?;
    snapshot::find(vault, which)
}

/// The same as of now, in seconds since 1970: times over a day later do not count.
pub fn find_as_of(vault: &dyn Vault, which: &str, now: u64) -> Result<Snapshot> {
    repository::check(vault)?;
    snapshot::find_as_of(vault, which, Some(now))
}

//! Looks whether everything is there that the snapshots need.

mod found;
mod look;
mod seen;

pub(crate) use seen::{Claim, Seen, Sight};

use crate::error::Result;
use crate::progress::Progress;
use crate::repair::Note;
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::vault::Vault;
use look::Look;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every object is there, in a pack of the right length; all nodes above the leaves are read.
    Structure,
    /// Every byte is read and hashed.
    Data,
    /// A share of the data, in thousandths; which share follows from the number, so that all is read in turn.
    Sample(u32, u64),
}

/// One thing that is wrong, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file it is in, from the repository's root.
    pub file: String,
    /// Snapshots that are not whole because of it.
    pub snapshots: Vec<String>,
    /// Tables of theirs that are not.
    pub tables: Vec<String>,
    /// How many entries of each of these tables are lost with it, if that is known.
    pub entries: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Snapshots that were looked at.
    pub snapshots: u32,
    /// Objects, each counted once.
    pub objects: u64,
    /// Stored bytes that were read and hashed.
    pub bytes: u64,
    /// What costs some snapshot something, and snapshot files that cannot be read.
    pub damage: Vec<Damage>,
    /// Files that are not what was written, of which nothing that is needed is lost: what lies in them is read all the
    /// same, or lies elsewhere too.
    pub warnings: Vec<Note>,
}

/// Whether something is not there that a snapshot needs, or is damaged above its leaves.
pub(crate) fn lacks_something(
    vault: &dyn Vault,
    snapshot: &Snapshot,
    progress: &dyn Progress,
) -> Result<bool> {
    let mut look = Look::new(vault, Depth::Structure, progress)?;
    look.snapshot(snapshot)?;
    Ok(!look.end().damage.is_empty())
}

/// Looks at one snapshot, or at all.
pub fn verify(
    vault: &dyn Vault,
    which: Option<&str>,
    depth: Depth,
    progress: &dyn Progress,
) -> Result<Verified> {
    repository::check(vault)?;
    let (snapshots, unreadable) = match which {
        Some(which) => (vec![snapshot::find(vault, which)?], Vec::new()),
        None => snapshot::all(vault)?,
    };
    let mut look = Look::new(vault, depth, progress)?;
    look.index()?;
    for snapshot in &snapshots {
        look.snapshot(snapshot)?;
    }
    if depth == Depth::Data && which.is_none() {
        for snapshot in snapshot::newest(&snapshots) {
            look.tracking(snapshot)?;
        }
    }
    let mut verified = Verified { snapshots: snapshots.len() as u32, ..look.end() };
    verified.damage.extend(unreadable.into_iter().map(|file| Damage {
        file: file.file,
        what: match file.error.is_unreadable() {
            true => format!("{}; bring the file back, or `forget` the snapshot", file.error),
            false => file.error.message,
        },
        snapshots: Vec::new(),
        tables: Vec::new(),
        entries: None,
    }));
    verified.damage.sort_by(|a, b| (&a.file, &a.what).cmp(&(&b.file, &b.what)));
    Ok(verified)
}

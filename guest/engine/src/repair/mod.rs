//! Makes again what can be made again, and says what cannot.
//!
//! Read first, decide, then write, in the order of a prune: new packs, then an index that names them, then what they
//! replace goes. What is whole stays where it is, so whatever comes in between, nothing is worse than before.

mod act;
mod cost;
mod deltas;
mod look;
mod places;
mod rescue;
#[cfg(test)]
mod tests;

use crate::error::{Code, Error, Result};
use crate::index;
use crate::progress::Progress;
use crate::prune::listing::Listings;
use crate::repository;
use crate::snapshot::{self, Unreadable, diagnosis};
use crate::vault::Vault;
use look::{Found, Look};
use places::Places;

/// How to repair.
#[derive(Debug, Clone, Copy, Default)]
pub struct Repair {
    /// Only says what would be done. Everything is read, nothing is written.
    pub dry_run: bool,
}

/// A file, and what is or was to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file, from the repository's root.
    pub file: String,
    /// What is the matter, and what becomes of it.
    pub what: String,
}

impl Note {
    fn new(file: impl Into<String>, what: impl Into<String>) -> Self {
        let (file, mut what) = (file.into(), what.into());
        // An error of reading it begins with its name.
        if let Some(rest) = what.strip_prefix(&format!("{file}: ")) {
            what = rest.to_owned();
        }
        Self { file, what }
    }
}

/// An object that no file gives back, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its id, 64 hex digits.
    pub object: String,
    /// What it is, for people: a leaf, a node, a list of tables, ...
    pub what: String,
    /// The pack that was said to hold it; empty if none was.
    pub file: String,
    /// Snapshots that are not whole because of it.
    pub snapshots: Vec<String>,
    /// Tables of theirs that are not, as far as the lists of tables can be read.
    pub tables: Vec<String>,
    /// How many entries lie in it or below it, each time that a table has it; `None`: that is not known, or it holds none.
    pub entries: Option<u64>,
    /// Sources whose newest snapshot needs it: their next backup writes it again, if the database still holds the same.
    pub heals: Vec<String>,
}

/// What a repair did, or would do, and what it cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Snapshots whose files can be read.
    pub snapshots: u32,
    /// Those of them that are whole afterwards.
    pub whole: u32,
    /// Objects that were read and hashed, wherever they lie.
    pub objects: u64,
    /// Bytes that were read for that.
    pub bytes: u64,
    /// What was wrong and is put right.
    pub mended: Vec<Note>,
    /// Snapshot files that cannot be read, with what is known of them. They stay as they are.
    pub unreadable: Vec<Note>,
    /// Files of which nothing comes back. They stay too.
    pub left: Vec<Note>,
    /// What stays lost.
    pub lost: Vec<Lost>,
    /// How many more objects are lost than are listed, at least.
    pub lost_more: u64,
}

impl Repaired {
    /// Whether every snapshot is whole.
    pub fn is_whole(&self) -> bool {
        self.unreadable.is_empty() && self.lost.is_empty()
    }
}

/// Repairs what can be repaired.
pub fn repair(vault: &dyn Vault, options: Repair, progress: &dyn Progress) -> Result<Repaired> {
    run(vault, options, BAD_MAX, progress).map_err(|e| match e.code {
        // Without the lock another run may have taken a file away.
        Code::NotFound if options.dry_run => {
            Error::new(e.code, format!("{e}; if another run writes to the repository, wait for its end"))
        }
        _ => e,
    })
}

/// Damaged objects that are noted, so that the index can leave them out; packs with more are written again.
const BAD_MAX: usize = 1 << 17;

fn run(vault: &dyn Vault, options: Repair, bad_max: usize, progress: &dyn Progress) -> Result<Repaired> {
    let lacks_file = repository::lacks_file(vault)?;
    repository::make_folders(vault, options.dry_run)?;
    let (snapshots, unreadable) = snapshot::all(vault)?;
    let listings = Listings::open(vault, options.dry_run, UNKNOWN, progress)?;
    let mut places = Places::new(vault, &listings);
    let mut look = Look { places: &mut places, progress, bad_max, found: Found::default() };
    look.everywhere(&unreadable)?;
    let mut cost = cost::of(&snapshots, look.places, progress)?;
    let mut hidden = false;
    while !cost.is_nothing() && look.hidden()? {
        let before = std::mem::replace(&mut cost, cost::of(&snapshots, look.places, progress)?);
        hidden |= !cost.is_same(&before);
    }
    // A backup would take from its parent what is lost: the index never said that there was any of it.
    let losses = index::losses(vault)?;
    let hurt = cost.hurt.iter().filter_map(|at| snapshots.get(*at));
    let trusted = hurt.into_iter().any(|snapshot| snapshot.trusts(&losses));
    let found = look.found;
    let (objects, bytes) = (found.objects, found.bytes);
    let acted = act::act(act::Act {
        vault,
        dry_run: options.dry_run,
        progress,
        places: &places,
        found: &found,
        lacks_file,
        hidden,
        trusted,
    })?;
    Ok(Repaired {
        snapshots: snapshots.len() as u32,
        whole: (snapshots.len() - cost.hurt.len()) as u32,
        objects,
        bytes,
        mended: acted,
        unreadable: unreadable.iter().map(|file| known(vault, file)).collect::<Result<_>>()?,
        lost_more: cost.more,
        lost: cost.list(&snapshots, &places, &found)?,
        left: found.left,
    })
}

const UNKNOWN: &str = "the index lacks too many packs to say beforehand what a repair would do; one that is no dry run first brings it up to date";

/// What is known of a snapshot file that cannot be read.
fn known(vault: &dyn Vault, file: &Unreadable) -> Result<Note> {
    let wrong = file.error.message.strip_prefix(&format!("{}: ", file.file)).unwrap_or(&file.error.message);
    let what = match file.error.code {
        Code::Damaged => {
            let text = vault.open(&file.file)?.read(0, snapshot::LEN_MAX + 1)?;
            format!("{wrong}: {}", diagnosis::known(&text))
        }
        _ => wrong.to_owned(),
    };
    Ok(Note::new(file.file.clone(), what))
}

/// Something that only a later version can judge: nothing is changed.
fn newer(place: impl std::fmt::Display) -> Error {
    let message =
        format!("{place} was written by a later version; nothing was changed, repair with that one");
    Error::new(Code::NewerFormat, message)
}

/// Reports, and ends the run if that is what the listener wants.
fn advance(progress: &dyn Progress, bytes: u64) -> Result<()> {
    if progress.advance("repair", bytes, 0) {
        Ok(())
    } else {
        Err(Error::new(
            Code::Cancelled,
            "stopped on request; nothing is worse than before, the next repair ends it",
        ))
    }
}

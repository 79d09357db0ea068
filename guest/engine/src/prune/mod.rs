//! Frees what no snapshot needs.
//!
//! Read first, decide, then write: new packs, then an index that names them and no longer what goes, then the old index
//! files go, the packs last. So whatever comes in between, every snapshot is whole, and what is left over is what the
//! next prune removes. What is needed is known from the snapshots alone: one that cannot be read ends the run.

mod bits;
pub(crate) mod listing;
pub(crate) mod mark;
pub(crate) mod nowhere;
pub(crate) mod plan;
mod room;
mod run;
pub(crate) mod sift;

use std::cell::RefCell;
use std::collections::HashSet;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::index::{self, Change};
use crate::pack;
use crate::progress::Progress;
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::vault::Vault;
use listing::Listings;
use mark::{Marked, Marks};
use run::Run;

/// How to prune.
#[derive(Debug, Clone, Copy)]
pub struct Prune {
    /// A pack is rewritten if more than this many thousandths of it are unused. 0: if anything of it is; 1000: never.
    pub max_unused: u32,
    /// Only says what would come of it. All that would be moved is read and checked, nothing is written.
    pub dry_run: bool,
    /// Also if there is no snapshot, so that all packs go.
    pub allow_empty: bool,
}

/// What came, or would come, of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Snapshots, all of which keep what they need.
    pub snapshots: u32,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Packs that were written.
    pub packs_written: u64,
    /// Objects that were removed.
    pub objects_removed: u64,
    /// Objects that were moved to new packs.
    pub objects_moved: u64,
    /// Bytes of all files before, less the bytes of all files afterwards. Negative where an index had to be made again.
    pub bytes_freed: i64,
    /// Bytes of the objects that were moved.
    pub bytes_moved: u64,
    /// Bytes in packs that are left and that no snapshot needs.
    pub bytes_unused: u64,
    /// Bytes of all files afterwards.
    pub bytes_left: u64,
}

/// Removes what no snapshot needs: packs of which nothing is needed, after what is needed was moved out also packs with
/// too much waste and small ones, and whatever runs that did not end left behind.
pub fn prune(vault: &dyn Vault, options: Prune, progress: &dyn Progress) -> Result<Pruned> {
    if options.max_unused > 1000 {
        let message =
            format!("{} thousandths of a pack cannot be unused; give 0 to 1000", options.max_unused);
        return Err(Error::invalid(message));
    }
    repository::check(vault)?;
    let before = repository::bytes(vault)?;
    let mut pruned = Pruned::default();
    while pass(vault, options, progress, before, &mut pruned)? == Step::Again {}
    pruned.bytes_freed =
        i64::try_from(i128::from(before) - i128::from(pruned.bytes_left)).unwrap_or(i64::MAX);
    Ok(pruned)
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Next,
    /// The index had to go to make room: what was read of it is to be let go, and all is looked at anew.
    Again,
}

/// Reads, decides and writes once, and adds to what came of it. `before` is how many bytes all files had at first.
fn pass(
    vault: &dyn Vault,
    options: Prune,
    progress: &dyn Progress,
    before: u64,
    pruned: &mut Pruned,
) -> Result<Step> {
    let snapshots = readable_snapshots(vault)?;
    pruned.snapshots = snapshots.len() as u32;
    if snapshots.is_empty() && !options.allow_empty {
        refuse_empty(vault)?;
    }
    let listings = Listings::open(vault, options.dry_run, UNKNOWN, progress)?;
    if let Some((path, wrong)) = listings.unreadable.first() {
        let what = "what it holds is not known, so nothing was removed: make it readable, or move it away";
        return Err(Error::new(wrong.code, format!("{wrong}; {what}")).at(path));
    }
    let objects = listings.objects(vault);
    let marked = mark::mark(vault, &snapshots, &listings, &objects, progress)?;
    if !marked.damage.is_empty() {
        return Err(refuse(vault, options.dry_run, &snapshots, &listings, marked));
    }
    let plan = plan::make(&listings, &marked.needed, options.max_unused, progress)?;
    let mut run = Run {
        vault,
        dry_run: options.dry_run,
        progress,
        listings: &listings,
        objects: &objects,
        needed: &marked.needed,
        bad: marked.bad,
        gives_back: RefCell::new(Marks::new(&listings)),
        plan: &plan,
        gone: HashSet::new(),
        written: Vec::new(),
        named: listings.packs.iter().map(|held| held.named).collect(),
        settled: false,
        indexes: 0,
        pruned,
    };
    let mut unfinished = repository::unfinished(vault)?;
    if snapshots.is_empty() {
        // What says which one is the newest.
        let path = snapshot::newest_path();
        let hint = vault.open(&path).and_then(|file| file.read(0, 1)).and_then(|_| vault.len(&path));
        unfinished.extend(hint.ok().map(|len| (path, len)));
    }
    if !options.dry_run {
        // What is seen must last before anything is built on it: whoever was here before may have been stopped halfway.
        let loose = listings.packs.iter().filter(|held| !held.named).map(|held| held.pack.id);
        index::make_durable(vault, &loose.collect::<Vec<_>>())?;
        [snapshot::DIR, index::DIR, pack::DIR].iter().try_for_each(|dir| vault.sync_dir(dir))?;
        repository::clear(vault, &unfinished)?;
    }
    // What goes without anything being moved goes first: it makes room for what is moved.
    if run.drop_dead()? == Step::Again || run.move_needed()? == Step::Again {
        return Ok(Step::Again);
    }
    let after = if options.dry_run {
        let left = before - unfinished.iter().map(|(_, len)| len).sum::<u64>();
        run.bytes_afterwards(left)?
    } else {
        repository::bytes(vault)?
    };
    run.pruned.bytes_left = after;
    let stays = |number: &usize| !run.gone.contains(number);
    let kept = (0..listings.packs.len()).filter(stays);
    run.pruned.bytes_unused = kept.map(|at| plan::unused(&listings.packs[at], &plan.tallies[at])).sum();
    Ok(Step::Next)
}

/// All snapshots. What one needs that cannot be read is not known, so nothing can be called unused beside it.
fn readable_snapshots(vault: &dyn Vault) -> Result<Vec<Snapshot>> {
    let (snapshots, unreadable) = snapshot::all(vault)?;
    let Some(first) = unreadable.first() else { return Ok(snapshots) };
    let more = match unreadable.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let message = format!(
        "{}{more}; what this snapshot needs cannot be known, so nothing was removed: bring the file back, or forget the \
         snapshot",
        first.error
    );
    Err(Error::new(first.error.code, message))
}

/// Without any snapshot all packs would go: somebody's snapshot files may be gone, and could be brought back.
fn refuse_empty(vault: &dyn Vault) -> Result<()> {
    let packs = vault.list(pack::DIR)?.iter().filter_map(|name| Id::from_hex(name)).collect::<Vec<_>>();
    if packs.is_empty() {
        return Ok(());
    }
    let bytes = packs.iter().try_fold(0, |bytes, pack| Ok(bytes + vault.len(&pack::path(*pack))?))?;
    let message = format!(
        "there is no snapshot, so all {} pack(s) with {bytes} bytes would be removed; nothing was. If snapshot files are \
         missing, bring them back; if all of it is to go, allow it with --allow-empty (Prune::allow_empty)",
        packs.len()
    );
    Err(Error::invalid(message))
}

const UNKNOWN: &str = "the index lacks too many packs to say beforehand what a prune would do; a backup or a prune that is no dry run brings it \
     up to date";

/// Something that a snapshot needs is missing or damaged: nothing is removed. What was found damaged counts as absent
/// from now on, so that the next backup writes it again; and that something is lost is noted, so that no backup builds on it.
fn refuse(
    vault: &dyn Vault,
    dry_run: bool,
    snapshots: &[Snapshot],
    listings: &Listings,
    marked: Marked,
) -> Error {
    let hurt: HashSet<&String> = marked.damage.iter().map(|(snapshot, _)| snapshot).collect();
    let more = marked.damage.len() as u64 - 1 + marked.more_damage;
    let more =
        if more > 0 { format!(", and {more} more in {} snapshot(s)", hurt.len()) } else { String::new() };
    let Some((snapshot, what)) = marked.damage.first() else {
        return Error::damaged("a snapshot is damaged");
    };
    let mut message = format!(
        "snapshot {snapshot:?} is damaged: {what}{more}; nothing was removed, because what lies below cannot be known. A \
         backup writes again what the database still holds; otherwise forget the damaged snapshots, which `verify` lists"
    );
    let note = || -> Result<()> {
        if !marked.bad.is_empty() {
            let also = listings.packs.iter().map(|held| held.pack.id).collect();
            return index::update(vault, Change { bad: marked.bad, also, whole: true, ..Change::default() });
        }
        let losses = index::losses(vault)?;
        let is_hurt = |snapshot: &&Snapshot| marked.more_damage > 0 || hurt.contains(&snapshot.name);
        let trusted = snapshots.iter().filter(is_hurt).any(|snapshot| snapshot.trusts(&losses));
        if trusted { index::note_loss(vault) } else { Ok(()) }
    };
    if !dry_run && let Err(e) = note() {
        message.push_str(&format!(". The damage could not be noted in the index ({e})"));
    }
    Error::damaged(message)
}

/// Reports, and ends the run if that is what the listener wants.
fn advance(progress: &dyn Progress, phase: &str, bytes: u64) -> Result<()> {
    if progress.advance(phase, bytes, 0) {
        Ok(())
    } else {
        Err(Error::new(
            Code::Cancelled,
            "stopped on request; every snapshot is whole, and the next prune goes on from here",
        ))
    }
}

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
pub(crate) mod sift;

use std::collections::HashSet;

use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::{self, Pack, Packer};
use crate::progress::Progress;
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::vault::Vault;
use listing::Listings;
use mark::{Marked, Marks};
use nowhere::Nowhere;
use plan::{Fate, Plan};
use sift::{Sieve, Sifted};

/// How to prune.
#[derive(Debug, Clone, Copy)]
pub struct Prune {
    /// A pack is rewritten if more than this many thousandths of it are unused. 0: if anything of it is; 1000: never.
    pub max_unused: u32,
    /// Only says what would come of it. All that would be moved is read and checked, nothing is written.
    pub dry_run: bool,
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
    let snapshots = readable_snapshots(vault)?;
    let before = repository::bytes(vault)?;
    let listings = Listings::open(vault, options.dry_run, UNKNOWN, progress)?;
    let objects = listings.objects(vault);
    let marked = mark::mark(vault, &snapshots, &listings, &objects, progress)?;
    if !marked.damage.is_empty() {
        return Err(refuse(vault, options.dry_run, marked));
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
        plan: &plan,
        gone: HashSet::new(),
        written: Vec::new(),
        settled: false,
        pruned: Pruned { snapshots: snapshots.len() as u32, ..Pruned::default() },
    };
    let mut unfinished = repository::unfinished(vault)?;
    if snapshots.is_empty() {
        // What says which one is the newest.
        let path = snapshot::newest_path();
        unfinished.extend(vault.len(&path).ok().map(|len| (path, len)));
    }
    if !options.dry_run {
        // What is seen must last before anything is built on it: whoever was here before may have been stopped halfway.
        let loose = listings.packs.iter().filter(|held| !held.named).map(|held| held.pack.id);
        index::make_durable(vault, &loose.collect::<Vec<_>>())?;
        [snapshot::DIR, index::DIR, pack::DIR].iter().try_for_each(|dir| vault.sync_dir(dir))?;
        repository::clear(vault, &unfinished)?;
    }
    // What goes without anything being moved goes first: it makes room for what is moved.
    run.remove(|needed| needed == 0, false)?;
    run.remove(|needed| needed > 0, true)?;
    let after = if options.dry_run {
        let left = before - unfinished.iter().map(|(_, len)| len).sum::<u64>();
        run.bytes_afterwards(left)?
    } else {
        repository::bytes(vault)?
    };
    let mut pruned = run.pruned;
    pruned.bytes_left = after;
    pruned.bytes_freed = i64::try_from(i128::from(before) - i128::from(after)).unwrap_or(i64::MAX);
    let stays = |number: &usize| !run.gone.contains(number);
    let kept = (0..listings.packs.len()).filter(stays);
    pruned.bytes_unused = kept.map(|at| plan::unused(&listings.packs[at], &plan.tallies[at])).sum();
    Ok(pruned)
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

const UNKNOWN: &str = "the index lacks too many packs to say beforehand what a prune would do; a backup or a prune that is no dry run brings it \
     up to date";

/// Something that a snapshot needs is missing or damaged: nothing is removed. What was found damaged counts as absent
/// from now on, so that the next backup writes it again.
fn refuse(vault: &dyn Vault, dry_run: bool, marked: Marked) -> Error {
    let snapshots: HashSet<&String> = marked.damage.iter().map(|(snapshot, _)| snapshot).collect();
    let more = marked.damage.len() as u64 - 1 + marked.more_damage;
    let more = if more > 0 {
        format!(", and {more} more in {} snapshot(s)", snapshots.len())
    } else {
        String::new()
    };
    let Some((snapshot, what)) = marked.damage.first() else {
        return Error::damaged("a snapshot is damaged");
    };
    let mut message = format!(
        "snapshot {snapshot:?} is damaged: {what}{more}; nothing was removed, because what lies below cannot be known. A \
         backup writes again what the database still holds; otherwise forget the damaged snapshots, which `verify` lists"
    );
    if !dry_run && !marked.bad.is_empty() {
        let change = Change { bad: marked.bad, whole: true, ..Change::default() };
        if let Err(e) = index::update(vault, change) {
            message.push_str(&format!(". The damage could not be noted in the index ({e})"));
        }
    }
    Error::damaged(message)
}

/// A prune at work.
struct Run<'a> {
    vault: &'a dyn Vault,
    dry_run: bool,
    progress: &'a dyn Progress,
    listings: &'a Listings,
    objects: &'a Objects<'a>,
    needed: &'a Marks,
    plan: &'a Plan,
    /// Packs, by number, that went.
    gone: HashSet<usize>,
    /// Packs that were written.
    written: Vec<Pack>,
    /// Objects that are damaged in these packs: the index says no more of them.
    bad: HashSet<(Id, Id)>,
    /// The index was brought up to date with all that is listed.
    settled: bool,
    pruned: Pruned,
}

impl Run<'_> {
    /// Removes those packs that are to go and of which so many objects are needed.
    fn remove(&mut self, which: impl Fn(u32) -> bool, last: bool) -> Result<()> {
        let plan = self.plan;
        let numbers = (0..plan.fates.len()).filter(|at| which(plan.tallies[*at].needed));
        let (mut sifted, mut to_sift) = (Sifted::default(), Vec::new());
        for number in numbers {
            match plan.fates[number] {
                Fate::Keep => {}
                Fate::Drop => sifted.gone.push(number),
                Fate::Sift => to_sift.push(number),
            }
        }
        let written = self.sift(&to_sift, &mut sifted)?;
        self.pruned.objects_moved += sifted.objects;
        self.pruned.bytes_moved += sifted.bytes;
        self.pruned.packs_written += written.len() as u64;
        self.pruned.packs_removed += sifted.gone.len() as u64;
        let objects: u64 =
            sifted.gone.iter().map(|at| u64::from(self.listings.packs[*at].pack.objects)).sum();
        self.pruned.objects_removed += objects.saturating_sub(sifted.objects);
        let nothing = sifted.gone.is_empty() && written.is_empty() && sifted.bad.is_empty();
        self.bad.extend(sifted.bad.drain());
        self.gone.extend(&sifted.gone);
        self.written.extend(&written);
        if self.dry_run || (nothing && (self.settled || !last)) {
            return Ok(());
        }
        self.settled = true;
        self.carry_out(&sifted.gone, &written)
    }

    fn sift(&self, numbers: &[usize], sifted: &mut Sifted) -> Result<Vec<Pack>> {
        let Self { vault, listings, objects, needed, plan, progress, .. } = *self;
        let sieve = Sieve { vault, listings, objects, needed, plan, progress };
        let mut packer = Packer::new(if self.dry_run { &Nowhere } else { vault }, "prune");
        let sift = numbers.iter().try_for_each(|number| sieve.sift(*number, &mut packer, sifted));
        match sift.and_then(|()| packer.end_pack()) {
            Ok(()) => packer.finish(),
            Err(e) => {
                if !self.dry_run {
                    sift::take_back(vault, packer, listings);
                }
                Err(e)
            }
        }
    }

    /// New packs are there: now the index, and then the packs that it no longer names.
    fn carry_out(&self, gone: &[usize], written: &[Pack]) -> Result<()> {
        // A pack that was damaged may have been written again whole, under the same name.
        let new: HashSet<Id> = self.written.iter().map(|pack| pack.id).collect();
        if self.index_changes() {
            let unnamed = |(number, held): (usize, &listing::Held)| {
                (!held.named && !self.gone.contains(&number)).then_some(held.pack.id)
            };
            let change = Change {
                packs: self.listings.packs.iter().enumerate().filter_map(unnamed).collect(),
                needed: written.iter().map(|pack| pack.id).collect(),
                lost: self.listings.lost.clone(),
                gone: gone.iter().map(|number| self.listings.packs[*number].pack.id).collect(),
                bad: self.bad.iter().filter(|(_, pack)| !new.contains(pack)).copied().collect(),
                broken: self.listings.broken.clone(),
                whole: true,
                ..Change::default()
            };
            index::update(self.vault, change).place("while the index is written")?;
        }
        let packs = gone.iter().map(|number| self.listings.packs[*number].pack);
        for pack in packs.filter(|pack| !new.contains(&pack.id)) {
            match self.vault.remove(&pack.path()) {
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        if gone.is_empty() { Ok(()) } else { self.vault.sync_dir(pack::DIR) }
    }

    /// Whether the index has to say something else than it does.
    fn index_changes(&self) -> bool {
        let packs = self.listings.packs.iter().enumerate();
        let differs = |(number, held): (usize, &listing::Held)| held.named == self.gone.contains(&number);
        !self.written.is_empty()
            || !self.bad.is_empty()
            || !self.listings.lost.is_empty()
            || !self.listings.broken.is_empty()
            || packs.into_iter().any(differs)
    }

    /// How many bytes all files would have, of so many that have names that stay.
    fn bytes_afterwards(&self, before: u64) -> Result<u64> {
        let of = |number: &usize| self.listings.packs[*number].pack;
        let gone: u64 = self.gone.iter().map(|number| of(number).len).sum();
        let written: u64 = self.written.iter().map(|pack| pack.len).sum();
        let mut after = before - gone + written;
        if self.index_changes() {
            let mut entries: u64 = 0;
            self.listings.each(|spots| {
                let needed = spots.iter().any(|spot| self.needed.get(spot));
                let stays = |spot: &listing::Spot| {
                    (needed || !self.gone.contains(&spot.pack))
                        && !self.bad.contains(&(spot.entry.id, of(&spot.pack).id))
                };
                entries += u64::from(spots.iter().any(stays));
                Ok(())
            })?;
            let packs = self.listings.packs.len() - self.gone.len() + self.written.len();
            after -= index::bytes(self.vault)?;
            if packs > 0 {
                after += index::len_of_file(packs as u64, entries);
            }
        }
        Ok(after)
    }
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

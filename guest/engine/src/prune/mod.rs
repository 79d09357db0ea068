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
pub(crate) mod sift;

use std::cell::RefCell;
use std::collections::HashSet;

use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::{self, Pack, Packer};
use crate::progress::{Few, Level, Progress};
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
        return Err(refuse(vault, options.dry_run, &snapshots, marked));
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
         missing, bring them back; if all of it is to go, allow it with --allow-empty",
        packs.len()
    );
    Err(Error::invalid(message))
}

const UNKNOWN: &str = "the index lacks too many packs to say beforehand what a prune would do; a backup or a prune that is no dry run brings it \
     up to date";

/// Something that a snapshot needs is missing or damaged: nothing is removed. What was found damaged counts as absent
/// from now on, so that the next backup writes it again; and that something is lost is noted, so that no backup builds on it.
fn refuse(vault: &dyn Vault, dry_run: bool, snapshots: &[Snapshot], marked: Marked) -> Error {
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
            return index::update(vault, Change { bad: marked.bad, whole: true, ..Change::default() });
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

/// A prune at work.
struct Run<'a> {
    vault: &'a dyn Vault,
    dry_run: bool,
    progress: &'a dyn Progress,
    listings: &'a Listings,
    objects: &'a Objects<'a>,
    needed: &'a Marks,
    plan: &'a Plan,
    /// Deltas that were seen to give their content back.
    gives_back: RefCell<Marks>,
    /// Packs, by number, that went.
    gone: HashSet<usize>,
    /// Packs that were written.
    written: Vec<Pack>,
    /// Objects that are damaged in these packs: the index says no more of them.
    bad: HashSet<(Id, Id)>,
    /// The index was brought up to date with all that is listed.
    settled: bool,
    /// How often the index was written.
    indexes: usize,
    pruned: &'a mut Pruned,
}

impl Run<'_> {
    fn numbers(&self, fate: Fate) -> impl Iterator<Item = usize> + use<'_> {
        self.plan.fates.iter().enumerate().filter(move |(_, of)| **of == fate).map(|(number, _)| number)
    }

    /// Removes packs of which nothing is needed.
    fn drop_dead(&mut self) -> Result<Step> {
        let sifted = Sifted { gone: self.numbers(Fate::Drop).collect(), ..Sifted::default() };
        for number in &sifted.gone {
            // They go for what the index says of them; what cannot be read stays.
            match pack::entries(self.vault, self.listings.packs[*number].pack.id) {
                Err(e) if e.is_unreadable() => return Err(e),
                _ => {}
            }
        }
        self.settle(sifted, &[], false)
    }

    /// Moves what is needed out of packs that are to go, and removes them: all at once, or, where there is no room for
    /// that, some at a time, each of which makes room for the next. What does not fit even so stays.
    fn move_needed(&mut self) -> Result<Step> {
        let to_sift = self.to_sift();
        let (mut rest, mut at_once, mut stay) = (&to_sift[..], to_sift.len(), Vec::new());
        let mut full = None;
        loop {
            let (now, later) = rest.split_at(at_once.min(rest.len()));
            let mut sifted = Sifted::default();
            let mut written = Vec::new();
            match full.is_some() && now.len() == 1 && self.is_without_waste(now[0]) {
                // Alone it would be written as it is.
                true => stay.extend_from_slice(now),
                false => match self.sift(now, &mut sifted) {
                    Ok(packs) => {
                        written = packs;
                        at_once = at_once.saturating_mul(2);
                    }
                    Err(e) if e.code == Code::Full => {
                        full = Some(e);
                        if now.len() > 1 {
                            at_once = now.len() / 2;
                            continue;
                        }
                        stay.extend_from_slice(now);
                        sifted = Sifted::default();
                    }
                    Err(e) => return Err(e),
                },
            }
            if self.settle(sifted, &written, later.is_empty())? == Step::Again {
                return Ok(Step::Again);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
            if full.is_some() {
                // What went takes room as long as it is open, and what was moved lies elsewhere now.
                self.objects.reload()?;
            }
        }
        if let Some(e) = full.filter(|_| !stay.is_empty()) {
            self.no_room_to_move(&to_sift, &stay, &e);
        }
        Ok(Step::Next)
    }

    /// Packs to move objects out of, in the order in which they come.
    fn to_sift(&self) -> Vec<usize> {
        let mut to_sift: Vec<usize> = self.numbers(Fate::Sift).collect();
        to_sift.sort_by_key(|number| self.plan.tallies[*number].needed > 0);
        to_sift
    }

    fn is_without_waste(&self, number: usize) -> bool {
        let held = &self.listings.packs[number];
        held.whole && plan::unused(held, &self.plan.tallies[number]) == 0
    }

    fn no_room_to_move(&self, to_sift: &[usize], stay: &[usize], e: &Error) {
        let unused = |at: &usize| plan::unused(&self.listings.packs[*at], &self.plan.tallies[*at]);
        // What was moved meanwhile may lie in small packs, which the next prune moves again.
        let needed = |at: &usize| self.plan.tallies[*at].used + pack::TRAILER as u64;
        let (unused, needed) = (stay.iter().map(unused).sum(), to_sift.iter().map(needed).sum());
        room::warn(self.progress, stay.len(), unused, needed, e);
    }

    /// Carries out what was found, and counts it.
    fn settle(&mut self, mut sifted: Sifted, written: &[Pack], last: bool) -> Result<Step> {
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
        self.written.extend(written);
        if nothing && (self.settled || !last) {
            return Ok(Step::Next);
        }
        self.settled = true;
        self.indexes += usize::from(self.index_changes());
        if self.dry_run { Ok(Step::Next) } else { self.carry_out(&sifted.gone, written) }
    }

    fn sift(&self, numbers: &[usize], sifted: &mut Sifted) -> Result<Vec<Pack>> {
        let Self { vault, listings, objects, needed, plan, progress, .. } = *self;
        let given_up = RefCell::new(Few::new(progress));
        let gives_back = &self.gives_back;
        let sieve = Sieve { vault, listings, objects, needed, plan, gives_back, progress, given_up };
        let mut packer = Packer::new(if self.dry_run { &Nowhere } else { vault }, "prune");
        let sift = numbers.iter().try_for_each(|number| sieve.sift(*number, &mut packer, sifted));
        sieve.given_up.into_inner().end("objects that are not what was written");
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
    fn carry_out(&self, gone: &[usize], written: &[Pack]) -> Result<Step> {
        // A pack that was damaged may have been written again whole, under the same name.
        let new: HashSet<Id> = self.written.iter().map(|pack| pack.id).collect();
        let stays = |number: &usize| new.contains(&self.listings.packs[*number].pack.id);
        let leave = gone.iter().copied().filter(|number| !stays(number));
        // No index file names these, so they need not wait for one, for which there may be no room.
        let (first, then): (Vec<usize>, Vec<usize>) = leave.partition(|number| self.is_nameless(*number));
        self.remove(&first)?;
        let mut step = Step::Next;
        if self.index_changes()
            && let Err(e) = self.update_index(gone, written)
        {
            if e.code != Code::Full || then.is_empty() || !room::is_expendable(self.vault, &self.gone_ids())?
            {
                return Err(e);
            }
            let message = format!(
                "there is no room for a new index before packs are removed ({e}); so the old one goes first, and is made \
                 again from the packs"
            );
            self.progress.log(Level::Info, &message);
            room::remove_index(self.vault)?;
            step = Step::Again;
        }
        self.remove(&then)?;
        if first.is_empty() && then.is_empty() {
            return Ok(step);
        }
        self.vault.sync_dir(pack::DIR)?;
        Ok(step)
    }

    fn gone_ids(&self) -> HashSet<Id> {
        self.gone.iter().map(|number| self.listings.packs[*number].pack.id).collect()
    }

    /// No index file names this pack, and nothing in it is needed that lies elsewhere.
    fn is_nameless(&self, number: usize) -> bool {
        let held = &self.listings.packs[number];
        let named =
            held.named || self.listings.lost.contains(&held.pack.id) || !self.listings.broken.is_empty();
        !named && self.plan.fates[number] == Fate::Drop
    }

    fn remove(&self, packs: &[usize]) -> Result<()> {
        for number in packs {
            match self.vault.remove(&self.listings.packs[*number].pack.path()) {
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// The index comes to name what was written and what stays, and no longer what goes.
    fn update_index(&self, gone: &[usize], written: &[Pack]) -> Result<()> {
        let new: HashSet<Id> = self.written.iter().map(|pack| pack.id).collect();
        let unnamed = |(number, held): (usize, &listing::Held)| {
            (!held.named && !self.gone.contains(&number)).then_some(held.pack.id)
        };
        let leaving = self.to_sift().into_iter().enumerate();
        let change = Change {
            leaving: leaving.map(|(step, number)| (self.listings.packs[number].pack.id, step)).collect(),
            packs: self.listings.packs.iter().enumerate().filter_map(unnamed).collect(),
            needed: written.iter().map(|pack| pack.id).collect(),
            lost: self.listings.lost.clone(),
            gone: gone.iter().map(|number| self.listings.packs[*number].pack.id).collect(),
            bad: self.bad.iter().filter(|(_, pack)| !new.contains(pack)).copied().collect(),
            broken: self.listings.broken.clone(),
            whole: true,
            ..Change::default()
        };
        index::update(self.vault, change).place("while the index is written")
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
                // Each of them replaces the one before it.
                let replaced = self.listings.replaced() + self.indexes.saturating_sub(1);
                after += index::len_of_file(packs as u64, replaced, entries);
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

//! A prune at work: what goes, what is moved, and the order in which it is written.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use super::listing::{self, Listings};
use super::mark::Marks;
use super::nowhere::Nowhere;
use super::plan::{self, Fate, Plan};
use super::sift::{self, Sieve, Sifted};
use super::{Pruned, Step, room};
use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::{self, Pack, Packer};
use crate::progress::{Few, Level, Progress};
use crate::vault::Vault;

/// A prune at work.
pub(super) struct Run<'a> {
    pub(super) vault: &'a dyn Vault,
    pub(super) dry_run: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) listings: &'a Listings,
    pub(super) objects: &'a Objects<'a>,
    pub(super) needed: &'a Marks,
    pub(super) plan: &'a Plan,
    /// Deltas that were seen to give their content back.
    pub(super) gives_back: RefCell<Marks>,
    /// Packs, by number, that went.
    pub(super) gone: HashSet<usize>,
    /// Packs that were written.
    pub(super) written: Vec<Pack>,
    /// Objects that are damaged in these packs: the index says no more of them.
    pub(super) bad: HashSet<(Id, Id)>,
    /// Whether the index names a pack, by number.
    pub(super) named: Vec<bool>,
    /// The index was brought up to date with all that is listed.
    pub(super) settled: bool,
    /// How often the index was written.
    pub(super) indexes: usize,
    pub(super) pruned: &'a mut Pruned,
}

impl Run<'_> {
    fn numbers(&self, fate: Fate) -> impl Iterator<Item = usize> + use<'_> {
        self.plan.fates.iter().enumerate().filter(move |(_, of)| **of == fate).map(|(number, _)| number)
    }

    /// Removes packs of which nothing is needed.
    pub(super) fn drop_dead(&mut self) -> Result<Step> {
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
    pub(super) fn move_needed(&mut self) -> Result<Step> {
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
        if !self.dry_run {
            return self.carry_out(&sifted.gone, written);
        }
        if self.index_changes() {
            self.index_changed();
        }
        Ok(Step::Next)
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
    fn carry_out(&mut self, gone: &[usize], written: &[Pack]) -> Result<Step> {
        // A pack that was damaged may have been written again whole, under the same name.
        let new: HashSet<Id> = self.written.iter().map(|pack| pack.id).collect();
        let stays = |number: &usize| new.contains(&self.listings.packs[*number].pack.id);
        let leave = gone.iter().copied().filter(|number| !stays(number));
        // No index file names these, so they need not wait for one, for which there may be no room.
        let (first, then): (Vec<usize>, Vec<usize>) = leave.partition(|number| self.is_nameless(*number));
        self.remove(&first)?;
        let mut step = Step::Next;
        if self.index_changes() {
            match self.update_index(gone, written) {
                Ok(()) => self.index_changed(),
                Err(e) if e.code != Code::Full => return Err(e),
                Err(e) if then.is_empty() && written.is_empty() => {
                    // Nothing rests on it: what it does not name yet, the next one does.
                    let message = format!("the index stays as it is: there is no room for a new one ({e})");
                    self.progress.log(Level::Info, &message);
                }
                Err(e) if then.is_empty() || !room::is_expendable(self.vault, &self.gone_ids())? => {
                    return Err(e);
                }
                Err(e) => {
                    let message = format!(
                        "there is no room for a new index before packs are removed ({e}); so the old one goes first, \
                         and is made again from the packs"
                    );
                    self.progress.log(Level::Info, &message);
                    room::remove_index(self.vault)?;
                    step = Step::Again;
                }
            }
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
        let id = self.listings.packs[number].pack.id;
        let named =
            self.named[number] || self.listings.lost.contains(&id) || !self.listings.broken.is_empty();
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
        let id = |number: usize| self.listings.packs[number].pack.id;
        let stay = (0..self.named.len()).filter(|number| !self.gone.contains(number));
        let (named, unnamed): (Vec<usize>, Vec<usize>) = stay.partition(|number| self.named[*number]);
        // What this step removes may be needed elsewhere, or in what an earlier one wrote.
        let mut also: BTreeSet<Id> = named.into_iter().filter(|at| self.plan.shares[*at]).map(id).collect();
        if self.plan.shares.contains(&true) {
            also.extend(&new);
        }
        let change = Change {
            packs: unnamed.into_iter().map(id).collect(),
            needed: written.iter().map(|pack| pack.id).collect(),
            also,
            lost: self.listings.lost.clone(),
            gone: gone.iter().map(|number| id(*number)).collect(),
            bad: self.bad.iter().filter(|(_, pack)| !new.contains(pack)).copied().collect(),
            broken: self.listings.broken.clone(),
            whole: true,
            ..Change::default()
        };
        index::update(self.vault, change).place("while the index is written")
    }

    fn index_changed(&mut self) {
        self.indexes += 1;
        self.named = (0..self.named.len()).map(|number| !self.gone.contains(&number)).collect();
    }

    /// Whether the index has to say something else than it does.
    fn index_changes(&self) -> bool {
        let differs = |(number, named): (usize, &bool)| *named == self.gone.contains(&number);
        !self.written.is_empty()
            || !self.bad.is_empty()
            || !self.listings.lost.is_empty()
            || !self.listings.broken.is_empty()
            || self.named.iter().enumerate().any(differs)
    }

    /// How many bytes all files would have, of so many that have names that stay.
    pub(super) fn bytes_afterwards(&self, before: u64) -> Result<u64> {
        let of = |number: &usize| self.listings.packs[*number].pack;
        let gone: u64 = self.gone.iter().map(|number| of(number).len).sum();
        let written: u64 = self.written.iter().map(|pack| pack.len).sum();
        let mut after = before - gone + written;
        if self.indexes > 0 {
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

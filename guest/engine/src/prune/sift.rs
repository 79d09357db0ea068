//! Moves what is needed out of packs that go.
//!
//! The rule is the same whatever a pack holds: each object in it that some snapshot needs must be found sound elsewhere,
//! or is moved, checked again in its new place; otherwise the pack stays.

use std::cell::RefCell;
use std::collections::HashSet;

use super::listing::Listings;
use super::mark::Marks;
use super::plan::{Plan, blame, is_sound, stored};
use crate::delta::Mark;
use crate::error::{Code, Place, Result};
use crate::id::Id;
use crate::index::Location;
use crate::object::{self, Stored};
use crate::objects::Objects;
use crate::pack::{self, Entry, Packer};
use crate::progress::{Few, Progress};
use crate::vault::{Vault, VaultFile};

/// Objects are read together up to so many bytes, across gaps of up to so many.
const RUN: u64 = 4 << 20;
const GAP: u64 = 64 << 10;

/// What a sifting needs to know.
pub(super) struct Sieve<'a, 'v> {
    pub(super) vault: &'a dyn Vault,
    pub(super) listings: &'a Listings,
    pub(super) objects: &'a Objects<'v>,
    pub(super) needed: &'a Marks,
    pub(super) plan: &'a Plan,
    /// Deltas, by the places where they lie, that were seen to give their content back.
    pub(super) gives_back: &'a RefCell<Marks>,
    pub(super) progress: &'a dyn Progress,
    pub(super) given_up: RefCell<Few<'a>>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Sifted {
    /// Packs, by number, of which everything needed lies elsewhere now.
    pub(super) gone: Vec<usize>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// Objects that no listed place gives back, with the packs where that was seen.
    pub(super) bad: HashSet<(Id, Id)>,
}

impl Sieve<'_, '_> {
    /// Moves what is needed of a pack.
    pub(super) fn sift(&self, number: usize, into: &mut Packer<'_>, sifted: &mut Sifted) -> Result<()> {
        super::advance(self.progress, "prune", 0)?;
        let id = self.listings.packs[number].pack.id;
        let (_, entries) = match pack::entries(self.vault, id) {
            // It stays, whatever of it comes back.
            Err(e) if e.code == Code::Damaged => pack::entries_or_salvage(self.vault, id)?,
            entries => entries?,
        };
        let mut wanted: Vec<Entry> = Vec::new();
        let mut counted_here = 0;
        let mut all = true;
        for entry in entries {
            let spots = self.listings.find_all(&entry.id)?;
            match spots.iter().find(|spot| self.needed.get(spot)) {
                None => {}
                Some(spot) if spot.pack == number => {
                    counted_here += 1;
                    wanted.push(entry);
                }
                Some(elsewhere) if is_sound(self.vault, self.listings, elsewhere)? => {}
                Some(elsewhere) if entry.mark.is_whole() || entry.mark == elsewhere.entry.mark => {
                    wanted.push(entry);
                }
                // What it rests on here may go.
                Some(_) => all = false,
            }
        }
        wanted.sort_unstable_by_key(|entry| entry.offset);
        // What the pack's own list does not have cannot be moved.
        all &= counted_here == self.plan.tallies[number].needed;
        let file = self.vault.open(&pack::path(id))?;
        let mut rest = &wanted[..];
        while !rest.is_empty() {
            let (run, after) = rest.split_at(run_of(rest));
            rest = after;
            all &= self.move_run(number, file.as_ref(), run, into, sifted).place(pack::path(id))?;
        }
        if all {
            sifted.gone.push(number);
        }
        Ok(())
    }

    /// Moves objects that lie one after the other; `false` if one of them cannot be.
    fn move_run(
        &self,
        number: usize,
        file: &dyn VaultFile,
        run: &[Entry],
        into: &mut Packer<'_>,
        sifted: &mut Sifted,
    ) -> Result<bool> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(true) };
        let start = u64::from(first.offset);
        let len = end_of(last) - start;
        let bytes = file.read(start, usize::try_from(len).unwrap_or(usize::MAX))?;
        let mut all = true;
        super::advance(self.progress, "prune", len)?;
        for entry in run {
            let at = (u64::from(entry.offset) - start) as usize;
            let here = bytes.get(at..at + entry.len as usize).unwrap_or_default();
            let place = entry.in_pack(self.listings.packs[number].pack.id);
            let mut added = into.add_stored(entry.id, here, |object| self.gives_back(object, place))?;
            if added.is_none()
                && let Some((place, other)) = self.other_copy(number, entry)?
            {
                added = into.add_stored(entry.id, &other, |object| self.gives_back(object, place))?;
            }
            match added {
                Some(added) => {
                    sifted.objects += u64::from(added > 0);
                    sifted.bytes += added;
                }
                None => {
                    self.give_up(entry, sifted)?;
                    all = false;
                }
            }
        }
        Ok(all)
    }

    /// Whether a delta that lies here gives its content back. What it rests on does too, then, or does not, and that is
    /// remembered: most of what rests on others is rested on itself, and need not be gone through again.
    fn gives_back(&self, delta: &Stored<'_>, place: Location) -> Result<bool> {
        let known = |id: &Id, place: Location| {
            let spot = self.listings.find_at(id, place)?;
            Ok(spot.map(|spot| (spot, self.gives_back.borrow().get(&spot))))
        };
        if matches!(known(&delta.id, place)?, Some((_, true))) {
            return Ok(true);
        }
        let Some(chain) = self.objects.chain(delta, place)? else { return Ok(false) };
        let mut gives_back = false;
        let made = chain.contents(|link, content| {
            gives_back = false;
            let seen = link.place.map(|place| known(&link.id, place)).transpose()?.flatten();
            gives_back =
                matches!(seen, Some((_, true))) || object::check(link.kind, link.id, content).is_ok();
            if let Some((spot, false)) = seen.filter(|_| gives_back) {
                self.gives_back.borrow_mut().set(&spot);
            }
            Ok(())
        });
        match made {
            Err(e) if e.code == Code::Damaged => Ok(false),
            made => made.map(|_| gives_back),
        }
    }

    /// Another place's copy of an object, which rests on no other than this one.
    fn other_copy(&self, number: usize, entry: &Entry) -> Result<Option<(Location, Vec<u8>)>> {
        let fits = |mark: Mark| mark.is_whole() || mark == entry.mark;
        let spots = self.listings.find_all(&entry.id)?;
        for spot in spots.iter().filter(|spot| spot.pack != number && fits(spot.entry.mark)) {
            if let Some(stored) = stored(self.vault, self.listings, spot)? {
                return Ok(Some((self.listings.location(spot), stored)));
            }
        }
        Ok(None)
    }

    /// An object that no listed place gives back counts as absent from now on, so that the next backup heals it; or what it
    /// rests on does.
    fn give_up(&self, entry: &Entry, sifted: &mut Sifted) -> Result<()> {
        for spot in &self.listings.find_all(&entry.id)? {
            let path = self.listings.packs[spot.pack].pack.path();
            let rests = if spot.entry.mark.is_whole() { "" } else { ", or what it is a delta of," };
            let message = format!(
                "{path} at {}: object {}{rests} is not what was written, and a snapshot needs it. The pack stays. The next \
                 backup writes the object again if the database still holds it; `verify --read-data` says what it costs",
                entry.offset, entry.id
            );
            self.given_up.borrow_mut().warn(&message);
        }
        blame(self.vault, self.listings, &entry.id, &mut sifted.bad)
    }
}

pub(crate) fn end_of(entry: &Entry) -> u64 {
    u64::from(entry.offset) + u64::from(entry.len)
}

/// How many of these objects are read at once; one at least.
pub(crate) fn run_of(entries: &[Entry]) -> usize {
    let start = u64::from(entries[0].offset);
    let fits = |pair: &[Entry]| {
        u64::from(pair[1].offset) <= end_of(&pair[0]) + GAP && end_of(&pair[1]) <= start + RUN
    };
    1 + entries.windows(2).take_while(|pair| fits(pair)).count()
}

/// Takes finished packs away again that were not there before: nothing names them yet.
pub(crate) fn take_back(vault: &dyn Vault, packer: Packer<'_>, listings: &Listings) {
    let before: HashSet<Id> = listings.packs.iter().map(|held| held.pack.id).collect();
    for pack in packer.done() {
        if !before.contains(&pack.id) {
            // Only to have the room again; otherwise the next prune takes it away.
            let _ = vault.remove(&pack.path());
        }
    }
}

/// No stored object is longer.
const _: () = assert!((object::HEADER + object::CONTENT_MAX) as u64 <= RUN);

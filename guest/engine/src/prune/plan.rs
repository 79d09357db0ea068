//! What is to become of each pack.

use std::collections::{BTreeSet, HashSet};

use super::listing::{Held, Listings, Spot};
use super::mark::Marks;
use crate::error::Result;
use crate::id::Id;
use crate::pack::{self, Entry, OBJECTS_MAX, TARGET, TRAILER};
use crate::progress::Progress;
use crate::vault::Vault;

/// What becomes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// Nothing in it is needed, and nothing needed that lies elsewhere lies in it too: it goes unread.
    Drop,
    /// What is needed and lies nowhere else is moved out of it; then it goes.
    Sift,
}

/// What of a pack is needed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Objects that are needed and counted here, and their bytes with what the list of the pack has of them.
    pub(super) needed: u32,
    pub(super) used: u64,
    /// Listed objects that no snapshot needs.
    dead: u32,
}

/// The fates of all packs, by number.
pub(super) struct Plan {
    pub(super) fates: Vec<Fate>,
    pub(super) tallies: Vec<Tally>,
    /// Whether the pack holds an object that lies in another one too.
    pub(super) shares: Vec<bool>,
}

/// Counts what is needed and decides.
pub(super) fn make(
    listings: &Listings,
    needed: &Marks,
    max_unused: u32,
    progress: &dyn Progress,
) -> Result<Plan> {
    let mut tallies = vec![Tally::default(); listings.packs.len()];
    let mut shares = vec![false; listings.packs.len()];
    let mut seen: u64 = 0;
    listings.each(|spots| {
        seen += 1;
        if seen.is_multiple_of(1 << 16) {
            super::advance(progress, "mark", 0)?;
        }
        if spots.iter().any(|spot| spot.pack != spots[0].pack) {
            spots.iter().for_each(|spot| shares[spot.pack] = true);
        }
        let Some(marked) = spots.iter().find(|spot| needed.get(spot)) else {
            for (at, spot) in spots.iter().enumerate() {
                let again = spots[..at].iter().any(|before| before.pack == spot.pack);
                tallies[spot.pack].dead += u32::from(!again);
            }
            return Ok(());
        };
        let tally = &mut tallies[marked.pack];
        tally.needed += 1;
        tally.used += u64::from(marked.entry.len) + Entry::LEN as u64;
        Ok(())
    })?;
    let fates = decide(&listings.packs, &tallies, max_unused);
    Ok(Plan { fates, tallies, shares })
}

/// Whether the object that is said to lie there is what was written, whatever there is to say of what it rests on.
pub(crate) fn is_sound(vault: &dyn Vault, listings: &Listings, spot: &Spot) -> Result<bool> {
    Ok(stored(vault, listings, spot)?.is_some())
}

/// Notes which places of an object that does not come back are not what was written: those of the object itself, or of
/// what it rests on.
pub(super) fn blame(
    vault: &dyn Vault,
    listings: &Listings,
    id: &Id,
    bad: &mut HashSet<(Id, Id)>,
) -> Result<()> {
    let (mut todo, mut seen) = (vec![*id], BTreeSet::new());
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        for spot in listings.find_all(&id)? {
            if !is_sound(vault, listings, &spot)? {
                bad.insert((id, listings.location(&spot).pack));
            } else if !spot.entry.mark.is_whole() {
                todo.extend(listings.find_bases(spot.entry.mark)?);
            }
        }
    }
    Ok(())
}

/// An object as it is stored, if what lies there is what was written.
pub(crate) fn stored(vault: &dyn Vault, listings: &Listings, spot: &Spot) -> Result<Option<Vec<u8>>> {
    pack::stored(vault, listings.packs[spot.pack].pack.id, &spot.entry)
}

fn decide(packs: &[Held], tallies: &[Tally], max_unused: u32) -> Vec<Fate> {
    let decide = |(held, tally): (&Held, &Tally)| {
        let pack = held.pack;
        if tally.needed == 0 {
            return if tally.dead == pack.objects { Fate::Drop } else { Fate::Sift };
        }
        let too_much = u128::from(unused(held, tally)) * 1000 > u128::from(pack.len) * u128::from(max_unused);
        if too_much || !held.whole { Fate::Sift } else { Fate::Keep }
    };
    let mut fates: Vec<Fate> = packs.iter().zip(tallies).map(decide).collect();
    // Small packs become one, unless there is but one. The last of those that are written may be small too.
    let is_small =
        |at: usize| packs[at].pack.len < TARGET / 4 && (packs[at].pack.objects as usize) < OBJECTS_MAX / 4;
    let small: Vec<usize> = (0..packs.len()).filter(|at| fates[*at] == Fate::Keep && is_small(*at)).collect();
    let writes = fates.iter().zip(tallies).any(|(fate, tally)| *fate == Fate::Sift && tally.needed > 0);
    if small.len() + usize::from(writes) > 1 {
        small.iter().for_each(|at| fates[*at] = Fate::Sift);
    }
    fates
}

/// Bytes of a pack that nothing needs.
pub(super) fn unused(held: &Held, tally: &Tally) -> u64 {
    held.pack.len.saturating_sub(tally.used + TRAILER as u64)
}

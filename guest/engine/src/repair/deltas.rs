//! Deltas that have lost what they rest on.

use std::collections::HashSet;

use super::advance;
use super::look::{Found, salvage};
use super::places::{Places, State};
use crate::delta::Mark;
use crate::error::Result;
use crate::id::Id;
use crate::pack::{self, Entry};
use crate::progress::Progress;

/// How objects are stored in places from which they do not come back, although they do from others. An index that has one
/// place for each must not take these.
pub(super) fn dead(
    places: &Places<'_>,
    found: &Found,
    progress: &dyn Progress,
) -> Result<HashSet<(Id, Mark)>> {
    let mut dead = HashSet::new();
    let mut look = |path: &str, entry: &Entry| -> Result<()> {
        if places.holds_up(entry.mark)? || dead.contains(&(entry.id, entry.mark)) {
            return Ok(());
        }
        // What it rests on may lie where nobody lists it.
        if places.read_at(path, entry)?.is_none() && places.has_elsewhere(path, entry)? {
            dead.insert((entry.id, entry.mark));
        }
        Ok(())
    };
    for (held, _) in
        places.listings.packs.iter().zip(&places.states).filter(|(_, state)| **state == State::Sound)
    {
        advance(progress, 0)?;
        let (_, list) = pack::entries(places.vault, held.pack.id)?;
        let list = list.iter().filter(|entry| !found.bad.contains(&(entry.id, held.pack.id)));
        list.into_iter().try_for_each(|entry| look(&held.pack.path(), entry))?;
    }
    for file in &found.spoilt {
        let salvaged = salvage(places.vault, &file.path)?;
        for entry in &salvaged.entries {
            // What is not what was written says nothing of another place that has the same mark.
            if !places.is_wrong(&file.path, entry)? {
                look(&file.path, entry)?;
            }
        }
    }
    Ok(dead)
}

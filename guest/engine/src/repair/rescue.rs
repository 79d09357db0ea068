//! Copies what still comes back of files that are no sound packs.

use std::collections::BTreeMap;

use super::advance;
use super::look::{Is, Spoilt, salvage};
use super::places::{Places, State, will_do};
use crate::error::{Place, Result};
use crate::pack::{Pack, Packer};
use crate::progress::Progress;
use crate::prune::sift::take_back;

/// What was written to new packs.
pub(super) struct Written {
    /// Of the files that are no sound packs, in their order.
    pub(super) rescued: Vec<Rescued>,
    /// Objects that came back only by way of what is wrong: how many of each file.
    pub(super) detached: BTreeMap<String, u64>,
    pub(super) packs: Vec<Pack>,
}

/// What came of one of these files.
pub(super) struct Rescued {
    /// Objects that came back.
    pub(super) objects: u64,
    /// Objects that were copied; the others lie in a pack that stays.
    pub(super) copied: u64,
    /// Nothing in it is needed any more.
    pub(super) spare: bool,
}

/// Stores objects whole that come back only by way of what is wrong.
fn detach(places: &Places<'_>, packer: &mut Packer<'_>) -> Result<BTreeMap<String, u64>> {
    let mut detached = BTreeMap::new();
    for (path, entry) in places.detached() {
        if let Some((kind, content)) = places.read_detached(path, entry)? {
            packer.add(kind, &content, None)?;
            *detached.entry(path.to_owned()).or_default() += 1;
        }
    }
    Ok(detached)
}

/// Copies what lies in no pack that stays, each object decoded and hashed again in its new place. A delta is copied as it
/// is: it comes back if what it rests on does.
pub(super) fn rescue(
    spoilt: &[Spoilt],
    places: &Places<'_>,
    mut packer: Packer<'_>,
    dry_run: bool,
    progress: &dyn Progress,
) -> Result<Written> {
    let mut copy = || {
        let detached = detach(places, &mut packer)?;
        let rescued = spoilt.iter().map(|file| one(file, places, &mut packer, progress));
        let rescued = rescued.collect::<Result<Vec<_>>>()?;
        packer.end_pack()?;
        Ok((detached, rescued))
    };
    match copy() {
        Ok((detached, rescued)) => Ok(Written { rescued, detached, packs: packer.finish()? }),
        Err(e) => {
            if !dry_run {
                take_back(places.vault, packer, places.listings);
            }
            Err(e)
        }
    }
}

fn one(
    spoilt: &Spoilt,
    places: &Places<'_>,
    packer: &mut Packer<'_>,
    progress: &dyn Progress,
) -> Result<Rescued> {
    let path = &spoilt.path;
    let salvaged = salvage(places.vault, path)?;
    let useless = matches!(spoilt.is, Is::Pack(number) if places.states[number] == State::Useless);
    let mut right = Vec::new();
    for entry in salvaged.entries {
        if !places.is_wrong(path, &entry)? {
            right.push(entry);
        }
    }
    let mut rescued = Rescued {
        objects: right.len() as u64,
        copied: 0,
        spare: salvaged.complete && (!useless || places.vault.len(path)? == 0),
    };
    if right.is_empty() {
        return Ok(rescued);
    }
    let file = places.vault.open(path)?;
    right.sort_unstable_by_key(|entry| entry.offset);
    for entry in right {
        match packer.held(&entry.id) {
            Some(held) if will_do(&held, &entry) => continue,
            _ if places.stays(&entry)? => continue,
            // It rests on another object there. Both are kept, for what may rest on either.
            Some(_) => packer.end_pack()?,
            None => {}
        }
        let stored = file.read(u64::from(entry.offset), entry.len as usize).place(path)?;
        match packer.add_stored(entry.id, &stored, |_| Ok(true))? {
            Some(bytes) => {
                rescued.copied += 1;
                advance(progress, bytes)?;
            }
            // It came back a moment ago.
            None => rescued.spare = false,
        }
    }
    Ok(rescued)
}

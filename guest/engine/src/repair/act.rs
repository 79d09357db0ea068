//! Writes what was decided.

use std::collections::HashSet;

use super::look::{Found, Is};
use super::places::{Places, State};
use super::rescue::{Rescued, Written, rescue};
use super::{Note, deltas};
use crate::delta::Mark;
use crate::error::{Code, Place, Result};
use crate::id::Id;
use crate::index::{self, Change};
use crate::pack::{self, Pack, Packer};
use crate::progress::Progress;
use crate::prune::nowhere::Nowhere;
use crate::repository;
use crate::vault::Vault;

/// No more is listed of what is put right.
const NOTES_MAX: usize = 10_000;

/// What is to be done.
pub(super) struct Act<'a> {
    pub(super) vault: &'a dyn Vault,
    pub(super) dry_run: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) places: &'a Places<'a>,
    pub(super) found: &'a Found,
    /// Why the file that makes this a repository has to be made again.
    pub(super) lacks_file: Option<&'static str>,
    /// Objects lie in packs of which the index does not say it.
    pub(super) hidden: bool,
    /// A snapshot lacks something, and does not know that anything was lost since it was made.
    pub(super) trusted: bool,
}

/// Does it, or says what would be done.
pub(super) fn act(act: Act<'_>) -> Result<Vec<Note>> {
    let mut notes: Vec<Note> = Vec::new();
    notes.extend(act.lacks_file.map(|why| Note::new(repository::FILE, format!("{why}; made again"))));
    let unfinished = repository::unfinished(act.vault)?;
    notes.extend(unfinished.iter().map(|(path, _)| Note::new(path, "unfinished; removed")));
    if !act.dry_run {
        act.begin(&unfinished)?;
    }
    // Before anything is written where what is looked at lies.
    let dead = if !act.dry_run && (act.index_changes(&[]) || !act.found.spoilt.is_empty()) {
        deltas::dead(act.places, act.found, act.progress)?
    } else {
        HashSet::new()
    };
    let packer = Packer::new(if act.dry_run { &Nowhere } else { act.vault }, "repair");
    let spoilt = &act.found.spoilt;
    let Written { rescued, detached, packs: written } =
        rescue(spoilt, act.places, packer, act.dry_run, act.progress)?;
    let gone: Vec<usize> = (spoilt.iter().zip(&rescued))
        .filter_map(|(file, rescued)| match file.is {
            Is::Pack(number) if rescued.spare => Some(number),
            _ => None,
        })
        .collect();
    act.describe(&rescued, &mut notes);
    notes.extend(detached.into_iter().map(|(path, objects)| {
        let what = "object(s) in it rest on what is not what was written, and come back all the same; written again whole";
        Note::new(path, format!("{objects} {what}"))
    }));
    if notes.len() > NOTES_MAX {
        let more = notes.len() - NOTES_MAX;
        notes.truncate(NOTES_MAX);
        notes.push(Note::new("", format!("and {more} more")));
    }
    let changes = act.index_changes(&written);
    if changes && notes.is_empty() {
        notes.push(Note::new(index::DIR, "made again from the lists of the packs"));
    }
    if act.trusted && !changes {
        notes.push(Note::new(
            index::DIR,
            "it never told of all that is lost; from now on it does, and the next backup scans",
        ));
    }
    if !act.dry_run {
        if changes {
            act.index(&written, &dead)?;
        } else if act.trusted {
            index::note_loss(act.vault)?;
        }
        act.remove(&gone, &written)?;
    }
    Ok(notes)
}

impl Act<'_> {
    /// What is seen must last before anything is built on it: whoever was here before may have been stopped halfway.
    fn begin(&self, unfinished: &[(String, u64)]) -> Result<()> {
        let Self { vault, .. } = self;
        vault.sync_dir("")?;
        if self.lacks_file.is_some() {
            repository::create(*vault)?;
        }
        let packs = self.places.listings.packs.iter();
        let loose = packs.filter(|held| !held.named).map(|held| held.pack.id);
        index::make_durable(*vault, &loose.collect::<Vec<_>>())?;
        repository::DIRS.iter().try_for_each(|dir| vault.sync_dir(dir))?;
        // `repository::create` has used the name of one of them.
        for (path, _) in unfinished {
            match vault.remove(path) {
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    fn pack(&self, number: usize) -> Pack {
        self.places.listings.packs[number].pack
    }

    /// Packs that stay and hold something, by number.
    fn sound(&self) -> impl Iterator<Item = usize> {
        (0..self.places.states.len()).filter(|number| self.places.states[*number] == State::Sound)
    }

    /// Whether the index has to say something else than it does.
    fn index_changes(&self, written: &[Pack]) -> bool {
        let listings = self.places.listings;
        let packs = listings.packs.iter().zip(&self.places.states);
        let differs =
            |(held, state): (&crate::prune::listing::Held, &State)| held.named != (*state == State::Sound);
        self.hidden
            || !written.is_empty()
            || !listings.lost.is_empty()
            || !self.places.listings.broken.is_empty()
            || !self.found.rotten.is_empty()
            || !self.found.unread.is_empty()
            || packs.into_iter().any(differs)
    }

    /// A new index, from the lists of the packs alone.
    fn index(&self, written: &[Pack], dead: &HashSet<(Id, Mark)>) -> Result<()> {
        for path in &self.found.aside {
            self.vault.rename(path, &index::aside(path))?;
        }
        // What was damaged may have been written again under the same name.
        let is_new = |id: &Id| written.iter().any(|pack| pack.id == *id);
        let mut bad: HashSet<(Id, Id)> =
            self.found.bad.iter().filter(|(_, pack)| !is_new(pack)).copied().collect();
        let packs = self.sound().map(|number| self.pack(number).id).chain(written.iter().map(|pack| pack.id));
        for pack in packs.filter(|_| !dead.is_empty()) {
            let (_, list) = pack::entries(self.vault, pack)?;
            let list = list.iter().filter(|entry| dead.contains(&(entry.id, entry.mark)));
            bad.extend(list.map(|entry| (entry.id, pack)));
        }
        let is_away = |name: &String| {
            let path = format!("{}/{name}", index::DIR);
            self.places.listings.unreadable.iter().any(|(away, _)| *away == path)
        };
        // Also where it is not known what there was.
        index::note_loss(self.vault)?;
        let change = Change {
            packs: self.sound().map(|number| self.pack(number).id).collect(),
            needed: written.iter().map(|pack| pack.id).collect(),
            bad,
            broken: index::files(self.vault)?.into_iter().filter(|name| !is_away(name)).collect(),
            whole: true,
            ..Change::default()
        };
        index::update(self.vault, change).place("while the index is written")
    }

    /// Packs whose content lies elsewhere now.
    fn remove(&self, gone: &[usize], written: &[Pack]) -> Result<()> {
        // One that was damaged may have been written again whole, under the same name.
        let new: HashSet<Id> = written.iter().map(|pack| pack.id).collect();
        for pack in gone.iter().map(|number| self.pack(*number)).filter(|pack| !new.contains(&pack.id)) {
            match self.vault.remove(&pack.path()) {
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        if gone.is_empty() { Ok(()) } else { self.vault.sync_dir(pack::DIR) }
    }

    /// What is put right, in words.
    fn describe(&self, rescued: &[Rescued], notes: &mut Vec<Note>) {
        let listings = self.places.listings;
        for (file, rescued) in self.found.spoilt.iter().zip(rescued) {
            let Rescued { objects, copied, spare } = *rescued;
            let what = match file.is {
                Is::Pack(number) if objects == 0 => match (listings.packs[number].named, spare) {
                    (_, true) => "nothing is in it; removed".to_owned(),
                    (true, false) => "nothing in it comes back; the index names it no more".to_owned(),
                    (false, false) => continue,
                },
                // Nothing is done with it.
                Is::Pack(number) if copied == 0 && !spare && !listings.packs[number].named => continue,
                Is::Pack(number) => {
                    let wrong = match self.places.states[number] {
                        _ if self.found.hidden.contains_key(&number) => "its list of objects cannot be read",
                        State::Riddled => "too much in it is not what was written",
                        _ => "its list of objects is not what was written",
                    };
                    let come_back = match copied {
                        0 => format!("all {objects} object(s) that come back lie in another pack too"),
                        all if all == objects => {
                            format!(
                                "the {objects} object(s) that come back are written again as a sound pack"
                            )
                        }
                        _ => format!(
                            "of the {objects} object(s) that come back {copied} are written again as a sound pack, the \
                             others lie in one"
                        ),
                    };
                    let rest = if spare { "" } else { "; it is left, for not all of it could be copied" };
                    format!("{wrong}; {come_back}{rest}")
                }
                Is::Index if copied > 0 => format!(
                    "it is no index file; {copied} object(s) in it are written to a pack, it is removed, the index is made \
                     again from the packs"
                ),
                Is::Index => "it is damaged; removed, the index is made again from the packs".to_owned(),
                Is::Snapshot if copied > 0 => {
                    format!("{copied} object(s) in it are written to a pack; it stays as it is")
                }
                Is::Snapshot => continue,
            };
            notes.push(Note::new(file.path.clone(), what));
        }
        notes.extend(self.found.aside.iter().map(|path| {
            let what = "it holds a snapshot file; was it exchanged for another file? It is called";
            Note::new(path, format!("{what} {} now", index::aside(path)))
        }));
        let mut lost: Vec<&Id> = listings.lost.iter().collect();
        lost.sort_unstable();
        for id in lost {
            let there = listings.packs.iter().position(|held| held.pack.id == *id);
            match there.map(|number| self.places.states[number]) {
                None => {
                    let path = pack::path(*id);
                    let away = listings.unreadable.iter().any(|(away, _)| *away == path);
                    let wrong = if away { "it cannot be read" } else { "it is gone" };
                    notes.push(Note::new(path, format!("{wrong}; the index names it no more")));
                }
                Some(State::Sound) => notes.push(Note::new(
                    pack::path(*id),
                    "it has another length than the index says; the index says it right",
                )),
                // What became of it is said above.
                Some(State::Riddled | State::Broken) => {}
                Some(State::Useless) => {
                    notes.push(Note::new(
                        pack::path(*id),
                        "nothing in it comes back; the index names it no more",
                    ));
                }
            }
        }
        let (rotten, unread) = (&self.found.rotten, &self.found.unread);
        for (found, wrong) in [(rotten, "are not what was written"), (unread, "cannot be read")] {
            for (number, objects) in found {
                if self.places.states[*number] == State::Sound {
                    let what = format!("{objects} object(s) in it {wrong}; the index leaves them out");
                    notes.push(Note::new(self.pack(*number).path(), what));
                }
            }
        }
        let unnamed = listings.packs.iter().zip(&self.places.states);
        let unnamed = unnamed.filter(|(held, state)| {
            !held.named && **state == State::Sound && !listings.lost.contains(&held.pack.id)
        });
        // With a damaged index file that is no wonder, and said.
        match unnamed.count() {
            packs if packs > 0 && listings.broken.is_empty() => {
                let what = format!("it lacks {packs} pack(s) that are there; taken into it");
                notes.push(Note::new(index::DIR, what));
            }
            _ => {}
        }
        if self.hidden {
            notes.push(Note::new(
                index::DIR,
                "it does not say where some objects lie that are there; now it does",
            ));
        }
    }
}

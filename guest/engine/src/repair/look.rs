//! Reads everything that may hold objects, and finds out which of them are sound.

use std::collections::{BTreeMap, HashSet};

use super::places::{Places, State};
use super::{Note, advance, newer};
use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::index;
use crate::object::{self, Stored};
use crate::pack::{self, Entry, Salvaged};
use crate::progress::Progress;
use crate::prune::sift::{end_of, run_of};
use crate::snapshot::{self, Unreadable, diagnosis};
use crate::vault::{Vault, VaultFile, check_answers};

/// A file that is no sound pack, and may hold objects all the same.
pub(super) struct Spoilt {
    pub(super) path: String,
    pub(super) is: Is,
}

/// What such a file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// A pack, by number.
    Pack(usize),
    Index,
    Snapshot,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// Objects that are not what was written, in packs that stay.
    pub(super) bad: HashSet<(Id, Id)>,
    /// Of packs that stay, how many damaged objects the index says to be there.
    pub(super) rotten: BTreeMap<usize, u64>,
    pub(super) spoilt: Vec<Spoilt>,
    /// What stands where index files are and is a snapshot file: it gets another name, or a backup would remove it.
    pub(super) aside: Vec<String>,
    /// Of packs that stay, how many objects cannot be read that the index says to be there.
    pub(super) unread: BTreeMap<usize, u64>,
    /// Packs, by number, whose lists cannot be read.
    pub(super) hidden: BTreeMap<usize, Error>,
    /// What holds nothing that can be read, and stays.
    pub(super) left: Vec<Note>,
}

/// Whether the object that is said to lie there is what was written, whatever there is to say of what it rests on. Fails if
/// only a later version could tell.
fn is_sound(entry: &Entry, stored: &[u8]) -> Result<bool> {
    let is_it = |(object, len): (Stored<'_>, usize)| {
        (object.id, object.mark, len) == (entry.id, entry.mark, entry.len as usize)
    };
    if object::sound(stored).is_some_and(is_it) {
        return Ok(true);
    }
    if object::is_newer(stored) { Err(newer(format!("object {}", entry.id))) } else { Ok(false) }
}

/// What comes back of a file by the headers of objects.
pub(super) fn salvage(vault: &dyn Vault, path: &str) -> Result<Salvaged> {
    let salvaged = pack::salvage(vault.open(path)?.as_ref()).place(path)?;
    if salvaged.newer { Err(newer(path)) } else { Ok(salvaged) }
}

pub(super) struct Look<'p, 'a> {
    pub(super) places: &'p mut Places<'a>,
    pub(super) progress: &'p dyn Progress,
    /// Damaged objects that may be noted, for the index to leave out.
    pub(super) bad_max: usize,
    pub(super) found: Found,
}

impl Look<'_, '_> {
    /// Reads all packs, then all other files that may hold objects.
    pub(super) fn everywhere(&mut self, unreadable: &[Unreadable]) -> Result<()> {
        let (vault, listings) = (self.places.vault, self.places.listings);
        let mut broken = Vec::new();
        for (number, held) in listings.packs.iter().enumerate() {
            let read = pack::entries(vault, held.pack.id);
            // Once more, should it have been an accident.
            let read = if read.as_ref().is_err_and(Error::is_unreadable) {
                pack::entries(vault, held.pack.id)
            } else {
                read
            };
            match read {
                Ok((_, list)) => self.pack(number, list)?,
                Err(e) if e.is_spoilt() => {
                    self.places.states[number] = State::Broken;
                    broken.push(number);
                    if e.is_unreadable() {
                        self.found.hidden.insert(number, e);
                    }
                }
                Err(e) => return Err(e),
            }
        }
        for number in broken {
            let path = listings.packs[number].pack.path();
            self.salvaged(path, Is::Pack(number))?;
        }
        let mut files: Vec<&String> = listings.broken.iter().collect();
        files.sort_unstable();
        for name in files {
            let path = format!("{}/{name}", index::DIR);
            let begin = vault.open(&path)?.read(0, 64).place(&path)?;
            if diagnosis::looks_like_one(&begin) {
                self.found.aside.push(path);
            } else {
                self.salvaged(path, Is::Index)?;
            }
        }
        for file in unreadable.iter().filter(|file| !file.error.is_unreadable()) {
            self.salvaged(file.file.clone(), Is::Snapshot)?;
        }
        self.found.left.extend(listings.unreadable.iter().map(|(path, e)| Note::new(path, stays(e))));
        self.check_answers(unreadable)?;
        self.wrong_deltas()
    }

    /// Reads a pack by its list.
    fn pack(&mut self, number: usize, mut list: Vec<Entry>) -> Result<()> {
        let pack = self.places.listings.packs[number].pack;
        let file = self.places.vault.open(&pack.path())?;
        list.sort_unstable_by_key(|entry| entry.offset);
        let (rotten, unread) = self.rotten(file.as_ref(), &list).place(pack.path())?;
        self.found.objects += list.len() as u64;
        self.leave_out(number, &unread)?;
        if let Some(listed) = self.found.rotten.remove(&number) {
            self.found.unread.insert(number, listed);
        }
        self.leave_out(number, &rotten)
    }

    /// Where all of a folder cannot be read, it is not known what is lost, and nothing is done.
    fn check_answers(&self, snapshots: &[Unreadable]) -> Result<()> {
        let vault = self.places.vault;
        if let Some(file) = snapshots.iter().find(|file| file.error.is_unreadable()) {
            check_answers(vault, snapshot::DIR, &file.error)?;
        }
        for (path, e) in &self.places.listings.unreadable {
            check_answers(vault, path.split('/').next().unwrap_or(path), e)?;
        }
        let unread = self.found.unread.keys().next();
        let unread = unread.map(|_| Error::new(Code::Io, "objects in packs cannot be read"));
        match self.found.hidden.values().next().or(unread.as_ref()) {
            Some(e) => check_answers(vault, pack::DIR, e),
            None => Ok(()),
        }
    }

    /// What was found damaged in a pack that stays.
    fn leave_out(&mut self, number: usize, damaged: &[Entry]) -> Result<()> {
        let pack = self.places.listings.packs[number].pack;
        let riddled = self.found.bad.len() + damaged.len() > self.bad_max;
        if riddled && !damaged.is_empty() && self.places.states[number] == State::Sound {
            self.places.states[number] = State::Riddled;
            self.found.spoilt.push(Spoilt { path: pack.path(), is: Is::Pack(number) });
        }
        let mut listed = 0;
        for entry in damaged {
            listed += u64::from(self.places.except(number, entry)?);
            if self.places.states[number] == State::Sound {
                self.found.bad.insert((entry.id, pack.id));
            }
        }
        if listed > 0 {
            *self.found.rotten.entry(number).or_default() += listed;
        }
        Ok(())
    }

    /// Deltas that are as they lie there what somebody wrote, and give something else than they should. What another place
    /// gives instead may show that of more.
    fn wrong_deltas(&mut self) -> Result<()> {
        while self.find_wrong()? && self.instead()? {}
        while self.places.may_detach() && self.detach()? {}
        Ok(())
    }

    /// Looks for objects that come back only by way of such deltas. Says whether there are any that were not known.
    fn detach(&mut self) -> Result<bool> {
        let (vault, listings) = (self.places.vault, self.places.listings);
        let mut any = false;
        for (number, held) in listings.packs.iter().enumerate() {
            if self.places.states[number] == State::Sound {
                let (_, list) = pack::entries(vault, held.pack.id)?;
                for entry in list.iter().filter(|entry| !self.found.bad.contains(&(entry.id, held.pack.id))) {
                    any |= self.places.detach(&held.pack.path(), entry)?;
                }
                advance(self.progress, 0)?;
            }
        }
        for file in &self.found.spoilt {
            for entry in salvage(vault, &file.path)?.entries {
                any |= self.places.detach(&file.path, &entry)?;
            }
            advance(self.progress, 0)?;
        }
        Ok(any)
    }

    /// Looks for such deltas in all packs, then in all other files. Says whether there are any that were not known.
    fn find_wrong(&mut self) -> Result<bool> {
        let (vault, listings) = (self.places.vault, self.places.listings);
        let mut any = false;
        for (number, held) in listings.packs.iter().enumerate() {
            if self.places.states[number] != State::Sound {
                continue;
            }
            let (_, list) = pack::entries(vault, held.pack.id)?;
            let path = held.pack.path();
            let mut wrong = Vec::new();
            for entry in list.iter().filter(|entry| !self.found.bad.contains(&(entry.id, held.pack.id))) {
                if self.places.is_wrong(&path, entry)? {
                    self.places.mistrust(&path, entry);
                    self.places.forget(&path, entry);
                    wrong.push(*entry);
                }
            }
            any |= !wrong.is_empty();
            self.leave_out(number, &wrong)?;
            advance(self.progress, 0)?;
        }
        for file in &self.found.spoilt {
            for entry in salvage(vault, &file.path)?.entries {
                if self.places.is_wrong(&file.path, &entry)? {
                    self.places.mistrust(&file.path, &entry);
                    any |= self.places.forget(&file.path, &entry);
                    if let Is::Pack(number) = file.is {
                        any |= self.places.distrust(number, &entry)?;
                    }
                }
            }
            advance(self.progress, 0)?;
        }
        Ok(any)
    }

    /// Looks in the files that are no sound packs for what a wrong delta was taken to stand for. Says whether there is any.
    fn instead(&mut self) -> Result<bool> {
        let mut any = false;
        for at in 0..self.found.spoilt.len() {
            let Spoilt { path, is } = &self.found.spoilt[at];
            let (path, is) = (path.clone(), *is);
            let salvaged = salvage(self.places.vault, &path)?;
            any |= self.remember(&path, is, salvaged.entries)?;
            advance(self.progress, 0)?;
        }
        Ok(any)
    }

    /// Remembers what lies in a file that is no sound pack, if no other place will do for it. Says whether any of it was new.
    fn remember(&mut self, path: &str, is: Is, entries: Vec<Entry>) -> Result<bool> {
        let mut any = false;
        for entry in entries {
            if self.places.is_wrong(path, &entry)? {
                continue;
            }
            let listed = match is {
                Is::Pack(number) if self.places.states[number] == State::Broken => {
                    self.places.except(number, &entry)?
                }
                _ => false,
            };
            if !listed && !self.places.knows(&entry)? {
                any |= self.places.add(path, entry);
            }
        }
        Ok(any)
    }

    /// Which of these objects, sorted by their places, are not what was written, and which cannot be read.
    fn rotten(&mut self, file: &dyn VaultFile, list: &[Entry]) -> Result<(Vec<Entry>, Vec<Entry>)> {
        let (mut rotten, mut unread) = (Vec::new(), Vec::new());
        let mut rest = list;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(run_of(rest));
            rest = after;
            let (Some(first), Some(last)) = (run.first(), run.last()) else { break };
            let start = u64::from(first.offset);
            let longest = object::HEADER + object::CONTENT_MAX;
            let len = if first.len as usize > longest { 0 } else { (end_of(last) - start) as usize };
            let bytes = match file.read(start, len) {
                Err(e) if e.is_unreadable() => None,
                bytes => Some(bytes?),
            };
            for entry in run {
                let at = (u64::from(entry.offset) - start) as usize;
                let range = at..at + entry.len as usize;
                // One by one where not all of them can be read; also once more, should it have been an accident.
                let alone = match &bytes {
                    None if range.len() <= longest => match file.read(u64::from(entry.offset), range.len()) {
                        Err(e) if e.is_unreadable() => {
                            unread.push(*entry);
                            continue;
                        }
                        alone => alone?,
                    },
                    _ => Vec::new(),
                };
                let stored = bytes.as_ref().map_or(Some(&alone[..]), |bytes| bytes.get(range));
                if !is_sound(entry, stored.unwrap_or_default())? {
                    rotten.push(*entry);
                }
            }
            self.found.bytes += len as u64;
            advance(self.progress, len as u64)?;
        }
        Ok((rotten, unread))
    }

    /// Goes through a file that is no sound pack.
    fn salvaged(&mut self, path: String, is: Is) -> Result<()> {
        let vault = self.places.vault;
        let salvaged = match (is, salvage(vault, &path)) {
            (Is::Pack(number), Err(e)) if self.found.hidden.contains_key(&number) && e.is_unreadable() => {
                self.places.states[number] = State::Useless;
                self.found.left.push(Note::new(path, stays(&e)));
                return Ok(());
            }
            (_, salvaged) => salvaged?,
        };
        let len = vault.len(&path)?;
        self.found.bytes += len;
        advance(self.progress, len)?;
        self.found.objects += salvaged.entries.len() as u64;
        if let Is::Pack(number) = is {
            if salvaged.entries.is_empty() {
                self.places.states[number] = State::Useless;
            }
            if let Some(e) = self.found.hidden.get(&number) {
                self.found.left.push(Note::new(path.clone(), stays(e)));
            } else if salvaged.entries.is_empty() && len > 0 {
                let begin = vault.open(&path)?.read(0, 64).place(&path)?;
                let what = if diagnosis::looks_like_one(&begin) {
                    "it holds a snapshot file; was it exchanged for another file?"
                } else {
                    NOTHING
                };
                self.found.left.push(Note::new(path.clone(), what));
            }
        }
        self.remember(&path, is, salvaged.entries)?;
        self.found.spoilt.push(Spoilt { path, is });
        Ok(())
    }

    /// Looks for other places of objects in the lists of all sound packs: an index has one for each, and something that is
    /// lost may lie in another, or rest on what does. Says whether there are any.
    pub(super) fn hidden(&mut self) -> Result<bool> {
        let (vault, listings) = (self.places.vault, self.places.listings);
        let mut any = false;
        for (number, held) in listings.packs.iter().enumerate() {
            if self.places.states[number] != State::Sound {
                continue;
            }
            let (_, list) = pack::entries(vault, held.pack.id)?;
            advance(self.progress, 0)?;
            for entry in list {
                if !self.found.bad.contains(&(entry.id, held.pack.id)) && !self.places.knows(&entry)? {
                    any |= self.places.add(&held.pack.path(), entry);
                }
            }
        }
        if any {
            self.wrong_deltas()?;
        }
        Ok(any)
    }
}

fn stays(e: &Error) -> String {
    format!("{e}; it is left as it is: make it readable, or move it away")
}

const NOTHING: &str = "nothing in it comes back; it is left as it is, and the next prune that can removes it";

//! Where objects lie that give their content back.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::error::{Code, Result};
use crate::id::{Id, Kind};
use crate::object;
use crate::pack::Entry;
use crate::prune::listing::{Listings, Spot};
use crate::prune::mark::Marks;
use crate::prune::plan;
use crate::vault::{Vault, VaultFile};

/// Objects in places that nobody lists: no more are remembered.
const FOUND_MAX: usize = 1 << 18;

/// What a pack turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its list is what was written. It stays, and the index names it, whatever is damaged in it: otherwise the next
    /// backup would believe the list.
    Sound,
    /// So it is here, but more in it is damaged than can be noted: what is sound is moved.
    Riddled,
    /// Its list is not what was written; something in it is sound.
    Broken,
    /// Nothing in it comes back.
    Useless,
}

/// All that was found out by reading everything.
pub(super) struct Places<'a> {
    pub(super) vault: &'a dyn Vault,
    pub(super) listings: &'a Listings,
    /// By the numbers of the packs.
    pub(super) states: Vec<State>,
    /// In packs with a sound list: what is damaged. In those without: what is sound.
    exceptions: Marks,
    /// What lies in places that nobody lists: the file, and where in it.
    found: HashMap<Id, (usize, Entry)>,
    files: Vec<String>,
    /// The file that was read last.
    open: RefCell<Option<(String, Box<dyn VaultFile>)>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(vault: &'a dyn Vault, listings: &'a Listings) -> Self {
        Self {
            vault,
            listings,
            states: vec![State::Sound; listings.packs.len()],
            exceptions: Marks::new(listings),
            found: HashMap::new(),
            files: Vec::new(),
            open: RefCell::new(None),
        }
    }

    /// What is said of an object in this pack is not as it is with the others there. Says whether anything is.
    pub(super) fn except(&mut self, number: usize, entry: &Entry) -> Result<bool> {
        let mut any = false;
        for spot in self.listings.find_all(&entry.id)?.iter().filter(|spot| spot.pack == number) {
            // Of a list that is not what was written, only what stands there counts.
            let is_there = (spot.entry.offset, spot.entry.len) == (entry.offset, entry.len);
            if self.states[number] != State::Broken || is_there {
                self.exceptions.set(spot);
                any = true;
            }
        }
        Ok(any)
    }

    /// An object lies here, although nobody lists it. Says whether there was room to remember it.
    pub(super) fn add(&mut self, path: &str, entry: Entry) -> bool {
        let room = self.found.len() < FOUND_MAX;
        if room {
            if self.files.last().is_none_or(|last| last != path) {
                self.files.push(path.to_owned());
            }
            self.found.entry(entry.id).or_insert((self.files.len() - 1, entry));
        }
        room
    }

    fn is_sound(&self, spot: &Spot) -> bool {
        match self.states[spot.pack] {
            State::Sound | State::Riddled => !self.exceptions.get(spot),
            State::Broken => self.exceptions.get(spot),
            State::Useless => false,
        }
    }

    /// Whether an object lies anywhere.
    pub(super) fn has(&self, id: &Id) -> Result<bool> {
        Ok(self.found.contains_key(id) || self.listings.find_all(id)?.iter().any(|spot| self.is_sound(spot)))
    }

    /// Whether an object lies in a pack that stays: it is read once more.
    pub(super) fn stays(&self, id: &Id) -> Result<bool> {
        for spot in self.listings.find_all(id)? {
            if self.states[spot.pack] == State::Sound
                && self.is_sound(&spot)
                && plan::is_sound(self.vault, self.listings, &spot)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where an object was said to lie, for whoever asks what happened to it.
    pub(super) fn said(&self, id: &Id) -> Result<Option<String>> {
        Ok(self.listings.find(id)?.map(|spot| self.listings.packs[spot.pack].pack.path()))
    }

    /// The content of an object; `None` if no place gives it back.
    pub(super) fn read(&self, kind: Kind, id: &Id) -> Result<Option<Vec<u8>>> {
        let spots = self.listings.find_all(id)?.into_iter().filter(|spot| self.is_sound(spot));
        let listed = spots.map(|spot| (self.listings.packs[spot.pack].pack.path(), spot.entry));
        let found = self.found.get(id).map(|(file, entry)| (self.files[*file].clone(), *entry));
        for (path, entry) in listed.chain(found) {
            let stored = self.stored(&path, &entry)?;
            match object::decode(kind, *id, &stored) {
                Err(e) if e.code == Code::Damaged => {}
                content => return content.map(Some),
            }
        }
        Ok(None)
    }

    fn stored(&self, path: &str, entry: &Entry) -> Result<Vec<u8>> {
        let mut open = self.open.borrow_mut();
        let file = match open.take() {
            Some((of, file)) if of == path => file,
            _ => self.vault.open(path)?,
        };
        let (_, file) = open.insert((path.to_owned(), file));
        if entry.len as usize > object::HEADER + object::CONTENT_MAX {
            return Ok(Vec::new());
        }
        file.read(u64::from(entry.offset), entry.len as usize)
    }
}

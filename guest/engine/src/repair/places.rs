//! Where objects lie that give their content back.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::chain::Link;
use crate::delta::{self, Mark};
use crate::error::{Code, Result};
use crate::id::{Id, Kind};
use crate::object::{self, Stored};
use crate::pack::Entry;
use crate::prune::listing::{Listings, Spot};
use crate::prune::mark::Marks;
use crate::prune::plan;
use crate::vault::{Vault, VaultFile};

/// Objects in places that nobody lists: no more are remembered.
const FOUND_MAX: usize = 1 << 18;
/// Objects that do not come back: no more are remembered at a time.
const LACKING_MAX: usize = 1 << 16;
/// Objects of which a delta makes something else, and objects that come back only by way of these: no more are remembered.
const NOTED_MAX: usize = 1 << 16;
/// Of one object, no more places are remembered where a delta makes something else. Chains of them are tried one by one.
const WRONG_MAX: usize = 2;
/// Files that are held open. What an object rests on lies in the packs of as many backups.
const OPEN_FILES: usize = 16;

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

/// What comes of reading an object.
enum Gives {
    Content(Kind, Vec<u8>),
    /// It is not what was written.
    Wrong,
    /// What it rests on does not come back.
    Nothing,
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
    found: BTreeMap<Id, Vec<(usize, Entry)>>,
    remembered: usize,
    files: Vec<String>,
    /// Deltas that make something else than they should, and where they lie.
    wrong: BTreeMap<Id, Vec<(String, Entry)>>,
    /// Objects that come back only by way of these: what they are, and a place from which they do.
    detached: BTreeMap<Id, (Kind, String, Entry)>,
    /// What does not come back from places with a lesser depth than this.
    lacking: RefCell<HashMap<(Kind, Id), u8>>,
    /// Those that were read last.
    open: RefCell<VecDeque<(String, Box<dyn VaultFile>)>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(vault: &'a dyn Vault, listings: &'a Listings) -> Self {
        Self {
            vault,
            listings,
            states: vec![State::Sound; listings.packs.len()],
            exceptions: Marks::new(listings),
            found: BTreeMap::new(),
            remembered: 0,
            files: Vec::new(),
            wrong: BTreeMap::new(),
            detached: BTreeMap::new(),
            lacking: RefCell::default(),
            open: RefCell::default(),
        }
    }

    /// What is said of an object in this pack is not as it is with the others there. Says whether anything is.
    pub(super) fn except(&mut self, number: usize, entry: &Entry) -> Result<bool> {
        let mut any = false;
        for spot in self.listings.find_all(&entry.id)?.iter().filter(|spot| spot.pack == number) {
            // Of a list that is not what was written, only what stands there counts.
            let is_there = spot.entry == *entry;
            if self.states[number] != State::Broken || is_there {
                if self.states[number] == State::Broken && !self.exceptions.get(spot) {
                    self.lacking.get_mut().clear();
                }
                self.exceptions.set(spot);
                any = true;
            }
        }
        Ok(any)
    }

    /// An object lies here, although nobody lists it. Says whether there was room to remember it.
    pub(super) fn add(&mut self, path: &str, entry: Entry) -> bool {
        let room = self.remembered < FOUND_MAX;
        if room {
            if self.files.last().is_none_or(|last| last != path) {
                self.files.push(path.to_owned());
            }
            self.found.entry(entry.id).or_default().push((self.files.len() - 1, entry));
            self.remembered += 1;
            self.lacking.get_mut().clear();
        }
        room
    }

    /// An object that was remembered here is not what was written. Says whether it was remembered.
    pub(super) fn forget(&mut self, path: &str, entry: &Entry) -> bool {
        let Some(found) = self.found.get_mut(&entry.id) else { return false };
        let before = found.len();
        found.retain(|(file, found)| self.files[*file] != path || found != entry);
        let forgotten = before - found.len();
        self.remembered -= forgotten;
        forgotten > 0
    }

    /// An object in this pack, whose list does not count any more, is not what was written. Says whether it was taken for
    /// sound.
    pub(super) fn distrust(&mut self, number: usize, entry: &Entry) -> Result<bool> {
        let mut any = false;
        for spot in self.listings.find_all(&entry.id)? {
            if spot.pack == number && spot.entry == *entry && self.is_sound(&spot) {
                match self.states[number] {
                    State::Broken => self.exceptions.clear(&spot),
                    _ => self.exceptions.set(&spot),
                }
                any = true;
            }
        }
        Ok(any)
    }

    fn is_sound(&self, spot: &Spot) -> bool {
        match self.states[spot.pack] {
            State::Sound | State::Riddled => !self.exceptions.get(spot),
            State::Broken => self.exceptions.get(spot),
            State::Useless => false,
        }
    }

    /// Whether a place is known that will do for this one.
    pub(super) fn knows(&self, entry: &Entry) -> Result<bool> {
        let found = self.found.get(&entry.id).into_iter().flatten();
        let mut known = found.map(|(_, found)| found).any(|found| will_do(found, entry));
        for spot in self.listings.find_all(&entry.id)? {
            known |= self.is_sound(&spot) && will_do(&spot.entry, entry);
        }
        Ok(known)
    }

    /// Whether an object comes back.
    pub(super) fn has(&self, kind: Kind, id: &Id) -> Result<bool> {
        let places = self.all(id)?;
        // What is stored whole was hashed where it lies; what a delta gives depends on what it rests on.
        Ok(places.iter().any(|(_, entry)| entry.mark.is_whole()) || self.read(kind, id)?.is_some())
    }

    /// A delta that lies here makes something else than it should.
    pub(super) fn mistrust(&mut self, path: &str, entry: &Entry) {
        if self.wrong.len() >= NOTED_MAX && !self.wrong.contains_key(&entry.id) {
            return;
        }
        let places = self.wrong.entry(entry.id).or_default();
        if places.len() < WRONG_MAX && !places.iter().any(|place| (&*place.0, &place.1) == (path, entry)) {
            places.push((path.to_owned(), *entry));
        }
    }

    /// Whether anything may come back only by way of deltas that make something else than they should.
    pub(super) fn may_detach(&self) -> bool {
        !self.wrong.is_empty()
    }

    /// An object that lies here comes back although what it rests on does not: what is wrong with that is not in what it
    /// keeps. It counts as coming back if it does so from nowhere else. Says whether that is so, and was not known.
    pub(super) fn detach(&mut self, path: &str, entry: &Entry) -> Result<bool> {
        let noted = self.detached.len() >= NOTED_MAX || self.detached.contains_key(&entry.id);
        if entry.mark.is_whole() || noted {
            return Ok(false);
        }
        if self.read_at(path, entry)?.is_some() || self.has_elsewhere(path, entry)? {
            return Ok(false);
        }
        let Some((kind, _)) = self.read_detached(path, entry)? else { return Ok(false) };
        self.detached.insert(entry.id, (kind, path.to_owned(), *entry));
        self.lacking.get_mut().clear();
        Ok(true)
    }

    /// Objects that come back only so, each with a place from which it does. They must be stored whole, for an index leaves
    /// out what is wrong.
    pub(super) fn detached(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.detached.values().map(|(_, path, entry)| (&**path, entry))
    }

    /// The content of an object that lies here, made of whatever it rests on, if that gives what its id says.
    pub(super) fn read_detached(&self, path: &str, entry: &Entry) -> Result<Option<(Kind, Vec<u8>)>> {
        let made = self.make(path, entry)?;
        Ok(made.filter(|(kind, content)| object::check(*kind, entry.id, content).is_ok()))
    }

    /// What is made of what lies here, whether or not that is what its id says. Everything is made of what has a lesser
    /// depth, so this ends.
    fn make(&self, path: &str, entry: &Entry) -> Result<Option<(Kind, Vec<u8>)>> {
        let stored = self.stored(path, entry)?;
        let link = match Stored::parse(&stored).and_then(|stored| Link::new(&stored)) {
            Err(e) if e.code == Code::Damaged => return Ok(None),
            link => link?,
        };
        if (link.id, link.mark) != (entry.id, entry.mark) {
            return Ok(None);
        }
        let Some(base) = link.base else { return Ok(Some((link.kind, link.body))) };
        let applied = |old: &[u8]| delta::apply(&link.body, old, link.len).ok().map(|made| (link.kind, made));
        if let Some(old) = self.read_below(link.kind, &base, link.mark.depth())? {
            return Ok(applied(&old));
        }
        for (path, entry) in self.wrong.get(&base).into_iter().flatten() {
            if entry.mark.depth() < link.mark.depth()
                && let Some((kind, old)) = self.make(path, entry)?
                && kind == link.kind
                && let Some(made) = applied(&old)
            {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    /// Whether an object lies in a pack that stays, in a place that will do for this one: it is read once more.
    pub(super) fn stays(&self, entry: &Entry) -> Result<bool> {
        for spot in self.listings.find_all(&entry.id)? {
            if self.states[spot.pack] == State::Sound
                && self.is_sound(&spot)
                && will_do(&spot.entry, entry)
                && plan::is_sound(self.vault, self.listings, &spot)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether something is listed, and sound, on which an object with this mark may rest.
    pub(super) fn holds_up(&self, mark: Mark) -> Result<bool> {
        if mark.is_whole() {
            return Ok(true);
        }
        for base in self.listings.find_bases(mark)? {
            for spot in self.listings.find_all(&base)? {
                let below = spot.entry.mark;
                if mark.may_rest_on(&base, below) && self.is_sound(&spot) && self.holds_up(below)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Where an object was said to lie, for whoever asks what happened to it.
    pub(super) fn said(&self, id: &Id) -> Result<Option<String>> {
        Ok(self.listings.find_all(id)?.first().map(|spot| self.listings.packs[spot.pack].pack.path()))
    }

    /// The content of an object; `None` if no place gives it back.
    pub(super) fn read(&self, kind: Kind, id: &Id) -> Result<Option<Vec<u8>>> {
        self.read_below(kind, id, u8::MAX)
    }

    /// The same, from places where it has a lesser depth than this.
    fn read_below(&self, kind: Kind, id: &Id, depth: u8) -> Result<Option<Vec<u8>>> {
        if self.lacking.borrow().get(&(kind, *id)).is_some_and(|lacks| depth <= *lacks) {
            return Ok(None);
        }
        for (path, entry) in self.all(id)?.iter().filter(|(_, entry)| entry.mark.depth() < depth) {
            match self.read_at(path, entry)? {
                Some((of, content)) if of == kind => return Ok(Some(content)),
                _ => {}
            }
        }
        if let Some((_, path, entry)) =
            self.detached.get(id).filter(|(_, _, entry)| entry.mark.depth() < depth)
            && let Some((of, content)) = self.read_detached(path, entry)?
            && of == kind
        {
            return Ok(Some(content));
        }
        let mut lacking = self.lacking.borrow_mut();
        if lacking.len() >= LACKING_MAX {
            lacking.clear();
        }
        let lacks = lacking.entry((kind, *id)).or_default();
        *lacks = depth.max(*lacks);
        Ok(None)
    }

    /// Whether an object of which one place does not give it back comes back from another.
    pub(super) fn has_elsewhere(&self, path: &str, entry: &Entry) -> Result<bool> {
        let kind = Stored::parse(&self.stored(path, entry)?).ok().map(|stored| stored.kind);
        kind.map_or(Ok(false), |kind| self.has(kind, &entry.id))
    }

    /// What lies here, if it is this object and comes back.
    pub(super) fn read_at(&self, path: &str, entry: &Entry) -> Result<Option<(Kind, Vec<u8>)>> {
        Ok(match self.give(path, entry)? {
            Gives::Content(kind, content) => Some((kind, content)),
            Gives::Wrong | Gives::Nothing => None,
        })
    }

    /// Whether a delta is not what was written, which shows where what it rests on comes back.
    pub(super) fn is_wrong(&self, path: &str, entry: &Entry) -> Result<bool> {
        Ok(!entry.mark.is_whole() && matches!(self.give(path, entry)?, Gives::Wrong))
    }

    /// What an object gives that is said to lie here, with what it rests on from wherever that comes back. Every one rests on
    /// one of a lesser depth, so this ends.
    fn give(&self, path: &str, entry: &Entry) -> Result<Gives> {
        let stored = self.stored(path, entry)?;
        let link = match Stored::parse(&stored).and_then(|stored| Link::new(&stored)) {
            Err(e) if e.code == Code::Damaged => return Ok(Gives::Wrong),
            link => link?,
        };
        if (link.id, link.mark) != (entry.id, entry.mark) {
            return Ok(Gives::Wrong);
        }
        let content = match link.base {
            None => link.body,
            Some(base) => {
                let Some(old) = self.read_below(link.kind, &base, link.mark.depth())? else {
                    let mistaken = self.is_mistaken(link.mark, &base)?;
                    return Ok(if mistaken { Gives::Wrong } else { Gives::Nothing });
                };
                match delta::apply(&link.body, &old, link.len) {
                    Err(e) if e.code == Code::Damaged => return Ok(Gives::Wrong),
                    content => content?,
                }
            }
        };
        Ok(match object::check(link.kind, link.id, &content) {
            Ok(()) => Gives::Content(link.kind, content),
            Err(_) => Gives::Wrong,
        })
    }

    /// Whether something begins like the base that a delta names, which itself is nowhere. Whoever goes by the mark would
    /// take the delta for whole, and no backup would write it again.
    fn is_mistaken(&self, mark: Mark, base: &Id) -> Result<bool> {
        let mut like = self.listings.find_bases(mark)?;
        let mut begin = Id([0; 32]);
        begin.0[..mark.base().len()].copy_from_slice(&mark.base());
        let found = self.found.range(begin..).take_while(|(id, _)| id.0.starts_with(&mark.base()));
        like.extend(found.filter(|(_, places)| !places.is_empty()).map(|(id, _)| *id));
        Ok(!like.is_empty() && !like.contains(base))
    }

    /// All places of an object that are as they were written, those where it has the least depth first.
    fn all(&self, id: &Id) -> Result<Vec<(String, Entry)>> {
        let spots = self.listings.find_all(id)?.into_iter().filter(|spot| self.is_sound(spot));
        let listed = spots.map(|spot| (self.listings.packs[spot.pack].pack.path(), spot.entry));
        let found = self.found.get(id).into_iter().flatten();
        let found = found.map(|(file, entry)| (self.files[*file].clone(), *entry));
        let mut all: Vec<(String, Entry)> = listed.chain(found).collect();
        all.sort_by_key(|(_, entry)| entry.mark.depth());
        Ok(all)
    }

    fn stored(&self, path: &str, entry: &Entry) -> Result<Vec<u8>> {
        if entry.len as usize > object::HEADER + object::CONTENT_MAX {
            return Ok(Vec::new());
        }
        let mut open = self.open.borrow_mut();
        let at = open.iter().position(|(of, _)| of == path);
        let (of, file) = match at.and_then(|at| open.remove(at)) {
            Some(file) => file,
            None => (path.to_owned(), self.vault.open(path)?),
        };
        let stored = file.read(u64::from(entry.offset), entry.len as usize)?;
        if open.len() == OPEN_FILES {
            open.pop_front();
        }
        open.push_back((of, file));
        Ok(stored)
    }
}

/// Whether one place of an object will do for another: whatever may rest on that may rest on this, and this comes back if
/// that does.
pub(super) fn will_do(this: &Entry, that: &Entry) -> bool {
    this.mark.is_whole() || this.mark == that.mark
}

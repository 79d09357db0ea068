//! Where every object lies: index files, and packs that no index file names yet.
//!
//! An index holds nothing that the packs don't, so it can always be made again from them: a damaged file is passed
//! over, and what it said is looked up in the packs themselves.

mod file;
mod mend;
mod merge;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

#[cfg(any(test, feature = "testing"))]
pub(crate) use file::IndexWriter;
pub(crate) use file::{IndexFile, Numbered, PER_BLOCK, len_of_file};
pub(crate) use mend::{make_durable, mend};
pub(crate) use merge::{Change, update};

use crate::error::{Code, Result};
use crate::id::Id;
use crate::pack::{self, Entry, Pack};
use crate::vault::Vault;

/// The folder of index files.
pub(crate) const DIR: &str = "index";

/// Packs whose entries are held in memory because lookups fall into them one after the other, and how many entries
/// they may have together.
const HOT_PACKS: usize = 16;
const HOT_ENTRIES: usize = 1 << 17;

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) pack: Id,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

/// All index files of a repository.
pub(crate) struct Index<'a> {
    vault: &'a dyn Vault,
    files: Vec<IndexFile>,
    /// Files, by number, in which something was found damaged.
    broken: RefCell<HashSet<usize>>,
    /// What is wrong with files that could not be opened.
    damage: Vec<(String, String)>,
    hot: RefCell<Hot>,
    last: Cell<Option<Id>>,
    /// Packs that no sound index file names; listed when first needed.
    loose: RefCell<Option<Rc<Vec<Id>>>>,
}

#[derive(Default)]
struct Hot {
    packs: VecDeque<(Id, Rc<HashMap<Id, Entry>>)>,
    entries: usize,
}

impl<'a> Index<'a> {
    /// Opens what is there.
    pub(crate) fn open(vault: &'a dyn Vault) -> Result<Self> {
        Self::try_open(vault, 8)
    }

    fn try_open(vault: &'a dyn Vault, tries: u32) -> Result<Self> {
        let (mut files, mut damage) = (Vec::new(), Vec::new());
        for name in names(vault)? {
            match IndexFile::open(vault, &name) {
                Ok(file) => files.push(file),
                // Another run has merged it into a new one, which holds the same.
                Err(e) if e.code == Code::NotFound && tries > 0 => return Self::try_open(vault, tries - 1),
                Err(e) if e.code == Code::Damaged => damage.push((format!("{DIR}/{name}"), e.message)),
                Err(e) => return Err(e),
            }
        }
        Ok(Self {
            vault,
            files,
            broken: RefCell::default(),
            damage,
            hot: RefCell::default(),
            last: Cell::new(None),
            loose: RefCell::new(None),
        })
    }

    /// Files that cannot be read, and why.
    pub(crate) fn damage(&self) -> &[(String, String)] {
        &self.damage
    }

    /// Whether it knows of no object at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All packs that the index files name.
    pub(crate) fn packs(&self) -> impl Iterator<Item = &Pack> {
        self.files.iter().flat_map(|file| &file.packs)
    }

    /// The files that can be used.
    pub(crate) fn into_files(self) -> Vec<IndexFile> {
        self.files
    }

    /// Reads all of it; files with a damaged block count as damaged from now on.
    pub(crate) fn check(&mut self) -> Result<()> {
        let mut sound = Vec::new();
        for file in self.files.drain(..) {
            match file.check() {
                Ok(()) => sound.push(file),
                Err(e) if e.code == Code::Damaged => {
                    self.damage.push((format!("{DIR}/{}", file.name), e.message))
                }
                Err(e) => return Err(e),
            }
        }
        self.files = sound;
        self.broken.borrow_mut().clear();
        *self.loose.borrow_mut() = None;
        Ok(())
    }

    /// All places where this object is said to lie.
    pub(crate) fn find_all(&self, id: &Id) -> Result<Vec<Location>> {
        let mut all = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            if self.broken.borrow().contains(&number) {
                continue;
            }
            match file.find(id) {
                Ok(found) => all.extend(found.filter(|found| !all.contains(found))),
                Err(e) if e.code == Code::Damaged => {}
                Err(e) => return Err(e),
            }
        }
        for pack in self.loose()?.iter() {
            match pack::entries_or_salvage(self.vault, *pack) {
                Ok((_, entries)) => {
                    let found = entries.binary_search_by(|entry| entry.id.cmp(id));
                    all.extend(found.ok().map(|at| entries[at].in_pack(*pack)));
                }
                Err(e) if e.code == Code::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    /// Where this object lies, if it is there at all: in what the index files name, or else in any pack.
    pub(crate) fn find_anywhere(&self, id: &Id) -> Result<Option<Location>> {
        match self.find(id)? {
            Some(found) => Ok(Some(found)),
            None => self.find_loose(id),
        }
    }

    /// Where this object lies, if the index files know it.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<Location>> {
        if let Some(found) = self.find_hot(id) {
            return Ok(Some(found));
        }
        for (number, file) in self.files.iter().enumerate() {
            if self.broken.borrow().contains(&number) {
                continue;
            }
            match file.find(id) {
                Ok(Some(found)) => {
                    // Objects lie in packs in the order in which they are asked for.
                    if self.last.replace(Some(found.pack)) == Some(found.pack) {
                        // Only to be quicker; what is wrong with the pack shows when the object is read.
                        let _ = self.warm(found.pack);
                    }
                    return Ok(Some(found));
                }
                Ok(None) => {}
                Err(e) if e.code == Code::Damaged => {
                    self.broken.borrow_mut().insert(number);
                    *self.loose.borrow_mut() = None;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    fn find_hot(&self, id: &Id) -> Option<Location> {
        let hot = self.hot.borrow();
        hot.packs.iter().rev().find_map(|(pack, entries)| entries.get(id).map(|entry| entry.in_pack(*pack)))
    }

    /// Holds the entries of a pack in memory, unless the index leaves some of them out.
    fn warm(&self, id: Id) -> Result<()> {
        let (_, entries) = pack::entries(self.vault, id)?;
        if self.packs().any(|pack| pack.id == id && pack.objects as usize == entries.len()) {
            self.keep(id, entries);
        }
        Ok(())
    }

    fn keep(&self, id: Id, entries: Vec<Entry>) -> Rc<HashMap<Id, Entry>> {
        let entries: Rc<HashMap<Id, Entry>> =
            Rc::new(entries.into_iter().map(|entry| (entry.id, entry)).collect());
        let mut hot = self.hot.borrow_mut();
        hot.entries += entries.len();
        hot.packs.push_back((id, entries.clone()));
        while hot.packs.len() > HOT_PACKS || (hot.entries > HOT_ENTRIES && hot.packs.len() > 1) {
            let gone = hot.packs.pop_front().map_or(0, |(_, entries)| entries.len());
            hot.entries -= gone;
        }
        entries
    }

    /// Looks into the packs themselves.
    fn find_loose(&self, id: &Id) -> Result<Option<Location>> {
        let loose = self.loose()?;
        for pack in loose.iter() {
            if self.hot.borrow().packs.iter().any(|(hot, _)| hot == pack) {
                continue;
            }
            let entries = match pack::entries_or_salvage(self.vault, *pack) {
                Ok((_, entries)) => self.keep(*pack, entries),
                Err(e) if e.code == Code::NotFound => continue,
                Err(e) => return Err(e),
            };
            if let Some(entry) = entries.get(id) {
                return Ok(Some(entry.in_pack(*pack)));
            }
        }
        Ok(None)
    }

    /// Packs that no sound index file names.
    pub(crate) fn loose(&self) -> Result<Rc<Vec<Id>>> {
        if let Some(loose) = &*self.loose.borrow() {
            return Ok(loose.clone());
        }
        let broken = self.broken.borrow();
        let sound = self.files.iter().enumerate().filter(|(number, _)| !broken.contains(number));
        let named: HashSet<Id> = sound.flat_map(|(_, file)| &file.packs).map(|pack| pack.id).collect();
        let there = self.vault.list(pack::DIR)?;
        let loose =
            there.iter().filter_map(|name| Id::from_hex(name)).filter(|id| !named.contains(id)).collect();
        let loose = Rc::new(loose);
        *self.loose.borrow_mut() = Some(Rc::clone(&loose));
        Ok(loose)
    }
}

impl Entry {
    pub(crate) fn in_pack(&self, pack: Id) -> Location {
        Location { pack, offset: self.offset, len: self.len }
    }
}

/// An index file of one object, and its name, for the vectors of the format.
#[cfg(test)]
pub(crate) fn file_of_one(pack: Pack, entry: Entry) -> (Vec<u8>, Id) {
    let vault = crate::testing::MemoryVault::default();
    let file = vault.create("file").expect("an empty vault takes a file");
    let mut writer = file::IndexWriter::new(file, &[pack], 1).expect("one pack is not too many");
    writer.push(&entry, 0).expect("memory takes everything");
    let name = writer.finish().expect("memory takes everything");
    (vault.get("file").unwrap_or_default(), name)
}

/// Bytes of all index files.
pub(crate) fn bytes(vault: &dyn Vault) -> Result<u64> {
    names(vault)?.iter().try_fold(0, |bytes, name| Ok(bytes + vault.len(&format!("{DIR}/{name}"))?))
}

/// The names of the index files.
fn names(vault: &dyn Vault) -> Result<Vec<String>> {
    let mut names = vault.list(DIR)?;
    names.retain(|name| Id::from_hex(name).is_some());
    names.sort_unstable();
    Ok(names)
}

//! Where every object lies: index files, and packs that no index file names yet.
//!
//! An index holds nothing that the packs don't, so it can always be made again from them: a damaged file is passed
//! over, and what it said is looked up in the packs themselves.

mod block;
mod directory;
mod file;
mod hot;
mod losses;
mod mend;
mod merge;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

pub(crate) use block::Block;
pub(crate) use directory::Directory;
#[cfg(any(test, feature = "testing"))]
pub(crate) use file::IndexWriter;
pub(crate) use file::{IndexFile, Numbered, PER_BLOCK, len_of_file, replaced_by};
pub(crate) use losses::{mark as losses, note as note_loss};
pub(crate) use mend::{make_durable, mend};
pub(crate) use merge::{Change, others, update};

use hot::Hot;

use crate::delta::Mark;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::{self, Entry, Pack};
use crate::vault::{Vault, nameless};

/// The folder of index files.
pub(crate) const DIR: &str = "index";

/// The name that a file gets that must not be taken for an index file.
pub(crate) fn aside(path: &str) -> String {
    format!("{path}.aside")
}

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) pack: Id,
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) mark: Mark,
}

/// What the index files know of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Has {
    Nothing,
    /// It is a delta, and what it rests on is not there.
    NotItsBase,
    All,
}

/// Blocks of other index files that are held: 4 MiB.
const CACHED_BLOCKS: usize = 1 << 10;

/// Index files in which much is looked up are held as a whole, up to so many bytes, after so many looks.
const HELD_BYTES: u64 = 96 << 20;
const HELD_AFTER: u32 = 8;
/// The same for one of many that share some memory.
const HELD_OF_MANY: u64 = 16 << 20;

/// All of it is read and a directory made after so many looks: an eighth of the blocks, which take as long one by one as
/// all of them together.
const DIRECTORY_AFTER: u64 = 8;

/// All index files of a repository.
pub(crate) struct Index<'a> {
    vault: &'a dyn Vault,
    files: Vec<Rc<IndexFile>>,
    /// Files, by number, in which something was found damaged.
    broken: RefCell<HashSet<usize>>,
    /// What is wrong with files that could not be opened.
    damage: Vec<(String, Error)>,
    hot: RefCell<Hot>,
    blocks: RefCell<Vec<Option<(usize, u64, Block)>>>,
    /// How many blocks of each file were read, and how many bytes are held.
    looks: RefCell<Vec<u32>>,
    held: Cell<u64>,
    /// Made once so many files were searched that it pays; for all that are over the same files.
    directory: Rc<RefCell<Option<Rc<Directory>>>>,
    all_looks: Cell<u64>,
    /// It is one of many that share some memory: there is no room for a directory.
    one_of_many: bool,
    last: Cell<Option<Id>>,
    /// Entries in blocks that were read since the entries of a pack were.
    unpaid: Cell<u64>,
    /// Packs that no sound index file names; listed when first needed.
    loose: RefCell<Option<Rc<Vec<Id>>>>,
}

impl<'a> Index<'a> {
    /// Opens what is there.
    pub(crate) fn open(vault: &'a dyn Vault) -> Result<Self> {
        Self::try_open(vault, 8)
    }

    fn try_open(vault: &'a dyn Vault, tries: u32) -> Result<Self> {
        let (mut files, mut damage) = (Vec::new(), Vec::new());
        let listed = match vault.list(DIR) {
            Err(e) if e.is_unreadable() => {
                damage.push((DIR.to_owned(), e));
                Vec::new()
            }
            listed => listed?,
        };
        damage.extend(nameless(&listed, DIR).map(|e| (format!("{DIR}/"), e)));
        for name in of_files(listed) {
            let open = || IndexFile::open(vault, &name);
            // Once more, should it have been an accident.
            match open().or_else(|e| if e.is_unreadable() { open() } else { Err(e) }) {
                Ok(file) => files.push(Rc::new(file)),
                // Another run has merged it into a new one, which holds the same.
                Err(e) if e.code == Code::NotFound && tries > 0 => return Self::try_open(vault, tries - 1),
                Err(e) if e.is_spoilt() => damage.push((format!("{DIR}/{name}"), e)),
                Err(e) => return Err(e),
            }
        }
        Ok(Self { damage, ..Self::of(vault, files, None) })
    }

    /// Of these files, with a directory of them if there is one.
    pub(crate) fn of(
        vault: &'a dyn Vault,
        files: Vec<Rc<IndexFile>>,
        directory: Option<Rc<Directory>>,
    ) -> Self {
        Self {
            vault,
            files,
            broken: RefCell::default(),
            damage: Vec::new(),
            hot: RefCell::default(),
            blocks: RefCell::default(),
            looks: RefCell::default(),
            held: Cell::default(),
            directory: Rc::new(RefCell::new(directory)),
            all_looks: Cell::default(),
            one_of_many: false,
            last: Cell::new(None),
            unpaid: Cell::default(),
            loose: RefCell::new(None),
        }
    }

    /// Another one over the same files, of which neither holds anything twice.
    pub(crate) fn beside(&self) -> Self {
        let directory = Rc::clone(&self.directory);
        Self { directory, damage: self.damage.clone(), ..Self::of(self.vault, self.files.clone(), None) }
    }

    /// It is one of many that share some memory, and holds little.
    pub(crate) fn one_of_many(mut self) -> Self {
        self.one_of_many = true;
        self
    }

    /// Files that cannot be read, and why.
    pub(crate) fn damage(&self) -> &[(String, Error)] {
        &self.damage
    }

    /// Fails if the files of the index cannot even be listed: a reader does without them, whoever writes stops.
    pub(crate) fn must_be_listed(&self) -> Result<()> {
        match self.damage.iter().find(|(file, _)| file == DIR) {
            Some((_, wrong)) => Err(wrong.clone()),
            None => Ok(()),
        }
    }

    /// Whether one of these files, by how their names begin, is gone, and no other says that it replaced it.
    pub(crate) fn lacks_one_of(&self, listed: &[u64]) -> bool {
        let mut missing: HashSet<u64> = listed.iter().copied().collect();
        for file in &self.files {
            file::begin_of(&file.name).map(|name| missing.remove(&name));
        }
        if !missing.is_empty() {
            for name in self.files.iter().flat_map(|file| &file.replaced) {
                missing.remove(name);
            }
        }
        !missing.is_empty()
    }

    /// Whether it knows of no object at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All packs that the index files name.
    pub(crate) fn packs(&self) -> impl Iterator<Item = &Pack> {
        self.files.iter().flat_map(|file| &file.packs)
    }

    /// The files that can be used, as they are.
    pub(crate) fn files(&self) -> &[Rc<IndexFile>] {
        &self.files
    }

    /// The files that can be used.
    pub(crate) fn into_files(self) -> Vec<Rc<IndexFile>> {
        self.files
    }

    /// Reads all of it; files with a damaged block count as damaged from now on.
    pub(crate) fn check(&mut self) -> Result<()> {
        let mut sound = Vec::new();
        for file in self.files.drain(..) {
            match file.check().or_else(|e| if e.is_unreadable() { file.check() } else { Err(e) }) {
                Ok(()) => sound.push(file),
                Err(e) if e.is_spoilt() => self.damage.push((format!("{DIR}/{}", file.name), e)),
                Err(e) => return Err(e),
            }
        }
        self.files = sound;
        self.blocks.borrow_mut().clear();
        self.looks.borrow_mut().clear();
        self.broken.borrow_mut().clear();
        // Of other files than those of another.
        self.directory = Rc::default();
        *self.loose.borrow_mut() = None;
        Ok(())
    }

    /// All places where this object is said to lie.
    pub(crate) fn find_all(&self, id: &Id) -> Result<Vec<Location>> {
        let mut all = Vec::new();
        self.in_files(&id.0, |_, place| {
            if !all.contains(&place) {
                all.push(place);
            }
            Ok(false)
        })?;
        for pack in self.loose()?.iter() {
            match pack::entries_or_salvage(self.vault, *pack) {
                Ok((_, entries)) => {
                    let found = entries.binary_search_by(|entry| entry.id.cmp(id));
                    all.extend(found.ok().map(|at| entries[at].in_pack(*pack)));
                }
                Err(e) if e.code == Code::NotFound || e.is_unreadable() => {}
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    /// Where this object lies, if it is there at all: in what the index files name, or else in any pack.
    pub(crate) fn find_anywhere(&self, id: &Id) -> Result<Option<Location>> {
        self.find_below(id, u8::MAX)
    }

    /// The same, of places where it rests on fewer objects than this.
    pub(crate) fn find_below(&self, id: &Id, depth: u8) -> Result<Option<Location>> {
        match self.find_in_files(id, depth)? {
            Some(found) => Ok(Some(found)),
            None => self.find_loose(id, depth),
        }
    }

    /// Whether the index files know this object, and what it rests on.
    pub(crate) fn has(&self, id: &Id) -> Result<Has> {
        let Some(first) = self.find_in_files(id, u8::MAX)? else { return Ok(Has::Nothing) };
        if self.holds_up(first.mark)? {
            return Ok(Has::All);
        }
        let mut has = Has::NotItsBase;
        self.in_files(&id.0, |_, place| {
            if self.holds_up(place.mark)? {
                has = Has::All;
            }
            Ok(has == Has::All)
        })?;
        Ok(has)
    }

    /// Whether the index files know what an object with this mark rests on.
    fn holds_up(&self, mark: Mark) -> Result<bool> {
        if mark.is_whole() {
            return Ok(true);
        }
        let mut found = false;
        self.in_files(&mark.base(), |id, place| {
            found = mark.may_rest_on(id, place.mark) && self.holds_up(place.mark)?;
            Ok(found)
        })?;
        Ok(found)
    }

    /// All places of objects on which one with this mark may rest.
    pub(crate) fn find_bases(&self, mark: Mark) -> Result<Vec<(Id, Location)>> {
        let mut all = Vec::new();
        self.in_files(&mark.base(), |id, place| {
            all.push((*id, place));
            Ok(false)
        })?;
        for pack in self.loose()?.iter() {
            match pack::entries_or_salvage(self.vault, *pack) {
                Ok((_, entries)) => {
                    let like = pack::like(&entries, &mark.base()).iter();
                    all.extend(like.map(|entry| (entry.id, entry.in_pack(*pack))));
                }
                Err(e) if e.code == Code::NotFound || e.is_unreadable() => {}
                Err(e) => return Err(e),
            }
        }
        all.retain(|(id, place)| mark.may_rest_on(id, place.mark));
        Ok(all)
    }

    /// Hands on what the index files say of all objects whose ids begin like this, in the order of the files, until `see`
    /// returns true.
    fn in_files(&self, begin: &[u8], mut see: impl FnMut(&Id, Location) -> Result<bool>) -> Result<()> {
        let mut say = |file: &IndexFile, (entry, pack): Numbered| {
            let place = entry.in_pack(file.packs[pack as usize].id);
            if entry.id.0.starts_with(begin) { see(&entry.id, place) } else { Ok(false) }
        };
        if let Some(directory) = self.directory() {
            let first = begin.first_chunk().copied().unwrap_or_default();
            for (number, at) in directory.like(first) {
                let file = &self.files[number];
                let entry = self.sound(number, file.entry_at(at, |block| self.block(number, block)))?;
                if let Some(entry) = entry.flatten()
                    && say(file, entry)?
                {
                    return Ok(());
                }
            }
            return Ok(());
        }
        self.all_looks.set(self.all_looks.get() + self.files.len() as u64);
        for (number, file) in self.files.iter().enumerate() {
            let entries = file.find_like(begin, |block| self.block(number, block));
            for (_, entry) in self.sound(number, entries)?.unwrap_or_default() {
                if say(file, entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The directory of all files, which is made when it pays.
    fn directory(&self) -> Option<Rc<Directory>> {
        if let Some(directory) = &*self.directory.borrow() {
            return Some(Rc::clone(directory));
        }
        let blocks: u64 = self.files.iter().map(|file| file.blocks()).sum();
        let pays = self.all_looks.get() > blocks / DIRECTORY_AFTER;
        if self.one_of_many || !pays || !Directory::fits(&self.files) {
            return None;
        }
        self.all_looks.set(0);
        // What is damaged in it shows where it matters.
        let directory = Rc::new(Directory::of(&self.files).ok()?);
        *self.directory.borrow_mut() = Some(Rc::clone(&directory));
        Some(directory)
    }

    fn block(&self, at: usize, number: u64) -> Result<Block> {
        let file = &self.files[at];
        if file.is_held() {
            return file.block(number);
        }
        let slot = (number as usize).wrapping_add(at.wrapping_mul(31)) % CACHED_BLOCKS;
        let mut blocks = self.blocks.borrow_mut();
        blocks.resize(CACHED_BLOCKS, None);
        if let Some((of, known, block)) = &blocks[slot]
            && (*of, *known) == (at, number)
        {
            return Ok(block.clone());
        }
        let mut looks = self.looks.borrow_mut();
        looks.resize(self.files.len(), 0);
        looks[at] = looks[at].saturating_add(1);
        let held = self.held.get() + file.body_len();
        let most = if self.one_of_many { HELD_OF_MANY } else { HELD_BYTES };
        // What is damaged in it shows where it matters.
        if looks[at] == HELD_AFTER && held <= most && file.hold().is_ok() {
            self.held.set(held);
            return file.block(number);
        }
        let block = file.block(number)?;
        self.unpaid.set(self.unpaid.get() + block.len() as u64);
        blocks[slot] = Some((at, number, block.clone()));
        Ok(block)
    }

    /// What a file says, unless it is broken, or found to be.
    fn sound<T>(&self, number: usize, said: Result<T>) -> Result<Option<T>> {
        if self.broken.borrow().contains(&number) {
            return Ok(None);
        }
        match said {
            Ok(said) => Ok(Some(said)),
            Err(e) if e.is_spoilt() => {
                self.broken.borrow_mut().insert(number);
                *self.loose.borrow_mut() = None;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Where this object lies, if the index files know it.
    fn find_in_files(&self, id: &Id, depth: u8) -> Result<Option<Location>> {
        // A directory is as quick as one of the packs that are held, and quicker than all of them.
        let by_packs = self.directory().is_none();
        if by_packs && let Some(found) = self.hot.borrow().find(id, depth) {
            return Ok(Some(found));
        }
        let mut found = None;
        self.in_files(&id.0, |_, place| {
            found = (place.mark.depth() < depth).then_some(place);
            Ok(found.is_some())
        })?;
        if let Some(Location { pack, .. }) = found.filter(|_| by_packs) {
            // Objects lie in packs in the order in which they are asked for.
            if self.last.replace(Some(pack)) == Some(pack) {
                // Only to be quicker; what is wrong with the pack shows when the object is read.
                let _ = self.warm(pack);
            }
        }
        Ok(found)
    }

    /// Holds the entries of a pack in memory, unless the index leaves some of them out; not before as much as they cost was
    /// read for single ones, so that packs that take turns cost no more than they would without this.
    fn warm(&self, id: Id) -> Result<()> {
        let objects = |pack: &Pack| (pack.id == id).then_some(u64::from(pack.objects));
        if self.unpaid.get() == 0 || self.unpaid.get() < self.packs().find_map(objects).unwrap_or_default() {
            return Ok(());
        }
        self.unpaid.set(0);
        let (_, entries) = pack::entries(self.vault, id)?;
        if self.packs().any(|pack| pack.id == id && pack.objects as usize == entries.len()) {
            self.hot.borrow_mut().keep(id, entries);
        }
        Ok(())
    }

    /// Looks into the packs themselves.
    fn find_loose(&self, id: &Id, depth: u8) -> Result<Option<Location>> {
        let loose = self.loose()?;
        for pack in loose.iter() {
            if self.hot.borrow().has(pack) {
                continue;
            }
            let entries = match pack::entries_or_salvage(self.vault, *pack) {
                Ok((_, entries)) => self.hot.borrow_mut().keep(*pack, entries),
                Err(e) if e.code == Code::NotFound || e.is_unreadable() => continue,
                Err(e) => return Err(e),
            };
            if let Some(entry) = hot::find(&entries, id).filter(|entry| entry.mark.depth() < depth) {
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
        // Whoever writes has listed them before.
        let there = match self.vault.list(pack::DIR) {
            Err(e) if e.is_unreadable() => Vec::new(),
            there => there?,
        };
        let loose =
            there.iter().filter_map(|name| Id::from_hex(name)).filter(|id| !named.contains(id)).collect();
        let loose = Rc::new(loose);
        *self.loose.borrow_mut() = Some(Rc::clone(&loose));
        Ok(loose)
    }
}

impl Entry {
    pub(crate) fn in_pack(&self, pack: Id) -> Location {
        Location { pack, offset: self.offset, len: self.len, mark: self.mark }
    }
}

/// An index file of one object, and its name, for the vectors of the format.
#[cfg(test)]
pub(crate) fn file_of_one(pack: Pack, entry: Entry, replaced: &[u64]) -> (Vec<u8>, Id) {
    let vault = crate::testing::MemoryVault::default();
    let file = vault.create("file").expect("an empty vault takes a file");
    let mut writer = file::IndexWriter::new(file, &[pack], replaced, 1).expect("one pack is not too many");
    writer.push(&entry, 0).expect("memory takes everything");
    let name = writer.finish().expect("memory takes everything");
    (vault.get("file").unwrap_or_default(), name)
}

/// Bytes of all index files.
pub(crate) fn bytes(vault: &dyn Vault) -> Result<u64> {
    names(vault)?.iter().try_fold(0, |bytes, name| Ok(bytes + vault.len(&format!("{DIR}/{name}"))?))
}

/// How the names of the index files begin, but for these.
pub(crate) fn begins(vault: &dyn Vault, without: &[u64]) -> Result<Vec<u64>> {
    let all = names(vault)?;
    let begins = all.iter().filter_map(|name| file::begin_of(name));
    Ok(begins.filter(|name| !without.contains(name)).collect())
}

/// The names of the index files, whether they can be read or not.
pub(crate) fn files(vault: &dyn Vault) -> Result<Vec<String>> {
    names(vault)
}

/// The names of the index files.
fn names(vault: &dyn Vault) -> Result<Vec<String>> {
    Ok(of_files(vault.list(DIR)?))
}

fn of_files(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| Id::from_hex(name).is_some());
    names.sort_unstable();
    names
}

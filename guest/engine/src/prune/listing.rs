//! All that is said of where objects lie: by the index files, and by packs that no index file names.
//!
//! Nothing is written and nothing that grows with the repository is held but the packs' names and, in whoever marks,
//! one bit for each entry.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use crate::delta::Mark;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::index::{self, Block, Directory, Index, IndexFile, Location, Numbered, PER_BLOCK};
use crate::objects::Objects;
use crate::pack::{self, Entry, Pack};
use crate::progress::Progress;
use crate::vault::Vault;

/// Entries of packs that no index file names are held in memory, at most so many.
const LOOSE_MAX: usize = 1 << 20;
/// Blocks of index files that are held, of 78 entries each: 16 MiB, which is all of the index for about 5 GB of data.
const CACHED_BLOCKS: usize = 1 << 12;
/// A pack that is not as the index says: what index files say of it does not count.
const IGNORED: u32 = u32::MAX;

/// Where something is said of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// Which listing says it, and in which place.
    pub(crate) listing: usize,
    pub(crate) at: u64,
    pub(crate) entry: Entry,
    /// The pack, by number.
    pub(crate) pack: usize,
}

/// A pack that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) pack: Pack,
    /// A sound index file names it rightly.
    pub(crate) named: bool,
    /// Its list is not known to be damaged.
    pub(crate) whole: bool,
}

enum Listing {
    File {
        file: Rc<IndexFile>,
        /// The numbers of its packs.
        packs: Vec<u32>,
    },
    /// A pack by its own list.
    Loose { pack: usize, entries: Vec<Entry> },
}

/// Everything that is listed, in a fixed order: of what is listed twice, the first counts.
pub(crate) struct Listings {
    /// The files first.
    listings: Vec<Listing>,
    /// Of the files, if there are many.
    directory: Option<Rc<Directory>>,
    /// All packs that are there.
    pub(crate) packs: Vec<Held>,
    /// Packs of which an index file says what is not so: they are gone, or have another length.
    pub(crate) lost: HashSet<Id>,
    /// Index files, by name, that cannot be trusted, and all index files.
    pub(crate) broken: HashSet<String>,
    /// Files that cannot be read, and why: they are in none of the above but `lost`.
    pub(crate) unreadable: Vec<(String, Error)>,
    cache: RefCell<Vec<Option<(usize, u64, Block)>>>,
}

impl Listings {
    /// All that is there; `None` if the index names too little of it to list the rest within bounds.
    fn try_open(vault: &dyn Vault) -> Result<Option<Self>> {
        let mut index = Index::open(vault)?;
        index.must_be_listed()?;
        index.check()?;
        let (away, wrong): (Vec<_>, Vec<_>) =
            index.damage().iter().cloned().partition(|(_, wrong)| wrong.is_unreadable());
        let mut unreadable = away;
        let broken = wrong.iter().filter_map(|(file, _)| Some(file.rsplit_once('/')?.1.to_owned()));
        let broken = broken.collect();
        let mut packs: Vec<Held> = Vec::new();
        let mut numbers: HashMap<Id, u32> = HashMap::new();
        let mut lengths: HashMap<Id, Option<u64>> = HashMap::new();
        let mut lost = HashSet::new();
        let mut listings = Vec::new();
        let directory =
            Directory::fits(index.files()).then(|| Directory::of(index.files()).map(Rc::new)).transpose()?;
        for file in index.into_files() {
            let mut of_file = Vec::with_capacity(file.packs.len());
            for pack in &file.packs {
                let len = match lengths.get(&pack.id) {
                    Some(len) => *len,
                    None => {
                        let len = match vault.len(&pack.path()) {
                            Ok(len) => Some(len),
                            Err(e) if e.code == Code::NotFound => None,
                            Err(e) if e.is_unreadable() => {
                                unreadable.push((pack.path(), e));
                                None
                            }
                            Err(e) => return Err(e),
                        };
                        lengths.insert(pack.id, len);
                        len
                    }
                };
                if len != Some(pack.len) {
                    lost.insert(pack.id);
                    of_file.push(IGNORED);
                    continue;
                }
                of_file.push(*numbers.entry(pack.id).or_insert_with(|| {
                    packs.push(Held { pack: *pack, named: true, whole: true });
                    packs.len() as u32 - 1
                }));
            }
            listings.push(Listing::File { file, packs: of_file });
        }
        let mut loose: Vec<Id> =
            vault.list(pack::DIR)?.iter().filter_map(|name| Id::from_hex(name)).collect();
        loose.retain(|id| !numbers.contains_key(id));
        loose.sort_unstable();
        let mut held = 0;
        for id in loose {
            let whole = !pack::entries(vault, id).is_err_and(|e| e.is_spoilt());
            let (pack, entries) = match pack::entries_or_salvage(vault, id) {
                Err(e) if e.code == Code::NotFound => continue,
                Err(e) if e.is_unreadable() => {
                    unreadable.push((pack::path(id), e));
                    continue;
                }
                read => read?,
            };
            held += entries.len();
            if held > LOOSE_MAX {
                return Ok(None);
            }
            listings.push(Listing::Loose { pack: packs.len(), entries });
            packs.push(Held { pack, named: false, whole });
        }
        let cache = RefCell::new(vec![None; CACHED_BLOCKS]);
        Ok(Some(Self { listings, directory, packs, lost, broken, unreadable, cache }))
    }

    /// All that is there. An index that lacks too much is first brought up to date; a dry run cannot do that, and `unknown`
    /// says so.
    pub(crate) fn open(
        vault: &dyn Vault,
        dry_run: bool,
        unknown: &str,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut opened = Self::try_open(vault)?;
        if opened.is_none() && !dry_run {
            index::mend(vault, true, &[], progress)?;
            opened = Self::try_open(vault)?;
        }
        opened.ok_or_else(|| Error::new(Code::Unsupported, unknown))
    }

    /// Objects that are looked up in the same files of the index.
    pub(crate) fn objects<'a>(&self, vault: &'a dyn Vault) -> Objects<'a> {
        let files = self.listings.iter().filter_map(|listing| match listing {
            Listing::File { file, .. } => Some(Rc::clone(file)),
            Listing::Loose { .. } => None,
        });
        Objects::over(vault, Index::of(vault, files.collect(), self.directory.clone()))
    }

    /// How many files a new index file lists that replaces all that are there.
    pub(crate) fn replaced(&self) -> usize {
        let files = self.listings.iter().filter_map(|listing| match listing {
            Listing::File { file, .. } => Some(file.as_ref()),
            Listing::Loose { .. } => None,
        });
        index::replaced_by(&files.collect::<Vec<_>>(), &self.broken).len()
    }

    /// How many entries each listing has.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = u64> {
        self.listings.iter().map(|listing| match listing {
            Listing::File { file, .. } => file.entries,
            Listing::Loose { entries, .. } => entries.len() as u64,
        })
    }

    pub(crate) fn location(&self, spot: &Spot) -> Location {
        spot.entry.in_pack(self.packs[spot.pack].pack.id)
    }

    fn block(&self, listing: usize, file: &IndexFile, number: u64) -> Result<Block> {
        if file.is_held() {
            return file.block(number);
        }
        let slot = (number as usize).wrapping_add(listing.wrapping_mul(997)) % CACHED_BLOCKS;
        if let Some((of, at, block)) = &self.cache.borrow()[slot]
            && (*of, *at) == (listing, number)
        {
            return Ok(block.clone());
        }
        let block = file.block(number)?;
        self.cache.borrow_mut()[slot] = Some((listing, number, block.clone()));
        Ok(block)
    }

    /// What the file of this number says in this place.
    fn spot(&self, listing: usize, at: u64, (entry, pack): Numbered) -> Option<Spot> {
        let Listing::File { packs, .. } = &self.listings[listing] else { return None };
        let pack = packs.get(pack as usize).filter(|pack| **pack != IGNORED)?;
        Some(Spot { listing, at, entry, pack: *pack as usize })
    }

    /// Hands on all that is said of objects whose ids begin like this, in the order of the listings.
    fn each_like(&self, begin: &[u8], mut see: impl FnMut(Spot)) -> Result<()> {
        if let Some(directory) = &self.directory {
            for (listing, at) in directory.like(begin.first_chunk().copied().unwrap_or_default()) {
                let Listing::File { file, .. } = &self.listings[listing] else { continue };
                let entry = file.entry_at(at, |number| self.block(listing, file, number))?;
                let entry = entry.filter(|(entry, _)| entry.id.0.starts_with(begin));
                entry.and_then(|entry| self.spot(listing, at, entry)).map(&mut see);
            }
        }
        for (number, listing) in self.listings.iter().enumerate() {
            match listing {
                Listing::File { .. } if self.directory.is_some() => {}
                Listing::File { file, .. } => {
                    for (at, entry) in file.find_like(begin, |block| self.block(number, file, block))? {
                        self.spot(number, at, entry).map(&mut see);
                    }
                }
                Listing::Loose { pack, entries } => {
                    let from = entries.partition_point(|entry| entry.id.0[..] < *begin);
                    let like = entries[from..].iter().take_while(|entry| entry.id.0.starts_with(begin));
                    for (at, entry) in (from as u64..).zip(like) {
                        see(Spot { listing: number, at, entry: *entry, pack: *pack });
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything on which an object with this mark may rest.
    pub(crate) fn find_bases(&self, mark: Mark) -> Result<BTreeSet<Id>> {
        let mut bases = BTreeSet::new();
        self.each_like(&mark.base(), |spot| {
            if mark.may_rest_on(&spot.entry.id, spot.entry.mark) {
                bases.insert(spot.entry.id);
            }
        })?;
        Ok(bases)
    }

    /// Everything that is said of this object, in the order of the listings.
    pub(crate) fn find_all(&self, id: &Id) -> Result<Vec<Spot>> {
        let mut all = Vec::new();
        self.each_like(&id.0, |spot| all.push(spot))?;
        Ok(all)
    }

    /// What is said of this place of an object.
    pub(crate) fn find_at(&self, id: &Id, place: Location) -> Result<Option<Spot>> {
        Ok(self.find_all(id)?.into_iter().find(|spot| self.location(spot) == place))
    }

    /// Goes through all objects in the order of their ids, with all that is said of each, in the order of the listings.
    pub(crate) fn each(&self, mut see: impl FnMut(&[Spot]) -> Result<()>) -> Result<()> {
        let mut streams: Vec<Stream<'_>> = (0..self.listings.len())
            .map(|listing| Stream { listings: self, listing, next: 0, block: None })
            .collect();
        let mut heap = BinaryHeap::new();
        let mut heads = Vec::with_capacity(streams.len());
        for (at, stream) in streams.iter_mut().enumerate() {
            let head = stream.next()?;
            heap.extend(head.map(|spot| Reverse((spot.entry.id, at))));
            heads.push(head);
        }
        let mut group: Vec<Spot> = Vec::new();
        while let Some(Reverse((id, at))) = heap.pop() {
            if group.first().is_some_and(|first| first.entry.id != id) {
                see(&group)?;
                group.clear();
            }
            group.extend(heads[at]);
            heads[at] = streams[at].next()?;
            heap.extend(heads[at].map(|spot| Reverse((spot.entry.id, at))));
        }
        if group.is_empty() { Ok(()) } else { see(&group) }
    }
}

/// The entries of a listing one by one.
struct Stream<'a> {
    listings: &'a Listings,
    listing: usize,
    next: u64,
    block: Option<(u64, Block)>,
}

impl Stream<'_> {
    fn next(&mut self) -> Result<Option<Spot>> {
        match &self.listings.listings[self.listing] {
            Listing::File { file, packs } => {
                while self.next < file.entries {
                    let (number, within) = (self.next / PER_BLOCK as u64, self.next % PER_BLOCK as u64);
                    if self.block.as_ref().is_none_or(|(held, _)| *held != number) {
                        self.block = Some((number, self.listings.block(self.listing, file, number)?));
                    }
                    let at = self.next;
                    self.next += 1;
                    let entry = self.block.as_ref().and_then(|(_, block)| block.get(within as usize));
                    let (entry, pack) =
                        entry.ok_or_else(|| Error::damaged("a block of an index file is cut off"))?;
                    let pack = packs[pack as usize];
                    if pack != IGNORED {
                        return Ok(Some(Spot { listing: self.listing, at, entry, pack: pack as usize }));
                    }
                }
                Ok(None)
            }
            Listing::Loose { pack, entries } => {
                let at = self.next;
                self.next += 1;
                let entry = entries.get(at as usize);
                Ok(entry.map(|entry| Spot { listing: self.listing, at, entry: *entry, pack: *pack }))
            }
        }
    }
}

//! One index file: packs, then entries sorted by id in blocks that are checked one by one.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::DIR;
use super::block::Block;
use crate::bytes::Cursor;
use crate::error::{Error, Place, Result};
use crate::id::Id;
use crate::pack::{Entry, Pack};
use crate::vault::{Vault, VaultFile};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 8] = *b"SRindex1";
/// Magic, number of packs, number of files that it replaced, number of entries.
const HEAD: usize = 24;
const PACK: usize = 32 + 8 + 4;
/// An entry of a pack and the number of its pack.
pub(super) const ENTRY: usize = Entry::LEN + 4;
pub(super) const CHECKSUM: usize = 8;
/// Entries in a block.
pub(crate) const PER_BLOCK: usize = 78;
const BLOCK: usize = PER_BLOCK * ENTRY + CHECKSUM;
/// Packs that one index file can name: what fits in a head that is read at once.
const PACKS_MAX: u32 = 1 << 20;
/// Replaced files that one index file lists.
const REPLACED_MAX: usize = 1000;
/// How many bytes of their names.
const REPLACED: usize = 8;

/// An index file that is open.
pub(crate) struct IndexFile {
    pub(crate) name: String,
    pub(crate) packs: Vec<Pack>,
    pub(crate) entries: u64,
    /// How the names of files begin that it replaced, and of those that they had replaced, the latest last.
    pub(crate) replaced: Vec<u64>,
    file: Box<dyn VaultFile>,
    blocks_at: u64,
    /// All blocks, if they are held.
    held: RefCell<Option<Rc<Vec<u8>>>>,
}

/// An entry and the number of its pack.
pub(crate) type Numbered = (Entry, u32);

impl IndexFile {
    pub(crate) fn open(vault: &dyn Vault, name: &str) -> Result<Self> {
        let path = format!("{DIR}/{name}");
        let file = vault.open(&path)?;
        Self::read(name, file).place(&path)
    }

    fn read(name: &str, file: Box<dyn VaultFile>) -> Result<Self> {
        let wrong = || Error::damaged("this is not an index, or its head is not what was written");
        let head = file.read(0, HEAD)?;
        let mut fields = Cursor(&head);
        if fields.array() != Some(MAGIC) {
            return Err(wrong());
        }
        let packs = fields.u32().ok_or_else(wrong)?;
        let replaced = fields.u32().ok_or_else(wrong)? as usize;
        let entries = fields.u64().ok_or_else(wrong)?;
        if packs > PACKS_MAX || replaced > REPLACED_MAX {
            return Err(wrong());
        }
        let list_len = packs as usize * PACK + replaced * REPLACED;
        let rest = file.read(HEAD as u64, list_len + CHECKSUM)?;
        let (list, checksum) = rest.split_last_chunk::<CHECKSUM>().ok_or_else(wrong)?;
        if list.len() != list_len || checksum_of(&[&head, list]) != u64::from_le_bytes(*checksum) {
            return Err(wrong());
        }
        let mut cursor = Cursor(list);
        let packs: Option<Vec<Pack>> = (0..packs).map(|_| decode_pack(&mut cursor)).collect();
        let packs = packs.ok_or_else(wrong)?;
        let replaced: Option<Vec<u64>> =
            (0..replaced).map(|_| Some(u64::from_be_bytes(cursor.array()?))).collect();
        let replaced = replaced.ok_or_else(wrong)?;
        let blocks_at = (HEAD + rest.len()) as u64;
        let blocks = entries.div_ceil(PER_BLOCK as u64);
        let body =
            entries.checked_mul(ENTRY as u64).and_then(|bytes| bytes.checked_add(blocks * CHECKSUM as u64));
        if body.and_then(|body| body.checked_add(blocks_at)) != Some(file.len()?) {
            return Err(Error::damaged("the index is cut off"));
        }
        let (name, held) = (name.to_owned(), RefCell::default());
        Ok(Self { name, packs, entries, replaced, file, blocks_at, held })
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.entries.div_ceil(PER_BLOCK as u64)
    }

    /// How many entries a block has.
    fn len_of(&self, number: u64) -> usize {
        (self.entries - number * PER_BLOCK as u64).min(PER_BLOCK as u64) as usize
    }

    /// How many bytes a block has, with its checksum.
    fn block_len(&self, number: u64) -> usize {
        self.len_of(number) * ENTRY + CHECKSUM
    }

    /// A block, checked.
    pub(crate) fn block(&self, number: u64) -> Result<Block> {
        if let Some(held) = &*self.held.borrow() {
            return Ok(Block::new(Rc::clone(held), number as usize * BLOCK, self.len_of(number)));
        }
        let bytes = self.file.read(self.blocks_at + number * BLOCK as u64, self.block_len(number))?;
        self.check_block(number, &bytes)?;
        Ok(Block::new(Rc::new(bytes), 0, self.len_of(number)))
    }

    fn check_block(&self, number: u64, bytes: &[u8]) -> Result<()> {
        Block::check(bytes, self.len_of(number), self.packs.len()).ok_or_else(|| {
            Error::damaged(format!("{DIR}/{}: block {number} is not what was written", self.name))
        })
    }

    /// Whether all blocks are held in memory.
    pub(crate) fn is_held(&self) -> bool {
        self.held.borrow().is_some()
    }

    /// How many bytes it takes to hold all blocks.
    pub(crate) fn body_len(&self) -> u64 {
        self.entries * ENTRY as u64 + self.blocks() * CHECKSUM as u64
    }

    /// Holds all blocks in memory; fails if one is not what was written.
    pub(crate) fn hold(&self) -> Result<()> {
        if self.is_held() {
            return Ok(());
        }
        let mut held = Vec::with_capacity(usize::try_from(self.body_len()).unwrap_or_default());
        self.each_block(|bytes| held.extend_from_slice(bytes))?;
        *self.held.borrow_mut() = Some(Rc::new(held));
        Ok(())
    }

    /// Reads all blocks, checked, many at once.
    fn each_block(&self, mut see: impl FnMut(&[u8])) -> Result<()> {
        const AT_ONCE: u64 = 256;
        for first in (0..self.blocks()).step_by(AT_ONCE as usize) {
            let read = self.file.read(self.blocks_at + first * BLOCK as u64, AT_ONCE as usize * BLOCK)?;
            for (number, block) in (first..).zip(read.chunks(BLOCK)) {
                self.check_block(number, block)?;
            }
            if first + (read.len() as u64).div_ceil(BLOCK as u64) < self.blocks().min(first + AT_ONCE) {
                return Err(Error::damaged(format!("{DIR}/{}: the index is cut off", self.name)));
            }
            see(&read);
        }
        Ok(())
    }

    /// All ids in their order, of blocks that were checked.
    pub(super) fn each_id(&self, mut see: impl FnMut(&[u8])) -> Result<()> {
        let mut ids = |blocks: &[u8]| {
            for block in blocks.chunks(BLOCK) {
                let list = block.len().saturating_sub(CHECKSUM);
                block[..list].chunks_exact(ENTRY).for_each(|entry| see(&entry[..32]));
            }
        };
        match &*self.held.borrow() {
            Some(held) => ids(held),
            None => self.each_block(ids)?,
        }
        Ok(())
    }

    /// The entry in this place among all, with a block that comes from `block`.
    pub(crate) fn entry_at(&self, at: u64, block: impl Fn(u64) -> Result<Block>) -> Result<Option<Numbered>> {
        Ok(block(at / PER_BLOCK as u64)?.get((at % PER_BLOCK as u64) as usize))
    }

    /// Fails if a block is not what was written.
    pub(crate) fn check(&self) -> Result<()> {
        self.each_block(|_| ())
    }

    /// The first entry whose id is this one or behind it: its block, and where in that; `None` if there is none. Ids are
    /// spread evenly, so a guess by proportion is nearly always right at once.
    fn lower_bound(
        &self,
        id: &Id,
        block: impl Fn(u64) -> Result<Block>,
    ) -> Result<Option<(u64, usize, Block)>> {
        let (mut low, mut high) = (0, self.blocks());
        // The first entry of the block at `high`, if that is what is found.
        let mut found = None;
        let mut guesses = 0;
        while low < high {
            let guess =
                if guesses < 3 { self.guess(id).clamp(low, high - 1) } else { low + (high - low) / 2 };
            guesses += 1;
            let block = block(guess)?;
            match block.before(id) {
                0 => {
                    found = Some((guess, 0, block));
                    high = guess;
                }
                at if at == block.len() => low = guess + 1,
                at => return Ok(Some((guess, at, block))),
            }
        }
        Ok(found)
    }

    /// The entries whose ids begin like this, with their places among all.
    pub(crate) fn find_like(
        &self,
        prefix: &[u8],
        block: impl Fn(u64) -> Result<Block>,
    ) -> Result<Vec<(u64, Numbered)>> {
        let mut begin = [0; 32];
        begin[..prefix.len()].copy_from_slice(prefix);
        let mut found = Vec::new();
        let Some((mut number, mut at, mut here)) = self.lower_bound(&Id(begin), &block)? else {
            return Ok(found);
        };
        loop {
            let Some(entry) = here.get(at) else {
                number += 1;
                if number == self.blocks() {
                    return Ok(found);
                }
                (at, here) = (0, block(number)?);
                continue;
            };
            if !entry.0.id.0.starts_with(prefix) {
                return Ok(found);
            }
            found.push((number * PER_BLOCK as u64 + at as u64, entry));
            at += 1;
        }
    }

    /// In which block an id lies if ids are spread evenly.
    fn guess(&self, id: &Id) -> u64 {
        ((u128::from(id.prefix()) * u128::from(self.blocks())) >> 64) as u64
    }
}

/// How many bytes an index file of so many packs, replaced files and entries has.
pub(crate) fn len_of_file(packs: u64, replaced: usize, entries: u64) -> u64 {
    let blocks = entries.div_ceil(PER_BLOCK as u64);
    let head = HEAD + CHECKSUM + replaced.min(REPLACED_MAX) * REPLACED;
    head as u64 + packs * PACK as u64 + entries * ENTRY as u64 + blocks * CHECKSUM as u64
}

/// What an index file lists that replaces these: what they list, and themselves. The latest come last.
pub(crate) fn replaced_by<'n>(
    files: &[&IndexFile],
    broken: impl IntoIterator<Item = &'n String>,
) -> Vec<u64> {
    let mut files = files.to_vec();
    // Whoever replaced more is older.
    files.sort_by_key(|file| (std::cmp::Reverse(file.replaced.len()), &file.name));
    let mut names: Vec<&String> = broken.into_iter().collect();
    names.sort_unstable();
    names.extend(files.iter().map(|file| &file.name));
    let named = names.into_iter().filter_map(|name| begin_of(name));
    let listed = files.iter().flat_map(|file| &file.replaced).copied();
    let mut seen = HashSet::new();
    listed.chain(named).filter(|name| seen.insert(*name)).collect()
}

/// How the name of an index file begins, as a number.
pub(super) fn begin_of(name: &str) -> Option<u64> {
    Id::from_hex(name).map(|id| id.prefix())
}

/// Writes an index file from head to end; the name follows from the bytes.
pub(crate) struct IndexWriter {
    file: Box<dyn VaultFile>,
    hash: blake3::Hasher,
    written: u64,
    buffer: Vec<u8>,
    block: Vec<u8>,
}

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 20;

impl IndexWriter {
    /// Begins with the packs, with the files that it replaces, of which the latest are listed, and with how many entries
    /// will come.
    pub(crate) fn new(
        file: Box<dyn VaultFile>,
        packs: &[Pack],
        replaced: &[u64],
        entries: u64,
    ) -> Result<Self> {
        let count = u32::try_from(packs.len()).ok().filter(|packs| *packs <= PACKS_MAX);
        let count = count.ok_or_else(|| {
            Error::new(
                crate::Code::Unsupported,
                format!("{} packs are more than one index can name", packs.len()),
            )
        })?;
        let replaced = &replaced[replaced.len().saturating_sub(REPLACED_MAX)..];
        let mut head = Vec::with_capacity(HEAD + packs.len() * PACK + replaced.len() * REPLACED + CHECKSUM);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&count.to_le_bytes());
        head.extend_from_slice(&(replaced.len() as u32).to_le_bytes());
        head.extend_from_slice(&entries.to_le_bytes());
        for pack in packs {
            head.extend_from_slice(&pack.id.0);
            head.extend_from_slice(&pack.len.to_le_bytes());
            head.extend_from_slice(&pack.objects.to_le_bytes());
        }
        replaced.iter().for_each(|name| head.extend_from_slice(&name.to_be_bytes()));
        let checksum = checksum_of(&[&head]);
        head.extend_from_slice(&checksum.to_le_bytes());
        let mut key = [0; 32];
        key[..18].copy_from_slice(b"strongroom 1 index");
        let hash = blake3::Hasher::new_keyed(&key);
        let mut writer =
            Self { file, hash, written: 0, buffer: Vec::new(), block: Vec::with_capacity(BLOCK) };
        writer.write(&head)?;
        Ok(writer)
    }

    pub(crate) fn push(&mut self, entry: &Entry, pack: u32) -> Result<()> {
        entry.encode(&mut self.block);
        self.block.extend_from_slice(&pack.to_le_bytes());
        if self.block.len() == PER_BLOCK * ENTRY {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.extend_from_slice(&xxh3_64(&block).to_le_bytes());
        self.write(&block)?;
        block.clear();
        self.block = block;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(self.written, &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes it durable; its name.
    pub(crate) fn finish(mut self) -> Result<Id> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        self.flush()?;
        self.file.sync()?;
        Ok(Id(*self.hash.finalize().as_bytes()))
    }
}

fn decode_pack(cursor: &mut Cursor<'_>) -> Option<Pack> {
    Some(Pack { id: Id(cursor.array()?), len: cursor.u64()?, objects: cursor.u32()? })
}

fn checksum_of(parts: &[&[u8]]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.digest()
}

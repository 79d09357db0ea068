//! Packs: files of objects.
//!
//! A pack is objects end to end, then its entries sorted by id, then a trailer. Every object has a checksum of its own,
//! and the pack is named by the hash of entries and trailer, so that every byte of it is accounted for.

mod taken;
mod writer;

pub(crate) use writer::Packer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::Cursor;
use crate::delta::{Mark, Prefix};
use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::object;
use crate::vault::{Vault, VaultFile};

/// The folder of packs.
pub(crate) const DIR: &str = "packs";

const MAGIC: [u8; 8] = *b"SRpack01";
pub(crate) const TRAILER: usize = 16;

/// A pack is ended when it has this many bytes.
pub(crate) const TARGET: u64 = 64 << 20;
/// And also when it has this many objects.
pub(crate) const OBJECTS_MAX: usize = 1 << 16;

/// A pack, from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pack {
    pub(crate) id: Id,
    pub(crate) len: u64,
    pub(crate) objects: u32,
}

impl Pack {
    pub(crate) fn path(&self) -> String {
        path(self.id)
    }
}

/// Where the pack of this id lies.
pub(crate) fn path(id: Id) -> String {
    format!("{DIR}/{id}")
}

/// Where an object lies in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) offset: u32,
    /// With its header.
    pub(crate) len: u32,
    pub(crate) mark: Mark,
}

impl Entry {
    pub(crate) const LEN: usize = 32 + 4 + 4 + 8;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&self.mark.to_bytes());
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            id: Id(cursor.array()?),
            offset: cursor.u32()?,
            len: cursor.u32()?,
            mark: Mark::from_bytes(cursor.array()?)?,
        })
    }
}

/// Those of sorted entries whose ids begin like this.
pub(crate) fn like<'e>(entries: &'e [Entry], prefix: &Prefix) -> &'e [Entry] {
    let first = entries.partition_point(|entry| entry.id.0[..prefix.len()] < prefix[..]);
    let rest = &entries[first..];
    &rest[..rest.partition_point(|entry| entry.id.0.starts_with(prefix))]
}

/// Entries and trailer of a pack, and the id that they give it.
pub(crate) fn end_of_pack(entries: &[Entry]) -> (Vec<u8>, Id) {
    let mut end = Vec::with_capacity(entries.len() * Entry::LEN + TRAILER);
    for entry in entries {
        entry.encode(&mut end);
    }
    end.extend_from_slice(&MAGIC);
    end.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    end.extend_from_slice(&[0; 4]);
    let id = hash(&end);
    (end, id)
}

fn hash(end: &[u8]) -> Id {
    let mut key = [0; 32];
    key[..17].copy_from_slice(b"strongroom 1 pack");
    Id(*blake3::keyed_hash(&key, end).as_bytes())
}

/// The object that is said to lie here in a pack, as it is stored, if it is what was written.
pub(crate) fn stored(vault: &dyn Vault, pack: Id, entry: &Entry) -> Result<Option<Vec<u8>>> {
    let file = match vault.open(&path(pack)) {
        Err(e) if e.code == Code::NotFound => return Ok(None),
        file => file?,
    };
    let len = entry.len as usize;
    if len > object::HEADER + object::CONTENT_MAX {
        return Ok(None);
    }
    let stored = file.read(u64::from(entry.offset), len)?;
    let is_it = |(object, all): (object::Stored<'_>, usize)| {
        (object.id, object.mark, all) == (entry.id, entry.mark, len)
    };
    let sound = object::sound(&stored).is_some_and(is_it);
    Ok(sound.then_some(stored))
}

/// The entries of a pack, read from its end and checked against its name.
pub(crate) fn entries(vault: &dyn Vault, id: Id) -> Result<(Pack, Vec<Entry>)> {
    let path = path(id);
    let file = vault.open(&path)?;
    read_entries(file.as_ref(), id).place(&path)
}

/// The entries of a pack; if its end is not what was written, those of the objects that still come back, each of which
/// is looked for and checked.
pub(crate) fn entries_or_salvage(vault: &dyn Vault, id: Id) -> Result<(Pack, Vec<Entry>)> {
    let path = path(id);
    let file = vault.open(&path)?;
    match read_entries(file.as_ref(), id) {
        Err(e) if e.is_spoilt() => {
            let entries = salvage(file.as_ref()).place(&path)?.entries;
            if entries.is_empty() && e.is_unreadable() {
                return Err(e.at(path));
            }
            Ok((Pack { id, len: file.len()?, objects: entries.len() as u32 }, entries))
        }
        read => read.place(&path),
    }
}

/// What comes back of a file by the headers of the objects in it.
pub(crate) struct Salvaged {
    /// Each id once, sorted.
    pub(crate) entries: Vec<Entry>,
    /// All of the file was gone through, and could be read.
    pub(crate) complete: bool,
    /// There are objects that only a later version can read.
    pub(crate) newer: bool,
}

/// Goes through a file by the headers of objects, each of which is checked.
pub(crate) fn salvage(file: &dyn VaultFile) -> Result<Salvaged> {
    const OBJECT_MAX: usize = object::HEADER + object::CONTENT_MAX;
    let len = file.len()?;
    let mut found = BTreeMap::new();
    let (mut at, mut window_at, mut window) = (0u64, 0u64, Vec::new());
    let (mut newer, mut holes) = (false, 0);
    while let Ok(offset) = u32::try_from(at)
        && at < len
        && found.len() < OBJECTS_MAX
    {
        let mut ahead = usize::try_from(at - window_at).unwrap_or(usize::MAX);
        if window.len().saturating_sub(ahead) < OBJECT_MAX && window_at + (window.len() as u64) < len {
            window = read_around(file, at, 2 * OBJECT_MAX, &mut holes)?;
            (window_at, ahead) = (at, 0);
        }
        let rest = window.get(ahead..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        at += match object::sound(rest) {
            Some((object, len)) => {
                let entry = Entry { id: object.id, offset, len: len as u32, mark: object.mark };
                found.entry(object.id).or_insert(entry);
                len as u64
            }
            // On to where the next one may begin.
            None => {
                newer |= object::is_newer(rest);
                rest[1..].iter().position(|byte| *byte == object::MAGIC[0]).map_or(rest.len(), |n| n + 1)
                    as u64
            }
        };
    }
    Ok(Salvaged { entries: found.into_values().collect(), complete: at >= len && holes == 0, newer })
}

/// Reads what can be read. What cannot be is zeros, and counted; where much cannot be, in ever larger steps, for a disk may
/// take seconds for each.
fn read_around(file: &dyn VaultFile, at: u64, len: usize, holes: &mut u32) -> Result<Vec<u8>> {
    const SECTOR: u64 = 512;
    const STEP_MAX: u64 = 1 << 20;
    match file.read(at, len) {
        Err(e) if e.is_unreadable() => {}
        read => return read,
    }
    let (mut bytes, end) = (Vec::new(), file.len()?.min(at + len as u64));
    let (mut here, mut step) = (at, SECTOR);
    while here < end {
        let next = ((here + step) / SECTOR * SECTOR).min(end);
        match file.read(here, (next - here) as usize) {
            Err(e) if e.is_unreadable() => {
                *holes += 1;
                step = (2 * step).min(STEP_MAX);
            }
            read => {
                bytes.extend(read?);
                step = SECTOR;
            }
        }
        bytes.resize((next - at) as usize, 0);
        here = next;
    }
    Ok(bytes)
}

fn read_entries(file: &dyn VaultFile, id: Id) -> Result<(Pack, Vec<Entry>)> {
    let cut = || Error::damaged("the pack is cut off or its end is not what was written");
    let len = file.len()?;
    let trailer_at = len.checked_sub(TRAILER as u64).ok_or_else(cut)?;
    let trailer = file.read(trailer_at, TRAILER)?;
    let mut fields = Cursor(&trailer);
    if fields.array() != Some(MAGIC) {
        return Err(cut());
    }
    let objects = fields.u32().ok_or_else(cut)?;
    if objects as usize > OBJECTS_MAX {
        return Err(cut());
    }
    let end_len = objects as usize * Entry::LEN + TRAILER;
    let entries_at = len.checked_sub(end_len as u64).ok_or_else(cut)?;
    let end = file.read(entries_at, end_len)?;
    if hash(&end) != id {
        return Err(cut());
    }
    let mut cursor = Cursor(&end);
    let entries: Option<Vec<Entry>> = (0..objects).map(|_| Entry::decode(&mut cursor)).collect();
    let entries = entries.ok_or_else(cut)?;
    let inside = |entry: &Entry| u64::from(entry.offset) + u64::from(entry.len) <= entries_at;
    if !entries.iter().all(inside) || !entries.is_sorted_by(|a, b| a.id < b.id) {
        return Err(cut());
    }
    Ok((Pack { id, len, objects }, entries))
}

//! Writes packs.

use std::collections::HashMap;

use super::{DIR, Entry, OBJECTS_MAX, Pack, TARGET, end_of_pack, taken};
use crate::codec::Compression;
use crate::delta::{Base, Mark};
use crate::error::{Code, Error, Place, Result};
use crate::id::{Id, Kind};
use crate::object::{self, Stored};
use crate::vault::{Vault, VaultFile};

/// Bytes that are gathered before they are written.
const BUFFER: usize = 4 << 20;

/// Writes objects into packs, each of which is whole and durable under its name before the next one begins.
pub(crate) struct Packer<'a> {
    vault: &'a dyn Vault,
    /// What tells the unfinished files of this writer from those of others at the same time.
    label: String,
    compression: Compression,
    files: u32,
    open: Option<Open>,
    done: Vec<Pack>,
}

/// The pack at hand.
struct Open {
    file: Box<dyn VaultFile>,
    path: String,
    /// Written to the file, and waiting in the buffer.
    written: u64,
    buffer: Vec<u8>,
    encoder: object::Encoder,
    entries: HashMap<Id, Entry>,
}

impl<'a> Packer<'a> {
    pub(crate) fn new(vault: &'a dyn Vault, label: impl Into<String>) -> Self {
        let compression = Compression::default();
        Self { vault, label: label.into(), compression, files: 0, open: None, done: Vec::new() }
    }

    /// From now on, new content is compressed like this.
    pub(crate) fn compress(&mut self, compression: Compression) {
        self.compression = compression;
    }

    /// Whether the pack at hand holds this object.
    pub(crate) fn holds(&self, id: &Id) -> bool {
        self.held(id).is_some()
    }

    /// How the pack at hand holds this object.
    pub(crate) fn held(&self, id: &Id) -> Option<Entry> {
        self.open.as_ref()?.entries.get(id).copied()
    }

    /// Whether the pack at hand holds this object, but stored in another way.
    pub(crate) fn holds_otherwise(&self, entry: &Entry) -> bool {
        self.held(&entry.id).is_some_and(|held| held.mark != entry.mark)
    }

    /// The pack at hand.
    fn open(&mut self) -> Result<&mut Open> {
        let vault = self.vault;
        match &mut self.open {
            Some(open) => Ok(open),
            closed => Ok(closed.insert(create(vault, &self.label, &mut self.files, self.compression)?)),
        }
    }

    /// Adds an object, unless the pack at hand holds it; its id, and how many bytes it takes. Where there is a base, it may
    /// be stored as a delta of that.
    pub(crate) fn add(&mut self, kind: Kind, content: &[u8], base: Option<&Base>) -> Result<(Id, u64)> {
        self.add_if(kind, content, base, |_| Ok(true)).map(|(id, added)| (id, added.unwrap_or_default()))
    }

    /// The same, if it is wanted once its id is known; `None` if it is not.
    pub(crate) fn add_if(
        &mut self,
        kind: Kind,
        content: &[u8],
        base: Option<&Base>,
        wanted: impl FnOnce(&Id) -> Result<bool>,
    ) -> Result<(Id, Option<u64>)> {
        let open = self.open()?;
        let start = open.buffer.len();
        let (id, mark) = open.encoder.encode(kind, content, base, &mut open.buffer)?;
        match wanted(&id) {
            Ok(true) => Ok((id, Some(self.added(id, mark, start)?))),
            unwanted => {
                open.buffer.truncate(start);
                unwanted.map(|_| (id, None))
            }
        }
    }

    /// Adds an object as it is stored elsewhere, unless the pack at hand holds it; how many bytes it takes. What is added
    /// must give back the content of this id: `None` if it does not. Of a delta, `gives_back` says that.
    pub(crate) fn add_stored(
        &mut self,
        id: Id,
        stored: &[u8],
        gives_back: impl FnOnce(&Stored<'_>) -> Result<bool>,
    ) -> Result<Option<u64>> {
        if self.holds(&id) {
            return Ok(Some(0));
        }
        let open = self.open()?;
        let start = open.buffer.len();
        open.buffer.extend_from_slice(stored);
        let mark = match object::sound(&open.buffer[start..]) {
            Some((object, len)) if object.id == id && len == stored.len() => match object.base {
                None => Some(object.mark),
                Some(_) => gives_back(&object)?.then_some(object.mark),
            },
            _ => None,
        };
        let Some(mark) = mark else {
            open.buffer.truncate(start);
            return Ok(None);
        };
        self.added(id, mark, start).map(Some)
    }

    /// Counts the object that lies in the buffer from `start` on.
    fn added(&mut self, id: Id, mark: Mark, start: usize) -> Result<u64> {
        let open = self.open()?;
        if open.entries.contains_key(&id) {
            open.buffer.truncate(start);
            return Ok(0);
        }
        let len = open.buffer.len() - start;
        let offset = u32::try_from(open.written + start as u64).expect("packs end long before 4 GiB");
        open.entries.insert(id, Entry { id, offset, len: len as u32, mark });
        if open.buffer.len() >= BUFFER {
            open.flush()?;
        }
        if open.written + open.buffer.len() as u64 >= TARGET || open.entries.len() >= OBJECTS_MAX {
            self.end_pack()?;
        }
        Ok(len as u64)
    }

    /// Ends the pack at hand: from now on it counts.
    pub(crate) fn end_pack(&mut self) -> Result<()> {
        // One to which nothing was added goes with the writer.
        let Some(open) = self.open.take_if(|open| !open.entries.is_empty()) else { return Ok(()) };
        let path = open.path.clone();
        let ended = self.end(open);
        if ended.is_err() {
            // Where no room was left for it, what is there of it must not take up any.
            let _ = self.vault.remove(&path);
        }
        self.done.push(ended?);
        Ok(())
    }

    fn end(&self, mut open: Open) -> Result<Pack> {
        let mut entries: Vec<Entry> = open.entries.values().copied().collect();
        entries.sort_unstable_by_key(|entry| entry.id);
        let (mut end, mut id) = end_of_pack(&entries);
        while taken::holds_more(self.vault, id, &entries)? {
            open.add_again(&mut entries)?;
            (end, id) = end_of_pack(&entries);
        }
        open.buffer.extend_from_slice(&end);
        open.flush()?;
        open.file.sync().place(&open.path)?;
        let pack = Pack { id, len: open.written, objects: entries.len() as u32 };
        drop(open.file);
        self.vault.rename(&open.path, &pack.path())?;
        self.vault.sync_dir(DIR)?;
        Ok(pack)
    }

    /// Packs that were written so far.
    pub(crate) fn done(&self) -> &[Pack] {
        &self.done
    }

    /// Ends the last pack; all packs that were written.
    pub(crate) fn finish(mut self) -> Result<Vec<Pack>> {
        self.end_pack()?;
        Ok(std::mem::take(&mut self.done))
    }
}

impl Drop for Packer<'_> {
    /// A pack that was not ended is garbage: taken away if possible, else by the next run.
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            drop(open.file);
            let _ = self.vault.remove(&open.path);
        }
    }
}

fn create(vault: &dyn Vault, label: &str, files: &mut u32, compression: Compression) -> Result<Open> {
    let path = format!("{DIR}/tmp-{label}-{files}");
    *files += 1;
    let file = vault.create(&path)?;
    Ok(Open {
        file,
        path,
        written: 0,
        buffer: Vec::with_capacity(BUFFER + (256 << 10)),
        encoder: object::Encoder::new(compression),
        entries: HashMap::new(),
    })
}

impl Open {
    /// Adds the first of these objects once more and lists that place: the pack gets another name by it.
    fn add_again(&mut self, entries: &mut [Entry]) -> Result<()> {
        self.flush()?;
        let Some(entry) = entries.first_mut() else { return Ok(()) };
        let stored = self.file.read(u64::from(entry.offset), entry.len as usize).place(&self.path)?;
        let is_it = |(object, len): (Stored<'_>, usize)| {
            (object.id, object.mark, len) == (entry.id, entry.mark, entry.len as usize)
        };
        if !object::sound(&stored).is_some_and(is_it) {
            let message = format!("{}: an object did not come back as it was written", self.path);
            return Err(Error::new(Code::Io, message));
        }
        entry.offset = u32::try_from(self.written).expect("packs end long before 4 GiB");
        self.buffer.extend_from_slice(&stored);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(self.written, &self.buffer).place(&self.path)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

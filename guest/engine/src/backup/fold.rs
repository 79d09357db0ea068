//! Puts small files together, so that many small backups do not make many files.
//!
//! Index files are of a size class, each of which holds 20 times as many entries as the one before. When a class is full,
//! its files become one of the next class, and the small packs that only they name become one pack: so every byte is
//! rewritten a few times at most, by one backup in twenty.

use std::collections::HashSet;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::index::{Index, IndexFile, len_of_file};
use crate::objects::Objects;
use crate::pack::{self, Entry, Pack, Packer};
use crate::progress::{Few, Progress};
use crate::vault::Vault;

/// When a backup puts small files together.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Folding {
    /// So many index files of a size class make one of the next; fewer than 2: never.
    pub files: u32,
    /// Packs of fewer bytes are small.
    pub pack: u64,
    /// What is put together has at most so many bytes; index files of more wait for four times as many.
    pub bytes: u64,
}

impl Default for Folding {
    fn default() -> Self {
        Self { files: 20, pack: 256 << 10, bytes: 5 << 18 }
    }
}

/// What is to be put together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fold {
    /// Index files, by name.
    pub(super) files: HashSet<String>,
    packs: Vec<Pack>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// The packs that were written.
    pub(super) written: Vec<Id>,
    /// Those whose objects are all in them.
    pub(super) gone: HashSet<Id>,
}

impl Folding {
    /// Into which class so many entries fall.
    fn class(&self, entries: u64) -> u32 {
        entries.max(1).ilog(u64::from(self.files))
    }

    /// What is to be put together where so many entries more are written.
    pub(super) fn choose(&self, index: &Index<'_>, new: u64) -> Fold {
        if self.files < 2 {
            return Fold::default();
        }
        let mut files: Vec<&IndexFile> = index.files().iter().map(Rc::as_ref).collect();
        files.sort_by_key(|file| (file.entries, &file.name));
        let (mut fold, mut entries) = (Fold::default(), new);
        for class in 0..=files.last().map_or(0, |file| self.class(file.entries)) {
            let of_class: Vec<_> = files.iter().filter(|file| self.class(file.entries) == class).collect();
            let together = entries + of_class.iter().map(|file| file.entries).sum::<u64>();
            let much = len_of_file(0, 0, together) > self.bytes;
            let full = u64::from(self.files) * if much { 4 } else { 1 };
            let count = of_class.len() as u64 + u64::from(entries > 0 && self.class(entries) == class);
            if count >= full && !of_class.is_empty() {
                entries = together;
                fold.files.extend(of_class.iter().map(|file| file.name.clone()));
            }
        }
        let (inside, outside): (Vec<&IndexFile>, Vec<_>) =
            files.into_iter().partition(|file| fold.files.contains(&file.name));
        let kept: HashSet<Id> = outside.iter().flat_map(|file| &file.packs).map(|pack| pack.id).collect();
        let packs = inside.iter().flat_map(|file| &file.packs);
        fold.packs.extend(packs.filter(|pack| pack.len < self.pack && !kept.contains(&pack.id)));
        fold.packs.sort_unstable_by_key(|pack| (pack.len, pack.id));
        fold.packs.dedup();
        let mut bytes = 0;
        fold.packs.retain(|pack| {
            bytes += pack.len;
            bytes <= self.bytes
        });
        if fold.packs.len() < 2 {
            fold.packs.clear();
        }
        fold
    }
}

impl Fold {
    /// Copies the objects of the small packs to a new one, as they are stored. Each is decoded and hashed in its new place
    /// before it counts; a pack of which one does not come back stays.
    pub(super) fn write(
        &self,
        vault: &dyn Vault,
        objects: &Objects<'_>,
        progress: &dyn Progress,
    ) -> Result<Folded> {
        let mut packer = Packer::new(vault, "fold");
        let mut folded = Folded::default();
        let mut left = Few::new(progress);
        for pack in &self.packs {
            match copy(vault, *pack, objects, &mut packer).place(pack.path()) {
                Ok(true) => {
                    folded.gone.insert(pack.id);
                }
                Ok(false) => {}
                Err(e) if e.is_lost() => {
                    left.warn(&format!("{e}; the pack stays as it is, `verify` says more"));
                }
                Err(e) => return Err(e),
            }
        }
        left.end("packs that stay as they are");
        folded.written = packer.finish()?.iter().map(|pack| pack.id).collect();
        // A pack that held all of it has the same name.
        folded.gone.retain(|pack| !folded.written.contains(pack));
        Ok(folded)
    }
}

impl Folded {
    /// Removes the packs that went, of which the index says no more.
    pub(super) fn remove(&self, vault: &dyn Vault) -> Result<()> {
        for pack in &self.gone {
            match vault.remove(&pack::path(*pack)) {
                Err(e) if e.code != Code::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.gone.is_empty() { Ok(()) } else { vault.sync_dir(pack::DIR) }
    }
}

/// Copies the objects of a pack; `false` if it is better left alone: the index leaves out some of them, or one is there in
/// another pack too and rests on other objects there.
fn copy(vault: &dyn Vault, pack: Pack, objects: &Objects<'_>, into: &mut Packer<'_>) -> Result<bool> {
    let (found, mut entries) = pack::entries(vault, pack.id)?;
    if found != pack || entries.iter().any(|entry| into.holds_otherwise(entry)) {
        return Ok(false);
    }
    entries.sort_unstable_by_key(|entry: &Entry| entry.offset);
    let bytes = vault.open(&pack.path())?.read(0, usize::try_from(pack.len).unwrap_or(usize::MAX))?;
    for entry in entries {
        let start = entry.offset as usize;
        let stored = bytes.get(start..start + entry.len as usize).unwrap_or_default();
        if into
            .add_stored(entry.id, stored, |object| objects.gives_back(object, entry.in_pack(pack.id)))?
            .is_none()
        {
            return Err(Error::damaged(format!("object {} is not what was written", entry.id)));
        }
    }
    Ok(true)
}

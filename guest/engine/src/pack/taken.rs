//! Whether the name of a new pack is that of a file that must stay.

use super::{DIR, Entry, path, read_entries, salvage};
use crate::error::{Code, Place, Result};
use crate::id::Id;
use crate::vault::{Vault, is_unreadable};

/// Whether a file of this name holds anything that a new pack with these entries, sorted, lacks.
///
/// A sound pack of the same name has the same list, so the new one holds all of it. Another file can only bear the name
/// because of damage (two packs may have been exchanged), and what still comes back of it must not be lost.
pub(super) fn holds_more(vault: &dyn Vault, id: Id, entries: &[Entry]) -> Result<bool> {
    let path = path(id);
    let file = match vault.open(&path) {
        Err(e) if e.code == Code::NotFound => return Ok(false),
        // It is there, or nothing can be opened at all.
        Err(e) if e.is_unreadable() => {
            let listed = vault.list(DIR)?.contains(&id.hex());
            return if listed { Ok(true) } else { Err(e) };
        }
        file => file?,
    };
    match read_entries(file.as_ref(), id) {
        Ok(_) => return Ok(is_unreadable(vault, &path)),
        Err(e) if e.code == Code::Damaged => {}
        // What it holds is not known.
        Err(e) if e.is_unreadable() => return Ok(true),
        Err(e) => return Err(e.at(path)),
    }
    let there = salvage(file.as_ref()).place(&path)?;
    let lacks = |there: &Entry| match entries.binary_search_by(|entry| entry.id.cmp(&there.id)) {
        Ok(at) => !entries[at].mark.is_whole() && entries[at].mark != there.mark,
        Err(_) => true,
    };
    Ok(there.newer || !there.complete || there.entries.iter().any(lacks))
}

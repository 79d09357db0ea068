//! A disk without room for a new index beside the old one: the old one goes first.
//!
//! An index holds nothing that the packs don't, but for what it leaves out because it was found damaged. Where it leaves
//! nothing out, it can go before the new one is written, and the packs that it named go after that is durable.

use std::collections::HashSet;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::index::{self, Index};
use crate::pack;
use crate::progress::{Level, Progress};
use crate::vault::Vault;

/// Whether the packs that stay say by themselves all that the index says of them, as they do where there is none any more.
pub(super) fn is_expendable(vault: &dyn Vault, gone: &HashSet<Id>) -> Result<bool> {
    let mut index = Index::open(vault)?;
    index.check()?;
    if !index.damage().is_empty() {
        return Ok(false);
    }
    let mut seen = HashSet::new();
    for named in index.packs().filter(|pack| !gone.contains(&pack.id)) {
        if !seen.insert((named.id, named.objects)) {
            continue;
        }
        match pack::entries(vault, named.id) {
            Ok((pack, _)) if pack.len == named.len && pack.objects == named.objects => {}
            Err(e) if !matches!(e.code, Code::Damaged | Code::NotFound) => return Err(e),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Removes all index files, durably.
pub(super) fn remove_index(vault: &dyn Vault) -> Result<()> {
    for name in index::files(vault)? {
        vault.remove(&format!("{}/{name}", index::DIR))?;
    }
    vault.sync_dir(index::DIR)
}

/// Says what did not fit.
pub(super) fn warn(progress: &dyn Progress, packs: usize, unused: u64, needed: u64, e: &Error) {
    let message = format!(
        "{packs} pack(s) with {unused} unused bytes stay as they are: there is no room to move what snapshots need out of \
         them. With {needed} bytes free, the next prune does that ({e})"
    );
    progress.log(Level::Warn, &message);
}

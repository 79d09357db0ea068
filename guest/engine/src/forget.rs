//! Takes snapshots away.

use std::collections::BTreeSet;

use crate::error::{Code, Error, Place, Result};
use crate::repository;
use crate::snapshot::{self, name};
use crate::vault::Vault;

/// Takes away the snapshots of these names, durably. What they alone held stays where it is until the next prune.
///
/// Only whole names count, no ids and no `latest`. All of them must be there, or none is taken away; a file that cannot be
/// read can be forgotten like any other. When it fails in between, some of them are gone, and the others are whole.
pub fn forget(vault: &dyn Vault, names: &[String], dry_run: bool) -> Result<()> {
    repository::check(vault)?;
    let names: BTreeSet<&String> = names.iter().collect();
    let mut missing = Vec::new();
    for name in &names {
        let there = match name::check(name) {
            Ok(()) => snapshot::exists(vault, name),
            Err(_) => Ok(false),
        };
        // What cannot be looked at is there.
        if !there.or_else(|e| if e.is_unreadable() { Ok(true) } else { Err(e) })? {
            missing.push(format!("{name:?}"));
        }
    }
    if let Some(first) = missing.first() {
        let more =
            if missing.len() > 1 { format!(" (and {} more)", missing.len() - 1) } else { String::new() };
        return Err(Error::new(
            Code::NotFound,
            format!(
                "there is no snapshot {first}{more}; nothing was forgotten. `snapshots` lists those that are there"
            ),
        ));
    }
    if dry_run || names.is_empty() {
        return Ok(());
    }
    // Somebody decided by what is listed, so it must last before anything goes: the newest may be of a run that was killed
    // before its name was durable.
    vault.sync_dir(snapshot::DIR)?;
    for name in names {
        let path = snapshot::path(name);
        vault.remove(&path).place(&path).map_err(|e| match e.code {
            Code::Io => Error::new(e.code, format!("{e}; move it away")),
            _ => e,
        })?;
    }
    snapshot::Newest::remove(vault);
    vault.sync_dir(snapshot::DIR)
}

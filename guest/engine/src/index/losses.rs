//! Whether anything was lost: so that nobody builds on what a snapshot had without looking whether it is still there.
//!
//! An index that no longer names what a pack has lost looks like one that never did. So before it comes to that, an
//! empty file in its folder gets another name. A snapshot says which name it was when all that it needs was there.

use super::DIR;
use crate::error::{Code, Result};
use crate::vault::Vault;

/// How the names begin.
const PREFIX: &str = "lost-";

/// What there is by now; another one after every loss.
pub(crate) fn mark(vault: &dyn Vault) -> Result<String> {
    Ok(names(vault)?.join(" "))
}

fn names(vault: &dyn Vault) -> Result<Vec<String>> {
    let mut names = vault.list(DIR)?;
    names.retain(|name| name.starts_with(PREFIX));
    names.sort_unstable();
    Ok(names)
}

/// Something is lost: from now on the mark is another, durably.
pub(crate) fn note(vault: &dyn Vault) -> Result<()> {
    let before = names(vault)?;
    let hash = blake3::hash(before.join(" ").as_bytes()).to_hex();
    let name = format!("{PREFIX}{}", &hash[..16]);
    match vault.create(&format!("{DIR}/{name}")) {
        Ok(file) => file.sync()?,
        Err(e) if e.code == Code::Exists => {}
        Err(e) => return Err(e),
    }
    vault.sync_dir(DIR)?;
    for gone in before.iter().filter(|gone| **gone != name) {
        match vault.remove(&format!("{DIR}/{gone}")) {
            Err(e) if e.code != Code::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

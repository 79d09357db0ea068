//! Which snapshot of each source is the newest, without reading all of them.
//!
//! A file in the folder of the index says it, for just those snapshots that were there when it was written. It is a hint:
//! nobody needs it, nothing waits for it to be durable, and where it does not fit what is there, all files are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DIR, SUFFIX, Snapshot, UNFINISHED, Unreadable, all, newest, read};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::index;
use crate::vault::Vault;

/// Who is the newest, when there were just these names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Newest {
    /// The hash of all names of snapshots.
    names: String,
    /// By source.
    newest: BTreeMap<String, String>,
}

pub(crate) fn path() -> String {
    format!("{}/newest", index::DIR)
}

/// The hash of the names of all snapshots but one.
fn names(vault: &dyn Vault, without: Option<&str>) -> Result<String> {
    let files = vault.list(DIR)?;
    let named = files.iter().filter_map(|file| file.strip_suffix(SUFFIX));
    let mut names: Vec<&str> =
        named.filter(|name| !name.starts_with(UNFINISHED) && Some(*name) != without).collect();
    names.sort_unstable();
    Ok(hash(&names))
}

fn hash(names: &[&str]) -> String {
    Id(*blake3::hash(names.join("\n").as_bytes()).as_bytes()).hex()
}

impl Newest {
    /// Of no snapshots.
    pub(crate) fn none() -> Self {
        Self { names: hash(&[]), newest: BTreeMap::new() }
    }

    /// The newest snapshot of a source, what is known of the others, and, if all were read, the files that are none.
    pub(crate) fn find(vault: &dyn Vault, source: &str) -> Result<(Option<Snapshot>, Self, Vec<Unreadable>)> {
        let names = names(vault, None)?;
        if let Some(hint) = Self::read(vault).ok().filter(|hint| hint.names == names) {
            match hint.newest.get(source) {
                None => return Ok((None, hint, Vec::new())),
                Some(name) => {
                    let found = read(vault, name).ok().filter(|snapshot| snapshot.source == source);
                    if found.is_some() {
                        return Ok((found, hint, Vec::new()));
                    }
                }
            }
        }
        let (snapshots, unreadable) = all(vault)?;
        let known = Self::among(names, &snapshots);
        let found = snapshots.into_iter().rev().find(|snapshot| snapshot.source == source);
        Ok((found, known, unreadable))
    }

    /// What is known once all snapshots were read.
    pub(crate) fn of(vault: &dyn Vault, snapshots: &[Snapshot]) -> Result<Self> {
        Ok(Self::among(names(vault, None)?, snapshots))
    }

    fn among(names: String, snapshots: &[Snapshot]) -> Self {
        let by_source = newest(snapshots).map(|snapshot| (snapshot.source.clone(), snapshot.name.clone()));
        Self { names, newest: by_source.collect() }
    }

    /// Another source than this one.
    pub(crate) fn other(&self, source: &str) -> Option<&str> {
        self.newest.keys().map(String::as_str).find(|other| *other != source)
    }

    fn read(vault: &dyn Vault) -> Result<Self> {
        let file = vault.open(&path())?;
        let len = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(1 << 24);
        let text = file.read(0, len)?;
        let known = text.split_first_chunk::<64>().and_then(|(checksum, json)| {
            let is_it = *checksum == *blake3::hash(json).to_hex().as_bytes();
            is_it.then(|| serde_json::from_slice(json).ok())?
        });
        known.ok_or_else(|| Error::damaged("this is no hint"))
    }

    /// Takes the hint away, which fits no more. Where it stays, nobody believes it.
    pub(crate) fn remove(vault: &dyn Vault) {
        if !Self::read(vault).is_err_and(|e| e.is_unreadable()) {
            let _ = vault.remove(&path());
        }
    }

    /// A snapshot was published. If it is the newest of its source, that is noted; if anything goes wrong, it is not.
    pub(crate) fn publish(mut self, vault: &dyn Vault, snapshot: &Snapshot, is_newest: bool) {
        let before = names(vault, Some(&snapshot.name));
        let unreadable = Self::read(vault).is_err_and(|e| e.is_unreadable());
        if unreadable || !before.is_ok_and(|before| before == self.names) {
            return;
        }
        if is_newest || !self.newest.contains_key(&snapshot.source) {
            self.newest.insert(snapshot.source.clone(), snapshot.name.clone());
        }
        let mut write = || -> Result<()> {
            self.names = names(vault, None)?;
            let json = serde_json::to_string(&self).unwrap_or_default();
            let text = format!("{}{json}", blake3::hash(json.as_bytes()).to_hex());
            let unfinished = format!("{}/{UNFINISHED}newest", index::DIR);
            vault.create(&unfinished)?.write_at(0, text.as_bytes())?;
            vault.rename(&unfinished, &path())
        };
        // The snapshot is there either way.
        let _ = write();
    }
}

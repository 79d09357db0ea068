//! The directory of a repository: what makes it one, and what belongs in it.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::vault::Vault;
use crate::{index, pack, snapshot};

/// The file that makes a directory a repository.
pub(crate) const FILE: &str = "repository.json";
/// The version of the format that this engine reads and writes.
pub const FORMAT: u32 = 1;
/// Held by whoever writes; made and read by the host, never by the engine.
pub const LOCK: &str = "lock";
/// What was found when somebody last looked; made and read by the host as well, and no snapshot needs it.
const CHECKS: &str = "checks";

/// What begins the name of an unfinished file. Such a file means nothing once its run has ended.
pub(crate) const UNFINISHED: &str = "tmp-";

pub(crate) const DIRS: [&str; 3] = [pack::DIR, index::DIR, snapshot::DIR];

#[derive(Serialize, Deserialize)]
struct About {
    format: String,
    version: u32,
}

/// Fails unless the directory holds a repository that this engine can read.
pub(crate) fn check(vault: &dyn Vault) -> Result<()> {
    let file = match vault.open(FILE) {
        Ok(file) => file,
        Err(e) if e.code == Code::NotFound => {
            return Err(Error::new(
                Code::NoRepository,
                "this directory holds no repository; name the right one, or make one with a first backup",
            ));
        }
        Err(e) => return Err(unreadable(e)),
    };
    let text = file.read(0, 4096).map_err(unreadable)?;
    let about: About = serde_json::from_slice(&text)
        .ok()
        .filter(|about: &About| about.format == "strongroom" && about.version > 0)
        .ok_or_else(|| {
            Error::damaged(format!(
                "{FILE} is not what was written; `repair` makes it again, or write {}",
                about().trim_end()
            ))
        })?;
    if about.version > FORMAT {
        return Err(Error::new(
            Code::NewerFormat,
            format!(
                "the repository has format {}, that of a later version, and this one reads up to {FORMAT}; use a \
                 newer Strongroom. If none has ever written here, {FILE} is damaged: write {}",
                about.version,
                self::about().trim_end()
            ),
        ));
    }
    Ok(())
}

/// Nobody but a person may put another file in the place of one that cannot be read.
fn unreadable(mut e: Error) -> Error {
    if e.is_unreadable() {
        e.message = format!(
            "{}; if it cannot be made readable, move {FILE} away: `repair` makes it again",
            e.message
        );
    }
    e
}

/// Why the file that makes a directory a repository has to be made again; `None` if it need not be. Fails where nothing
/// shows that this is a repository, and where a later version wrote.
pub(crate) fn lacks_file(vault: &dyn Vault) -> Result<Option<&'static str>> {
    let wrong = match check(vault) {
        Ok(()) => return Ok(None),
        Err(e) if matches!(e.code, Code::NoRepository | Code::Damaged) => e,
        Err(e) => return Err(e),
    };
    let names = |dir| match vault.list(dir) {
        Err(e) if e.code == Code::NotFound => Ok(Vec::new()),
        names => names,
    };
    let (snapshots, unreadable) =
        if names(snapshot::DIR)?.is_empty() { Default::default() } else { snapshot::all(vault)? };
    if let Some(newer) = unreadable.into_iter().find(|file| file.error.code == Code::NewerFormat) {
        return Err(newer.error);
    }
    let mut evident = !snapshots.is_empty();
    let packs = if evident { Vec::new() } else { names(pack::DIR)? };
    for id in packs.iter().filter_map(|name| Id::from_hex(name)) {
        match pack::entries(vault, id) {
            Err(e) if e.is_lost() => {}
            Err(e) => return Err(e),
            Ok(_) => {
                evident = true;
                break;
            }
        }
    }
    match wrong.code {
        _ if !evident => Err(wrong),
        Code::NoRepository => Ok(Some("it is missing")),
        _ => Ok(Some("it is not what was written")),
    }
}

/// Makes folders that are gone.
pub(crate) fn make_folders(vault: &dyn Vault, dry_run: bool) -> Result<()> {
    for dir in DIRS {
        match vault.list(dir) {
            Err(e) if e.code == Code::NotFound && dry_run => {
                let message = format!("the folder {dir} is gone; a repair that is no dry run makes it again");
                return Err(Error::damaged(message));
            }
            Err(e) if e.code == Code::NotFound => vault.make_dir(dir)?,
            listed => drop(listed?),
        }
    }
    Ok(())
}

/// Makes the directory a repository, if it is none yet; whether it did.
pub fn init(vault: &dyn Vault) -> Result<bool> {
    match check(vault) {
        Err(e) if e.code == Code::NoRepository => prepare(vault).map(|()| true),
        checked => checked.map(|()| false),
    }
}

/// Makes the directory a repository if it is empty, and clears away what an unfinished run left.
pub(crate) fn prepare(vault: &dyn Vault) -> Result<()> {
    let there = match check(vault) {
        Err(e) if e.code == Code::NoRepository => {
            refuse_foreign(vault)?;
            false
        }
        checked => checked.map(|()| true)?,
    };
    // The folders come first, durable: no reader finds a repository without them.
    for dir in DIRS {
        vault.make_dir(dir)?;
    }
    vault.sync_dir("")?;
    if !there {
        create(vault)?;
    }
    clear(vault, &unfinished(vault)?)
}

/// What unfinished runs left: paths and lengths.
pub(crate) fn unfinished(vault: &dyn Vault) -> Result<Vec<(String, u64)>> {
    let mut unfinished = Vec::new();
    for dir in ["", pack::DIR, index::DIR, snapshot::DIR] {
        for name in vault.list(dir)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = join(dir, name);
            match vault.len(&path) {
                Ok(len) => unfinished.push((path, len)),
                // It is no file.
                Err(e) if e.is_unreadable() => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(unfinished)
}

/// Takes unfinished files away.
pub(crate) fn clear(vault: &dyn Vault, unfinished: &[(String, u64)]) -> Result<()> {
    unfinished.iter().try_for_each(|(path, _)| vault.remove(path))
}

/// Bytes of all files of the repository, without the lock.
pub(crate) fn bytes(vault: &dyn Vault) -> Result<u64> {
    let mut bytes = vault.len(FILE)?;
    for name in vault.list("")?.iter().filter(|name| name.starts_with(UNFINISHED)) {
        bytes += vault.len(name)?;
    }
    for dir in DIRS {
        for name in vault.list(dir)?.iter().filter(|name| !name.is_empty()) {
            match vault.len(&join(dir, name)) {
                Ok(len) => bytes += len,
                // It is no file.
                Err(e) if e.is_unreadable() => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(bytes)
}

fn refuse_foreign(vault: &dyn Vault) -> Result<()> {
    let ours = |name: &String| {
        name == LOCK
            || name == CHECKS
            || name.starts_with(UNFINISHED)
            || DIRS.contains(&name.as_str())
            || name == "lost+found"
    };
    match vault.list("")?.iter().find(|name| !ours(name)) {
        None => Ok(()),
        Some(foreign) => Err(Error::new(
            Code::NoRepository,
            format!(
                "the directory holds no repository but other things ({foreign:?}); give an empty or a new one"
            ),
        )),
    }
}

pub(crate) fn create(vault: &dyn Vault) -> Result<()> {
    let path = format!("{UNFINISHED}repository");
    match vault.remove(&path) {
        Err(e) if e.code != Code::NotFound => return Err(e),
        _ => {}
    }
    let mut file = vault.create(&path)?;
    file.write_at(0, about().as_bytes()).place(FILE)?;
    file.sync()?;
    drop(file);
    vault.rename(&path, FILE)?;
    vault.sync_dir("")
}

fn about() -> String {
    format!("{{\"format\":\"strongroom\",\"version\":{FORMAT}}}\n")
}

/// The path of a name in a folder.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

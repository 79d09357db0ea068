//! Brings the index up to date with what is there.

use std::collections::HashSet;

use super::file::begin_of;
use super::{Change, DIR, Index, others, update};
use crate::error::{Code, Place, Result};
use crate::id::Id;
use crate::object;
use crate::pack::{self, Packer};
use crate::progress::{Few, Level, Progress};
use crate::snapshot::diagnosis;
use crate::vault::{Vault, check_answers};

/// What was found while the index was brought up to date.
pub(crate) struct Mended {
    /// One of the index files that were listed is gone, and nobody replaced it.
    pub(crate) lacks_one: bool,
    /// Index files that cannot be read, and stay; this is how their names begin.
    pub(crate) unreadable: Vec<u64>,
}

/// Brings the index up to date with the packs that are there. All of it is read if it is to be checked, otherwise what
/// every file begins with. `listed` is how the names of index files begin that should be there.
pub(crate) fn mend(
    vault: &dyn Vault,
    check: bool,
    listed: &[u64],
    progress: &dyn Progress,
) -> Result<Mended> {
    let mut index = Index::open(vault)?;
    if check {
        index.check()?;
    }
    index.must_be_listed()?;
    let mut mended = Mended { lacks_one: index.lacks_one_of(listed), unreadable: Vec::new() };
    let mut change = Change::default();
    let (mut seen, mut odd) = (HashSet::new(), Vec::new());
    let (mut packs, mut files) = (Few::new(progress), Few::new(progress));
    for pack in index.packs().filter(|pack| seen.insert(pack.id)) {
        let path = pack.path();
        let wrong = match vault.len(&path) {
            Ok(len) if len == pack.len && !check => continue,
            // What cannot be opened at all is not there for a scan to build on.
            Ok(len) if len == pack.len => match vault.open(&path) {
                Err(e) if e.is_unreadable() => format!("{e}; it stays as it is"),
                _ => continue,
            },
            Ok(len) => {
                odd.push(pack.id);
                format!("{path} has {len} bytes instead of {}", pack.len)
            }
            Err(e) if e.code == Code::NotFound => format!("{path} is gone"),
            Err(e) if e.is_unreadable() => {
                check_answers(vault, pack::DIR, &e)?;
                format!("{e}; it stays as it is")
            }
            Err(e) => return Err(e),
        };
        packs.warn(&format!(
            "{wrong}; what it lacks is written again where it is needed, `verify` says what is lost"
        ));
        change.lost.insert(pack.id);
    }
    for (file, wrong) in index.damage() {
        if wrong.is_unreadable() {
            check_answers(vault, DIR, wrong)?;
            let message = format!("{wrong}; it stays as it is, what it says is taken from the packs");
            progress.log(Level::Warn, &message);
            mended.unreadable.extend(file.strip_prefix("index/").and_then(begin_of));
            continue;
        }
        let Some(name) = file.strip_prefix(DIR).map(|name| name.trim_start_matches('/')) else { continue };
        let kept = keep(vault, file)?.map_or(String::new(), |kept| format!("; {kept}"));
        files.warn(&format!("{wrong}{kept}; it is made again from the packs"));
        change.broken.insert(name.to_owned());
    }
    packs.end("packs that are gone or have another length");
    files.end("index files that are damaged");
    let lost = &change.lost;
    for pack in index.loose()?.iter().filter(|pack| !lost.contains(pack)) {
        match pack::entries_or_salvage(vault, *pack) {
            Err(e) if e.is_unreadable() => {
                check_answers(vault, pack::DIR, &e)?;
                progress.log(Level::Warn, &format!("{e}; the index does not know it, and it stays as it is"));
            }
            _ => change.packs.push(*pack),
        }
    }
    let taken_over = change.packs.len();
    // Whatever can still be read of them stays: earlier snapshots may need it.
    change.packs.extend(odd);
    if change.packs.is_empty() && change.lost.is_empty() && change.broken.is_empty() {
        return Ok(mended);
    }
    if !change.lost.is_empty() {
        change.also = others(vault, &index, &mut change.lost, progress)?;
    }
    make_durable(vault, &change.packs)?;
    if taken_over > 0 {
        let message = format!("{taken_over} pack(s) that the index does not know are taken into it");
        progress.log(Level::Info, &message);
    }
    update(vault, change).place("while the index is brought up to date")?;
    Ok(mended)
}

/// Keeps what lies where an index file should be and is something else, for two files may have been exchanged; says how.
fn keep(vault: &dyn Vault, path: &str) -> Result<Option<String>> {
    let file = vault.open(path)?;
    let begin = file.read(0, 64).place(path)?;
    let is_snapshot = diagnosis::looks_like_one(&begin);
    if !is_snapshot && !begin.starts_with(&object::MAGIC) {
        return Ok(None);
    }
    let salvaged = pack::salvage(file.as_ref()).place(path)?;
    if is_snapshot || salvaged.newer {
        let aside = super::aside(path);
        vault.rename(path, &aside)?;
        return Ok(Some(format!("it is no index, and is called {aside} now")));
    }
    let mut entries = salvaged.entries;
    entries.sort_unstable_by_key(|entry| entry.offset);
    let mut packer = Packer::new(vault, "mend");
    for entry in &entries {
        let stored = file.read(u64::from(entry.offset), entry.len as usize).place(path)?;
        // A delta is kept as it is, also if what it rests on is lost.
        packer.add_stored(entry.id, &stored, |_| Ok(true))?;
    }
    packer.finish()?;
    Ok(Some(format!("it is no index, and {} object(s) in it are written to a pack", entries.len())))
}

/// Makes packs durable that come from elsewhere: from a run that was killed before it could, or from a copy. What the
/// index names counts as durable, and snapshots are built on it.
pub(crate) fn make_durable(vault: &dyn Vault, packs: &[Id]) -> Result<()> {
    for pack in packs {
        match vault.open(&pack::path(*pack)) {
            Ok(file) => file.sync()?,
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    if packs.is_empty() { Ok(()) } else { vault.sync_dir(pack::DIR) }
}

//! Builds the database.

use std::collections::HashSet;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail};
use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, WriteTransaction};

use super::walk::{roots, walk};
use super::{BY_EXTENSION, BY_HASH, FILES, META, extension};

/// What was built, or what there is.
#[derive(Debug, Clone, Default)]
pub struct Built {
    /// How many files, each with a content of its own.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// From where: name, directory, files, bytes.
    pub from: Vec<(String, String, u64, u64)>,
    /// How to get more, where a directory was missing or empty.
    pub remedies: Vec<String>,
}

/// Bytes of files for each transaction.
const BATCH: u64 = 64 << 20;
/// Files that are larger are left out until the end: one library must not make up a tenth of the database.
const LARGE: u64 = 16 << 20;

/// Builds a database of at least so many bytes of files, or of all that there are. The file must not exist.
pub fn build(out: &Path, bytes: u64) -> Result<Built> {
    if out.exists() {
        bail!("{} exists already; remove it, or give another name", out.display());
    }
    let mut db = Database::create(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut builder = Builder { db: &db, write: Some(db.begin_write()?), pending: 0, seen: HashSet::new() };
    let mut built = Built::default();
    let roots = roots();
    for large in [false, true] {
        for root in &roots {
            let (mut files, mut found) = (0, 0);
            walk(&root.dir, &mut |path| {
                let within = path.strip_prefix(&root.dir)?;
                let added = builder.add(path, root.name, within, large)?;
                if let Some(added) = added {
                    files += 1;
                    found += added;
                }
                Ok(built.bytes + found < bytes)
            })?;
            built.files += files;
            built.bytes += found;
            if files > 0 {
                built.from.push((root.name.to_owned(), root.dir.display().to_string(), files, found));
            } else if !large && built.bytes < bytes {
                built.remedies.push(format!(
                    "{} has nothing more to give: {}",
                    root.dir.display(),
                    root.remedy
                ));
            }
            if built.bytes >= bytes {
                break;
            }
        }
    }
    builder.commit()?;
    // As small as redb can make it, so that a copy of the file is no easy thing to be compared with.
    db.compact()?;
    Ok(built)
}

struct Builder<'d> {
    db: &'d Database,
    write: Option<WriteTransaction>,
    /// Bytes in the transaction so far.
    pending: u64,
    /// Contents that are in: toolchains have many files twice.
    seen: HashSet<[u8; 32]>,
}

impl Builder<'_> {
    /// Adds a file under a name that does not say where on this machine it was. None if it is not for this pass, is
    /// there already or cannot be read.
    fn add(&mut self, path: &Path, root: &str, within: &Path, large: bool) -> Result<Option<u64>> {
        let (Some(within), Ok(metadata)) = (within.to_str(), path.metadata()) else { return Ok(None) };
        if (metadata.len() > LARGE) != large {
            return Ok(None);
        }
        let Ok(content) = std::fs::read(path) else { return Ok(None) };
        let hash = *blake3::hash(&content).as_bytes();
        if !self.seen.insert(hash) {
            return Ok(None);
        }
        let name = format!("{root}/{}", within.replace('\\', "/"));
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| since.as_secs());
        let write = match &self.write {
            Some(write) => write,
            None => self.write.insert(self.db.begin_write()?),
        };
        put(write, &name, &content, modified, &hash)?;
        self.pending += content.len() as u64;
        if self.pending > BATCH {
            self.commit()?;
        }
        Ok(Some(content.len() as u64))
    }

    fn commit(&mut self) -> Result<()> {
        self.pending = 0;
        if let Some(write) = self.write.take() {
            write.commit()?;
        }
        Ok(())
    }
}

/// Puts a file into all tables.
pub(super) fn put(
    write: &WriteTransaction,
    name: &str,
    content: &[u8],
    modified: u64,
    hash: &[u8; 32],
) -> Result<()> {
    write.open_table(FILES)?.insert(name, content)?;
    write.open_table(META)?.insert(name, (content.len() as u64, modified))?;
    write.open_multimap_table(BY_EXTENSION)?.insert(extension(name), name)?;
    write.open_table(BY_HASH)?.insert(hash, name)?;
    Ok(())
}

/// Entries of each table, for a look at what there is.
pub fn counts(database: &Path) -> Result<Vec<(&'static str, u64)>> {
    let read = redb::Builder::new().open_read_only(database)?.begin_read()?;
    Ok(vec![
        ("files", read.open_table(FILES)?.len()?),
        ("meta", read.open_table(META)?.len()?),
        ("by_extension", read.open_multimap_table(BY_EXTENSION)?.len()?),
        ("by_hash", read.open_table(BY_HASH)?.len()?),
    ])
}

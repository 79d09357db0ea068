//! Changes some of the files, as a day's work would.

use std::path::Path;

use anyhow::{Context as _, Result};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

use super::build::put;
use super::{BY_EXTENSION, BY_HASH, FILES, META, extension};
use crate::entries::mix;

/// How many files were changed, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// Got a line more somewhere.
    pub edited: u64,
    /// Are gone.
    pub deleted: u64,
    /// Are new.
    pub added: u64,
    /// Bytes in those edited and added.
    pub bytes: u64,
}

/// Changes a share of the files, which ones following from `seed`: of ten, six are edited, two deleted, and beside two
/// a new one is added. The file is compact again afterwards.
pub fn change(database: &Path, share: f64, seed: u64) -> Result<Changed> {
    let mut db = Database::open(database).with_context(|| format!("cannot open {}", database.display()))?;
    let mut chosen = Vec::new();
    for entry in db.begin_read()?.open_table(META)?.iter()? {
        let (name, meta) = entry?;
        let name = name.value();
        let drawn = mix(blake3_word(name) ^ mix(seed));
        if (drawn % 1_000_000) as f64 <= share * 1_000_000.0 {
            chosen.push((name.to_owned(), meta.value().1, mix(drawn)));
        }
    }
    let mut changed = Changed::default();
    let write = db.begin_write()?;
    for (name, modified, drawn) in &chosen {
        let old = write.open_table(FILES)?.get(name.as_str())?.map(|old| old.value().to_vec());
        let old = old.with_context(|| format!("{name} is in one table and not in another"))?;
        let kind = (drawn >> 32) % 10;
        let mut content = old.clone();
        if !(6..8).contains(&kind) {
            let at = usize::try_from(*drawn)? % (old.len() + 1);
            content.splice(at..at, format!("\n// Changed: {drawn:016x}\n").into_bytes());
            changed.bytes += content.len() as u64;
        }
        let hash = blake3::hash(&content);
        match kind {
            0..6 => {
                remove(&write, name, &old)?;
                put(&write, name, &content, modified + 60, hash.as_bytes())?;
                changed.edited += 1;
            }
            6..8 => {
                remove(&write, name, &old)?;
                changed.deleted += 1;
            }
            _ => {
                let beside = format!("{name}.{seed}.{}", extension(name));
                put(&write, &beside, &content, modified + 60, hash.as_bytes())?;
                changed.added += 1;
            }
        }
    }
    write.commit()?;
    db.compact()?;
    Ok(changed)
}

fn remove(write: &WriteTransaction, name: &str, content: &[u8]) -> Result<()> {
    write.open_table(FILES)?.remove(name)?;
    write.open_table(META)?.remove(name)?;
    write.open_multimap_table(BY_EXTENSION)?.remove(extension(name), name)?;
    write.open_table(BY_HASH)?.remove(blake3::hash(content).as_bytes())?;
    Ok(())
}

fn blake3_word(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use redb::ReadableTableMetadata as _;

    use super::*;

    #[test]
    fn the_tables_agree_after_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("real.redb");
        let db = Database::create(&path).unwrap();
        let write = db.begin_write().unwrap();
        for n in 0..1000 {
            let content = format!("content {n}");
            let hash = blake3::hash(content.as_bytes());
            put(&write, &format!("dir/{n}.{}", n % 7), content.as_bytes(), n, hash.as_bytes()).unwrap();
        }
        write.commit().unwrap();
        drop(db);
        let changed = change(&path, 0.2, 1).unwrap();
        assert!((100..300).contains(&(changed.edited + changed.deleted + changed.added)), "{changed:?}");
        let db = Database::open(&path).unwrap();
        let read = db.begin_read().unwrap();
        let files = read.open_table(FILES).unwrap();
        let meta = read.open_table(META).unwrap();
        let by_hash = read.open_table(BY_HASH).unwrap();
        let by_extension = read.open_multimap_table(BY_EXTENSION).unwrap();
        assert_eq!(files.len().unwrap(), 1000 + changed.added - changed.deleted);
        assert_eq!(by_hash.len().unwrap(), files.len().unwrap());
        assert_eq!(by_extension.len().unwrap(), files.len().unwrap());
        for entry in files.iter().unwrap() {
            let (name, content) = entry.unwrap();
            assert_eq!(meta.get(name.value()).unwrap().unwrap().value().0, content.value().len() as u64);
            let hash = blake3::hash(content.value());
            assert_eq!(by_hash.get(hash.as_bytes()).unwrap().unwrap().value(), name.value());
            let mut names = by_extension.get(extension(name.value())).unwrap();
            assert!(names.any(|found| found.unwrap().value() == name.value()));
        }
    }
}

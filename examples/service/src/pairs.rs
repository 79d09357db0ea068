//! What the service is for: pairs of keys and values in redb. All calls block.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

const PAIRS: TableDefinition<&str, &[u8]> = TableDefinition::new("pairs");

pub(crate) struct Pairs {
    pub(crate) database: Database,
    pub(crate) file: PathBuf,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    /// So many writes the newest backup has seen; `u64::MAX` before the first.
    saved: AtomicU64,
}

impl Pairs {
    pub(crate) fn open(file: &Path) -> Result<Self, redb::Error> {
        let database = Database::create(file)?;
        let txn = database.begin_write()?;
        txn.open_table(PAIRS)?;
        txn.commit()?;
        let file = file.to_owned();
        Ok(Self { database, file, reads: 0.into(), writes: 0.into(), saved: u64::MAX.into() })
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let pairs = self.database.begin_read()?.open_table(PAIRS)?;
        Ok(pairs.get(key)?.map(|value| value.value().to_vec()))
    }

    /// Sets or removes a pair; says whether the key was there.
    pub(crate) fn put(&self, key: &str, value: Option<&[u8]>) -> Result<bool, redb::Error> {
        let mut txn = self.database.begin_write()?;
        // Acknowledged means on disk.
        txn.set_durability(Durability::Immediate)?;
        let was_there = {
            let mut pairs = txn.open_table(PAIRS)?;
            match value {
                Some(value) => pairs.insert(key, value)?.is_some(),
                None => pairs.remove(key)?.is_some(),
            }
        };
        txn.commit()?;
        self.writes.fetch_add(1, Ordering::Release);
        Ok(was_there)
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.writes.load(Ordering::Acquire) != self.saved.load(Ordering::Acquire)
    }

    /// A backup succeeded that began after so many writes; what was written since, it may not have seen.
    pub(crate) fn saved(&self, writes: u64) {
        self.saved.store(writes, Ordering::Release);
    }
}

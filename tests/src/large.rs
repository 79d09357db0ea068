//! Databases that are larger than what a backup may hold in memory, and values that are.

use std::path::Path;

use anyhow::{Context as _, Result};
use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition};

use crate::entries::mix;
use crate::steps::{create_small, open_small};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("large");
/// Bytes that one transaction writes, at least.
const BATCH: u64 = 64 << 20;

/// Fills with what nothing can compress.
fn fill(bytes: &mut [u8], seed: u64) {
    for (word, bytes) in bytes.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&mix(seed << 32 ^ word as u64).to_le_bytes()[..bytes.len()]);
    }
}

/// Makes a database of values of one size.
pub fn make(database: &Path, count: u64, value_bytes: u64) -> Result<()> {
    let db = create_small(database)?;
    let mut value = vec![0; usize::try_from(value_bytes)?];
    let batch = (BATCH / value_bytes).max(1);
    let mut next = 0;
    while next < count {
        let write = db.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            for key in next..count.min(next + batch) {
                fill(&mut value, key);
                table.insert(key, &value[..])?;
            }
        }
        write.commit()?;
        next += batch;
    }
    Ok(())
}

/// Reads every value with redb alone, one by one, which shows what that takes. (An iterator would hold the first and
/// the last page at once, which for a single value is the same one twice.)
pub fn read(database: &Path) -> Result<()> {
    let table = open_small(database)?.open_table(TABLE)?;
    let mut sum = 0_u64;
    for key in 0..table.len()? {
        let value = table.get(key)?.context("a value is gone")?;
        sum = value.value().iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    }
    std::hint::black_box(sum);
    Ok(())
}

/// Writes one value with redb alone, in place.
pub fn write_one(database: &Path, value_bytes: u64) -> Result<()> {
    let db = create_small(database)?;
    let write = db.begin_write()?;
    {
        let mut table = write.open_table(TABLE)?;
        let mut value = table.insert_reserve(0, usize::try_from(value_bytes)?)?;
        fill(value.as_mut(), 0);
    }
    write.commit()?;
    Ok(())
}

/// Fails unless two databases hold the same.
pub fn compare(one: &Path, other: &Path) -> Result<()> {
    let (one, other) = (open_small(one)?.open_table(TABLE)?, open_small(other)?.open_table(TABLE)?);
    let mut others = other.iter()?;
    for entry in one.iter()? {
        let (key, value) = entry?;
        let (other_key, other_value) = others.next().context("the restored database is shorter")??;
        anyhow::ensure!(
            key.value() == other_key.value() && value.value() == other_value.value(),
            "an entry differs"
        );
    }
    anyhow::ensure!(others.next().is_none(), "the restored database is longer");
    Ok(())
}

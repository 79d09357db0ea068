//! About how big a table is: redb only knows by reading all of it.

use super::schema::Schema;
use super::slots::ReadLease;
use crate::Result;
use redb::ReadTransaction;

/// A table of up to this many entries and bytes is added up.
const SMALL: (u64, u64) = (128, 256 << 10);
/// In how many places a larger one is looked at, how many entries there, and after how many bytes that is enough.
const PLACES: u64 = 16;
const ENTRIES_PER_PLACE: u32 = 4;
const ENOUGH: u64 = 4 << 20;

/// About how many bytes the keys and values of a table have.
pub(super) fn about(txn: &ReadTransaction, schema: &Schema, lease: &ReadLease, entries: u64) -> Result<u64> {
    let stream = |guide| lease.typed().stream(txn, schema.place(), guide);
    let (mut seen, mut bytes) = (0u64, 0u64);
    if entries == 0 {
        return Ok(0);
    }
    let mut all = stream(None)?;
    while seen < SMALL.0 && bytes < SMALL.1 {
        let Some((key, value)) = all.skip()? else { return Ok(bytes) };
        seen += 1;
        bytes += key as u64 + value as u64;
    }
    if seen == entries {
        return Ok(bytes);
    }
    for place in 1..PLACES {
        let mut some = stream(Some(place << (u64::BITS - PLACES.ilog2())))?;
        for _ in 0..ENTRIES_PER_PLACE {
            let Some((key, value)) = some.skip()? else { break };
            seen += 1;
            bytes += key as u64 + value as u64;
        }
        if bytes > ENOUGH {
            break;
        }
    }
    let about = u128::from(bytes) * u128::from(entries) / u128::from(seen.max(1));
    Ok(u64::try_from(about).unwrap_or(u64::MAX))
}

//! Cutting a table into parts, without knowing its order.
//!
//! redb finds a key by binary searches that ask the key type. If the answers are the bits of a fraction instead, the
//! descent ends at about that share of the table; on one moment, always at the same entry. A mark is such a fraction
//! and the key it led to: a part begins where the fraction leads and ends at the key that the next one begins with.

use super::packer::Stream;
use super::slots::ReadLease;
use super::store::Known;
use crate::{Error, ErrorCode, Result};
use redb::ReadTransaction;

/// More parts than this are of no use to anybody.
const MAX_PARTS: u32 = 4096;

const VERSION: u8 = 1;

/// Where a part begins.
pub(super) struct Mark {
    fraction: u64,
    pub(super) key: Vec<u8>,
}

impl Mark {
    pub(super) fn read(mark: &[u8]) -> Result<Self> {
        match mark.split_first().and_then(|(version, rest)| Some((*version, rest.split_first_chunk::<8>()?)))
        {
            Some((VERSION, (fraction, key))) => {
                Ok(Self { fraction: u64::from_le_bytes(*fraction), key: key.to_vec() })
            }
            _ => Err(Error::new(ErrorCode::NotFound, "this is not a mark of a redb table")),
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut mark = vec![VERSION];
        mark.extend_from_slice(&self.fraction.to_le_bytes());
        mark.extend_from_slice(&self.key);
        mark
    }
}

/// Marks for up to this many parts, in order.
pub(super) fn marks(txn: &ReadTransaction, known: &Known, parts: u32) -> Result<Vec<Vec<u8>>> {
    let parts = u64::from(parts.min(MAX_PARTS)).min(known.table.entries);
    let lease = known.schema.lease()?;
    let mut last = stream(txn, known, &lease, None)?.next_key()?.map(<[u8]>::to_vec);
    let mut marks = Vec::new();
    for part in 1..parts {
        let fraction = u64::try_from((u128::from(part) << 64) / u128::from(parts)).unwrap_or(u64::MAX);
        let mut stream = stream(txn, known, &lease, Some(fraction))?;
        let Some(key) = stream.next_key()? else { break };
        // Small trees have fewer places to come out at than there are fractions.
        if last.as_deref() != Some(key) {
            last = Some(key.to_vec());
            marks.push(Mark { fraction, key: key.to_vec() }.write());
        }
    }
    Ok(marks)
}

/// The entries from a mark on.
pub(super) fn begin(
    txn: &ReadTransaction,
    known: &Known,
    lease: &ReadLease,
    from: Option<&Mark>,
) -> Result<Box<dyn Stream>> {
    let mut stream = stream(txn, known, lease, from.map(|mark| mark.fraction))?;
    if let Some(mark) = from
        && stream.next_key()? != Some(&mark.key[..])
    {
        return Err(Error::new(ErrorCode::NotFound, "this mark is of another table or another moment"));
    }
    Ok(stream)
}

fn stream(
    txn: &ReadTransaction,
    known: &Known,
    lease: &ReadLease,
    guide: Option<u64>,
) -> Result<Box<dyn Stream>> {
    lease.typed().stream(txn, known.schema.place(), guide)
}

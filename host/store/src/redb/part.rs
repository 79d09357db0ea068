//! Cutting a table into parts, without knowing its order.
//!
//! redb finds a key by binary searches that ask the key type. If the answers are the bits of a fraction instead, the
//! descent ends at about that share of the table; on one moment, always at the same entry. A mark is such a fraction
//! and the key it led to: a part begins where the fraction leads and ends at the key that the next one begins with.
//!
//! Where the pages are read, a mark is the number of a group of leaves, and its first key.

use super::packer::Stream;
use super::slots::ReadLease;
use super::store::Known;
use crate::{Error, ErrorCode, Result};
use redb::ReadTransaction;

/// More parts than this are of no use to anybody.
pub(super) const MAX_PARTS: u32 = 4096;

const FRACTION: u8 = 1;
const GROUP: u8 = 2;

/// Where a part begins.
pub(super) struct Mark {
    pub(super) at: At,
    pub(super) key: Vec<u8>,
}

/// What leads to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Of the table, in 2^-64.
    Fraction(u64),
    /// Of its leaves, by number.
    Group(u64),
}

impl Mark {
    pub(super) fn read(mark: &[u8]) -> Result<Self> {
        let parts = mark.split_first().and_then(|(kind, rest)| Some((*kind, rest.split_first_chunk::<8>()?)));
        let at = parts.and_then(|(kind, (number, key))| {
            let at = match kind {
                FRACTION => At::Fraction(u64::from_le_bytes(*number)),
                GROUP => At::Group(u64::from_le_bytes(*number)),
                _ => return None,
            };
            Some(Self { at, key: key.to_vec() })
        });
        at.ok_or_else(|| Error::new(ErrorCode::NotFound, "this is not a mark of a redb table"))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let (kind, number) = match self.at {
            At::Fraction(fraction) => (FRACTION, fraction),
            At::Group(group) => (GROUP, group),
        };
        let mut mark = vec![kind];
        mark.extend_from_slice(&number.to_le_bytes());
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
            marks.push(Mark { at: At::Fraction(fraction), key: key.to_vec() }.write());
        }
    }
    Ok(marks)
}

/// The entries from a mark on. From the number of a group only the key leads on, and all before it is gone through.
pub(super) fn begin(
    txn: &ReadTransaction,
    known: &Known,
    lease: &ReadLease,
    from: Option<&Mark>,
) -> Result<Box<dyn Stream>> {
    let fraction = match from {
        Some(Mark { at: At::Fraction(fraction), .. }) => Some(*fraction),
        _ => None,
    };
    let mut stream = stream(txn, known, lease, fraction)?;
    let found = match from {
        None => true,
        Some(mark) if fraction.is_some() => stream.next_key()? == Some(&mark.key[..]),
        Some(mark) => stream.find(&mut |key, _| key == mark.key)?,
    };
    if found {
        return Ok(stream);
    }
    Err(Error::new(ErrorCode::NotFound, "this mark is of another table or another moment"))
}

fn stream(
    txn: &ReadTransaction,
    known: &Known,
    lease: &ReadLease,
    guide: Option<u64>,
) -> Result<Box<dyn Stream>> {
    lease.typed().stream(txn, known.schema.place(), guide)
}

//! Where nodes end: ranks.
//!
//! Every entry has a rank that follows from what it is alone. A node of level k ends after an item of rank above k. So
//! an edit moves no boundary but its own, and equal entries give equal nodes whatever the history.

use xxhash_rust::xxh3::xxh3_64;

/// Leaves have about this many bytes.
pub(crate) const LEAF_MEAN: u64 = 1 << LEAF_BITS;
const LEAF_BITS: u32 = 14;

/// One node in 256 ends a node one level up.
const FAN_OUT_BITS: u32 = 8;

/// No entry has a higher rank. Above level 5 only the ceiling cuts.
pub(crate) const RANK_MAX: u8 = 6;

/// A node ends after the item with which it reaches this many bytes, whatever the ranks: a guard against keys that are
/// chosen so as to have none.
pub(crate) const CEILING: usize = 16 * LEAF_MEAN as usize;

/// The rank of an entry with this identity whose framed form has `len` bytes.
///
/// The hash of the identity is compared with `2^64 * min(len, 16 KiB) / 16 KiB`, then with a 256th of that, and so on;
/// the rank is how often it lies below, at most [`RANK_MAX`] times.
pub(crate) fn rank(identity: &[u8], len: u64) -> u8 {
    let hash = xxh3_64(identity);
    // Of nearly all entries, and without the wide numbers that a component is slow with.
    if len < LEAF_MEAN && hash >= len << (64 - LEAF_BITS) {
        return 0;
    }
    let hash = u128::from(hash);
    let mut below = u128::from(len.min(LEAF_MEAN)) << (64 - LEAF_BITS);
    let mut rank = 0;
    while hash < below && rank < RANK_MAX {
        rank += 1;
        below >>= FAN_OUT_BITS;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of FORMAT.md.
    #[test]
    fn ranks_are_those_of_the_format() {
        let hash = |identity: &[u8]| xxh3_64(identity);
        assert_eq!(hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(rank(b"", 0), 0);
        assert_eq!(rank(b"", LEAF_MEAN), 1);
        assert_eq!(rank(b"", u64::MAX), 1);
        // An entry of rank 2 or more is one in 256 of those of full length.
        let high = (0u32..65_536).filter(|i| rank(&i.to_le_bytes(), LEAF_MEAN) > 1).count();
        assert!((150..400).contains(&high), "{high}");
        let some = (0u32..65_536).filter(|i| rank(&i.to_le_bytes(), 1024) > 0).count();
        assert!((3_700..4_500).contains(&some), "{some}");
    }
}

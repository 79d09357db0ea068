//! Where ids lie among all entries of all index files, held in memory once much is looked up: one search instead of one in
//! every file.

use std::rc::Rc;

use super::IndexFile;
use crate::error::Result;

/// 24 MiB of places, and as much again while they are sorted. An instance has a few times as much at the least.
const PLACES: u64 = 3 << 20;
/// Files of so many bytes together are held beside it; of more, a block is read for what is looked up.
const HOLD: u64 = 96 << 20;
/// Fewer files are searched one by one.
const FILES: usize = 4;

/// For every entry, sorted, how its id begins, and its number among those of all files in their order.
pub(crate) struct Directory {
    places: Vec<u64>,
    /// The number of the first entry of each file.
    starts: Vec<u64>,
}

impl Directory {
    /// Whether there may be one of these files.
    pub(crate) fn fits(files: &[Rc<IndexFile>]) -> bool {
        files.len() > FILES && files.iter().map(|file| file.entries).sum::<u64>() <= PLACES
    }

    /// Reads all of these files and checks them; where there is room, what was read is held.
    pub(crate) fn of(files: &[Rc<IndexFile>]) -> Result<Self> {
        let hold = files.iter().map(|file| file.body_len()).sum::<u64>() <= HOLD;
        let all: u64 = files.iter().map(|file| file.entries).sum();
        let mut places = Vec::with_capacity(usize::try_from(all).unwrap_or_default());
        let mut starts = Vec::with_capacity(files.len());
        for file in files {
            starts.push(places.len() as u64);
            if hold {
                file.hold()?;
            }
            file.each_id(|id| {
                let begin = id.first_chunk().map_or(0, |begin| u64::from(u32::from_be_bytes(*begin)));
                places.push(begin << 32 | places.len() as u64);
            })?;
        }
        Ok(Self { places: sorted(places), starts })
    }

    /// The files, by number, and the places in them of entries whose ids begin with these four bytes, in the order of the
    /// files.
    pub(crate) fn like(&self, begin: [u8; 4]) -> impl Iterator<Item = (usize, u64)> {
        let begin = u64::from(u32::from_be_bytes(begin));
        let from = self.first_from(begin);
        let same = self.places[from..].iter().take_while(move |place| *place >> 32 == begin);
        same.map(|place| {
            let number = place & u64::from(u32::MAX);
            let file = self.starts.partition_point(|start| *start <= number) - 1;
            (file, number - self.starts[file])
        })
    }
    /// The first place whose id does not begin below this. Ids are spread evenly, so it is near where they would be.
    fn first_from(&self, begin: u64) -> usize {
        let below = |place: &u64| place >> 32 < begin;
        let len = self.places.len();
        let guess = ((u128::from(begin) * len as u128) >> 32) as usize;
        let mut around = 64;
        loop {
            let (low, high) = (guess.saturating_sub(around), (guess + around).min(len));
            let is_low = low == 0 || self.places.get(low - 1).is_some_and(below);
            let is_high = high == len || !self.places.get(high).is_some_and(below);
            if is_low && is_high {
                return low + self.places[low..high].partition_point(below);
            }
            around *= 8;
        }
    }
}

/// Sorts places. Ids are spread evenly, so those that begin with the same two bytes are few.
fn sorted(mut places: Vec<u64>) -> Vec<u64> {
    const BUCKETS: usize = 1 << 16;
    if places.len() < BUCKETS {
        places.sort_unstable();
        return places;
    }
    let bucket = |place: u64| (place >> 48) as usize;
    // Where each bucket begins, and once all are in it, where it ends.
    let mut ends = vec![0usize; BUCKETS + 1];
    places.iter().for_each(|place| ends[bucket(*place) + 1] += 1);
    (0..BUCKETS).for_each(|at| ends[at + 1] += ends[at]);
    let mut sorted = vec![0; places.len()];
    for place in places {
        let end = &mut ends[bucket(place)];
        sorted[*end] = place;
        *end += 1;
    }
    let mut start = 0;
    for end in &ends[..BUCKETS] {
        sorted[start..*end].sort_unstable();
        start = *end;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn places_are_sorted_however_they_are_spread(
            seed in any::<u64>(),
            len in 0usize..200_000,
            same in 0u32..64,
        ) {
            // As of ids that begin with so many equal bits.
            let place = |at: u64| (xxhash_rust::xxh3::xxh3_64_with_seed(&at.to_le_bytes(), seed) >> same) ^ at;
            let places: Vec<u64> = (0..len as u64).map(place).collect();
            let mut wanted = places.clone();
            wanted.sort_unstable();
            prop_assert_eq!(sorted(places), wanted);
        }
    }
}

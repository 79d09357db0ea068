//! How many entries the leaves have that a scan has read: a baseline needs to know, and would read them again.

use super::file::Ptr;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Of no more leaves this is kept: 8 MB for 16 GB of data. The rest is read again.
const LEAVES_MAX: usize = 4 << 20;

/// For groups, by their checksums, how many entries each of their leaves has.
#[derive(Debug, Default)]
pub(in crate::redb) struct Counts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    groups: HashMap<u128, Box<[u16]>>,
    leaves: usize,
}

impl Counts {
    /// Keeps what is known of a group whose leaves were all read and checked.
    pub(super) fn put(&self, group: Ptr, counts: &[u16]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.leaves + counts.len() <= LEAVES_MAX
            && state.groups.insert(group.sum, counts.into()).is_none()
        {
            state.leaves += counts.len();
        }
    }

    /// What is known of a group that has so many leaves.
    pub(super) fn get(&self, group: Ptr, leaves: usize) -> Option<Vec<u64>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = state.groups.get(&group.sum).filter(|counts| counts.len() == leaves)?;
        Some(counts.iter().map(|count| u64::from(*count)).collect())
    }
}

//! Clocks that jump, archives from elsewhere, and the order that holds all the same.

use super::history::{backup, job};
use super::input::Input;
use crate::testing::{MemoryVault, ModelStore};
use crate::{Bytes as _, Silent, Snapshot, Vault};

const YEAR: u64 = 365 * 86_400;

/// A clock that is right now and then. What it shows follows from bytes of its own.
pub(super) struct Clock<'n> {
    /// What it would show if it were right.
    right: u64,
    noise: Input<'n>,
}

impl Default for Clock<'_> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<'n> Clock<'n> {
    pub(super) fn new(noise: &'n [u8]) -> Self {
        Self { right: 1_700_000_000, noise: Input(noise) }
    }

    pub(super) fn right(&self) -> u64 {
        self.right
    }

    /// What it shows at the next backup.
    pub(super) fn read(&mut self) -> u64 {
        // Two of the same second.
        if !self.noise.rarely(4) {
            self.right += u64::from(self.noise.u16());
        }
        self.wrong()
    }

    /// What another one shows.
    pub(super) fn elsewhere(&mut self) -> u64 {
        self.wrong()
    }

    fn wrong(&mut self) -> u64 {
        let years = (1 + self.noise.below(20) as u64) * YEAR;
        match self.noise.below(12) {
            0 => self.right + years,
            1 => self.right - years,
            2 => 0,
            3 => 1 << 63,
            _ => self.right,
        }
    }

    pub(super) fn an_archive_comes(&mut self) -> bool {
        self.noise.rarely(6)
    }
}

/// Another repository, whose snapshots come as archives.
#[derive(Default)]
pub(super) struct Elsewhere {
    vault: MemoryVault,
    snapshots: u64,
}

impl Elsewhere {
    /// Backs a store up there: the name of the snapshot, and its archive.
    pub(super) fn archive(&mut self, store: &ModelStore, source: usize, time: u64) -> (String, Vec<u8>) {
        self.snapshots += 1;
        let name = format!("e{}", self.snapshots);
        let job = crate::Job { time, ..job(name.clone(), source, self.snapshots, 1) };
        let made = backup(&self.vault, store, &job).expect("memory takes everything");
        let mut export = crate::export(&self.vault, &made.name, &Silent).expect("what was made is there");
        let mut archive = Vec::new();
        loop {
            match export.read(1 << 20).expect("memory is read") {
                bytes if bytes.is_empty() => return (name, archive),
                bytes => archive.extend_from_slice(&bytes),
            }
        }
    }
}

/// Within each source, what was made here is listed in the order in which it was made, the last of the source is its newest,
/// and `latest` is the last of all.
pub(super) fn check_order(vault: &dyn Vault, now: u64) {
    let either = [
        (crate::snapshots(vault), crate::find(vault, "latest")),
        (crate::snapshots_as_of(vault, now), crate::find_as_of(vault, "latest", now)),
    ];
    for (listed, latest) in either {
        let (listed, _) = listed.expect("a repository lists its snapshots");
        let attempt = |one: &Snapshot| one.name[1..].parse::<u64>().expect("a number follows");
        for (number, one) in listed.iter().enumerate() {
            let later: Vec<&Snapshot> =
                listed[number + 1..].iter().filter(|other| other.source == one.source).collect();
            if one.imported {
                let made_here = listed.iter().any(|other| other.source == one.source && !other.imported);
                assert!(!made_here || !later.is_empty(), "{} is an import, and the newest", one.name);
                continue;
            }
            assert!(later.iter().any(|later| !later.imported) || later.is_empty());
            for later in later.into_iter().filter(|later| !later.imported) {
                // Where a snapshot was forgotten and a power failure brought it back, the same number is there twice.
                assert!(
                    later.seq == one.seq || attempt(later) > attempt(one),
                    "{} ({}) was made after {} ({}), and is listed before it",
                    one.name,
                    one.time,
                    later.name,
                    later.time
                );
            }
        }
        if let Some(last) = listed.last() {
            assert_eq!(latest.expect("it is there").name, last.name);
        }
    }
}

//! What was promised about a repository, and whether it holds.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_engine::testing::disk::Disk;
use strongroom_engine::testing::{ModelStore, ModelTable, Restored};
use strongroom_engine::{Code, Depth, Silent};

use crate::common::{Random, plain, restore};

/// What may be asked of a repository.
#[derive(Clone, Default)]
pub(crate) struct Promises {
    /// What each name stands for, also of snapshots that a run began and did not report.
    pub(crate) known: BTreeMap<String, Restored>,
    /// Snapshots that a run reported, and that nobody forgot.
    pub(crate) reported: BTreeSet<String>,
    /// Those that somebody has damaged, and nobody healed yet.
    pub(crate) hurt: BTreeSet<String>,
}

impl Promises {
    pub(crate) fn report(&mut self, name: &str, store: &ModelStore) {
        self.begin(name, store);
        self.reported.insert(name.to_owned());
    }

    pub(crate) fn begin(&mut self, name: &str, store: &ModelStore) {
        self.known.insert(name.to_owned(), store.tables.clone());
    }

    /// Every snapshot that was reported is there, whatever is there is whole, and restores to what it was made of.
    pub(crate) fn check(&self, disk: &Disk) {
        disk.begin(None);
        let listed = match strongroom_engine::snapshots(disk) {
            Err(e) if e.code == Code::NoRepository && self.reported.is_empty() => return,
            listed => listed.unwrap(),
        };
        assert!(listed.1.is_empty(), "{:?}", listed.1);
        let names: BTreeSet<String> = listed.0.iter().map(|snapshot| snapshot.name.clone()).collect();
        assert!(self.reported.is_subset(&names), "there are {names:?} of {:?}", self.reported);
        for damage in strongroom_engine::verify(disk, None, Depth::Data, &Silent).unwrap().damage {
            let known = damage.snapshots.iter().all(|name| self.hurt.contains(name)) && !self.hurt.is_empty();
            assert!(known, "{damage:?}");
        }
        for name in &names {
            let known = self.known.get(name).unwrap_or_else(|| panic!("nobody made {name:?}"));
            match restore(disk, name) {
                Ok(restored) => assert!(restored == *known, "{name} gave back something else"),
                Err(e) => assert!(self.hurt.contains(name) && e.code == Code::Damaged, "{name}: {e}"),
            }
        }
    }
}

/// A store of some 60 KB of rows, of which a number changes some, a multimap, and a value that lies in pieces.
pub(crate) fn store(number: u64) -> ModelStore {
    let mut store = small(number);
    let large = (b"key".to_vec(), vec![number as u8 / 4; 262_200]);
    store.tables.insert("large".into(), plain(vec![large]));
    store
}

/// The same without the large value.
pub(crate) fn small(number: u64) -> ModelStore {
    let mut rows: Vec<_> = (0..200u32)
        .map(|n| {
            let mut value = Random(u64::from(n)).bytes(150);
            value.resize(300, n as u8);
            (n.to_be_bytes().to_vec(), value)
        })
        .collect();
    let mut random = Random(number);
    for _ in 0..number.min(9) {
        rows[random.below(200)].1 = random.bytes(300);
    }
    let pairs = (0..12u8).map(|n| (vec![n / 4], vec![n, number as u8])).collect();
    ModelStore::new([
        ("empty", plain(Vec::new())),
        ("pairs", ModelTable { multimap: true, entries: pairs }),
        ("rows", plain(rows)),
    ])
}

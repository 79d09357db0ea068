//! What was promised about a repository, and whether it holds.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use strongroom_engine::testing::disk::Disk;
use strongroom_engine::testing::{ModelStore, ModelTable, Restored, Tells};
use strongroom_engine::{Code, Depth, Prune, Result, Silent};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::common::{Random, job, plain, restore, try_backup};

/// What may be asked of a repository.
#[derive(Clone, Default)]
pub(crate) struct Promises {
    /// What each name stands for, also of snapshots that a run began and did not report.
    pub(crate) known: BTreeMap<String, Restored>,
    /// Snapshots that a run reported, and that nobody forgot.
    pub(crate) reported: BTreeSet<String>,
    /// Those that somebody has damaged, and nobody healed yet.
    pub(crate) hurt: BTreeSet<String>,
    /// Some objects are stored as deltas, so that packs are not what they would be without the history.
    pub(crate) deltas: bool,
}

/// The next run, whatever was before: a backup, and a prune. Says when the backup was reported.
///
/// Where snapshots were made of what the store said has changed, this one is too.
pub(crate) fn next(disk: &Disk, name: &str, promises: &Promises, reported: &Cell<bool>) -> Result<()> {
    let store = if promises.deltas { telling(store(4)) } else { store(4) };
    try_backup(disk, &store, &job(name, 2))?;
    reported.set(true);
    match strongroom_engine::prune(disk, EVERYTHING, &Silent) {
        // What is damaged, this backup did not heal; so nothing may be removed.
        Err(e) if e.code == Code::Damaged => Ok(()),
        pruned => pruned.map(drop),
    }
}

/// Leaves nothing that is not needed.
pub(crate) const EVERYTHING: Prune = Prune { max_unused: 0, dry_run: false, allow_empty: true };

/// What the packs hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packed {
    bytes: usize,
    /// The ids of all objects in their lists, each as often as it is there.
    objects: Vec<[u8; 32]>,
}

impl Packed {
    fn on(disk: &Disk) -> Self {
        let mut packed = Self { bytes: 0, objects: Vec::new() };
        for (_, pack) in disk.files().iter().filter(|(path, _)| path.starts_with("packs/")) {
            packed.bytes += pack.len();
            let end = pack.len() - 16;
            let objects = u32::from_le_bytes(pack[end + 8..end + 12].try_into().unwrap()) as usize;
            let list = pack[end - 48 * objects..end].chunks(48);
            packed.objects.extend(list.map(|entry| <[u8; 32]>::try_from(&entry[..32]).unwrap()));
        }
        packed.objects.sort_unstable();
        packed
    }
}

impl Promises {
    pub(crate) fn report(&mut self, name: &str, store: &ModelStore) {
        self.begin(name, store);
        self.reported.insert(name.to_owned());
    }

    /// It was forgotten.
    pub(crate) fn forget(&mut self, name: &str) {
        self.reported.remove(name);
        self.known.remove(name);
    }

    /// It may be forgotten.
    pub(crate) fn release(&mut self, name: &str) {
        self.reported.remove(name);
    }

    pub(crate) fn begin(&mut self, name: &str, store: &ModelStore) {
        self.known.insert(name.to_owned(), store.tables.clone());
    }

    /// After a prune nothing is left that no snapshot needs: the packs have not an object more than those of a
    /// repository in which nothing ever went wrong, there is nothing unfinished, and another prune finds nothing to do.
    pub(crate) fn check_pruned(&self, disk: &Disk) {
        let unfinished = |(path, _): &(String, Vec<u8>)| path.contains("tmp-");
        assert!(!disk.files().iter().any(unfinished), "something unfinished is left");
        if !self.hurt.is_empty() {
            return;
        }
        let names = strongroom_engine::snapshots(disk).unwrap().0.into_iter().map(|snapshot| snapshot.name);
        if !self.deltas {
            let (packed, baseline) = (Packed::on(disk), self.baseline(names.collect()));
            // What a run could not read when it wanted to store something as a delta of it, it did without: then there are
            // the same objects, and one has more bytes.
            assert!(
                packed.objects == baseline.objects && packed.bytes >= baseline.bytes,
                "there is garbage: {} bytes and {} objects instead of {} and {}",
                packed.bytes,
                packed.objects.len(),
                baseline.bytes,
                baseline.objects.len()
            );
            let may_be_whole = packed.bytes - baseline.bytes;
            assert!(may_be_whole < 1024, "there is garbage: {may_be_whole} bytes");
        }
        let files = disk.files();
        let again = strongroom_engine::prune(disk, EVERYTHING, &Silent).unwrap();
        assert!(again.bytes_unused == 0 && again.bytes_freed == 0 && disk.files() == files, "{again:?}");
    }

    /// The packs of a repository of just these snapshots.
    fn baseline(&self, names: Vec<String>) -> Packed {
        thread_local! {
            static KNOWN: RefCell<HashMap<u64, Packed>> = RefCell::default();
        }
        let mut hash = Xxh3::new();
        for table in names.iter().flat_map(|name| &self.known[name]) {
            hash.update(table.0.as_bytes());
            for (key, value) in &table.1.entries {
                hash.update(&xxh3_64(key).to_le_bytes());
                hash.update(&xxh3_64(value).to_le_bytes());
            }
        }
        let known = KNOWN.with_borrow(|known| known.get(&hash.digest()).cloned());
        known.unwrap_or_else(|| {
            let disk = Disk::default();
            for name in &names {
                let mut store = ModelStore::new([]);
                store.tables.clone_from(&self.known[name]);
                try_backup(&disk, &store, &job(name, 1)).unwrap();
            }
            strongroom_engine::prune(&disk, EVERYTHING, &Silent).unwrap();
            let packed = Packed::on(&disk);
            KNOWN.with_borrow_mut(|known| known.insert(hash.digest(), packed.clone()));
            packed
        })
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
        for damage in strongroom_engine::testing::verify(disk, None, Depth::Data, &Silent).unwrap().damage {
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

/// The same store, which tells what changed.
pub(crate) fn telling(mut store: ModelStore) -> ModelStore {
    store.tells = Some(Tells { run: 6, seed: 3, wide: 9, ..Tells::default() });
    store
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

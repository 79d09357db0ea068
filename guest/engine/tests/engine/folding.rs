//! Many small backups do not make many files.

use strongroom_engine::testing::{MemoryVault, ModelStore, backup_with_deltas};
use strongroom_engine::{Code, Depth, Folding, Job, Silent, Vault};

use crate::common::{
    Random, assert_holds, files, forget, job, one_table, prune, restore, try_backup, verify,
};

/// A number of rows, of which one has its own version.
fn store(version: u64) -> ModelStore {
    let of = |n: u64| if n == version * 7919 % 1000 { version } else { 0 };
    one_table((0..1000u64).map(|n| (n.to_be_bytes().to_vec(), Random(n << 32 | of(n)).bytes(120))).collect())
}

fn folding(version: u64, folding: Folding) -> Job {
    Job { folding, time: 1_700_000_000 + version, ..job(&version.to_string(), 1) }
}

fn with(files: u32) -> Folding {
    Folding { files, ..Folding::default() }
}

#[test]
fn the_number_of_files_grows_with_the_logarithm_of_the_backups() {
    let vault = MemoryVault::default();
    for version in 0..150 {
        backup_with_deltas(&vault, &store(version), &folding(version, with(5))).unwrap();
        let (packs, index) = (files(&vault, "packs").len(), files(&vault, "index").len());
        assert!(packs <= 20 && index <= 13, "{version}: {packs} packs, {index} index files");
        if version % 10 == 0 {
            assert!(verify(&vault).damage.is_empty());
        }
    }
    (0..150).for_each(|version| assert_holds(&vault, &version.to_string(), &store(version)));
    // What was folded is pruned like anything else.
    let gone: Vec<String> =
        (0..150).filter(|version| version % 4 != 0).map(|version| version.to_string()).collect();
    forget(&vault, &gone.iter().map(String::as_str).collect::<Vec<_>>());
    prune(&vault, 0);
    (0..150).step_by(4).for_each(|version| assert_holds(&vault, &version.to_string(), &store(version)));
}

#[test]
fn a_pack_that_is_not_small_stays_and_bounds_are_kept() {
    let rows = |seed| {
        one_table(
            (0..800u32)
                .map(|n| (n.to_be_bytes().to_vec(), Random(seed << 32 | u64::from(n)).bytes(100)))
                .collect(),
        )
    };
    let small = Folding { files: 2, pack: 50_000, bytes: 1 << 20 };
    let vault = MemoryVault::default();
    let mut large = Vec::new();
    for version in 0..12 {
        try_backup(&vault, &rows(version), &folding(version, small)).unwrap();
        let is_large = |path: &String| vault.get(path).unwrap().len() > 50_000 && !large.contains(path);
        let new: Vec<String> = files(&vault, "packs").into_iter().filter(is_large).collect();
        large.extend(new);
        assert!(large.iter().all(|path| vault.get(path).is_some()));
    }
    assert!(large.len() >= 12);
    // No fold writes more than it may.
    let tight = Folding { files: 2, pack: 1 << 20, bytes: 4_000 };
    let vault = MemoryVault::default();
    for version in 0..40 {
        backup_with_deltas(&vault, &store(version), &folding(version, tight)).unwrap();
    }
    let packs = files(&vault, "packs").iter().filter(|path| vault.get(path).unwrap().len() <= 4_100).count();
    assert!(packs < 40, "{packs}");
    (0..40).for_each(|version| assert_holds(&vault, &version.to_string(), &store(version)));
}

#[test]
fn a_small_pack_that_is_damaged_stays_and_the_backup_succeeds() {
    let vault = MemoryVault::default();
    (0..4).for_each(|version| {
        drop(backup_with_deltas(&vault, &store(version), &folding(version, with(0))).unwrap())
    });
    let path = files(&vault, "packs").into_iter().min_by_key(|path| vault.get(path).unwrap().len()).unwrap();
    let mut pack = vault.get(&path).unwrap();
    pack[60] ^= 1;
    vault.put(&path, pack);
    backup_with_deltas(&vault, &store(9), &folding(9, with(2))).unwrap();
    assert!(vault.get(&path).is_some());
    assert!(files(&vault, "packs").len() < 5);
    let damaged = verify(&vault).damage;
    assert!(!damaged.is_empty() && damaged.iter().any(|damage| damage.file == path), "{damaged:?}");
    for version in 0..4 {
        match restore(&vault, &version.to_string()) {
            Ok(restored) => assert!(restored == store(version).tables),
            Err(e) => assert_eq!(e.code, Code::Damaged),
        }
    }
    assert_holds(&vault, "9", &store(9));
}

#[test]
fn a_reader_that_began_before_goes_on_beside_it() {
    let vault = MemoryVault::default();
    (0..6).for_each(|version| {
        drop(backup_with_deltas(&vault, &store(version), &folding(version, with(0))).unwrap())
    });
    let opened = strongroom_engine::open(&vault, "3").unwrap();
    let mut entries = opened.entries("table", 0, u64::MAX).unwrap();
    let mut read = strongroom_engine::Bytes::read(&mut entries, 1000).unwrap();
    backup_with_deltas(&vault, &store(6), &folding(6, with(2))).unwrap();
    prune(&vault, 0);
    loop {
        let more = strongroom_engine::Bytes::read(&mut entries, 100_000).unwrap();
        if more.is_empty() {
            break;
        }
        read.extend(more);
    }
    let expected: usize =
        store(3).tables["table"].entries.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
    assert_eq!(read.len(), expected);
}

#[test]
fn what_lost_its_base_is_named_with_it_and_written_again() {
    let vault = MemoryVault::default();
    let versions: Vec<ModelStore> = (0..5u64)
        .map(|version| {
            let of = |n: u64| if n == 500 { version } else { 0 };
            one_table(
                (0..1000u64)
                    .map(|n| (n.to_be_bytes().to_vec(), Random(n << 32 | of(n)).bytes(120)))
                    .collect(),
            )
        })
        .collect();
    for (version, store) in (0..).zip(&versions) {
        backup_with_deltas(&vault, store, &folding(version, with(0))).unwrap();
    }
    // The base of all: the pack of the first backup.
    let largest =
        files(&vault, "packs").into_iter().max_by_key(|path| vault.get(path).unwrap().len()).unwrap();
    vault.remove(&largest).unwrap();
    let damage =
        strongroom_engine::testing::verify(&vault, Some("4"), Depth::Structure, &Silent).unwrap().damage;
    assert!(damage.iter().any(|damage| damage.what.contains("is a delta of object")), "{damage:?}");
    assert_eq!(restore(&vault, "4").unwrap_err().code, Code::Damaged);
    // All that the database still holds is written again, also what only lost its base.
    try_backup(&vault, &versions[4], &folding(10, with(0))).unwrap();
    assert_holds(&vault, "4", &versions[4]);
    assert_holds(&vault, "10", &versions[4]);
    try_backup(&vault, &versions[0], &folding(11, with(0))).unwrap();
    for (version, store) in (0..).zip(&versions) {
        assert_holds(&vault, &i32::to_string(&version), store);
    }
    assert!(verify(&vault).damage.is_empty());
    prune(&vault, 0);
    for (version, store) in (0..).zip(&versions) {
        assert_holds(&vault, &i32::to_string(&version), store);
    }
}

/// A rotten base counts as absent once a prune has met it, and so does what rests on it, until it is written again.
#[test]
fn a_rotten_base_is_found_by_prune_and_healed_by_backups() {
    let vault = MemoryVault::default();
    let versions: Vec<ModelStore> = (0..4u64).map(|version| store_of(500, version)).collect();
    for (version, store) in (0..).zip(&versions) {
        backup_with_deltas(&vault, store, &folding(version, with(0))).unwrap();
    }
    // A bit of every object of the first backup that is a base.
    let largest =
        files(&vault, "packs").into_iter().max_by_key(|path| vault.get(path).unwrap().len()).unwrap();
    let bases: Vec<[u8; 7]> = files(&vault, "packs")
        .iter()
        .flat_map(|path| marks(&vault.get(path).unwrap()))
        .filter(|(_, mark)| mark[7] > 0)
        .map(|(_, mark)| mark[..7].try_into().unwrap())
        .collect();
    let mut pack = vault.get(&largest).unwrap();
    let mut spoilt = 0;
    for at in 0..pack.len() - 56 {
        if pack[at..].starts_with(b"SRo1") && bases.iter().any(|base| pack[at + 16..].starts_with(base)) {
            pack[at + 60] ^= 1;
            spoilt += 1;
        }
    }
    assert!(spoilt > 0);
    vault.put(&largest, pack);
    assert!(!verify(&vault).damage.is_empty());
    // The first prune meets what is above the leaves, and refuses; when that is healed, the next one meets the leaves.
    for (version, store) in [(10, &versions[3]), (11, &versions[3]), (12, &versions[0]), (13, &versions[0])] {
        let everything = strongroom_engine::Prune { max_unused: 0, dry_run: false, allow_empty: true };
        let pruned = strongroom_engine::prune(&vault, everything, &Silent);
        assert!(pruned.is_ok() || pruned.unwrap_err().code == Code::Damaged);
        try_backup(&vault, store, &folding(version, with(0))).unwrap();
    }
    assert_holds(&vault, "13", &versions[0]);
    for (version, store) in (0..).zip(&versions) {
        assert!(restore(&vault, &i32::to_string(&version)).unwrap() == store.tables, "{version}");
    }
}

fn store_of(row: u64, version: u64) -> ModelStore {
    let of = |n: u64| if n == row { version } else { 0 };
    one_table((0..1000u64).map(|n| (n.to_be_bytes().to_vec(), Random(n << 32 | of(n)).bytes(120))).collect())
}

/// Ids and marks in the list of a pack.
fn marks(pack: &[u8]) -> Vec<([u8; 32], [u8; 8])> {
    let end = pack.len() - 16;
    let objects = u32::from_le_bytes(pack[end + 8..end + 12].try_into().unwrap()) as usize;
    let entries = pack[end - 48 * objects..end].chunks(48);
    entries.map(|entry| (entry[..32].try_into().unwrap(), entry[40..].try_into().unwrap())).collect()
}

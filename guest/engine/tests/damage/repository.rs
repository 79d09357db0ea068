//! The repository that is damaged.

use strongroom_engine::Vault;
use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, Tells, backup_with_deltas};

use crate::common::{Random, files, job, plain, try_backup};

/// A repository and what its snapshots hold.
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) vault: MemoryVault,
    pub(crate) snapshots: Vec<(&'static str, ModelStore)>,
}

/// Four snapshots of two sources, some objects of which rest on others: trees of two levels, for tables and for the tree of tables, a multimap, an empty
/// table, values and a key that lie in pieces, a schema of two pieces, several packs and index files.
pub(crate) fn complete() -> Repository {
    let mut random = Random(1);
    let mut first = ModelStore::new([
        ("rows", plain((0..160u8).map(|n| (vec![n; 3], vec![n; 300])).collect())),
        ("random", plain((0..40u8).map(|n| (vec![n], random.bytes(20))).collect())),
        (
            "pairs",
            ModelTable { multimap: true, entries: (0..20u8).map(|n| (vec![n / 3], vec![n])).collect() },
        ),
        ("empty", plain(Vec::new())),
        ("large", plain(vec![(b"value".to_vec(), vec![5; 262_146]), (vec![6; 262_145], b"key".to_vec())])),
    ]);
    // Names so long that the tables do not stand in one leaf.
    for n in 0..24 {
        first.tables.insert(format!("{n:02}{}", "x".repeat(2000)), plain(vec![(vec![n], Vec::new())]));
    }
    first.position = Some(7);
    let mut second = first.clone();
    second.tables.get_mut("rows").unwrap().entries[7].1 = b"changed".to_vec();
    let mut other = ModelStore::new([("other", plain(vec![(b"a".to_vec(), b"b".to_vec())]))]);
    // The newest of its source has tracking data.
    other.tells = Some(Tells { run: 3, ..Tells::default() });
    let vault = MemoryVault::default();
    let with_position = strongroom_engine::Job { position: Some("here".into()), ..job("first", 3) };
    try_backup(&vault, &first, &with_position).unwrap();
    backup_with_deltas(&vault, &second, &job("second", 1)).unwrap();
    let mut fourth = second.clone();
    fourth.tables.get_mut("rows").unwrap().entries[9].1 = b"changed too".to_vec();
    backup_with_deltas(&vault, &fourth, &job("fourth", 1)).unwrap();
    let of_another = strongroom_engine::Job { source: "another".into(), ..job("third", 1) };
    try_backup(&vault, &other, &of_another).unwrap();
    // The hint for writers means nothing to who reads, so whatever is in it is right.
    Vault::remove(&vault, "index/newest").unwrap();
    assert!(files(&vault, "packs").len() >= 5 && files(&vault, "index").len() >= 2);
    Repository {
        vault,
        snapshots: vec![("first", first), ("second", second), ("fourth", fourth), ("third", other)],
    }
}

/// Nine snapshots in packs that were put together, most of whose objects rest on others, several of them on the same.
pub(crate) fn folded() -> Repository {
    const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let mut random = Random(3);
    let rows = (0..60u8).map(|n| (vec![n], random.bytes(120))).collect();
    let mut first = ModelStore::new([("rows", plain(rows))]);
    first.tells = Some(Tells { run: 5, ..Tells::default() });
    let vault = MemoryVault::default();
    let (mut snapshots, mut packs) = (Vec::new(), std::collections::BTreeSet::new());
    for (number, name) in NAMES.into_iter().enumerate() {
        let mut store = first.clone();
        let rows = &mut store.tables.get_mut("rows").unwrap().entries;
        match number {
            2 | 4 => {}
            1 | 3 => rows[30].1 = vec![number as u8; 40],
            _ => (5..=number).for_each(|at| rows[30 + at].1 = vec![at as u8; 40]),
        }
        let mut job = strongroom_engine::Job { time: 1_700_000_000 + number as u64, ..job(name, 1) };
        job.folding.files = 3;
        backup_with_deltas(&vault, &store, &job).unwrap();
        packs.extend(files(&vault, "packs"));
        snapshots.push((name, store));
    }
    Vault::remove(&vault, "index/newest").unwrap();
    assert!(files(&vault, "packs").len() > 1 && files(&vault, "packs").len() < packs.len());
    Repository { vault, snapshots }
}

#[test]
fn every_kind_of_object_is_in_it() {
    let Repository { vault, snapshots } = complete();
    assert!(vault.bytes() < 50_000, "{}", vault.bytes());
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().0.len(), snapshots.len());
    let mut kinds = std::collections::BTreeSet::new();
    let mut depths = std::collections::BTreeSet::new();
    for path in files(&vault, "packs") {
        let pack = vault.get(&path).unwrap();
        kinds.extend(
            pack.windows(6).filter(|bytes| bytes.starts_with(b"SRo1")).map(|bytes| (bytes[4], bytes[5])),
        );
        depths.extend(pack.windows(8).filter(|bytes| bytes.starts_with(b"SRo1")).map(|bytes| bytes[7]));
    }
    for kind in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (4, 0), (5, 0), (6, 0)] {
        assert!(kinds.contains(&kind), "{kind:?} of {kinds:?}");
    }
    assert_eq!(depths, (0..=2).collect());
}

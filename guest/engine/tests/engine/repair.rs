//! `repair`: whatever was damaged, nothing is worse afterwards, and what can be made again is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use strongroom_engine::testing::{
    MemoryVault, ModelStore, ModelTable, Restored, RestoringSink, Tells, backup_with_deltas,
};
use strongroom_engine::{Code, Depth, Job, Repair, Repaired, Result, Silent, Sink, Vault};

use crate::common::{Random, files, job, plain, try_backup};

/// The files, with what they hold.
pub(crate) fn content(vault: &MemoryVault) -> BTreeMap<String, Vec<u8>> {
    vault.paths().into_iter().map(|path| (path.clone(), vault.get(&path).unwrap())).collect()
}

/// What a dry run says, which changes nothing, and what the run then does are the same.
pub(crate) fn repair_as_announced(vault: &MemoryVault) -> Result<Repaired> {
    let before = content(vault);
    let announced = strongroom_engine::repair(vault, Repair { dry_run: true }, &Silent);
    assert!(content(vault) == before, "a dry run changed something");
    let repaired = strongroom_engine::repair(vault, Repair::default(), &Silent);
    match (announced, &repaired) {
        (Ok(announced), Ok(repaired)) => assert_eq!(announced, *repaired),
        (Err(_), Err(_)) => assert!(content(vault) == before, "a repair that failed changed something"),
        (announced, repaired) => panic!("{announced:?}, and then {repaired:?}"),
    }
    repaired
}

/// Every table that can still be had.
fn restorable(vault: &MemoryVault, names: &[&str]) -> BTreeMap<(String, String), ModelTable> {
    let mut all = BTreeMap::new();
    for name in names {
        let mut restored = Restored::new();
        let into = &mut restored;
        let done = strongroom_engine::restore(vault, name, None, true, &Silent, move |_| {
            Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
        });
        if done.is_ok() {
            all.extend(restored.into_iter().map(|(table, entries)| (((*name).to_owned(), table), entries)));
        }
    }
    all
}

/// Which tables of which snapshots are damaged, as verify says; `None` if it refuses to look.
fn hurt(vault: &MemoryVault) -> Option<BTreeSet<(String, String)>> {
    let verified = strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent).ok()?;
    let mut hurt = BTreeSet::new();
    for damage in verified.damage {
        for snapshot in damage.snapshots {
            match &damage.tables[..] {
                [] => drop(hurt.insert((snapshot, String::new()))),
                tables => hurt.extend(tables.iter().map(|table| (snapshot.clone(), table.clone()))),
            }
        }
    }
    Some(hurt)
}

/// Nothing is wrong that has to do with no snapshot, but snapshot files that cannot be read.
fn assert_tidy(vault: &MemoryVault) {
    let verified = strongroom_engine::testing::verify(vault, None, Depth::Data, &Silent).unwrap();
    // What only the next backup wants to know is not made again.
    let others = verified.damage.iter().filter(|damage| !damage.what.contains("costs no data"));
    for damage in others.filter(|damage| damage.snapshots.is_empty()) {
        assert!(damage.file.starts_with("snapshots/"), "{damage:?}");
    }
}

/// A repository of small snapshots of two sources, and what they hold, the newest of each source last.
struct World {
    vault: MemoryVault,
    snapshots: Vec<(Job, ModelStore)>,
    /// Packs that were there once, or that hold the same as others.
    older: BTreeMap<String, Vec<u8>>,
}

/// The same, of which most is stored as deltas, several of them on one base, some in packs that were put together; one
/// source tells what changed.
fn world_of_deltas() -> World {
    let mut random = Random(8);
    let rows = (0..160u8).map(|n| (vec![n; 2], random.bytes(200))).collect();
    let first = ModelStore::new([("rows", plain(rows)), ("same", plain(vec![(vec![1], vec![2; 400])]))]);
    let with = |at: &[usize]| {
        let mut store = first.clone();
        let entries = &mut store.tables.get_mut("rows").unwrap().entries;
        at.iter().for_each(|at| entries[*at].1 = at.to_string().into_bytes());
        store
    };
    let mut versions: Vec<ModelStore> = Vec::new();
    for at in [&[][..], &[90], &[], &[91], &[], &[92]] {
        versions.push(with(at));
    }
    let chain: Vec<usize> = (93..104).collect();
    (0..chain.len()).for_each(|len| versions.push(with(&chain[..=len])));
    let (vault, apart) = (MemoryVault::default(), MemoryVault::default());
    let (mut snapshots, mut older) = (Vec::new(), BTreeMap::new());
    let mut make = |name: &str, source: &str, store: &ModelStore, number: usize| {
        let mut job = Job { source: source.into(), time: 1_700_000_000 + number as u64, ..job(name, 1) };
        job.folding.files = 3;
        backup_with_deltas(&vault, store, &job).unwrap();
        for path in files(&vault, "packs") {
            older.insert(path.clone(), vault.get(&path).unwrap());
        }
        snapshots.push((job, store.clone()));
    };
    for (number, store) in versions.iter().enumerate() {
        make(&format!("v{number:02}"), "app", store, number);
    }
    let mut other = ModelStore::new([("told", plain((0..60u8).map(|n| (vec![n], vec![n; 90])).collect()))]);
    other.tells = Some(Tells { run: 4, ..Tells::default() });
    for number in 0..3 {
        other.tables.get_mut("told").unwrap().entries[20 + number].1 = vec![1; 50];
        make(&format!("w{number}"), "another", &other, 50 + number);
    }
    // Some of it stored whole.
    for (name, store) in [("a", &versions[0]), ("b", &versions[9]), ("c", &versions[16])] {
        try_backup(&apart, store, &job(name, 1)).unwrap();
    }
    older.extend(files(&apart, "packs").into_iter().map(|path| (path.clone(), apart.get(&path).unwrap())));
    older.retain(|path, _| vault.get(path).is_none());
    let depths = crate::deltas::depths(&vault);
    assert!(depths.keys().copied().eq(0..=8) && depths[&1] > 4, "{depths:?}");
    assert!(older.len() > 6 && files(&vault, "packs").len() < 20, "{}", older.len());
    World { vault, snapshots, older }
}

fn world() -> World {
    let mut random = Random(5);
    let mut store = ModelStore::new([
        ("rows", plain((0..120u8).map(|n| (vec![n; 3], vec![n; 300])).collect())),
        ("random", plain((0..30u8).map(|n| (vec![n], random.bytes(600))).collect())),
        (
            "pairs",
            ModelTable { multimap: true, entries: (0..20u8).map(|n| (vec![n / 3], vec![n])).collect() },
        ),
        ("empty", plain(Vec::new())),
        ("large", plain(vec![(b"value".to_vec(), vec![5; 262_146])])),
    ]);
    let of = |name: &str, source: &str, parts| Job { source: source.into(), ..job(name, parts) };
    let mut snapshots = Vec::new();
    for (name, parts) in [("one", 3), ("two", 1), ("three", 2)] {
        let rows = store.tables.get_mut("rows").unwrap();
        rows.entries[7 * parts as usize].1 = name.as_bytes().to_vec();
        snapshots.push((of(name, "app", parts), store.clone()));
    }
    let other = ModelStore::new([("other", plain(vec![(b"a".to_vec(), random.bytes(900))]))]);
    snapshots.push((of("four", "another", 1), other));
    let vault = MemoryVault::default();
    for (job, store) in &snapshots {
        try_backup(&vault, store, job).unwrap();
    }
    World { vault, snapshots, older: BTreeMap::new() }
}

/// One piece of damage; files are chosen among those that are there.
#[derive(Debug, Clone)]
enum Blow {
    Flip(Index, Index),
    /// Only in packs, which are most of what matters.
    FlipInPack(Index, Index),
    FlipAtTheEnd(Index, u8),
    Cut(Index, Index),
    Empty(Index),
    Zeros(Index),
    Delete(Index),
    DeleteIndex,
    Swap(Index, Index),
    Over(Index, Index),
    Twin(Index),
    Unfinished(Index),
    /// A pack comes back that was there once.
    Return(Index),
    /// A delta in a pack makes something else, and its checksum is right.
    Wrong(Index, Index),
}

fn blow() -> impl Strategy<Value = Blow> {
    let i = any::<Index>;
    prop_oneof![
        2 => (i(), i()).prop_map(|(a, b)| Blow::Flip(a, b)),
        4 => (i(), i()).prop_map(|(a, b)| Blow::FlipInPack(a, b)),
        2 => (i(), any::<u8>()).prop_map(|(a, b)| Blow::FlipAtTheEnd(a, b)),
        2 => (i(), i()).prop_map(|(a, b)| Blow::Cut(a, b)),
        1 => i().prop_map(Blow::Empty),
        1 => i().prop_map(Blow::Zeros),
        2 => i().prop_map(Blow::Delete),
        1 => Just(Blow::DeleteIndex),
        2 => (i(), i()).prop_map(|(a, b)| Blow::Swap(a, b)),
        2 => (i(), i()).prop_map(|(a, b)| Blow::Over(a, b)),
        1 => i().prop_map(Blow::Twin),
        1 => i().prop_map(Blow::Unfinished),
        3 => i().prop_map(Blow::Return),
        2 => (i(), i()).prop_map(|(a, b)| Blow::Wrong(a, b)),
    ]
}

fn pick<'p>(index: &Index, paths: &'p [String]) -> &'p str {
    &paths[index.index(paths.len())]
}

impl Blow {
    fn strike(&self, world: &World, vault: &MemoryVault) {
        let all = vault.paths();
        let packs = files(vault, "packs");
        let change = |path: &str, how: &dyn Fn(&mut Vec<u8>)| {
            let mut file = vault.get(path).unwrap();
            how(&mut file);
            vault.put(path, file);
        };
        let flip = |at: &Index| {
            let at = *at;
            move |file: &mut Vec<u8>| {
                if !file.is_empty() {
                    let bit = at.index(file.len() * 8);
                    file[bit / 8] ^= 1 << (bit % 8);
                }
            }
        };
        if all.is_empty() {
            return;
        }
        match self {
            Blow::Flip(file, at) => change(pick(file, &all), &flip(at)),
            Blow::FlipInPack(file, at) if !packs.is_empty() => change(pick(file, &packs), &flip(at)),
            Blow::FlipInPack(..) => {}
            Blow::FlipAtTheEnd(file, at) => change(pick(file, &all), &|file| {
                let len = file.len();
                if let Some(byte) = file.get_mut(len.saturating_sub(1 + *at as usize)) {
                    *byte ^= 16;
                }
            }),
            Blow::Cut(file, at) => change(pick(file, &all), &|file| file.truncate(at.index(file.len() + 1))),
            Blow::Empty(file) => change(pick(file, &all), &Vec::clear),
            Blow::Zeros(file) => change(pick(file, &all), &|file| file.fill(0)),
            Blow::Delete(file) => vault.remove(pick(file, &all)).unwrap(),
            Blow::DeleteIndex => files(vault, "index").iter().for_each(|path| vault.remove(path).unwrap()),
            Blow::Swap(a, b) => {
                let (a, b) = (pick(a, &all), pick(b, &all));
                let (of_a, of_b) = (vault.get(a).unwrap(), vault.get(b).unwrap());
                vault.put(a, of_b);
                vault.put(b, of_a);
            }
            Blow::Over(a, b) => vault.put(pick(a, &all), vault.get(pick(b, &all)).unwrap()),
            Blow::Twin(file) => {
                let path = pick(file, &all);
                if let Some((dir @ ("packs" | "index"), _)) = path.split_once('/') {
                    vault.put(&format!("{dir}/{:064x}", all.len()), vault.get(path).unwrap());
                }
            }
            Blow::Return(at) => {
                if let Some(at) = world.older.len().checked_sub(1).map(|last| at.index(last + 1)) {
                    let (path, pack) = world.older.iter().nth(at).unwrap();
                    vault.put(path, pack.clone());
                }
            }
            Blow::Wrong(file, which) if !packs.is_empty() => {
                let path = pick(file, &packs);
                change(path, &|file| {
                    let deltas = deltas(file);
                    if let Some(last) = deltas.len().checked_sub(1) {
                        wrong(file, deltas[which.index(last + 1)]);
                    }
                });
            }
            Blow::Wrong(..) => {}
            Blow::Unfinished(file) => vault.put("packs/tmp-0-0", vault.get(pick(file, &all)).unwrap()),
        }
    }
}

/// Where deltas seem to begin in a file, whatever it is.
pub(crate) fn deltas(file: &[u8]) -> Vec<usize> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let is_delta = |at: &usize| {
        file[*at..].starts_with(b"SRo1") && file.len() >= at + 56 && file[at + 7] > 0 && {
            let payload = number(at + 12);
            payload > 32 && payload <= file.len() - at - 56
        }
    };
    (0..file.len()).filter(is_delta).collect()
}

/// The delta that begins there makes something else from now on; all checksums are right.
pub(crate) fn wrong(file: &mut [u8], at: usize) {
    let len = u32::from_le_bytes(file[at + 12..at + 16].try_into().unwrap()) as usize;
    file[at + 56 + len - 1] ^= 1;
    let header = xxhash_rust::xxh3::xxh3_64(&file[at..at + 48]);
    let checksum = xxhash_rust::xxh3::xxh3_64_with_seed(&file[at + 56..at + 56 + len], header);
    file[at + 48..at + 56].copy_from_slice(&checksum.to_le_bytes());
}

/// All that must hold of a repair, and of what comes after it.
fn check(world: &World, vault: &MemoryVault) {
    let names: Vec<&str> = world.snapshots.iter().map(|(job, _)| job.name.as_str()).collect();
    let (could, was_hurt) = (restorable(vault, &names), hurt(vault));
    let before = content(vault);
    let repaired = match repair_as_announced(vault) {
        // Damage that looks like a later version's work is that version's to judge: nothing is touched.
        Err(e) if e.code == Code::NewerFormat => {
            assert!(content(vault) == before, "{e:?}");
            assert!(e.message.contains("later version"), "{e:?}");
            return;
        }
        Err(e) => {
            assert!(matches!(e.code, Code::NoRepository | Code::Damaged) && could.is_empty(), "{e:?}");
            return;
        }
        Ok(repaired) => repaired,
    };
    // Nothing is worse.
    let can = restorable(vault, &names);
    for (table, entries) in &could {
        assert!(can.get(table) == Some(entries), "{table:?} is gone by {repaired:#?}");
    }
    for (job, store) in &world.snapshots {
        for (table, entries) in &store.tables {
            let restored = can.get(&(job.name.clone(), table.clone()));
            assert!(restored.is_none_or(|restored| restored == entries), "{table} of {} is wrong", job.name);
        }
    }
    let is_hurt = hurt(vault).unwrap();
    // What is lost with one file is named together, so what costs no table may stand beside what costs one.
    let covers = |all: &BTreeSet<(String, String)>, (snapshot, table): &(String, String)| {
        all.iter().any(|(of, was)| of == snapshot && (was == table || was.is_empty() || table.is_empty()))
    };
    for damage in &is_hurt {
        assert!(was_hurt.as_ref().is_none_or(|was| covers(was, damage)), "{damage:?} is new: {repaired:#?}");
    }
    assert_tidy(vault);
    // What is lost is what verify finds.
    let snapshots: BTreeSet<&String> = is_hurt.iter().map(|(snapshot, _)| snapshot).collect();
    let lost: BTreeSet<&String> = repaired.lost.iter().flat_map(|lost| &lost.snapshots).collect();
    assert_eq!(lost, snapshots, "{repaired:#?}");
    assert_eq!(repaired.whole as usize, repaired.snapshots as usize - lost.len());
    for (snapshot, table) in is_hurt.iter().filter(|(_, table)| !table.is_empty()) {
        let named =
            |lost: &strongroom_engine::Lost| lost.snapshots.contains(snapshot) && lost.tables.contains(table);
        assert!(repaired.lost.iter().any(named), "{table} of {snapshot}: {repaired:#?}");
    }
    // It is done.
    let files = content(vault);
    let again = repair_as_announced(vault).unwrap();
    assert!(again.mended.is_empty(), "{again:#?} after {repaired:#?}");
    assert!(content(vault) == files, "a second repair changed something");
    // Which pack held an object is no longer known when that pack was written again.
    let costs = |repaired: &Repaired| {
        let costs =
            repaired.lost.iter().map(|lost| strongroom_engine::Lost { file: String::new(), ..lost.clone() });
        (costs.collect::<Vec<_>>(), repaired.unreadable.clone())
    };
    assert_eq!(costs(&again), costs(&repaired));
    // The next backup of the same data makes what is newest whole again.
    for (job, store) in
        world.snapshots.iter().filter(|(job, _)| ["three", "four", "v16", "w2"].contains(&&*job.name))
    {
        let next = Job { name: format!("next {}", job.name), time: job.time + 100, ..job.clone() };
        try_backup(vault, store, &next).unwrap();
        for name in [&next.name, &job.name] {
            let there = strongroom_engine::snapshots(vault).unwrap().0;
            if there.iter().any(|snapshot| snapshot.name == *name) {
                let damage = strongroom_engine::testing::verify(vault, Some(name), Depth::Data, &Silent)
                    .unwrap()
                    .damage;
                assert!(damage.is_empty(), "{name}: {damage:?}");
                assert!(crate::common::restore(vault, name).unwrap() == store.tables);
            }
        }
    }
    let still = restorable(vault, &names);
    assert!(could.iter().all(|(table, entries)| still.get(table) == Some(entries)));
    // And a prune works, or says what stops it, and costs nothing.
    match strongroom_engine::prune(
        vault,
        strongroom_engine::Prune { max_unused: 0, dry_run: false, allow_empty: true },
        &Silent,
    ) {
        Ok(_) => {}
        Err(e) => assert!(e.code == Code::Damaged && e.message.contains("snapshot"), "{e:?}"),
    }
    let still = restorable(vault, &names);
    assert!(could.iter().all(|(table, entries)| still.get(table) == Some(entries)));
}

thread_local! {
    static WORLD: World = world();
    static DELTAS: World = world_of_deltas();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300 * std::env::var("REPAIR_TIMES").map_or(1, |n| n.parse().unwrap()), ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_worse_after_a_repair(blows in prop::collection::vec(blow(), 1..5)) {
        WORLD.with(|world| {
            let vault = world.vault.deep_clone();
            blows.iter().for_each(|blow| blow.strike(world, &vault));
            check(world, &vault);
        });
    }

    #[test]
    fn nothing_is_worse_after_a_repair_of_deltas(blows in prop::collection::vec(blow(), 1..5)) {
        DELTAS.with(|world| {
            let vault = world.vault.deep_clone();
            blows.iter().for_each(|blow| blow.strike(world, &vault));
            check(world, &vault);
        });
    }
}

#[test]
fn a_repository_that_is_whole_is_left_alone() {
    WORLD.with(|world| {
        let vault = world.vault.deep_clone();
        let before = content(&vault);
        let repaired = repair_as_announced(&vault).unwrap();
        assert!(
            repaired.is_whole() && repaired.mended.is_empty() && repaired.left.is_empty(),
            "{repaired:?}"
        );
        assert_eq!((repaired.snapshots, repaired.whole), (4, 4));
        assert!(content(&vault) == before);
        assert!(repaired.bytes > 5000 && repaired.objects > 10);
    });
}

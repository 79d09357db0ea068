//! What is stored as deltas comes back, whatever the history, and however it was moved.

use std::collections::BTreeMap;

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, backup_with_deltas};

use crate::common::{
    Random, assert_holds, backup, files, forget, job, one_table, plain, prune_as_announced, verify,
};

/// Marks in the lists of all packs: how many objects have which depth.
pub(crate) fn depths(vault: &MemoryVault) -> BTreeMap<u8, usize> {
    let mut depths = BTreeMap::new();
    for path in files(vault, "packs") {
        let pack = vault.get(&path).unwrap();
        let end = pack.len() - 16;
        let objects = u32::from_le_bytes(pack[end + 8..end + 12].try_into().unwrap()) as usize;
        for entry in pack[end - 48 * objects..end].chunks(48) {
            *depths.entry(entry[47]).or_default() += 1;
        }
    }
    depths
}

/// Rows of which a number of versions exist.
fn rows(changed: impl Fn(u32) -> u64) -> ModelStore {
    let row = |n: u32| (n.to_be_bytes().to_vec(), Random(u64::from(n) << 32 | changed(n)).bytes(150));
    one_table((0..2000).map(row).collect())
}

#[test]
fn a_chain_has_eight_deltas_and_then_begins_anew() {
    let vault = MemoryVault::default();
    let mut whole = 0;
    for version in 0..30u64 {
        let store = rows(|n| if n == 1000 { version } else { 0 });
        let snapshot = backup_with_deltas(&vault, &store, &job(&version.to_string(), 1)).unwrap();
        if version == 0 {
            whole = snapshot.bytes_added;
        } else {
            assert!(snapshot.bytes_added < whole / 50, "{version}: {} of {whole}", snapshot.bytes_added);
        }
        assert_eq!(snapshot.id, backup(&MemoryVault::default(), &store, "x", 3).id);
    }
    let depths = depths(&vault);
    assert!((1..=8).all(|depth| depths[&depth] > 3) && depths.keys().all(|depth| *depth <= 8), "{depths:?}");
    for version in 0..30u64 {
        assert_holds(&vault, &version.to_string(), &rows(|n| if n == 1000 { version } else { 0 }));
    }
    assert!(verify(&vault).damage.is_empty());
}

/// Small files are put together early.
fn folded(mut job: strongroom_engine::Job) -> strongroom_engine::Job {
    job.folding.files = 3;
    job
}

fn edit(tables: &mut [BTreeMap<Vec<u8>, Vec<u8>>; 2], random: &mut Random) {
    for rows in tables {
        for _ in 0..random.below(12) {
            let at = random.below(rows.len());
            let key = match random.below(3) {
                0 => random.bytes(5),
                _ => rows.keys().nth(at).cloned().unwrap_or_default(),
            };
            match random.below(5) {
                0 => drop(rows.remove(&key)),
                1 if random.below(9) == 0 => drop(rows.insert(key, vec![at as u8; 300_000])),
                _ => {
                    let len = random.below(300);
                    drop(rows.insert(key, random.bytes(len)));
                }
            }
        }
    }
}

fn store([rows, pairs]: &[BTreeMap<Vec<u8>, Vec<u8>>; 2]) -> ModelStore {
    let pairs =
        pairs.iter().map(|(key, value)| (key[..key.len().min(1)].to_vec(), [&key[..], value].concat()));
    let pairs = ModelTable { multimap: true, entries: pairs.collect() };
    ModelStore::new([("pairs", pairs), ("rows", plain(rows.clone().into_iter().collect()))])
}

#[test]
fn after_any_history_everything_comes_back_at_any_depth() {
    let mut deepest = 0;
    for seed in 0..6 {
        let mut random = Random(seed);
        let vault = MemoryVault::default();
        let mut tables = [BTreeMap::new(), BTreeMap::new()];
        for rows in &mut tables {
            (0..400).for_each(|_| drop(rows.insert(random.bytes(4), random.bytes(120))));
        }
        let mut there: BTreeMap<String, ModelStore> = BTreeMap::new();
        for step in 0..60 {
            match random.below(12) {
                0 => {
                    let gone: Vec<String> = there.keys().filter(|_| random.below(2) == 0).cloned().collect();
                    gone.iter().for_each(|name| drop(there.remove(name)));
                    forget(&vault, &gone.iter().map(String::as_str).collect::<Vec<_>>());
                }
                1 if !there.is_empty() => {
                    let max_unused = [0, 100, 1000][random.below(3)];
                    prune_as_announced(&vault, max_unused);
                }
                // Back to what was.
                2 if !there.is_empty() => {
                    let (name, store) = (step.to_string(), there.values().next().unwrap().clone());
                    let job = folded(strongroom_engine::Job { time: 1_700_000_000 + step, ..job(&name, 1) });
                    backup_with_deltas(&vault, &store, &job).unwrap();
                    there.insert(name, store);
                }
                kind => {
                    edit(&mut tables, &mut random);
                    let (name, store) = (step.to_string(), store(&tables));
                    let job = folded(strongroom_engine::Job { time: 1_700_000_000 + step, ..job(&name, 3) });
                    let snapshot = if kind == 3 {
                        crate::common::try_backup(&vault, &store, &job).unwrap()
                    } else {
                        backup_with_deltas(&vault, &store, &job).unwrap()
                    };
                    assert_eq!(snapshot.id, backup(&MemoryVault::default(), &store, "x", 1).id);
                    there.insert(name, store);
                }
            }
            deepest = deepest.max(depths(&vault).keys().max().copied().unwrap_or(0));
            if step % 10 == 9 {
                there.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
                assert!(verify(&vault).damage.is_empty());
            }
        }
        prune_as_announced(&vault, 0);
        there.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
    }
    assert!(deepest > 4, "{deepest}");
}

/// What is lost of the lists is found again in the objects.
#[test]
fn without_an_index_and_without_the_lists_of_packs_everything_comes_back() {
    let vault = MemoryVault::default();
    let versions: Vec<ModelStore> =
        (0..12u64).map(|version| rows(|n| if n % 700 == 3 { version } else { 0 })).collect();
    for (version, store) in (0..).zip(&versions) {
        backup_with_deltas(&vault, store, &job(&i32::to_string(&version), 1)).unwrap();
    }
    let before = depths(&vault);
    assert!(before.len() == 9, "{before:?}");
    files(&vault, "index").iter().for_each(|path| strongroom_engine::Vault::remove(&vault, path).unwrap());
    for path in files(&vault, "packs") {
        let mut pack = vault.get(&path).unwrap();
        let end = pack.len();
        pack[end - 16..].fill(0);
        vault.put(&path, pack);
    }
    let holds = || {
        for (version, store) in (0..).zip(&versions) {
            assert!(crate::common::restore(&vault, &i32::to_string(&version)).unwrap() == store.tables);
        }
    };
    holds();
    // A backup takes them into the index as they are, a prune writes them anew.
    assert_eq!(backup(&vault, &versions[5], "again", 2).bytes_added, 0);
    holds();
    prune_as_announced(&vault, 0);
    holds();
    assert!(verify(&vault).damage.is_empty());
    assert_eq!(depths(&vault).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

/// A base that nothing but a delta needs stays, and goes with it.
#[test]
fn what_only_deltas_need_stays_as_long_as_they_do() {
    let vault = MemoryVault::default();
    let versions: Vec<ModelStore> =
        (0..7u64).map(|version| rows(|n| if n == 900 { version } else { 0 })).collect();
    for (version, store) in (0..).zip(&versions) {
        backup_with_deltas(&vault, store, &job(&i32::to_string(&version), 1)).unwrap();
    }
    forget(&vault, &["0", "1", "2", "3", "4", "5"]);
    let pruned = prune_as_announced(&vault, 0);
    assert_eq!(pruned.bytes_unused, 0);
    assert_holds(&vault, "6", &versions[6]);
    assert_eq!(depths(&vault).keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    backup(&vault, &one_table(Vec::new()), "empty", 1);
    forget(&vault, &["6"]);
    prune_as_announced(&vault, 0);
    assert_eq!(depths(&vault).keys().copied().collect::<Vec<_>>(), [0]);
}

/// A node on which another rests is looked at as a node too: what lies below it may be lost.
#[test]
fn verify_names_the_snapshots_that_do_not_restore_and_no_others() {
    use std::collections::BTreeSet;
    let whole = MemoryVault::default();
    let before = rows(|_| 0);
    // Leaves are gone, and nothing rests on them.
    let mut after = rows(|n| u64::from(n == 1500));
    after.tables.get_mut("table").unwrap().entries.drain(200..900);
    for (name, store) in [("0", &before), ("1", &after), ("2", &before)] {
        backup_with_deltas(&whole, store, &job(name, 1)).unwrap();
    }
    forget(&whole, &["0"]);
    let (mut of_two_alone, mut found) = (0, BTreeSet::new());
    for path in files(&whole, "packs") {
        let pack = whole.get(&path).unwrap();
        let end = pack.len() - 16;
        let objects = u32::from_le_bytes(pack[end + 8..end + 12].try_into().unwrap()) as usize;
        for entry in pack[end - 48 * objects..end].chunks(48) {
            let at = u32::from_le_bytes(entry[32..36].try_into().unwrap()) as usize;
            let vault = whole.deep_clone();
            let mut bytes = pack.clone();
            bytes[at + 60] ^= 1;
            vault.put(&path, bytes);
            let damage = verify(&vault).damage;
            let named: BTreeSet<&str> =
                damage.iter().flat_map(|damage| &damage.snapshots).map(String::as_str).collect();
            let lost = ["1", "2"].into_iter().filter(|name| crate::common::restore(&vault, name).is_err());
            let lost: BTreeSet<&str> = lost.collect();
            assert_eq!(named, lost, "{damage:?}");
            of_two_alone += usize::from(lost == BTreeSet::from(["2"]));
            found.extend(lost);
        }
    }
    assert!(of_two_alone > 3 && found.len() == 2, "{of_two_alone}, {found:?}");
}

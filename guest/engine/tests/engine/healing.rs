//! An object that is damaged in one place is taken from another; one that is known to be damaged counts as absent, so
//! that the next backup writes it again; and no sound copy goes because a damaged one is there.

use strongroom_engine::testing::{MemoryVault, ModelStore, Tells};
use strongroom_engine::{Code, Job, Prune, Silent, Vault};

use crate::common::{
    Random, backup, files, forget, ids_in_pack, job, one_table, plain, prune, restore, try_backup, verify,
};

fn store(seed: u64) -> ModelStore {
    let mut random = Random(seed);
    let mut store = one_table((0..800u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(180))).collect());
    store.tables.insert("large".into(), plain(vec![(b"k".to_vec(), random.bytes(600_000))]));
    store
}

/// Where the objects of a pack lie: id, offset and length.
fn objects(pack: &[u8]) -> Vec<([u8; 32], usize, usize)> {
    let count = ids_in_pack(pack).len();
    let list = &pack[pack.len() - 16 - count * 48..pack.len() - 16];
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    list.chunks(48).map(|e| (e[..32].try_into().unwrap(), number(&e[32..36]), number(&e[36..40]))).collect()
}

/// Damages one object in a pack.
fn spoil(vault: &MemoryVault, path: &str, at: usize, len: usize) {
    let mut pack = vault.get(path).unwrap();
    pack[at + len - 1] ^= 4;
    vault.put(path, pack);
}

/// A repository, and the packs of another one with the same objects in other places.
fn twice() -> (MemoryVault, MemoryVault, ModelStore) {
    let (vault, other, store) = (MemoryVault::default(), MemoryVault::default(), store(1));
    backup(&vault, &store, "x", 1);
    backup(&other, &store, "x", 3);
    (vault, other, store)
}

#[test]
fn a_reader_takes_another_copy() {
    let (vault, other, store) = twice();
    let mut spoilt = 0;
    for path in files(&vault, "packs").into_iter().filter(|path| other.get(path).is_none()) {
        for (_, at, len) in objects(&vault.get(&path).unwrap()) {
            let damaged = vault.deep_clone();
            spoil(&damaged, &path, at, len);
            assert_eq!(restore(&damaged, "x").unwrap_err().code, Code::Damaged);
            for path in files(&other, "packs") {
                damaged.put(&path, other.get(&path).unwrap());
            }
            assert!(restore(&damaged, "x").unwrap() == store.tables);
            let damage = verify(&damaged).damage;
            assert!(
                damage.iter().all(|damage| damage.file == path && damage.snapshots.is_empty()),
                "{damage:?}"
            );
            assert_eq!(damage.len(), 1);
            spoilt += 1;
        }
    }
    assert!(spoilt > 8, "{spoilt}");
}

#[test]
fn a_prune_keeps_the_copy_that_is_sound_wherever_it_lies() {
    let (vault, other, store) = twice();
    for path in files(&vault, "packs") {
        for (_, at, len) in objects(&vault.get(&path).unwrap()) {
            for indexed in [false, true] {
                let damaged = vault.deep_clone();
                spoil(&damaged, &path, at, len);
                for path in files(&other, "packs") {
                    damaged.put(&path, other.get(&path).unwrap());
                }
                if indexed {
                    // Both places are listed, by index files of their own.
                    for path in files(&other, "index") {
                        damaged.put(&path, other.get(&path).unwrap());
                    }
                }
                prune(&damaged, 0);
                assert!(restore(&damaged, "x").unwrap() == store.tables);
                let damage = verify(&damaged).damage;
                assert!(damage.is_empty(), "{damage:?}");
                assert_eq!(files(&damaged, "packs").len(), 1);
            }
        }
    }
}

#[test]
fn an_index_that_is_made_again_leads_to_the_copy_that_is_sound() {
    let (vault, other, store) = twice();
    for (spoils, sound) in [(&vault, &other), (&other, &vault)] {
        for path in files(spoils, "packs").into_iter().filter(|path| sound.get(path).is_none()) {
            for (_, at, len) in objects(&spoils.get(&path).unwrap()) {
                let both = vault.deep_clone();
                for path in files(&other, "packs") {
                    both.put(&path, other.get(&path).unwrap());
                }
                files(&vault, "index").iter().for_each(|path| both.remove(path).unwrap());
                spoil(&both, &path, at, len);
                backup(&both, &store, "y", 1);
                for name in ["x", "y"] {
                    assert!(restore(&both, name).unwrap() == store.tables, "{name}");
                }
            }
        }
    }
}

#[test]
fn copies_that_no_index_lists_are_kept_if_they_are_the_sound_ones() {
    // Two tables of equal content, copied at once: what they share is stored twice and listed once.
    let mut random = Random(3);
    let mut twins = one_table((0..4000u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(180))).collect());
    let mut twin = twins.tables["table"].clone();
    // So that no two parts write the same pack.
    twin.entries.splice(0..0, (0..300u32).map(|n| (n.to_le_bytes().to_vec(), random.bytes(180))));
    twins.tables.insert("twin".into(), twin);
    let vault = MemoryVault::default();
    let plan = strongroom_engine::prepare(&vault, &twins, &job("x", 6), &Silent).unwrap();
    // Parts that run at once do not see each other's packs.
    let packs: Vec<(MemoryVault, Vec<u8>)> = (0..plan.parts)
        .map(|part| {
            let alone = vault.deep_clone();
            let receipt = strongroom_engine::copy(&alone, &twins, &plan.state, part, &Silent).unwrap();
            (alone, receipt)
        })
        .collect();
    for (alone, _) in &packs {
        for path in files(alone, "packs") {
            vault.put(&path, alone.get(&path).unwrap());
        }
    }
    let receipts: Vec<Vec<u8>> = packs.into_iter().map(|(_, receipt)| receipt).collect();
    let draft = strongroom_engine::seal(&vault, &twins, &plan.state, &receipts, &Silent).unwrap();
    strongroom_engine::publish(&vault, &draft.state).unwrap();

    let mut places = std::collections::BTreeMap::<[u8; 32], Vec<(String, usize, usize)>>::new();
    for path in files(&vault, "packs") {
        for (id, at, len) in objects(&vault.get(&path).unwrap()) {
            places.entry(id).or_default().push((path.clone(), at, len));
        }
    }
    let twice: Vec<_> = places.into_values().filter(|places| places.len() > 1).collect();
    assert!(twice.len() > 5, "{}", twice.len());
    for places in twice {
        for (path, at, len) in &places {
            let damaged = vault.deep_clone();
            spoil(&damaged, path, *at, *len);
            let refused = strongroom_engine::prune(
                &damaged,
                Prune { max_unused: 0, dry_run: false, allow_empty: true },
                &Silent,
            );
            // Of a branch the copy that is not listed is not looked for; then nothing is removed.
            if refused.is_ok() {
                assert!(restore(&damaged, "x").unwrap() == twins.tables);
                assert!(verify(&damaged).damage.is_empty());
            } else {
                assert!(files(&vault, "packs").iter().all(|path| damaged.get(path).is_some()));
            }
        }
    }
}

#[test]
fn what_a_prune_finds_damaged_is_written_again_by_the_next_backup() {
    let (whole, first, second) = (MemoryVault::default(), store(1), store(2));
    backup(&whole, &first, "first", 1);
    backup(&whole, &second, "second", 1);
    let (mut went_on, mut stopped) = (0, 0);
    for path in files(&whole, "packs") {
        for (_, at, len) in objects(&whole.get(&path).unwrap()) {
            let vault = whole.deep_clone();
            spoil(&vault, &path, at, len);
            // What can still be read before can be read afterwards.
            let names = [("first", &first), ("second", &second)];
            let could = names.map(|(name, _)| restore(&vault, name).is_ok());
            match strongroom_engine::prune(
                &vault,
                Prune { max_unused: 0, dry_run: false, allow_empty: true },
                &Silent,
            ) {
                Ok(_) => went_on += 1,
                Err(e) => {
                    assert_eq!(e.code, Code::Damaged);
                    stopped += 1;
                }
            }
            assert!(vault.get(&path).is_some(), "the damaged pack stays");
            for ((name, store), could) in names.into_iter().zip(could) {
                assert!(!could || restore(&vault, name).unwrap() == store.tables);
            }
            let healed =
                names.map(|(name, store)| backup(&vault, store, &format!("{name} again"), 1).bytes_added);
            assert_eq!(healed.iter().sum::<u64>(), if could == [true, true] { 0 } else { len as u64 });
            let costs = verify(&vault).damage.into_iter().filter(|damage| !damage.snapshots.is_empty());
            assert_eq!(costs.count(), 0);
            prune(&vault, 0);
            assert!(vault.get(&path).is_none());
            assert!(verify(&vault).damage.is_empty());
            for (name, store) in names {
                assert!(restore(&vault, name).unwrap() == store.tables);
            }
        }
    }
    assert!(went_on > 10 && stopped > 3, "{went_on}, {stopped}");
}

#[test]
fn what_is_damaged_and_in_the_database_no_more_is_forgotten_with_its_snapshots() {
    let (vault, first, second) = (MemoryVault::default(), store(1), store(2));
    backup(&vault, &first, "first", 1);
    let path = files(&vault, "packs").into_iter().max_by_key(|path| vault.get(path).unwrap().len()).unwrap();
    let (_, at, len) = objects(&vault.get(&path).unwrap())[0];
    spoil(&vault, &path, at, len);
    backup(&vault, &second, "second", 1);
    let _ =
        strongroom_engine::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent);
    let again =
        strongroom_engine::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent)
            .unwrap_err();
    assert!(again.message.contains("snapshot \"first\""), "{again}");
    forget(&vault, &["first"]);
    prune(&vault, 0);
    assert!(vault.get(&path).is_none());
    assert!(verify(&vault).damage.is_empty());
    assert!(restore(&vault, "second").unwrap() == second.tables);
    assert_eq!(vault.remove(&path).unwrap_err().code, Code::NotFound);
}

#[test]
fn what_is_found_damaged_of_the_parent_is_written_again_also_under_a_full_scan() {
    const CATALOG: u8 = 2;
    const TRACKING: u8 = 5;
    for tells in [None, Some(Tells { run: 70, ..Tells::default() })] {
        let vault = MemoryVault::default();
        let mut store = store(1);
        store.tells = tells;
        backup(&vault, &store, "x", 1);
        let mut spoilt = 0;
        for path in files(&vault, "packs") {
            let pack = vault.get(&path).unwrap();
            for (_, at, len) in
                objects(&pack).into_iter().filter(|(_, at, _)| [CATALOG, TRACKING].contains(&pack[at + 4]))
            {
                let damaged = vault.deep_clone();
                spoil(&damaged, &path, at, len);
                let job = Job { full_scan: true, ..job("y", 2) };
                try_backup(&damaged, &store, &job).unwrap();
                for name in ["x", "y"] {
                    assert!(restore(&damaged, name).unwrap() == store.tables, "{name}");
                }
                let damage = verify(&damaged).damage;
                assert!(damage.iter().all(|damage| damage.snapshots.is_empty()), "{damage:?}");
                spoilt += 1;
            }
        }
        assert_eq!(spoilt, if store.tells.is_some() { 2 } else { 1 });
    }
}

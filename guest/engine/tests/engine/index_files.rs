//! An index can be lost in any way without anything being lost with it.

use strongroom_engine::testing::{MemoryVault, ModelStore};

use crate::common::{Random, assert_holds, backup, files, one_table, restore, verify};

fn store(seed: u64, rows: u32) -> ModelStore {
    let mut random = Random(seed);
    one_table((0..rows).map(|n| (n.to_be_bytes().to_vec(), random.bytes(150))).collect())
}

/// A repository with two snapshots and at least two index files.
fn repository() -> (MemoryVault, [(&'static str, ModelStore); 2]) {
    let vault = MemoryVault::default();
    let snapshots = [("big", store(1, 12_000)), ("small", store(2, 60))];
    for (name, store) in &snapshots {
        backup(&vault, store, name, 1);
    }
    assert!(files(&vault, "index").len() >= 2);
    (vault, snapshots)
}

/// All can be restored as it is; then a next backup makes everything as it should be, without writing data again.
fn assert_mends(vault: &MemoryVault, snapshots: &[(&str, ModelStore)], what: &str) {
    for (name, store) in snapshots {
        assert!(restore(vault, name).unwrap() == store.tables, "{what}: {name}");
    }
    let again = backup(vault, &snapshots[0].1, "again", 2);
    assert_eq!(again.bytes_added, 0, "{what}: data was written again");
    let verified = verify(vault);
    assert!(verified.damage.is_empty(), "{what}: {:?}", verified.damage);
    // Now the index alone leads to everything: no pack's list is needed.
    for path in files(vault, "packs") {
        let mut pack = vault.get(&path).unwrap();
        let end = pack.len();
        pack[end - 16..].fill(0);
        vault.put(&path, pack);
    }
    for (name, store) in snapshots {
        assert!(restore(vault, name).unwrap() == store.tables, "{what}: {name} by the index");
    }
}

#[test]
fn any_of_them_can_be_missing_or_cut_off() {
    let (vault, snapshots) = repository();
    for path in files(&vault, "index") {
        let file = vault.get(&path).unwrap();
        let missing = vault.deep_clone();
        strongroom_engine::Vault::remove(&missing, &path).unwrap();
        assert_mends(&missing, &snapshots, "missing");
        for keep in [0, 1, 23, 24, 100, file.len() / 2, file.len() - 1] {
            let cut = vault.deep_clone();
            cut.put(&path, file[..keep].to_vec());
            assert_eq!(verify(&cut).damage[0].file, path);
            assert_mends(&cut, &snapshots, &format!("cut off at {keep}"));
        }
        let longer = vault.deep_clone();
        longer.put(&path, [&file[..], &[0; 9]].concat());
        assert_mends(&longer, &snapshots, "longer");
    }
    let none = vault.deep_clone();
    files(&none, "index").iter().for_each(|path| strongroom_engine::Vault::remove(&none, path).unwrap());
    assert_mends(&none, &snapshots, "all missing");
}

#[test]
fn any_bit_of_them_can_be_wrong() {
    let vault = MemoryVault::default();
    let snapshots = [("one", store(1, 9000)), ("two", store(3, 40))];
    snapshots.iter().for_each(|(name, store)| drop(backup(&vault, store, name, 1)));
    let mut flipped = 0;
    for path in files(&vault, "index") {
        let file = vault.get(&path).unwrap();
        // Every seventh byte is looked at by `verify`, some of them by all verbs.
        for at in (0..file.len()).step_by(7) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let copy = vault.deep_clone();
            copy.put(&path, damaged);
            let verified = strongroom_engine::testing::verify(
                &copy,
                Some("two"),
                strongroom_engine::Depth::Data,
                &strongroom_engine::Silent,
            );
            let damage = verified.unwrap().damage;
            assert!(damage.len() == 1 && damage[0].file == path, "byte {at}: {damage:?}");
            if at % (7 * 97) == 0 {
                assert_mends(&copy, &snapshots, &format!("byte {at}"));
            }
            flipped += 1;
        }
    }
    assert!(flipped > 700, "{flipped}");
}

#[test]
fn packs_that_no_index_names_are_taken_over() {
    let (vault, snapshots) = repository();
    let (other, more) = (MemoryVault::default(), store(9, 500));
    backup(&other, &more, "x", 3);
    for path in files(&other, "packs") {
        vault.put(&path, other.get(&path).unwrap());
    }
    assert_eq!(backup(&vault, &more, "taken over", 1).bytes_added, 0);
    snapshots.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
}

#[test]
fn what_is_no_index_file_is_left_alone() {
    let (vault, snapshots) = repository();
    for path in ["index/README", "packs/notes.txt", "snapshots/notes", "other", "packs/ABCD", "lost+found/x"]
    {
        vault.put(path, b"hello".to_vec());
    }
    backup(&vault, &snapshots[1].1, "more", 1);
    assert!(verify(&vault).damage.is_empty());
    for path in ["index/README", "packs/notes.txt", "snapshots/notes", "other", "packs/ABCD", "lost+found/x"]
    {
        assert_eq!(vault.get(path).unwrap(), b"hello");
    }
    assert_mends(&vault, &snapshots, "foreign files");
}

/// Every pair of an index file and one of these, exchanged.
fn exchanged(vault: &MemoryVault, others: &str, mut see: impl FnMut(&MemoryVault, &str, &str)) {
    for index in files(vault, "index") {
        for other in files(vault, others) {
            let changed = vault.deep_clone();
            changed.put(&index, vault.get(&other).unwrap());
            changed.put(&other, vault.get(&index).unwrap());
            see(&changed, &index, &other);
        }
    }
}

#[test]
fn a_pack_that_lies_where_an_index_file_should_be_is_not_lost_with_it() {
    let (vault, snapshots) = repository();
    exchanged(&vault, "packs", |changed, index, other| {
        backup(changed, &store(3, 50), "next", 1);
        for (name, store) in &snapshots {
            assert!(restore(changed, name).unwrap() == store.tables, "{index} and {other}: {name}");
        }
    });
}

#[test]
fn a_snapshot_that_lies_where_an_index_file_should_be_is_not_lost_with_it() {
    let (vault, snapshots) = repository();
    exchanged(&vault, "snapshots", |changed, index, other| {
        backup(changed, &store(3, 50), "next", 1);
        let aside = changed.get(&format!("{index}.aside")).expect("it is called so now");
        assert!(aside == vault.get(other).unwrap());
        changed.put(other, aside);
        for (name, store) in &snapshots {
            assert!(restore(changed, name).unwrap() == store.tables, "{index} and {other}: {name}");
        }
    });
}

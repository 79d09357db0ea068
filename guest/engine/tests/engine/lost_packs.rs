//! A pack that is gone or cut off: what it costs is named, the next backup heals what it can, and nothing that can
//! still be read is given up.

use std::collections::BTreeSet;

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, Vault};

use crate::common::{
    Random, assert_holds, backup, files, job, one_table, plain, restore, try_backup, verify,
};

fn store(seed: u64) -> ModelStore {
    let mut random = Random(seed);
    let rows =
        |random: &mut Random, n: u32| (0..n).map(|n| (n.to_be_bytes().to_vec(), random.bytes(200))).collect();
    let mut store = one_table(rows(&mut random, 4000));
    store.tables.insert("big".into(), plain(vec![(b"k".to_vec(), random.bytes(700_000))]));
    store.tables.insert("other".into(), plain(rows(&mut random, 3000)));
    store
}

#[test]
fn a_missing_pack_is_named_with_what_it_costs_and_healed_by_the_next_backup() {
    let (whole, store) = (MemoryVault::default(), store(1));
    backup(&whole, &store, "first", 4);
    backup(&whole, &store, "second", 1);
    let mut tables = BTreeSet::new();
    for path in files(&whole, "packs") {
        let vault = whole.deep_clone();
        vault.remove(&path).unwrap();
        let damage = verify(&vault).damage;
        assert!(!damage.is_empty());
        for damage in &damage {
            assert!(
                [path.as_str(), "snapshots/first.json", "snapshots/second.json"]
                    .contains(&damage.file.as_str()),
                "{damage:?}"
            );
            if damage.file == path {
                assert_eq!(damage.snapshots, ["first", "second"]);
                tables.extend(damage.tables.clone());
            }
        }
        assert_eq!(restore(&vault, "first").unwrap_err().code, Code::Damaged);

        let healed = backup(&vault, &store, "healed", 3);
        assert!(healed.bytes_added > 0);
        assert!(verify(&vault).damage.is_empty());
        // Equal data has equal ids, so the earlier ones are whole again too.
        for name in ["first", "second", "healed"] {
            assert_holds(&vault, name, &store);
        }
    }
    assert_eq!(tables, ["big", "other", "table"].map(String::from).into());
}

#[test]
fn of_a_pack_that_is_cut_off_the_rest_is_kept() {
    let (whole, old) = (MemoryVault::default(), store(1));
    backup(&whole, &old, "old", 1);
    let path = files(&whole, "packs").into_iter().max_by_key(|path| whole.get(path).unwrap().len()).unwrap();
    let pack = whole.get(&path).unwrap();
    for keep in [pack.len() - 1, pack.len() - 20, pack.len() * 3 / 4, 40, 0] {
        let vault = whole.deep_clone();
        vault.put(&path, pack[..keep].to_vec());
        let before = verify(&vault);
        assert!(before.damage.iter().any(|damage| damage.file == path), "{keep}");
        // Other data is backed up: this must not cost the old snapshot what can still be read.
        let new = one_table(vec![(b"new".to_vec(), b"data".to_vec())]);
        backup(&vault, &new, "new", 1);
        assert_holds(&vault, "new", &new);
        if keep + 20 >= pack.len() {
            assert!(restore(&vault, "old").unwrap() == old.tables, "{keep}");
        }
        let packs = files(&vault, "packs");
        let again = backup(&vault, &old, "again", 2);
        assert!(
            again.bytes_added <= (pack.len() - keep) as u64 + (64 << 10),
            "{keep}: {}",
            again.bytes_added
        );
        for (name, store) in [("old", &old), ("again", &old), ("new", &new)] {
            assert!(restore(&vault, name).unwrap() == store.tables, "{keep}: {name}");
        }
        // The file is still not what was written, but that costs no snapshot anything.
        for damage in verify(&vault).damage {
            assert!(damage.file == path && damage.snapshots.is_empty(), "{keep}: {damage:?}");
        }
        assert!(files(&vault, "packs").len() <= packs.len() + 3);
        // And it stays so.
        assert_eq!(backup(&vault, &old, "once more", 1).bytes_added, 0);
    }
}

#[test]
fn what_is_left_of_a_pack_is_found_without_an_index() {
    let (vault, store) = (MemoryVault::default(), store(1));
    backup(&vault, &store, "x", 2);
    files(&vault, "index").iter().for_each(|path| vault.remove(path).unwrap());
    for path in files(&vault, "packs") {
        let mut pack = vault.get(&path).unwrap();
        pack.truncate(pack.len() - 1);
        vault.put(&path, pack);
    }
    assert!(restore(&vault, "x").unwrap() == store.tables);
    assert_eq!(backup(&vault, &store, "y", 1).bytes_added, 0);
    assert_eq!(restore(&vault, "y").unwrap(), store.tables);
}

#[test]
fn bytes_behind_the_end_of_a_pack_cost_nothing() {
    let (vault, store) = (MemoryVault::default(), store(1));
    backup(&vault, &store, "x", 1);
    for path in files(&vault, "packs") {
        vault.put(&path, [&vault.get(&path).unwrap()[..], &[0; 4096]].concat());
    }
    assert!(!verify(&vault).damage.is_empty());
    assert!(restore(&vault, "x").unwrap() == store.tables);
    assert_eq!(backup(&vault, &store, "y", 1).bytes_added, 0);
    assert!(restore(&vault, "x").unwrap() == store.tables);
}

#[test]
fn a_snapshot_is_not_published_without_its_packs() {
    let (vault, store) = (MemoryVault::default(), store(1));
    let plan = strongroom_engine::prepare(&vault, &store, &job("x", 2), &strongroom_engine::Silent).unwrap();
    let receipts = crate::common::copy_all(&vault, &store, &plan).unwrap();
    let path = &files(&vault, "packs")[0];
    vault.remove(path).unwrap();
    let seal = strongroom_engine::seal(&vault, &store, &plan.state, &receipts, &strongroom_engine::Silent);
    assert!(seal.unwrap_err().message.contains(path.as_str()));
    assert!(try_backup(&vault, &store, &job("x", 2)).is_ok());
    assert_holds(&vault, "x", &store);
}

/// Of a pack whose end was cut off, before and after a backup healed what that cost, and after a prune.
#[test]
fn what_is_left_of_a_healed_pack_is_a_warning_until_a_prune_or_a_repair() {
    use strongroom_engine::{Depth, Repair, Silent, repair, verify};
    let (whole, store) = (MemoryVault::default(), store(1));
    backup(&whole, &store, "first", 1);
    let path = files(&whole, "packs").into_iter().max_by_key(|path| whole.get(path).unwrap().len()).unwrap();
    let pack = whole.get(&path).unwrap();
    let found = |vault: &MemoryVault, depth| {
        let verified = verify(vault, None, depth, &Silent).unwrap();
        let names = |files: Vec<String>| files.into_iter().collect::<BTreeSet<_>>();
        let damage = names(verified.damage.into_iter().map(|damage| damage.file).collect());
        (damage, names(verified.warnings.into_iter().map(|note| note.file).collect()))
    };
    let (none, this) = (BTreeSet::new(), BTreeSet::from([path.clone()]));
    for keep in [0, 40, pack.len() / 2] {
        for depth in [Depth::Structure, Depth::Data] {
            let vault = whole.deep_clone();
            vault.put(&path, pack[..keep].to_vec());
            assert!(found(&vault, depth).0.contains(&path), "{keep}");
            backup(&vault, &store, "healed", 1);
            // Of a file in which nothing is left nothing is said.
            let left = if keep > 40 { this.clone() } else { none.clone() };
            assert_eq!(found(&vault, depth), (none.clone(), left), "{keep}");
            for prunes in [true, false] {
                let vault = vault.deep_clone();
                match prunes {
                    true => drop(crate::common::prune(&vault, 0)),
                    false => drop(repair(&vault, Repair::default(), &Silent).unwrap()),
                }
                assert_eq!(found(&vault, depth), (none.clone(), none.clone()), "{keep}");
            }
        }
    }
    // Where nothing is lost, nothing has to be healed.
    let vault = whole.deep_clone();
    vault.put(&path, pack[..pack.len() - 1].to_vec());
    assert_eq!(found(&vault, Depth::Data), (none.clone(), this));
    let index = files(&whole, "index").remove(0);
    let mut bytes = whole.get(&index).unwrap();
    bytes[100] ^= 1;
    whole.put(&index, bytes);
    assert_eq!(found(&whole, Depth::Data), (none.clone(), BTreeSet::from([index])));
    // A snapshot file that cannot be read is a snapshot that is not there.
    whole.put("snapshots/first.json", b"{".to_vec());
    assert_eq!(found(&whole, Depth::Data).0, BTreeSet::from(["snapshots/first.json".to_owned()]));
}

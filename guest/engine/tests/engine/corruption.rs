//! Every byte of a repository, flipped; every file, cut off: `verify` says so, or it does not matter.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, Restored};
use strongroom_engine::{Code, Depth, Silent, Vault};

use crate::common::{Random, backup, one_table, restore};

/// Two snapshots; with a value that lies in pieces, if it is to be.
fn repository(large: bool) -> (MemoryVault, Vec<(&'static str, ModelStore)>) {
    let vault = MemoryVault::default();
    let mut random = Random(1);
    let mut first = one_table((0..60u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(8))).collect());
    let pair = (b"one".to_vec(), vec![5; if large { 262_145 } else { 500 }]);
    first.tables.insert("large".into(), ModelTable { multimap: true, entries: vec![pair] });
    let mut second = first.clone();
    second.tables.get_mut("table").unwrap().entries[7].1 = b"changed".to_vec();
    let snapshots = vec![("first", first), ("second", second)];
    for (name, store) in &snapshots {
        backup(&vault, store, name, 2);
    }
    assert!(vault.bytes() < 30_000, "{}", vault.bytes());
    (vault, snapshots)
}

/// What came of one piece of damage.
#[derive(Default, Debug)]
struct Figures {
    cases: usize,
    found_by_verify: usize,
    refused_by_all: usize,
    still_restores: usize,
    silent: Vec<String>,
}

fn try_damage(vault: &MemoryVault, snapshots: &[(&str, ModelStore)], what: &str, figures: &mut Figures) {
    figures.cases += 1;
    let found = match strongroom_engine::verify(vault, None, Depth::Data, &Silent) {
        Ok(verified) => {
            figures.found_by_verify += usize::from(!verified.damage.is_empty());
            // A snapshot file that is gone without a trace is not damage but a snapshot less.
            !verified.damage.is_empty()
        }
        Err(e) => {
            assert!(
                matches!(e.code, Code::Damaged | Code::NewerFormat | Code::NoRepository),
                "{what}: {e:?}"
            );
            figures.refused_by_all += 1;
            true
        }
    };
    let mut whole = true;
    for (name, store) in snapshots {
        let restored: strongroom_engine::Result<Restored> = restore(vault, name);
        match restored {
            Ok(restored) => assert!(restored == store.tables, "{what}: {name} was restored with other data"),
            Err(e) => {
                assert!(matches!(e.code, Code::Damaged | Code::NewerFormat), "{what}: {e:?}");
                assert!(found, "{what}: {name} does not restore ({e}), and verify says nothing");
                whole = false;
            }
        }
    }
    figures.still_restores += usize::from(whole);
    if !found {
        figures.silent.push(what.to_owned());
    }
}

fn flip((vault, snapshots): (MemoryVault, Vec<(&str, ModelStore)>), step: usize) -> Figures {
    let mut figures = Figures::default();
    for path in vault.paths() {
        let file = vault.get(&path).unwrap();
        for at in (0..file.len()).step_by(step) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << ((at * 5 + at / 8) % 8);
            let copy = vault.deep_clone();
            copy.put(&path, damaged);
            try_damage(&copy, &snapshots, &format!("{path}, byte {at}"), &mut figures);
        }
    }
    println!("flipped: {figures:?}");
    assert_eq!(figures.silent, Vec::<String>::new());
    figures
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let repository = repository(false);
    let bytes = repository.0.bytes() as usize;
    assert_eq!(flip(repository, 1).cases, bytes);
}

#[test]
fn a_flipped_bit_in_pieces_of_a_large_value_is_found() {
    flip(repository(true), 37);
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_found() {
    let (vault, snapshots) = repository(false);
    let mut figures = Figures::default();
    for path in vault.paths() {
        let file = vault.get(&path).unwrap();
        let step = file.len() / 120 + 1;
        for len in (0..file.len()).rev().step_by(step) {
            let copy = vault.deep_clone();
            copy.put(&path, file[..len].to_vec());
            try_damage(&copy, &snapshots, &format!("{path}, {len} bytes"), &mut figures);
        }
    }
    println!("cut off: {figures:?}");
    // Without its newline the file that makes a repository says the same.
    assert_eq!(figures.silent, ["repository.json, 35 bytes"]);
}

#[test]
fn a_file_that_is_gone_is_found_unless_nothing_is_lost_with_it() {
    let (vault, snapshots) = repository(true);
    for path in vault.paths() {
        let copy = vault.deep_clone();
        copy.remove(&path).unwrap();
        let mut figures = Figures::default();
        if path.starts_with("snapshots/") || path == "repository.json" {
            // A snapshot that is gone is not missed, and one that cannot be found is not restored wrongly.
            let others: Vec<_> = snapshots.iter().filter(|(name, _)| !path.contains(name)).cloned().collect();
            if path != "repository.json" {
                try_damage(&copy, &others, &path, &mut figures);
                assert_eq!(figures.silent.len(), 1);
            }
            continue;
        }
        try_damage(&copy, &snapshots, &path, &mut figures);
        assert_eq!(figures.silent.len(), usize::from(path.starts_with("index/")), "{path}");
    }
}

#[test]
fn after_any_flipped_bit_the_next_backup_of_the_same_data_works() {
    let (vault, snapshots) = repository(true);
    let (_, store) = &snapshots[1];
    for path in vault.paths().iter().filter(|path| !path.ends_with(".json")) {
        let file = vault.get(path).unwrap();
        for at in (0..file.len()).step_by(61) {
            let mut damaged = file.clone();
            damaged[at] ^= 16;
            let copy = vault.deep_clone();
            copy.put(path, damaged);
            let next = backup(&copy, store, "next", 1);
            assert_eq!(next.id, strongroom_engine::find(&vault, "second").unwrap().id, "{path}, byte {at}");
            assert_eq!(strongroom_engine::snapshots(&copy).unwrap().0.len(), 3);
            match restore(&copy, "next") {
                Ok(restored) => assert!(restored == store.tables),
                Err(e) => assert_eq!(e.code, Code::Damaged),
            }
        }
    }
}

//! What a snapshot tracks for the backup after it: kept for the newest, and never worth more than a scan.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, Tells};
use strongroom_engine::{Depth, Silent, Snapshot, Store};

use crate::common::{
    assert_holds, backup, files, forget, job, one_table, prune, prune_as_announced, try_backup, verify,
};
use crate::independent;

/// A row changes with each version.
fn store(version: u32) -> ModelStore {
    let row = |n: u32| {
        let new = if n % 1000 == version { version } else { 0 };
        (n.to_be_bytes().to_vec(), (n.wrapping_mul(0x9e37_79b9) ^ new).to_le_bytes().repeat(9))
    };
    let mut store = one_table((0..20_000).map(row).collect());
    store.tells = Some(Tells { run: 25, ..Tells::default() });
    store
}

fn label(snapshot: &Snapshot) -> &str {
    snapshot.labels.iter().find(|(name, _)| name == "changes").map_or("", |(_, value)| value)
}

/// Where objects of tracking data lie: the file, and where in it each payload begins.
fn tracking_objects(vault: &MemoryVault) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for path in files(vault, "packs") {
        let pack = vault.get(&path).unwrap();
        let mut at = 0;
        while pack[at..].starts_with(b"SRo1") {
            if [5, 6].contains(&pack[at + 4]) {
                found.push((path.clone(), at + 56));
            }
            at += 56 + u32::from_le_bytes(pack[at + 12..at + 16].try_into().unwrap()) as usize;
        }
    }
    found
}

#[test]
fn a_prune_keeps_what_the_newest_snapshot_of_each_source_tracks() {
    let vault = MemoryVault::default();
    for (source, version) in [("one", 1), ("one", 2), ("two", 3), ("one", 4), ("two", 5)] {
        let name = format!("{version}");
        let job = strongroom_engine::Job { source: source.into(), ..job(&name, 1) };
        try_backup(&vault, &store(version), &job).unwrap();
    }
    let before = tracking_objects(&vault).len();
    prune_as_announced(&vault, 0);
    let after = tracking_objects(&vault).len();
    assert!(after > 2 && after < before, "{after} of {before}");
    for (source, version) in [("one", 6), ("two", 7)] {
        let name = format!("{version}");
        let job = strongroom_engine::Job { source: source.into(), ..job(&name, 1) };
        let snapshot = try_backup(&vault, &store(version), &job).unwrap();
        assert_eq!(label(&snapshot), "1 table by edits");
        assert_holds(&vault, &name, &store(version));
    }
    assert!(verify(&vault).damage.is_empty());
}

#[test]
fn where_it_was_pruned_the_next_backup_scans() {
    let vault = MemoryVault::default();
    for version in 1..=3 {
        backup(&vault, &store(version), &version.to_string(), 1);
    }
    prune(&vault, 0);
    forget(&vault, &["3"]);
    assert!(verify(&vault).damage.is_empty());
    prune(&vault, 0);
    assert!(tracking_objects(&vault).is_empty());
    assert!(verify(&vault).damage.is_empty());
    let scanned = backup(&vault, &store(4), "4", 1);
    assert_eq!(label(&scanned), "1 table scanned (no tracking data)");
    assert_eq!(label(&backup(&vault, &store(5), "5", 1)), "1 table by edits");
    assert_holds(&vault, "5", &store(5));
}

/// After any number of increments it is what a scan would have made of the store.
#[test]
fn it_is_what_the_format_says() {
    let vault = MemoryVault::default();
    for version in 1..=6 {
        let mut store = store(version);
        let pairs = (0..3_000u32 + version).map(|n| (vec![n as u8], n.to_be_bytes().to_vec())).collect();
        store.tables.insert("pairs".into(), ModelTable { multimap: true, entries: pairs });
        store.tables.insert("empty".into(), ModelTable::default());
        let name = version.to_string();
        backup(&vault, &store, &name, 1);
        let files = vault.paths().into_iter().map(|path| (path.clone(), vault.get(&path).unwrap())).collect();
        let repository = independent::Repository::open(&files);
        let tracking = repository.tracking(&repository.snapshots()[&name]);
        assert!(tracking.keys().eq(store.tables.keys()));
        for (table, (stamp, baseline)) in tracking {
            assert_eq!(store.stamp(&table).unwrap(), Some(stamp));
            let mut packed = Vec::new();
            for (key, value) in baseline.unwrap() {
                packed
                    .extend([key.len() as u32, value.len() as u32].iter().flat_map(|len| len.to_le_bytes()));
                packed.extend(key.into_iter().chain(value));
            }
            let mut wanted = store.baseline(&table).unwrap().unwrap();
            assert!(wanted.read(u32::MAX).unwrap() == packed, "version {version}, {table}");
        }
    }
}

#[test]
fn damage_to_it_costs_no_data() {
    let vault = MemoryVault::default();
    for version in 1..=2 {
        backup(&vault, &store(version), &version.to_string(), 1);
    }
    prune(&vault, 0);
    let objects = tracking_objects(&vault);
    assert!(objects.len() > 2, "{objects:?}");
    for (path, at) in objects {
        let vault = vault.deep_clone();
        let mut pack = vault.get(&path).unwrap();
        pack[at] ^= 1;
        vault.put(&path, pack);
        let damage = verify(&vault).damage;
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert!(damage[0].snapshots.is_empty() && damage[0].tables.is_empty(), "{damage:?}");
        assert!(damage[0].file == path && damage[0].what.contains("costs no data"), "{damage:?}");
        for name in ["1", "2"] {
            let of_one =
                strongroom_engine::testing::verify(&vault, Some(name), Depth::Data, &Silent).unwrap();
            assert!(of_one.damage.is_empty());
        }
        // A prune is not kept from its work by it.
        prune_as_announced(&vault.deep_clone(), 0);
        backup(&vault, &store(3), "3", 1);
        assert_holds(&vault, "3", &store(3));
        // The one after it can build on it again.
        let next = backup(&vault, &store(4), "4", 1);
        assert_eq!(label(&next), "1 table by edits");
        assert!(verify(&vault).damage.is_empty());
    }
}

#[test]
fn ten_thousand_tables_are_tracked_for_little() {
    let vault = MemoryVault::default();
    let tables = |changed: &[u8]| {
        let mut store = ModelStore::new([]);
        for n in 0..10_000u32 {
            let value = if n == 5_000 { changed } else { b"" };
            let entries = vec![(n.to_be_bytes().to_vec(), value.to_vec())];
            store.tables.insert(format!("table {n}"), crate::common::plain(entries));
        }
        store.tells = Some(Tells { run: 3, ..Tells::default() });
        store
    };
    backup(&vault, &tables(b""), "a", 1);
    let before = vault.bytes();
    let second = backup(&vault, &tables(b"x"), "b", 1);
    assert_eq!(label(&second), "9999 tables unchanged, 1 by edits");
    assert!(second.bytes_added < 2_000, "{}", second.bytes_added);
    assert!(vault.bytes() - before < 8_000, "{}", vault.bytes() - before);
    assert_holds(&vault, "b", &tables(b"x"));
}

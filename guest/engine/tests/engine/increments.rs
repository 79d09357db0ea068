//! A second backup writes what is new and nothing else.

use strongroom_engine::testing::{MemoryVault, ModelStore};

use crate::common::{Entries, assert_holds, backup, files, one_table, verify};

const ROWS: u32 = 100_000;

fn rows() -> Entries {
    (0..ROWS)
        .map(|i| {
            (
                i.to_be_bytes().to_vec(),
                format!("row {:016x}", u64::from(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes(),
            )
        })
        .collect()
}

/// What a second backup of changed data adds: objects, and their bytes.
fn cost_of(change: impl FnOnce(&mut Entries)) -> (u64, u64) {
    let vault = MemoryVault::default();
    let mut entries = rows();
    backup(&vault, &one_table(entries.clone()), "before", 2);
    let objects = verify(&vault).objects;
    let before = vault.bytes();
    change(&mut entries);
    let store = one_table(entries);
    let snapshot = backup(&vault, &store, "after", 3);
    assert_holds(&vault, "after", &store);
    // The pack's list, the index and the snapshot file come on top of what is counted as added.
    assert!(vault.bytes() - before < snapshot.bytes_added + (128 << 10), "{}", vault.bytes() - before);
    let verified = verify(&vault);
    assert!(verified.damage.is_empty());
    (verified.objects - objects, snapshot.bytes_added)
}

/// Room for some leaves that happen to be large, one node above and the table's entry, but not for more: all has
/// about 4 MB in 230 objects.
fn assert_small((objects, bytes): (u64, u64), leaves: u64) {
    assert!(objects <= leaves + 2, "{objects} objects");
    assert!(bytes < (leaves + 1) * (100 << 10), "{bytes} bytes");
}

#[test]
fn unchanged_data_costs_one_small_file() {
    let vault = MemoryVault::default();
    let store = one_table(rows());
    let first = backup(&vault, &store, "a", 1);
    assert!(first.bytes_added > 1 << 20);
    let (before, paths) = (vault.bytes(), vault.paths());
    for (name, parts) in [("b", 1), ("c", 5)] {
        let again = backup(&vault, &store, name, parts);
        assert_eq!((again.id, again.bytes_added), (first.id, 0));
    }
    assert!(vault.bytes() - before < 2 * 4096, "{}", vault.bytes() - before);
    let new: Vec<String> = vault.paths().into_iter().filter(|path| !paths.contains(path)).collect();
    assert_eq!(new, ["snapshots/b.json", "snapshots/c.json"]);
}

#[test]
fn a_changed_row_costs_its_leaf_and_what_is_above() {
    assert_small(cost_of(|rows| rows[50_000].1 = b"something else".to_vec()), 2);
}

#[test]
fn a_new_row_at_the_front_does_not_move_the_others() {
    assert_small(cost_of(|rows| rows.insert(0, (vec![0], b"first".to_vec()))), 2);
}

#[test]
fn appended_rows_cost_the_last_leaves() {
    assert_small(
        cost_of(|rows| rows.extend((ROWS..ROWS + 1000).map(|i| (i.to_be_bytes().to_vec(), vec![7; 20])))),
        8,
    );
}

#[test]
fn deleted_rows_do_not_move_what_follows() {
    assert_small(cost_of(|rows| drop(rows.drain(30_000..70_000))), 2);
}

#[test]
fn a_second_table_with_the_same_entries_costs_only_its_name() {
    let vault = MemoryVault::default();
    let mut store = one_table(rows());
    backup(&vault, &store, "a", 1);
    store.tables.insert("copy".into(), store.tables["table"].clone());
    let second = backup(&vault, &store, "b", 1);
    assert!(second.bytes_added < 1024, "{}", second.bytes_added);
    assert_holds(&vault, "b", &store);
}

#[test]
fn a_table_that_comes_back_costs_nothing() {
    let vault = MemoryVault::default();
    let store = one_table(rows());
    let first = backup(&vault, &store, "a", 1);
    backup(&vault, &ModelStore::default(), "nothing", 1);
    let packs = files(&vault, "packs");
    let third = backup(&vault, &store, "c", 2);
    assert_eq!((third.id, third.bytes_added), (first.id, 0));
    assert_eq!(files(&vault, "packs"), packs);
}

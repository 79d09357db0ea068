//! Keys that are chosen to give trees strange shapes.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};

use crate::common::{Entries, Random, assert_holds, backup, one_table, rank};
use crate::independent;

/// Big-endian numbers with these ranks as keys of entries of 16 KiB or more.
const RANK_4: [u64; 2] = [23_370_913, 47_104_069];
const RANK_5: [u64; 2] = [913_520_409, 3_484_066_377];

fn entry(number: u64, len: usize) -> (Vec<u8>, Vec<u8>) {
    (number.to_be_bytes().to_vec(), vec![number as u8; len - 16])
}

/// Numbers from here on whose entries of this length have a rank as wanted.
fn chosen(from: u64, len: usize, wanted: impl Fn(u8) -> bool) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let fits = move |number: &u64| wanted(rank(&number.to_be_bytes(), len as u64));
    (from..).filter(fits).map(move |number| entry(number, len))
}

/// The id is the same for any cutting and by the plain rules of the format, all comes back, and an edit in the middle
/// costs little. Gives back the level of the root.
fn check(entries: Entries, budget: u64) -> u8 {
    let store = one_table(entries);
    let vault = MemoryVault::default();
    let whole = backup(&vault, &store, "x", 1);
    let (id, levels) = independent::id_of_tables(&[independent::Table {
        name: "table".into(),
        multimap: false,
        identity: b"model".to_vec(),
        types: Default::default(),
        entries: store.tables["table"].entries.clone(),
    }]);
    assert_eq!(whole.id.0, id);
    for parts in [2, 3, 8, 61] {
        let mut store = store.clone();
        store.read_max = if parts == 3 { 777 } else { 0 };
        let other = MemoryVault::default();
        assert_eq!(backup(&other, &store, "y", parts).id, whole.id, "{parts} parts");
        if parts == 8 {
            assert_holds(&other, "y", &store);
        }
    }
    let mut edited = store.clone();
    let entries = &mut edited.tables.get_mut("table").unwrap().entries;
    let middle = entries.len() / 2;
    entries.remove(middle);
    let second = backup(&vault, &edited, "z", 5);
    assert_eq!(second.id, backup(&MemoryVault::default(), &edited, "z", 1).id);
    assert!(second.bytes_added < budget, "{} of {}", second.bytes_added, whole.bytes_added);
    assert_holds(&vault, "x", &store);
    assert_holds(&vault, "z", &edited);
    levels[0].unwrap()
}

#[test]
fn no_entry_ends_a_leaf() {
    // Four leaves, cut by the ceiling alone; after an edit all that follows is cut anew.
    assert_eq!(check(chosen(0, 40, |rank| rank == 0).take(25_000).collect(), 1 << 20), 1);
}

#[test]
fn a_leaf_that_just_reaches_the_ceiling_ends() {
    // 8,192 entries of 32 bytes have 262,144.
    for (entries, level) in [(8192, 0), (8193, 1)] {
        assert_eq!(check(chosen(0, 32, |rank| rank == 0).take(entries).collect(), 1 << 20), level);
    }
}

#[test]
fn every_entry_ends_a_leaf_but_no_node_above() {
    // 6,000 leaves of one entry: the nodes above are cut by the ceiling, after 4,947 references.
    assert_eq!(check(chosen(0, 160, |rank| rank == 1).take(6_000).collect(), 1 << 20), 2);
}

#[test]
fn every_entry_ends_nodes_on_two_levels() {
    let level = check(chosen(0, 16_384, |rank| rank >= 2).take(120).collect(), 64 << 10);
    assert!(level >= 2, "{level}");
}

#[test]
fn a_few_entries_end_many_levels() {
    assert!(RANK_4.iter().all(|key| rank(&key.to_be_bytes(), 16_384) == 4));
    assert!(RANK_5.iter().all(|key| rank(&key.to_be_bytes(), 16_384) == 5));
    let mut random = Random(11);
    // Whether the level is 4 or 5 depends on whether anything comes after the highest.
    let mut high: Entries = chosen(0, 16_384, |rank| rank >= 3).take(4).collect();
    high.extend(RANK_4.iter().chain(&RANK_5).map(|number| entry(*number, 16_384)));
    high.extend(chosen(1 << 40, 16_384, |rank| rank == 2).take(40));
    for _ in 0..3 {
        // The engine never compares keys, so they may come in any order.
        let mut entries: Entries = (0..1500u64).map(|n| entry(n << 20, 16 + (n % 200) as usize)).collect();
        for entry in &high {
            entries.insert(random.below(entries.len()), entry.clone());
        }
        let level = check(entries, 256 << 10);
        assert!(level >= 4, "{level}");
    }
}

#[test]
fn the_last_entry_may_end_everything_or_nothing() {
    let low: Entries = chosen(0, 40, |rank| rank == 0).take(300).collect();
    for last in [entry(RANK_5[0], 16_384), low[0].clone()] {
        for first in [entry(RANK_5[1], 16_384), low[1].clone()] {
            let middle = low[2..].iter().cloned();
            check([first].into_iter().chain(middle).chain([last.clone()]).collect(), 64 << 10);
        }
    }
}

#[test]
fn equal_entries_over_and_over() {
    // No store does this, but nothing may break: the tree of equal leaves is a few objects.
    let rank_1 = chosen(0, 160, |rank| rank == 1).next().unwrap();
    let mut store = ModelStore::new([("t", ModelTable { multimap: true, entries: vec![rank_1; 12_000] })]);
    let vault = MemoryVault::default();
    let one = backup(&vault, &store, "x", 1);
    store.read_max = 1000;
    assert_eq!(backup(&MemoryVault::default(), &store, "x", 16).id, one.id);
    assert_holds(&vault, "x", &store);
}

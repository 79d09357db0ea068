//! The id of a snapshot follows from its data alone, whatever came before and however it was copied.

use std::collections::BTreeMap;

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};

use crate::common::{Random, assert_holds, backup, plain, verify};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(200) {
        0 => 300_000 + random.below(300_000),
        1..10 => random.below(20_000),
        _ => random.below(120),
    };
    let byte = random.next() as u8;
    let mut value = vec![byte; len];
    let salt = random.next().to_le_bytes();
    let n = len.min(8);
    value[..n].copy_from_slice(&salt[..n]);
    value
}

fn key(random: &mut Random) -> Vec<u8> {
    let len = 1 + random.below(12);
    random.bytes(len)
}

/// One way in which applications change their data.
fn edit(model: &mut Model, random: &mut Random) {
    match random.below(6) {
        // Rows here and there.
        0 => {
            for _ in 0..random.below(30) {
                model.insert(key(random), value(random));
            }
        }
        // Rows at the end.
        1 => {
            for i in 0..random.below(200) {
                model.insert([&[255; 12][..], &(i as u32).to_be_bytes()].concat(), value(random));
            }
        }
        2 => {
            let at = random.below(model.len());
            let gone: Vec<Vec<u8>> = model.keys().skip(at).take(random.below(300)).cloned().collect();
            gone.iter().for_each(|key| drop(model.remove(key)));
        }
        3 => {
            let at = random.below(model.len());
            let new = value(random);
            model.values_mut().skip(at).take(5).for_each(|value| value.clone_from(&new));
        }
        4 => {
            let keep = random.below(4) as u8;
            model.retain(|key, _| key[0] % 4 != keep || key.len() > 6);
        }
        _ => {}
    }
}

fn store(model: &Model) -> ModelStore {
    let entries: Vec<_> = model.clone().into_iter().collect();
    let pairs = entries.iter().take(200).flat_map(|(key, value)| {
        let short = &value[..value.len().min(20)];
        [(key[..1].to_vec(), key.clone()), (key[..1].to_vec(), short.to_vec())]
    });
    ModelStore::new([
        ("pairs", ModelTable { multimap: true, entries: pairs.collect() }),
        ("rows", plain(entries)),
        ("zero", ModelTable::default()),
    ])
}

#[test]
fn after_any_history_the_id_is_that_of_a_fresh_backup() {
    for seed in 0..3 {
        let mut random = Random(seed);
        let mut model: Model = (0..1200).map(|_| (key(&mut random), value(&mut random))).collect();
        let vault = MemoryVault::default();
        let mut past = Vec::new();
        for step in 0..6 {
            let mut store = store(&model);
            store.read_max = if random.below(2) == 0 { 0 } else { 1 + random.below(9000) };
            let parts = 1 + random.below(9) as u32;
            let snapshot = backup(&vault, &store, &step.to_string(), parts);

            let fresh = MemoryVault::default();
            store.read_max = 0;
            let again = backup(&fresh, &store, "fresh", 1 + random.below(40) as u32);
            assert_eq!(snapshot.id, again.id, "seed {seed}, step {step}, {parts} parts");
            assert_eq!((snapshot.entries, snapshot.bytes), (again.entries, again.bytes));
            past.push(store);
            edit(&mut model, &mut random);
        }
        for (step, store) in past.iter().enumerate() {
            assert_holds(&vault, &step.to_string(), store);
        }
        assert!(verify(&vault).damage.is_empty());
    }
}

#[test]
fn what_is_not_data_does_not_change_the_id() {
    let vault = MemoryVault::default();
    let mut store = store(&(0u8..40).map(|n| (vec![n], vec![n; 9])).collect());
    let first = backup(&vault, &store, "a", 1);
    store.position = Some(9);
    let mut other = crate::common::job("b", 3);
    (other.source, other.time, other.position) = ("other".into(), 1_800_000_000, Some("x".into()));
    let second = crate::common::try_backup(&vault, &store, &other).unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(second.position, Some(9));
    assert_eq!((second.seq, second.parent), (1, None), "another source has a history of its own");
}

#[test]
fn what_is_data_changes_the_id() {
    let table = |multimap, key: &[u8], value: &[u8]| ModelTable {
        multimap,
        entries: vec![(key.into(), value.into())],
    };
    let id = |name, table| backup(&MemoryVault::default(), &ModelStore::new([(name, table)]), "x", 1).id;
    let ids = [
        id("t", table(false, b"k", b"v")),
        id("u", table(false, b"k", b"v")),
        id("t", table(true, b"k", b"v")),
        id("t", table(false, b"kv", b"")),
        id("t", table(false, b"", b"kv")),
        id("t", table(false, b"k", b"w")),
        id("t", ModelTable::default()),
        id("t", ModelTable { multimap: true, entries: Vec::new() }),
        backup(&MemoryVault::default(), &ModelStore::default(), "x", 1).id,
    ];
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "{i}");
    }
}

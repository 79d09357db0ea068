//! A snapshot is a store.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};
use strongroom_engine::{Bytes, Code, Store};

use crate::common::{Entries, Random, backup, one_table, plain};

fn store() -> ModelStore {
    let mut random = Random(3);
    let mut rows: Entries = (0..2500u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(40))).collect();
    for at in [0, 700, 701, 2502] {
        rows.insert(at, (vec![9; 3], random.bytes(270_000)));
    }
    let mut store = one_table(rows.clone());
    store.tables.insert("empty".into(), ModelTable::default());
    store.tables.insert("pairs".into(), ModelTable { multimap: true, entries: rows[..50].to_vec() });
    store.position = Some(77);
    store
}

fn packed(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let frame = |(key, value): &(Vec<u8>, Vec<u8>)| {
        [&(key.len() as u32).to_le_bytes(), &(value.len() as u32).to_le_bytes(), &key[..], &value[..]]
            .concat()
    };
    entries.iter().flat_map(frame).collect()
}

fn read(mut bytes: Box<dyn Bytes + '_>, max: u32) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let chunk = bytes.read(max).unwrap();
        assert!(chunk.len() <= max as usize);
        if chunk.is_empty() {
            return all;
        }
        all.extend(chunk);
    }
}

#[test]
fn any_stretch_of_entries_can_be_read() {
    let (vault, store) = (MemoryVault::default(), store());
    backup(&vault, &store, "x", 3);
    let opened = strongroom_engine::open(&vault, "x").unwrap();
    let rows = &store.tables["table"].entries;
    let mut random = Random(8);
    let mut stretches =
        vec![(0, 0), (0, 1), (1, 0), (2503, 2504), (2504, 2504), (0, 2504), (2504, 9999), (699, 703)];
    stretches.extend((0..40).map(|_| (random.below(2600), random.below(2600))));
    for (n, (from, to)) in stretches.into_iter().enumerate() {
        let (start, end) = (from.min(rows.len()), to.min(rows.len()));
        let expected = packed(&rows[start.min(end)..end]);
        let max = [1 << 20, 4093, 65_536][n % 3];
        let found = read(Box::new(opened.entries("table", from as u64, to as u64).unwrap()), max);
        assert!(found == expected, "{from}..{to}");
    }
    assert_eq!(opened.entries("nope", 0, 1).err().unwrap().code, Code::NotFound);
}

#[test]
fn the_marks_of_a_split_cover_everything_once() {
    let (vault, store) = (MemoryVault::default(), store());
    backup(&vault, &store, "x", 1);
    let opened = strongroom_engine::open(&vault, "x").unwrap();
    for (name, table) in &store.tables {
        for parts in [0, 1, 2, 7, 49, 3000, u32::MAX] {
            let marks = opened.split(name, parts).unwrap();
            assert!(marks.len() < parts.max(1) as usize);
            if parts == 7 && table.entries.len() > 40 {
                assert_eq!(marks.len(), 6);
            }
            if marks.len() > 60 {
                continue;
            }
            let edges: Vec<Option<&[u8]>> =
                [None].into_iter().chain(marks.iter().map(|mark| Some(&mark[..]))).chain([None]).collect();
            let all =
                edges.windows(2).flat_map(|edge| read(opened.scan(name, edge[0], edge[1]).unwrap(), 1 << 16));
            assert!(all.eq(packed(&table.entries)), "{name} in {parts}");
        }
    }
    assert_eq!(opened.scan("table", Some(b"mark"), None).err().unwrap().code, Code::Invalid);
}

#[test]
fn a_backup_of_a_snapshot_has_its_id() {
    let (vault, store) = (MemoryVault::default(), store());
    let original = backup(&vault, &store, "x", 2);
    for parts in [1, 6] {
        let other = MemoryVault::default();
        let opened = strongroom_engine::open(&vault, "latest").unwrap();
        let copy = backup(&other, &opened, "copy", parts);
        assert_eq!((copy.id, copy.entries, copy.bytes), (original.id, original.entries, original.bytes));
        assert_eq!(copy.labels, original.labels);
        crate::common::assert_holds(&other, "copy", &store);
    }
    // Also into its own repository, where it costs nothing.
    let opened = strongroom_engine::open(&vault, "x").unwrap();
    let copy = backup(&vault, &opened, "copy", 3);
    assert_eq!((copy.id, copy.bytes_added), (original.id, 0));
}

#[test]
fn tables_are_listed_with_what_is_known_of_them() {
    let (vault, store) = (MemoryVault::default(), store());
    backup(&vault, &store, "x", 1);
    let opened = strongroom_engine::open(&vault, "x").unwrap();
    assert_eq!(Store::tables(&opened).unwrap(), Store::tables(&store).unwrap());
    assert_eq!(read(opened.template().unwrap(), 3), b"a template");
    assert_eq!(opened.notes().unwrap(), [("store".to_owned(), "a model".to_owned())]);
    assert_eq!(opened.position("").unwrap_err().code, Code::NotFound, "the job did not ask for one");
}

#[test]
fn ten_thousand_tables_are_no_trouble() {
    let mut store = ModelStore::default();
    for n in 0..10_000u32 {
        store.tables.insert(format!("table {n:05}"), plain(vec![(n.to_le_bytes().to_vec(), Vec::new())]));
    }
    let vault = MemoryVault::default();
    let first = backup(&vault, &store, "x", 4);
    crate::common::assert_holds(&vault, "x", &store);
    store.tables.get_mut("table 05000").unwrap().entries.push((vec![1], vec![2]));
    let second = backup(&vault, &store, "y", 1);
    assert!(second.bytes_added < first.bytes_added / 10, "{} of {}", second.bytes_added, first.bytes_added);
    assert_eq!(second.id, backup(&MemoryVault::default(), &store, "y", 9).id);
}

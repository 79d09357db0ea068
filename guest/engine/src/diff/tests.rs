//! What is told is what differs, whatever the order, the sizes and the limits; and it costs what changed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Diff, EntryDiff, Limits, Other, Told, What, diff};
use crate::testing::{MemoryVault, ModelStore, ModelTable, backup_with_deltas};
use crate::{Code, Folding, Job, Silent};

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn backup(vault: &MemoryVault, store: &ModelStore, name: &str) {
    let job = Job {
        name: name.into(),
        source: "test".into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1,
        parts: 1,
        part_min: 1,
        full_scan: false,
        full_scan_snapshots: 9,
        full_scan_days: 9,
        folding: Folding::default(),
        compression: crate::Compression::default(),
    };
    backup_with_deltas(vault, store, &job).unwrap();
}

fn all(mut diff: Diff<'_>, limits: Limits) -> (Vec<Told>, u64) {
    diff.limits = limits;
    let mut told = Vec::new();
    while let Some(next) = diff.tell().unwrap() {
        told.push(next);
    }
    (told, diff.nodes_read())
}

/// What a map says of two tables: what happened to which key, with the sizes of the values.
fn expected(before: Option<&ModelTable>, after: Option<&ModelTable>) -> Vec<EntryDiff> {
    let multimap = before.or(after).unwrap().multimap;
    let map = |table: Option<&ModelTable>| -> BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)> {
        let entries = table.map(|table| table.entries.clone()).unwrap_or_default();
        let identity = |(key, value): &(Vec<u8>, Vec<u8>)| match multimap {
            true => [&key.len().to_le_bytes()[..], key, value].concat(),
            false => key.clone(),
        };
        entries.into_iter().map(|entry| (identity(&entry), entry)).collect()
    };
    let (before, after) = (map(before), map(after));
    let mut diffs = Vec::new();
    let mut tell = |what, key: &Vec<u8>, before: Option<&Vec<u8>>, after: Option<&Vec<u8>>| {
        let len = |value: &Vec<u8>| value.len() as u32;
        let shown = if key.len() > 262_144 { Vec::new() } else { key.clone() };
        let (before, after) = (before.map(len), after.map(len));
        diffs.push(EntryDiff { what, key: shown, key_len: key.len() as u32, before, after });
    };
    for (identity, (key, value)) in &before {
        match after.get(identity) {
            None => tell(What::Removed, key, Some(value), None),
            Some((_, other)) if other != value => tell(What::Changed, key, Some(value), Some(other)),
            Some(_) => {}
        }
    }
    for (_, (key, value)) in after.iter().filter(|(identity, _)| !before.contains_key(*identity)) {
        tell(What::Added, key, None, Some(value));
    }
    sorted(diffs)
}

fn sorted(mut diffs: Vec<EntryDiff>) -> Vec<EntryDiff> {
    diffs.sort_by_key(|diff| (diff.key.clone(), diff.key_len, diff.what, diff.before, diff.after));
    diffs
}

/// Compares what is told with what must be told.
fn check(told: &[Told], before: &ModelStore, after: &ModelStore) {
    let mut rest = told.iter();
    let names: std::collections::BTreeSet<_> = before.tables.keys().chain(after.tables.keys()).collect();
    for name in names {
        let (a, b) = (before.tables.get(name), after.tables.get(name));
        let expected = expected(a, b);
        if a.is_some() && b.is_some() && expected.is_empty() {
            continue;
        }
        let mut entries = Vec::new();
        let table = loop {
            match rest.next() {
                Some(Told::Begin(table)) => {
                    assert!(entries.is_empty() && &table.name == name);
                }
                Some(Told::Entry(entry)) => entries.push(entry.clone()),
                Some(Told::Table(table)) => break table,
                None => panic!("nothing was told of {name:?}"),
            }
        };
        assert_eq!(&table.name, name);
        let count = |what| expected.iter().filter(|diff| diff.what == what).count() as u64;
        let counts = [What::Added, What::Removed, What::Changed].map(count);
        assert_eq!([table.added, table.removed, table.changed], counts, "{name}");
        assert_eq!(table.before.as_ref().map(|side| side.entries), a.map(|t| t.entries.len() as u64));
        assert_eq!(table.after.as_ref().map(|side| side.entries), b.map(|t| t.entries.len() as u64));
        assert!(sorted(entries) == expected, "{name}");
    }
    assert_eq!(rest.next(), None);
}

/// All ways to ask, with plenty of room and with next to none.
fn check_all(before: &ModelStore, after: &ModelStore) {
    let vault = MemoryVault::default();
    backup(&vault, before, "before");
    backup(&vault, after, "after");
    let tight = |nodes, bytes, held| Limits { nodes, bytes, held };
    for limits in [Limits::default(), tight(1, 1, 2000), tight(3, 40_000, 100_000), tight(40, 1 << 20, 9000)]
    {
        let ask = |which, other| diff(&vault, which, other, None, true, &Silent).unwrap();
        check(&all(ask("before", Other::Snapshot("after")), limits).0, before, after);
        check(&all(ask("after", Other::Snapshot("before")), limits).0, after, before);
        check(&all(ask("before", Other::Store(after)), limits).0, before, after);
    }
    let counted = diff(&vault, "before", Other::Snapshot("after"), None, false, &Silent).unwrap();
    assert!(all(counted, Limits::default()).0.iter().all(|told| matches!(told, Told::Table(_))));
}

/// An order that is not that of the bytes, as a user's own type may have it.
fn in_order(entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>, order: u64) -> Entries {
    let map: BTreeMap<Vec<u8>, Vec<u8>> = entries.into_iter().collect();
    let mut entries: Entries = map.into_iter().collect();
    match order {
        0 => {}
        1 => entries.reverse(),
        seed => entries.sort_by_key(|(key, _)| xxhash_rust::xxh3::xxh3_64_with_seed(key, seed)),
    }
    entries
}

fn pairs_in_order(entries: Entries, order: u64) -> Entries {
    let mut entries =
        in_order(entries.into_iter().map(|(k, v)| ([&k[..], b"/", &v].concat(), Vec::new())), order);
    for (key, value) in &mut entries {
        let at = key.iter().position(|byte| *byte == b'/').unwrap();
        *value = key.split_off(at + 1);
        key.pop();
    }
    entries
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..80),
        20 => (any::<u8>(), 3_000usize..20_000).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 262_000usize..530_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        60 => (0u16..200).prop_map(|n| n.to_be_bytes().to_vec()),
        1 => (0u8..3).prop_map(|n| vec![n; 262_144 + usize::from(n)]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_differs(
        base in prop::collection::btree_map(key(), value(), 0..120),
        edits in prop::collection::vec((key(), prop::option::of(value())), 0..40),
        cut in prop::option::of((0usize..200, 0usize..200)),
        pairs in prop::collection::vec((0u8..5, 0u16..500), 0..60),
        pair_edits in prop::collection::vec((0u8..5, 0u16..500), 0..9),
        order in 0u64..5,
    ) {
        let mut edited = base.clone();
        if let Some((from, len)) = cut {
            let keys: Vec<_> = edited.keys().skip(from).take(len).cloned().collect();
            keys.iter().for_each(|key| drop(edited.remove(key)));
        }
        for (key, value) in edits {
            match value {
                Some(value) => drop(edited.insert(key, value)),
                None => drop(edited.remove(&key)),
            }
        }
        let pair = |(key, value): &(u8, u16)| (vec![*key + b'a'], value.to_string().into_bytes());
        let some: Entries = pairs.iter().map(pair).collect();
        let others: Entries = pairs.iter().skip(3).chain(&pair_edits).map(pair).collect();
        let plain = |map| ModelTable { multimap: false, entries: in_order(map, order) };
        let multi = |pairs| ModelTable { multimap: true, entries: pairs_in_order(pairs, order) };
        let before = ModelStore::new([
            ("dropped", plain(base.clone().into_iter().take(9).collect::<BTreeMap<_, _>>())),
            ("empty", ModelTable::default()),
            ("pairs", multi(some)),
            ("rows", plain(base.clone())),
            ("same", plain(base)),
        ]);
        let after = ModelStore::new([
            ("added", ModelTable::default()),
            ("empty", ModelTable::default()),
            ("pairs", multi(others)),
            ("rows", plain(edited)),
            ("same", before.tables["same"].clone()),
        ]);
        check_all(&before, &after);
    }
}

fn rows(count: u32, len: usize) -> Entries {
    (0..count).map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; len])).collect()
}

fn store(entries: Entries) -> ModelStore {
    ModelStore::new([("rows", ModelTable { multimap: false, entries })])
}

#[test]
fn runs_without_a_common_key_are_gone_through_in_shares() {
    // Nothing in common, all keys in common and no value, one long insertion.
    let odd = |n: u32| (n * 2 + 1, n * 2);
    let before: Entries = (0..900).map(|n| (odd(n).0.to_be_bytes().to_vec(), vec![1; 900])).collect();
    let after: Entries = (0..900).map(|n| (odd(n).1.to_be_bytes().to_vec(), vec![2; 900])).collect();
    check_all(&store(before), &store(after));
    let changed: Entries = rows(900, 900).into_iter().map(|(key, _)| (key, vec![7; 800])).collect();
    check_all(&store(rows(900, 900)), &store(changed));
    let mut few = rows(900, 900);
    few.drain(20..880);
    check_all(&store(few), &store(rows(900, 900)));
}

#[test]
fn what_is_equal_is_not_read_and_a_change_costs_a_path() {
    let vault = MemoryVault::default();
    let mut entries = rows(60_000, 200);
    backup(&vault, &store(entries.clone()), "before");
    backup(&vault, &store(entries.clone()), "same");
    entries[31_234].1 = b"changed".to_vec();
    backup(&vault, &store(entries.clone()), "one");
    for at in 0..50 {
        entries[1_000 * at + 77].1 = b"changed".to_vec();
    }
    entries.drain(40_000..40_010);
    backup(&vault, &store(entries.clone()), "more");
    let reads = |other| {
        let (told, reads) = all(
            diff(&vault, "before", Other::Snapshot(other), None, false, &Silent).unwrap(),
            Limits::default(),
        );
        (told.len(), reads)
    };
    let leaves = 60_000 * 212 / 16_384;
    assert_eq!(reads("same"), (0, 0));
    let (told, one) = reads("one");
    assert!(told == 1 && one <= 8, "{one} nodes for one change");
    let (_, more) = reads("more");
    assert!(more <= 52 * 6 && more < leaves / 2, "{more} nodes for 51 changes of {leaves} leaves");
    let live = store(entries);
    let told =
        all(diff(&vault, "more", Other::Store(&live), None, true, &Silent).unwrap(), Limits::default());
    // Of the snapshot, the nodes above the leaves alone.
    assert!(told.0.is_empty() && told.1 < 30, "{} nodes", told.1);
}

#[test]
fn a_table_of_another_type_is_another_table() {
    let vault = MemoryVault::default();
    let mut before = store(rows(10, 10));
    backup(&vault, &before, "before");
    before.identities.insert("rows".into(), b"other".to_vec());
    backup(&vault, &before, "after");
    for other in [Other::Snapshot("after"), Other::Store(&before)] {
        let told = all(diff(&vault, "before", other, None, false, &Silent).unwrap(), Limits::default()).0;
        let [Told::Table(table)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((table.added, table.removed, table.changed), (10, 10, 0));
    }
}

#[test]
fn only_the_tables_that_are_asked_for() {
    let vault = MemoryVault::default();
    let table = |n| ModelTable { multimap: false, entries: rows(n, 1) };
    backup(&vault, &ModelStore::new([("a", table(1)), ("b", table(2))]), "before");
    backup(&vault, &ModelStore::new([("b", table(3)), ("c", table(3))]), "after");
    let ask = |globs: &[&str]| {
        let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
        diff(&vault, "before", Other::Snapshot("after"), Some(&globs), false, &Silent)
    };
    let told = all(ask(&["b", "c"]).unwrap(), Limits::default()).0;
    let names: Vec<&str> = told
        .iter()
        .map(|told| match told {
            Told::Table(table) => table.name.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!(ask(&["x*"]).err().unwrap().code, Code::NotFound);
    let missing = diff(&vault, "before", Other::Snapshot("nothing"), None, false, &Silent);
    assert_eq!(missing.err().unwrap().code, Code::NotFound);
}

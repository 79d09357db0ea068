//! Repositories that nobody's backup wrote: every checksum and every id is right, what they say is not.

use crate::backup::stock::Stock;
use crate::catalog::{self, Schema, Table};
use crate::error::Code;
use crate::id::{Id, Kind};
use crate::index::{self, Change};
use crate::progress::Silent;
use crate::snapshot::{self, Snapshot};
use crate::testing::MemoryVault;
use crate::tree::Put;
use crate::tree::node::{Ref, Root};
use crate::vault::Vault;
use crate::verify::{Depth, Verified, verify};

/// One entry: key `k`, value `v`.
const LEAF: &[u8] = &[1, 0, 0, 0, 1, 0, 0, 0, b'k', b'v'];

fn table(name: &str, root: Option<Root>) -> Table {
    let (entries, bytes) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
    Table {
        name: name.into(),
        multimap: false,
        entries,
        bytes,
        key_type: String::new(),
        value_type: String::new(),
        identity: Vec::new(),
        root,
    }
}

/// A repository with one snapshot of these tables; objects for which `spoil` says so are damaged.
fn repository(
    make: impl FnOnce(&mut dyn Put) -> Vec<Table>,
    types: Vec<(String, String)>,
    spoil: Option<Id>,
) -> MemoryVault {
    let vault = MemoryVault::default();
    crate::repository::prepare(&vault).unwrap();
    let mut stock = Stock::open(&vault, "x").unwrap();
    let tables = make(&mut stock);
    let root = catalog::write(&tables, &mut stock).unwrap();
    let schema = catalog::write_schema(&Schema { template: Vec::new(), types }, &mut stock).unwrap();
    let packs = stock.finish().unwrap().0.iter().map(|pack| pack.id).collect();
    index::update(&vault, Change { packs, ..Change::default() }).unwrap();
    if let Some(id) = spoil {
        for path in vault.paths().iter().filter(|path| path.starts_with("packs/")) {
            let mut pack = vault.get(path).unwrap();
            let at = pack.windows(32).position(|bytes| bytes == id.0).unwrap();
            pack[at + 33] ^= 1;
            vault.put(path, pack);
        }
    }
    let snapshot = Snapshot {
        name: "x".into(),
        id: catalog::id(root),
        source: "x".into(),
        parent: None,
        seq: 1,
        imported: false,
        origin: None,
        time: 1,
        position: None,
        tables: tables.len() as u32,
        tables_left_out: 0,
        entries: 0,
        bytes: 0,
        bytes_added: 0,
        labels: Vec::new(),
        root,
        schema,
        tracking: None,
    };
    snapshot.write_unfinished(&vault).unwrap();
    vault.rename(&snapshot::unfinished("x"), &snapshot::path("x")).unwrap();
    vault
}

fn no_types(tables: usize) -> Vec<(String, String)> {
    vec![Default::default(); tables]
}

fn verified(vault: &MemoryVault) -> Verified {
    crate::testing::verify(vault, None, Depth::Data, &Silent).unwrap()
}

fn assert_damaged(vault: &MemoryVault) {
    let damage = verified(vault).damage;
    assert!(damage.iter().any(|damage| damage.snapshots == ["x"]), "{damage:?}");
    assert_eq!(crate::open(vault, "x").err().map(|e| e.code), Some(Code::Damaged));
}

#[test]
fn tables_out_of_order_are_damage() {
    assert!(
        verified(&repository(|_| vec![table("a", None), table("b", None)], no_types(2), None))
            .damage
            .is_empty()
    );
    for names in [["b", "a"], ["a", "a"]] {
        assert_damaged(&repository(|_| names.map(|name| table(name, None)).into(), no_types(2), None));
    }
}

#[test]
fn a_schema_for_other_tables_is_damage() {
    for types in [0, 1, 3, 100_000] {
        assert_damaged(&repository(|_| vec![table("a", None), table("b", None)], no_types(types), None));
    }
}

#[test]
fn counts_that_are_not_those_of_the_leaf_are_damage() {
    for (items, entries, bytes) in [(2, 1, 2), (1, 2, 2), (1, 1, 3), (1, u64::MAX, u64::MAX)] {
        let make = |put: &mut dyn Put| {
            let id = put.put(Kind::Node { level: 0 }, LEAF).unwrap();
            vec![table("a", Some(Root { level: 0, node: Ref { id, items, entries, bytes, rank: 0 } }))]
        };
        let damage = verified(&repository(make, no_types(1), None)).damage;
        assert_eq!(damage.len(), 1);
        assert_eq!(
            (&damage[0].snapshots[..], &damage[0].tables[..]),
            (&["x".to_owned()][..], &["a".to_owned()][..])
        );
    }
}

/// 5 levels of 100 references to one and the same node: 10^10 entries in a few hundred bytes.
fn bomb(put: &mut dyn Put) -> Vec<Table> {
    let id = put.put(Kind::Node { level: 0 }, LEAF).unwrap();
    let mut node = Ref { id, items: 1, entries: 1, bytes: 2, rank: 6 };
    for level in 1..=5 {
        let mut content = Vec::new();
        (0..100).for_each(|_| node.encode(&mut content));
        let id = put.put(Kind::Node { level }, &content).unwrap();
        node = Ref { id, items: 100, entries: node.entries * 100, bytes: node.bytes * 100, rank: 6 };
    }
    vec![table("a", Some(Root { level: 5, node }))]
}

#[test]
fn a_node_that_stands_everywhere_is_looked_at_once() {
    let whole = verified(&repository(bomb, no_types(1), None));
    assert!(whole.damage.is_empty() && whole.objects == 8, "{whole:?}");
    let leaf = Kind::Node { level: 0 }.id_of(LEAF);
    let damage = verified(&repository(bomb, no_types(1), Some(leaf))).damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert_eq!(damage[0].tables, ["a"]);
}

/// The same, and five tables before it, each of which says something wrong of a node on another level.
#[test]
fn a_node_of_which_another_table_lies_is_looked_at_once_as_well() {
    let make = |put: &mut dyn Put| {
        let mut tables = bomb(put);
        tables[0].name = "z".into();
        let mut roots: Vec<Root> = Vec::new();
        let leaf = put.put(Kind::Node { level: 0 }, LEAF).unwrap();
        let mut node = Ref { id: leaf, items: 1, entries: 1, bytes: 2, rank: 6 };
        for level in 1..=5 {
            let mut content = Vec::new();
            (0..100).for_each(|_| node.encode(&mut content));
            let id = put.put(Kind::Node { level }, &content).unwrap();
            node = Ref { id, items: 100, entries: node.entries * 100, bytes: node.bytes * 100, rank: 6 };
            roots.push(Root { level, node: Ref { bytes: 1, ..node } });
        }
        let lies = roots.into_iter().zip(["a", "b", "c", "d", "e"]);
        tables.splice(0..0, lies.map(|(root, name)| table(name, Some(root))));
        tables
    };
    let damage = verified(&repository(make, no_types(6), None)).damage;
    let tables: Vec<&str> = damage.iter().flat_map(|damage| &damage.tables).map(String::as_str).collect();
    assert_eq!(tables.len(), 5, "{damage:?}");
    assert!(!tables.contains(&"z"), "{damage:?}");
}

/// A table that says of a node what is so, and one after it that says something else of it, on each level.
#[test]
fn a_lie_about_a_node_that_was_seen_before_is_damage() {
    for level in 0..=3u8 {
        for (items, entries, bytes) in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, u64::MAX, 0)] {
            for lie_first in [false, true] {
                let make = |put: &mut dyn Put| {
                    let id = put.put(Kind::Node { level: 0 }, LEAF).unwrap();
                    let mut node = Ref { id, items: 1, entries: 1, bytes: 2, rank: 6 };
                    for level in 1..=level {
                        let mut content = Vec::new();
                        (0..3).for_each(|_| node.encode(&mut content));
                        let id = put.put(Kind::Node { level }, &content).unwrap();
                        node =
                            Ref { id, items: 3, entries: node.entries * 3, bytes: node.bytes * 3, rank: 6 };
                    }
                    let lie = Ref {
                        items: node.items + items,
                        entries: node.entries.wrapping_add(entries),
                        bytes: node.bytes + bytes,
                        ..node
                    };
                    let nodes = if lie_first { [lie, node, lie] } else { [node, lie, node] };
                    let tables = nodes.into_iter().zip(["a", "b", "c"]);
                    tables.map(|(node, name)| table(name, Some(Root { level, node }))).collect()
                };
                let vault = repository(make, no_types(3), None);
                let liars: &[&str] = if lie_first { &["a", "c"] } else { &["b"] };
                let damage = verified(&vault).damage;
                assert!(damage.len() == 1 && damage[0].tables == liars, "{level}: {damage:?}");
                // Of a leaf that is not read, only that two say something else of it can be known.
                let damage = verify(&vault, None, Depth::Structure, &Silent).unwrap().damage;
                let tables = damage.iter().flat_map(|damage| &damage.tables);
                let known = tables.eq(if level == 0 && lie_first { &liars[1..] } else { liars });
                assert!(known, "{level}: {damage:?}");
                assert!(
                    !crate::repair::repair(&vault, Default::default(), &Silent).unwrap().is_whole()
                        || level == 0
                );
            }
        }
    }
}

/// An object that one table has as a node and another as a node of another level, or as a piece of a value.
#[test]
fn an_object_is_of_one_kind_wherever_it_is_named() {
    let spilled = |id: Id, len: u32| {
        let fields = [u32::MAX, 8 + 1 + 2 * 32, 1, len].map(u32::to_le_bytes);
        [fields.as_flattened(), b"k", &id.0, &id.0].concat()
    };
    let leaf_of = |put: &mut dyn Put, content: &[u8], bytes: u64| {
        let id = put.put(Kind::Node { level: 0 }, content).unwrap();
        Root { level: 0, node: Ref { id, items: 1, entries: 1, bytes, rank: 6 } }
    };
    let piece = [7; 262_144];
    let first: &dyn Fn(&mut dyn Put) -> Root = &|put| {
        let id = put.put(Kind::Blob, &piece).unwrap();
        leaf_of(put, &spilled(id, 2 * 262_144), 1 + 2 * 262_144)
    };
    // The same piece, said to be shorter where it stands last.
    let shorter: &dyn Fn(&mut dyn Put) -> Root = &|put| {
        let id = put.put(Kind::Blob, &piece).unwrap();
        leaf_of(put, &spilled(id, 262_145), 1 + 262_145)
    };
    let leaf: &dyn Fn(&mut dyn Put) -> Root = &|put| leaf_of(put, LEAF, 2);
    let leaf_as_node: &dyn Fn(&mut dyn Put) -> Root = &|put| Root { level: 1, ..leaf(put) };
    let leaf_as_piece: &dyn Fn(&mut dyn Put) -> Root = &|put| {
        let id = leaf(put).node.id;
        leaf_of(put, &spilled(id, 2 * 262_144), 1 + 2 * 262_144)
    };
    for (one, other) in [(first, shorter), (leaf, leaf_as_node), (leaf, leaf_as_piece)] {
        for roots in [[one, other], [other, one]] {
            let wrong = if std::ptr::eq(roots[1], other) { "b" } else { "a" };
            let make = |put: &mut dyn Put| {
                let names = ["a", "b"].into_iter().zip(roots);
                names.map(|(name, root)| table(name, Some(root(put)))).collect()
            };
            let vault = repository(make, no_types(2), None);
            let damage = verified(&vault).damage;
            assert!(!damage.is_empty() && damage.iter().all(|damage| damage.tables == [wrong]), "{damage:?}");
            let opened = crate::open(&vault, "x").unwrap();
            for name in ["a", "b"] {
                let read = opened.entries(name, 0, 1).and_then(|mut entries| {
                    let read = std::iter::repeat_with(|| crate::Bytes::read(&mut entries, 1 << 20));
                    read.take(4).collect::<Result<Vec<_>, _>>()
                });
                assert_eq!(read.is_err(), name == wrong, "restore and verify agree");
            }
        }
    }
}

/// One entry at the end, and before it as many leaves without any as nobody can go through.
#[test]
fn nodes_that_hold_nothing_are_damage() {
    let make = |put: &mut dyn Put| {
        let id = put.put(Kind::Node { level: 0 }, &[]).unwrap();
        let mut nothing = Ref { id, items: 0, entries: 0, bytes: 0, rank: 6 };
        let id = put.put(Kind::Node { level: 0 }, LEAF).unwrap();
        let mut last = Ref { id, items: 1, entries: 1, bytes: 2, rank: 6 };
        for level in 1..=5 {
            let mut content = Vec::new();
            (0..100).for_each(|_| nothing.encode(&mut content));
            let id = put.put(Kind::Node { level }, &content).unwrap();
            last.encode(&mut content);
            let with_last = put.put(Kind::Node { level }, &content).unwrap();
            nothing = Ref { id, items: 100, ..nothing };
            last = Ref { id: with_last, items: 101, ..last };
        }
        vec![table("a", Some(Root { level: 5, node: last }))]
    };
    let vault = repository(make, no_types(1), None);
    let damage = verified(&vault).damage;
    assert!(damage.len() == 1 && damage[0].tables == ["a"], "{damage:?}");
    let opened = crate::open(&vault, "x").unwrap();
    let read = opened.entries("a", 0, 1).and_then(|mut entries| crate::Bytes::read(&mut entries, 100));
    assert_eq!(read.err().map(|e| e.code), Some(Code::Damaged));
}

#[test]
fn any_place_in_ten_thousand_million_entries_is_near() {
    let vault = repository(bomb, no_types(1), None);
    let opened = crate::open(&vault, "x").unwrap();
    for from in [0, 1, 99, 5_000_000_000, 9_999_999_999] {
        let mut entries = opened.entries("a", from, from + 1).unwrap();
        assert_eq!(crate::Bytes::read(&mut entries, 100).unwrap(), LEAF);
        assert!(crate::Bytes::read(&mut entries, 100).unwrap().is_empty());
    }
}

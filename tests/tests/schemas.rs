//! Whatever an application stores in redb comes back through the component, in several parts copied at once.
#![allow(clippy::unwrap_used)]

mod common;

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::path::Path;

use redb::{
    Database, Key, MultimapTableDefinition, ReadTransaction, ReadableDatabase as _,
    ReadableMultimapTable as _, ReadableTable as _, TableDefinition, TypeName, Value, WriteTransaction,
};
use strongroom::{Backup, RedbStore, Restore};

use common::{assert_whole, files_below, mix, noise, repository};

/// A user's key: longer ones first, then backwards.
#[derive(Debug, Clone, PartialEq)]
struct Backwards(Vec<u8>);

impl Value for Backwards {
    type SelfType<'a> = Backwards;
    type AsBytes<'a> = Vec<u8>;

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> Backwards
    where
        Self: 'a,
    {
        Backwards(data.to_vec())
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Backwards) -> Vec<u8> {
        value.0.clone()
    }

    fn type_name() -> TypeName {
        TypeName::new("app::Backwards")
    }
}

impl Key for Backwards {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        b.len().cmp(&a.len()).then_with(|| b.cmp(a))
    }
}

/// Stored keys and values.
type Dump = Vec<(Vec<u8>, Vec<u8>)>;

/// A table as its application knows it.
struct Shape {
    name: &'static str,
    fill: fn(&WriteTransaction, &'static str, u64),
    /// Everything in it, each key also looked up.
    dump: fn(&ReadTransaction, &'static str) -> Dump,
}

fn dump_table<K: Key + 'static, V: Value + 'static>(txn: &ReadTransaction, name: &'static str) -> Dump {
    let table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    let entries = table.iter().unwrap().map(|entry| {
        let (key, value) = entry.unwrap();
        let bytes = V::as_bytes(&value.value()).as_ref().to_vec();
        let found = table.get(key.value()).unwrap().expect("every key is found by get");
        assert_eq!(V::as_bytes(&found.value()).as_ref(), bytes, "{name}");
        (K::as_bytes(&key.value()).as_ref().to_vec(), bytes)
    });
    entries.collect()
}

fn dump_multimap<K: Key + 'static, V: Key + 'static>(txn: &ReadTransaction, name: &'static str) -> Dump {
    let table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(name)).unwrap();
    let mut dump = Dump::new();
    for entry in table.iter().unwrap() {
        let (key, values) = entry.unwrap();
        let bytes = |value: Result<redb::AccessGuard<'_, V>, redb::StorageError>| {
            V::as_bytes(&value.unwrap().value()).as_ref().to_vec()
        };
        let values: Vec<Vec<u8>> = values.map(bytes).collect();
        let found: Vec<Vec<u8>> = table.get(key.value()).unwrap().map(bytes).collect();
        assert_eq!(found, values, "{name}");
        let key = K::as_bytes(&key.value()).as_ref().to_vec();
        dump.extend(values.into_iter().map(|value| (key.clone(), value)));
    }
    dump
}

macro_rules! table {
    ($name:literal, $n:expr, $key:ty => $value:ty, |$i:ident| $k:expr, $v:expr) => {
        Shape {
            name: $name,
            fill: |txn, name, from| {
                let mut table = txn.open_table(TableDefinition::<$key, $value>::new(name)).unwrap();
                for $i in from..from + $n {
                    table.insert($k, $v).unwrap();
                }
            },
            dump: dump_table::<$key, $value>,
        }
    };
}

macro_rules! multimap {
    ($name:literal, $n:expr, $key:ty => $value:ty, |$i:ident| $k:expr, $v:expr) => {
        Shape {
            name: $name,
            fill: |txn, name, from| {
                let mut table =
                    txn.open_multimap_table(MultimapTableDefinition::<$key, $value>::new(name)).unwrap();
                for $i in from..from + $n {
                    table.insert($k, $v).unwrap();
                }
            },
            dump: dump_multimap::<$key, $value>,
        }
    };
}

fn wide(i: u64) -> [u8; 32] {
    std::array::from_fn(|byte| mix(i).to_be_bytes()[byte % 8])
}

fn some_bytes(i: u64) -> Vec<u8> {
    mix(i).to_le_bytes()[..i as usize % 8 + 1].to_vec()
}

#[rustfmt::skip]
fn shapes() -> Vec<Shape> {
    vec![
        // Far more than one part, with keys in another order than they were inserted in.
        table!("blocks", 120_000, u64 => &[u8], |i| mix(i), [&wide(i)[..]; 5].concat().as_slice()),
        table!("by hash", 60_000, &[u8; 32] => &str, |i| &wide(i), format!("block {i}").as_str()),
        table!("in the user's order", 60_000, Backwards => (u64, String), |i| Backwards(some_bytes(i)), (i, format!("{i:x}"))),
        table!("composite", 3000, (u32, &str, Option<u64>) => Vec<Option<&[u8]>>,
            |i| (mix(i) as u32 % 100, "x", (i % 2 == 0).then_some(i)), vec![None, Some(&[1, 2][..])]),
        table!("a niche", 2000, Option<NonZeroU32> => Option<NonZeroU32>, |i| NonZeroU32::new(i as u32), NonZeroU32::new(i as u32 % 2)),
        table!("floats", 500, i128 => f64, |i| i128::from(mix(i) as i64), i as f64 / 7.0),
        table!("characters", 500, char => bool, |i| char::from_u32(mix(i) as u32 % 0xD000).unwrap(), i % 2 == 0),
        table!("large values", 4, u8 => &[u8], |i| i as u8, noise(i, [3 << 20, 0, 1, 300_000][i as usize % 4]).as_slice()),
        table!("large keys", 3, &[u8] => (), |i| noise(i, 400_000 >> (i % 3)).as_slice(), ()),
        table!("an empty key and empty values", 3, &[u8] => &[u8], |i| &[7; 2][..i as usize % 3], &[][..]),
        table!("nothing", 0, &str => u64, |_i| "", 0),
        table!("nothing of the user's", 0, Backwards => Backwards, |i| Backwards(some_bytes(i)), Backwards(Vec::new())),
        table!("ünïcödé/with: odd *characters*", 10, u16 => i8, |i| i as u16, -1),
        multimap!("values inline", 3000, u32 => &str, |i| mix(i) as u32 % 500, format!("{:x}", mix(i * 3)).as_str()),
        multimap!("values in a subtree", 60_000, &str => u64, |i| ["a", "b"][i as usize % 2], mix(i)),
        multimap!("the user's order twice", 5000, Backwards => Backwards,
            |i| Backwards(vec![3; mix(i) as usize % 4]), Backwards(some_bytes(i))),
        multimap!("no pairs", 0, u8 => u8, |i| i as u8, 0),
    ]
}

fn fill(db: &Database, shapes: &[Shape], from: u64) {
    let txn = db.begin_write().unwrap();
    for shape in shapes {
        (shape.fill)(&txn, shape.name, from);
    }
    txn.commit().unwrap();
}

fn assert_equal(a: &Database, b: &Database, shapes: &[Shape], when: &str) {
    let (a, b) = (a.begin_read().unwrap(), b.begin_read().unwrap());
    for shape in shapes {
        assert!((shape.dump)(&a, shape.name) == (shape.dump)(&b, shape.name), "{} {when}", shape.name);
    }
}

fn packs(repository: &Path) -> usize {
    files_below(&repository.join("packs")).len()
}

#[test]
fn every_shape_comes_back_for_its_own_application() {
    let dir = tempfile::tempdir().unwrap();
    let shapes = shapes();
    let original = Database::create(dir.path().join("original.redb")).unwrap();
    fill(&original, &shapes, 0);
    let repository = repository(dir.path().join("backups"));
    let snapshot = repository.backup(&original, &Backup::new().threads(3)).unwrap();
    assert_eq!(snapshot.tables as usize, shapes.len());
    assert!(snapshot.bytes > 24 << 20, "{} bytes are too few for several parts", snapshot.bytes);
    assert!(packs(repository.dir()) >= 4, "every part writes a pack of its own, and the catalog comes last");
    assert_whole(&repository);

    let path = dir.path().join("restored.redb");
    repository.restore(&snapshot.name, &path, &Restore::new()).unwrap();
    let mut restored = Database::open(&path).unwrap();
    assert!(restored.check_integrity().unwrap());
    assert_equal(&original, &restored, &shapes, "as restored");
    drop(restored);

    // The restored database is, to Strongroom too, the same.
    let store = std::sync::Arc::new(RedbStore::open(&path).unwrap());
    let again = repository.backup(&store, &Backup::new().source("database").threads(1)).unwrap();
    assert_eq!(again.id, snapshot.id, "same data, same id, also in one part");
    // Of the data. That redb has it on other pages is for the next backup to know.
    assert!(again.bytes_added * 1000 < snapshot.bytes, "{} bytes were added", again.bytes_added);
    drop(store);

    // The application goes on with it.
    let mut restored = Database::open(&path).unwrap();
    fill(&original, &shapes, 1_000_000);
    fill(&restored, &shapes, 1_000_000);
    assert!(restored.check_integrity().unwrap());
    assert_equal(&original, &restored, &shapes, "after more writes");
    let [a, b] = [&original, &restored].map(|db| repository.backup(db, &Backup::new()).unwrap().id);
    assert_eq!(a, b);
    assert_ne!(a, snapshot.id);
}

#[test]
fn tables_are_chosen_by_name_and_kind() {
    let dir = tempfile::tempdir().unwrap();
    let shapes = shapes();
    let original = Database::create(dir.path().join("original.redb")).unwrap();
    fill(&original, &shapes[9..], 0);
    let repository = repository(dir.path().join("backups"));
    let snapshot = repository.backup(&original, &Backup::new().tables(["values *", "nothing"])).unwrap();
    let tables = repository.tables("latest").unwrap();
    let names: Vec<(&str, bool)> = tables.iter().map(|table| (table.name.as_str(), table.multimap)).collect();
    assert_eq!(names, [("nothing", false), ("values in a subtree", true), ("values inline", true)]);
    assert_eq!(snapshot.tables_left_out as usize, shapes[9..].len() - 3);

    let path = dir.path().join("restored.redb");
    repository.restore("latest", &path, &Restore::new().tables(["*inline"])).unwrap();
    let restored = Database::open(&path).unwrap();
    let txn = restored.begin_read().unwrap();
    assert_eq!(txn.list_tables().unwrap().count(), 0);
    assert_eq!(txn.list_multimap_tables().unwrap().count(), 1);
    let inline: Vec<Shape> = shapes.into_iter().filter(|shape| shape.name == "values inline").collect();
    drop(txn);
    assert_equal(&original, &restored, &inline, "chosen");
}

//! Whatever an application stores comes back as it was, for the application's own types.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Backwards, Borrowed, Multi, Plain, Seven, Shape, assert_same, copy, filled, mix, scan};
use std::marker::PhantomData;
use std::num::{NonZeroI16, NonZeroU32, NonZeroU64};
use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

const N: usize = 1200;

macro_rules! plain {
    ($name:literal, $n:expr, $key:ty => $value:ty, |$i:ident| $k:expr, $v:expr) => {
        Box::new(Plain::<$key, $value> {
            name: $name,
            types: PhantomData,
            fill: |txn, table, from| {
                let mut table = txn.open_table(table).unwrap();
                for $i in from..from + $n {
                    table.insert($k, $v).unwrap();
                }
            },
        }) as Box<dyn Shape>
    };
}

macro_rules! multi {
    ($name:literal, $n:expr, $key:ty => $value:ty, |$i:ident| $k:expr, $v:expr) => {
        Box::new(Multi::<$key, $value> {
            name: $name,
            types: PhantomData,
            fill: |txn, table, from| {
                let mut table = txn.open_multimap_table(table).unwrap();
                for $i in from..from + $n {
                    table.insert($k, $v).unwrap();
                }
            },
        }) as Box<dyn Shape>
    };
}

fn some_bytes(i: usize) -> Vec<u8> {
    mix(i).to_le_bytes()[..i % 8 + 1].to_vec()
}

fn wide(i: usize) -> [u8; 32] {
    let mut wide = [0; 32];
    wide[..8].copy_from_slice(&mix(i).to_be_bytes());
    wide
}

#[rustfmt::skip]
fn shapes() -> Vec<Box<dyn Shape>> {
    vec![
        plain!("u8 to u16", 200, u8 => u16, |i| i as u8, mix(i) as u16),
        plain!("u32 to u64", N, u32 => u64, |i| mix(i) as u32, mix(i)),
        plain!("u64 to str", N, u64 => &str, |i| mix(i), format!("value {i}").as_str()),
        plain!("u128 to i64", N, u128 => i64, |i| u128::from(mix(i)) << 60, mix(i) as i64),
        plain!("i8 to i16", 200, i8 => i16, |i| i as i8, mix(i) as i16),
        plain!("i64 to unit", N, i64 => (), |i| mix(i) as i64, ()),
        plain!("i128 to u128", N, i128 => u128, |i| i128::from(mix(i) as i64), u128::from(mix(i))),
        plain!("bool to char", 2, bool => char, |i| i % 2 == 1, 'Ä'),
        plain!("char to f64", N, char => f64, |i| char::from_u32((i * 7 % 0xD000) as u32).unwrap(), i as f64 / 3.0),
        plain!("unit to f32", 1, () => f32, |i| (), i as f32),
        plain!("bytes to bytes", N, &[u8] => &[u8], |i| &some_bytes(i)[..], vec![7; i % 300].as_slice()),
        plain!("bytes, an empty key and value", 3, &[u8] => &[u8], |i| &[1, 2][..i % 3], &b"abc"[i % 3..i % 3]),
        plain!("str to String", N, &str => String, |i| format!("{:x}", mix(i)).as_str(), format!("{i}")),
        plain!("String to Vec<u8>", N, String => Vec<u8>, |i| format!("key {i}"), vec![i as u8; i % 50]),
        plain!("[u8; 32] to [u8; 0]", N, [u8; 32] => [u8; 0], |i| wide(i), []),
        plain!("&[u8; 32] to u8", N, &[u8; 32] => u8, |i| &wide(i), 1),
        plain!("[u16; 3] to [&str; 2]", N, [u16; 3] => [&str; 2], |i| [i as u16, mix(i) as u16, 5], ["", "b"]),
        plain!("[&str; 3] to [Option<u16>; 4]", N, [&str; 3] => [Option<u16>; 4],
            |i| ["a", "", format!("{:x}", mix(i)).as_str()], [None, Some(1), Some(i as u16), None]),
        plain!("tuples", N, (u32, &str) => (&str, u32), |i| (mix(i) as u32 % 100, format!("{i}").as_str()), ("x", 1)),
        plain!("a tuple of one", N, (u64,) => (u8,), |i| (mix(i),), (1,)),
        plain!("a tuple of fixed width", N, (u8, [u8; 2], bool) => (i8, i8), |i| (i as u8, [(i >> 8) as u8, 1], true), (1, -1)),
        plain!("nested", N, ((u32, &str), (i64, [u16; 3])) => (Option<(u8, String)>, Vec<(u64, Vec<&str>)>),
            |i| ((mix(i) as u32, "x"), (mix(i + 1) as i64, [1, 2, i as u16])),
            (Some((1, format!("{i}"))), vec![(1, vec!["a", "bb"])])),
        plain!("a tuple of twelve", N,
            (u8, u16, u32, u64, i8, i16, i32, i64, bool, char, &str, &[u8]) => u8,
            |i| (1, 2, 3, mix(i), 1, 2, 3, 4, true, 'c', "s", [1u8].as_slice()), 1),
        plain!("Option<u32> to Option<String>", N, Option<u32> => Option<String>,
            |i| (i % N != 5).then_some(mix(i) as u32), (i % 2 == 0).then(|| format!("{i}"))),
        plain!("Option<&str>", N, Option<&str> => u8, |i| (i % N != 5).then_some(format!("{i}")).as_deref(), 0),
        plain!("NonZeroU64 to a niche", N, NonZeroU64 => Option<NonZeroU32>,
            |i| NonZeroU64::new(mix(i) | 1).unwrap(), NonZeroU32::new(i as u32 % 2)),
        plain!("a niche as key", N, Option<NonZeroI16> => u8, |i| NonZeroI16::new(i as i16), 1),
        plain!("Vecs", N, u32 => Vec<Vec<Option<u8>>>, |i| i as u32, vec![vec![None, Some(i as u8)]; i % 5]),
        plain!("user to user", N, Backwards => Seven, |i| Backwards(some_bytes(i)), Seven::of(i)),
        plain!("user of fixed width to composites", N, Seven => Vec<Option<Seven>>, |i| Seven::of(i), vec![None, Some(Seven::of(i))]),
        plain!("tuples with users", N, (u32, Backwards) => (Seven, u8), |i| (mix(i) as u32 % 9, Backwards(some_bytes(i))), (Seven::of(i), 1)),
        plain!("options of users", N, Option<Backwards> => Option<Seven>, |i| Some(Backwards(some_bytes(i))), None),
        plain!("a borrowed name", N, Borrowed => Borrowed, |i| Borrowed(mix(i) as u32), Borrowed(i as u32)),
        plain!("a borrowed name inside", N, (Borrowed, u32) => Option<Borrowed>, |i| (Borrowed(mix(i) as u32), 1), None),
        plain!("nothing", 0, u64 => &str, |i| i as u64, ""),
        plain!("nothing of a user", 0, Seven => Backwards, |i| Seven::of(i), Backwards(vec![])),
        plain!("large values", 24, u32 => &[u8], |i| i as u32, vec![i as u8; 1 << (i % 22)].as_slice()),
        plain!("large keys", 20, &[u8] => u8, |i| vec![i as u8; 1 << (i % 20)].as_slice(), 1),
        plain!("a name/with a slash, and ünïcödé", 3, u8 => u8, |i| i as u8, 1),
        multi!("multimap u32 to str", N, u32 => &str, |i| mix(i) as u32 % 50, format!("{:x}", mix(i * 3)).as_str()),
        multi!("multimap of users", N, Backwards => Backwards,
            |i| Backwards(vec![mix(i) as u8 % 5; mix(i) as usize % 9]), Backwards(some_bytes(i * 5))),
        multi!("multimap, a subtree", 3000, &[u8] => u64, |i| b"one key".as_slice(), mix(i)),
        multi!("multimap, user subtree", 3000, u8 => Seven, |i| i as u8 % 2, Seven::of(i)),
        multi!("multimap, large values", 20, u8 => &[u8], |i| 1, vec![i as u8; 1 << (i % 18)].as_slice()),
        multi!("multimap of tuples", N, (u8, &str) => (Seven, u32), |i| (mix(i) as u8 % 200, "q"), (Seven::of(i), i as u32)),
        multi!("multimap, empty values", 3, &str => &[u8], |i| ["", "b"][i % 2], &b"xx"[..i % 3]),
        multi!("multimap of nothing", 0, Backwards => u8, |i| Backwards(vec![i as u8]), 1),
    ]
}

#[test]
fn every_shape_comes_back_for_its_own_application() {
    let dir = tempfile::tempdir().unwrap();
    let shapes = shapes();
    assert!(shapes.len() >= 30);
    let original = filled(&dir.path().join("original.redb"), &shapes);
    let restored = dir.path().join("restored.redb");
    let store = RedbStore::live(&original).unwrap();
    copy(&store, &restored, 1 << 20).unwrap();

    // Also what the store itself sees of both is the same, table by table.
    let again = RedbStore::open(&restored).unwrap();
    let (before, after) = (store.tables().unwrap(), again.tables().unwrap());
    assert_eq!(before.len(), shapes.len());
    assert!(before.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
    let what = |table: &strongroom_store::Table| {
        (table.name.clone(), table.multimap, table.entries, table.identity.clone(), table.key_type.clone())
    };
    assert_eq!(before.iter().map(what).collect::<Vec<_>>(), after.iter().map(what).collect::<Vec<_>>());
    for table in &before {
        assert_eq!(scan(&store, &table.name), scan(&again, &table.name), "{}", table.name);
    }
    drop(again);
    assert_same(&original, &restored, &shapes);
}

#[test]
fn entries_may_travel_in_pieces_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let shapes: Vec<_> = shapes().into_iter().filter(|shape| !shape.name().contains("large")).collect();
    let original = filled(&dir.path().join("original.redb"), &shapes);
    for max in [1, 7, 4096] {
        let restored = dir.path().join(format!("restored {max}.redb"));
        let store = RedbStore::live(&original).unwrap();
        copy(&store, &restored, max).unwrap();
        let txn = redb::ReadableDatabase::begin_read(&original).unwrap();
        let again = RedbStore::open(&restored).unwrap();
        for shape in &shapes {
            assert_eq!(shape.dump(&txn), scan(&again, shape.name()), "{}", shape.name());
        }
    }
}

#[test]
fn the_scan_is_what_the_application_stored() {
    let dir = tempfile::tempdir().unwrap();
    let shapes = shapes();
    let original = filled(&dir.path().join("original.redb"), &shapes);
    let store = RedbStore::live(&original).unwrap();
    let txn = redb::ReadableDatabase::begin_read(&original).unwrap();
    for shape in &shapes {
        assert_eq!(shape.dump(&txn), scan(&store, shape.name()), "{}", shape.name());
    }
}

#[test]
fn equal_schemas_have_equal_templates_whatever_their_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut shapes = shapes();
    let one = filled(&dir.path().join("one.redb"), &shapes);
    shapes.reverse();
    let two = filled(&dir.path().join("two.redb"), &shapes);
    for shape in &shapes {
        let txn = two.begin_write().unwrap();
        shape.fill(&txn, 77);
        txn.commit().unwrap();
    }
    let template = |database| RedbStore::live(database).unwrap().template().unwrap();
    assert_eq!(template(&one), template(&two));
    let restored = dir.path().join("restored.redb");
    copy(&RedbStore::live(&two).unwrap(), &restored, 1 << 20).unwrap();
    assert_eq!(RedbStore::open(&restored).unwrap().template().unwrap(), template(&one));
}

#[test]
fn a_borrowed_name_is_another_type() {
    let dir = tempfile::tempdir().unwrap();
    let original = filled(&dir.path().join("original.redb"), &shapes());
    let tables = RedbStore::live(&original).unwrap().tables().unwrap();
    let table = |name: &str| tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!(table("a borrowed name").key_type, "user:u32");
    assert_eq!(table("u32 to u64").key_type, "u32");
    assert_eq!(table("a borrowed name inside").key_type, "user:(u32,u32)");
    assert_ne!(table("a borrowed name").identity, table("u32 to u64").identity);
}

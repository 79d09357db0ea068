//! A position is a number that the application keeps in one of its tables.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Borrowed, Seven};
use redb::{Database, MultimapTableDefinition, TableDefinition};
use strongroom_store::redb::{RedbStore, key_from_text, to_text};
use strongroom_store::{ErrorCode, Store};

#[test]
fn positions_are_read_by_any_key_that_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(dir.path().join("a.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut head = txn.open_table(TableDefinition::<&str, u64>::new("head")).unwrap();
        head.insert("slot", 4711).unwrap();
        head.insert("", 1).unwrap();
        for i in 0..5000 {
            head.insert(format!("other {i}").as_str(), i).unwrap();
        }
        let mut longer = txn.open_table(TableDefinition::<&str, u64>::new("head/more")).unwrap();
        longer.insert("slot", 2).unwrap();
        longer.insert("a/b", 3).unwrap();
        let mut ints = txn.open_table(TableDefinition::<i64, i64>::new("ints")).unwrap();
        for i in -1000..1000 {
            ints.insert(i, -i).unwrap();
        }
        let mut users = txn.open_table(TableDefinition::<Seven, &str>::new("users")).unwrap();
        for i in 0..1000 {
            users.insert(Seven([1, 2, 3, 4, 5, (i >> 8) as u8, i as u8]), format!("{i}").as_str()).unwrap();
        }
        users.insert(Seven([9; 7]), "+1").unwrap();
        let mut bytes = txn.open_table(TableDefinition::<&[u8], u8>::new("bytes")).unwrap();
        bytes.insert(b"head".as_slice(), 8).unwrap();
        let mut array = txn.open_table(TableDefinition::<[u8; 2], u128>::new("array")).unwrap();
        array.insert(*b"ab", 9).unwrap();
        array.insert(*b"ba", u128::MAX).unwrap();
        let mut borrowed = txn.open_table(TableDefinition::<u8, Borrowed>::new("borrowed")).unwrap();
        borrowed.insert(1, Borrowed(5)).unwrap();
        let mut borrowed = txn.open_table(TableDefinition::<Borrowed, u32>::new("borrowed key")).unwrap();
        for i in 0..2000 {
            borrowed.insert(Borrowed(i), i).unwrap();
        }
        let mut multi = txn.open_multimap_table(MultimapTableDefinition::<u8, u64>::new("multi")).unwrap();
        multi.insert(1, 1).unwrap();
    }
    txn.commit().unwrap();
    let store = RedbStore::live(&database).unwrap();
    for (at, position) in [
        ("head/slot", 4711),
        ("head/", 1),
        ("head/other 77", 77),
        ("head/more/slot", 2),
        ("head/more/a/b", 3),
        ("ints/-500", 500),
        ("ints/0", 0),
        ("users/0x01020304050107", 263),
        ("bytes/head", 8),
        ("bytes/0x68656164", 8),
        ("array/ab", 9),
        ("array/0x6162", 9),
        ("borrowed key/0xcf070000", 1999),
    ] {
        assert_eq!(store.position(at).unwrap(), position, "{at}");
    }
    for (at, says) in [
        ("head", "TABLE/KEY"),
        ("tail/slot", "no table"),
        ("head/nothing", "no key nothing"),
        ("ints/500", "negative"),
        ("ints/five", "keys are i64"),
        ("ints/99999999999999999999", "keys are i64"),
        ("users/0x09090909090909", "not a decimal number"),
        ("users/slot", "keys are user:app::Seven"),
        ("array/ba", "64 bits"),
        ("array/abc", "keys are [u8;2]"),
        ("borrowed/1", "own type u32"),
        ("borrowed key/5", "keys are user:u32"),
        ("multi/1", "multimap"),
    ] {
        let error = store.position(at).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{at}");
        assert!(error.message.contains(says) && error.message.contains(at), "{at}: {}", error.message);
    }
}

#[test]
fn keys_are_read_as_they_are_written() {
    for (name, text) in [
        ("u8", "0"),
        ("u64", "18446744073709551615"),
        ("i8", "-128"),
        ("i128", "-170141183460469231731687303715884105728"),
        ("u128", "340282366920938463463374607431768211455"),
        ("NonZeroU32", "7"),
        ("bool", "true"),
        ("char", "Ä"),
        ("&str", "a/b"),
        ("String", ""),
        ("&[u8]", "0x00ff"),
        ("[u8;2]", "0x00ff"),
        ("&[u8;2]", "0x00ff"),
        ("user:u32", "0x01020304"),
        ("(u8,&str)", "0x0161"),
    ] {
        let key = key_from_text(name, text).unwrap();
        let shown = to_text(name, &key);
        if name != "(u8,&str)" {
            assert_eq!(shown, text, "{name}");
        }
    }
    for (name, text) in [
        ("u8", "256"),
        ("u8", "-1"),
        ("i8", "128"),
        ("i8", "-129"),
        ("NonZeroU32", "0"),
        ("bool", "1"),
        ("char", "ab"),
        ("[u8;2]", "0x00"),
        ("user:u32", "7"),
        ("user:u32", "0x0"),
        ("user:u32", "0x+1"),
    ] {
        assert_eq!(key_from_text(name, text), None, "{name} {text}");
    }
}

#[test]
fn values_are_shown_as_their_types_say() {
    use redb::Value;
    fn shown<V: Value>(value: &V::SelfType<'_>) -> String {
        to_text(V::type_name().name(), V::as_bytes(value).as_ref())
    }
    assert_eq!(shown::<(u32, &str)>(&(7, "a\"b")), r#"(7, "a\"b")"#);
    assert_eq!(shown::<(&str, u32, &[u8])>(&("x", 7, &[1, 255])), r#"("x", 7, 0x01ff)"#);
    assert_eq!(shown::<(u64,)>(&(7,)), "(7)");
    assert_eq!(shown::<[&str; 2]>(&["", "b"]), r#"["", "b"]"#);
    assert_eq!(shown::<[i16; 2]>(&[-1, 2]), "[-1, 2]");
    assert_eq!(shown::<[u8; 2]>(&[1, 2]), "0x0102");
    assert_eq!(shown::<Vec<u8>>(&vec![1, 2]), "[1, 2]");
    assert_eq!(shown::<Vec<Vec<&str>>>(&vec![vec!["a"], vec![]]), r#"[["a"], []]"#);
    assert_eq!(shown::<Option<u8>>(&None), "None");
    assert_eq!(shown::<Option<char>>(&Some('c')), "Some('c')");
    assert_eq!(shown::<Option<std::num::NonZeroU8>>(&None), "None");
    assert_eq!(shown::<Option<std::num::NonZeroU8>>(&std::num::NonZeroU8::new(3)), "Some(3)");
    assert_eq!(shown::<((u8, f32), ())>(&((1, 0.5), ())), "((1, 0.5), ())");
    assert_eq!(shown::<bool>(&true), "true");
}

#[test]
fn what_is_not_as_its_type_says_is_shown_as_bytes() {
    for (name, bytes) in [
        ("u32", &[1, 2, 3][..]),
        ("bool", &[2]),
        ("char", &[0, 0xd8, 0]),
        ("&str", &[0xff]),
        ("(u8,&str)", &[]),
        ("(&str,&str)", &[9, 1]),
        ("[&str;2]", &[0, 0, 0, 0, 9, 0, 0, 0]),
        ("Vec<u32>", &[255, 255, 255, 255, 255]),
        ("Vec<()>", &[255, 255, 255, 255, 255]),
        ("[();4000000000]", &[]),
        ("[[u64;4000000000];4000000000]", &[1]),
        ("Option<u8>", &[2, 2]),
        ("old:(u32,&str)", &[1, 2]),
        ("user:u8", &[7]),
        ("", &[7]),
    ] {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(to_text(name, bytes), format!("0x{hex}"), "{name}");
    }
    assert_eq!(to_text(&"(".repeat(1_000_000), b""), "0x");
}

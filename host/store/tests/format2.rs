//! Databases in redb's file format 2 are read as redb 2.6 would upgrade them, with tuples as redb 4 stores them, and their
//! files stay as they are.
#![cfg(feature = "redb2")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{copy, drain, scan};
use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};
use strongroom_store::redb::RedbStore;
use strongroom_store::{Error, ErrorCode, Store, Table};

/// Makes the same tables with whatever redb is named `$redb`.
macro_rules! tables {
    ($redb:ident, $txn:expr) => {{
        use $redb::{MultimapTableDefinition, TableDefinition};
        macro_rules! plain {
            ($name:literal, $key:ty => $value:ty, $entries:expr) => {{
                let mut table = $txn.open_table(TableDefinition::<$key, $value>::new($name)).unwrap();
                for (key, value) in $entries {
                    table.insert(key, value).unwrap();
                }
            }};
        }
        plain!("u8 i8", u8 => i8, (0..=255u8).map(|i| (i, i as i8)));
        plain!("u16 i16", u16 => i16, (0..500u16).map(|i| (i * 131, -(i as i16))));
        plain!("u32 i32", u32 => i32, (0..500u32).map(|i| (i << 20, -(i as i32))));
        plain!("u64 str", u64 => &str, ROWS.map(|i| (i << 40, if i % 2 == 0 { "even" } else { "" })));
        plain!("i64 u64", i64 => u64, ROWS.map(|i| (i as i64 - 700, u64::MAX - i)));
        plain!("u128 i128", u128 => i128, ROWS.map(|i| (u128::from(i) << 90, -i128::from(i))));
        plain!("bool char", bool => char, [(false, 'a'), (true, '\u{1F980}')]);
        plain!("char f64", char => f64, [('x', f64::MIN), ('y', -0.0), ('z', f64::INFINITY)]);
        plain!("unit", () => &str, [((), "one")]);
        plain!("array", [u8; 5] => &[u8; 3], ROWS.map(|i| ([i as u8, (i >> 8) as u8, 0, 1, 2], &[1, 2, 3])));
        plain!("empty", &str => &[u8], [("", &[][..]); 0]);
        {
            let mut table = $txn.open_table(TableDefinition::<&[u8], &[u8]>::new("bytes")).unwrap();
            let long = vec![7; 300_000];
            for i in ROWS {
                let value = if i == 77 { &long[..] } else { &long[..i as usize % 900] };
                table.insert(&i.to_be_bytes()[..], value).unwrap();
            }
            let mut table = $txn.open_table(TableDefinition::<String, Vec<u32>>::new("string vec")).unwrap();
            table.insert("key".to_owned(), vec![1, 2]).unwrap();
            let mut table = $txn.open_table(TableDefinition::<Option<u32>, Option<&str>>::new("option")).unwrap();
            table.insert(None, Some("x")).unwrap();
            table.insert(Some(0), None).unwrap();
            let mut table = $txn.open_table(TableDefinition::<(u32, i8), [u16; 2]>::new("fixed")).unwrap();
            for i in ROWS {
                table.insert((i as u32, -1), [i as u16, 2]).unwrap();
            }
            let mut table = $txn.open_table(TableDefinition::<(u32, &str), ()>::new("tuples")).unwrap();
            for i in ROWS {
                table.insert((i as u32 % 7, i.to_string().as_str()), ()).unwrap();
            }
            let mut table = $txn.open_table(TableDefinition::<Nested, Option<(u8, &str)>>::new("nested")).unwrap();
            for i in ROWS {
                let long = "x".repeat(i as usize % 400);
                let value = (i % 3 > 0).then_some((i as u8, long.as_str()));
                table.insert((long.as_str(), (i as u8, ""), i), value).unwrap();
            }
            let mut table = $txn.open_table(TableDefinition::<u8, Vec<(&str, u16)>>::new("in a vec")).unwrap();
            table.insert(1, vec![("a", 1), ("", 2)]).unwrap();
            let mut table = $txn.open_table(TableDefinition::<u8, [(&str, u16); 2]>::new("in an array")).unwrap();
            table.insert(1, [("a", 1), ("", 2)]).unwrap();
            let multi = MultimapTableDefinition::<(&str, u8), (u16, String)>::new("multi tuples");
            let mut multi = $txn.open_multimap_table(multi).unwrap();
            for i in ROWS {
                multi.insert((["a", "b"][i as usize % 2], 7), (i as u16, "y".to_owned())).unwrap();
            }
            let mut table = $txn.open_table(TableDefinition::<(&str,), u8>::new("one")).unwrap();
            table.insert(("a",), 1).unwrap();
            let multi = MultimapTableDefinition::<&str, u64>::new("multi");
            let mut multi = $txn.open_multimap_table(multi).unwrap();
            for i in ROWS {
                multi.insert(["many", "other"][usize::from(i % 700 == 0)], i).unwrap();
            }
        }
    }};
}

const ROWS: std::ops::Range<u64> = 0..2000;

/// Those that the snapshot has as redb 4 has them: types whose stored names redb has not changed since, and tuples. Other
/// composites have a class of their own since redb 4.2, and the old one is as good.
const SAME: [&str; 17] = [
    "bool char",
    "bytes",
    "char f64",
    "empty",
    "i64 u64",
    "in a vec",
    "in an array",
    "multi",
    "multi tuples",
    "nested",
    "tuples",
    "u128 i128",
    "u16 i16",
    "u32 i32",
    "u64 str",
    "u8 i8",
    "unit",
];

/// Those that redb 4 does not open as they were.
const RECODED: [&str; 5] = ["in a vec", "in an array", "multi tuples", "nested", "tuples"];

fn old(path: &Path) -> redb2::Database {
    let database = redb2::Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    tables!(redb2, txn);
    txn.commit().unwrap();
    database
}

fn version(path: &Path) -> [u8; 2] {
    let bytes = fs::read(path).unwrap();
    [bytes[64], bytes[192]]
}

/// What must not change of a file that is only read.
fn state(path: &Path) -> (Vec<u8>, SystemTime) {
    (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap())
}

type Nested<'a> = (&'a str, (u8, &'a str), u64);

type Whole = Vec<(Table, Vec<(Vec<u8>, Vec<u8>)>)>;

fn whole(store: &dyn Store) -> Whole {
    let tables = store.tables().unwrap();
    tables
        .into_iter()
        .map(|table| {
            let entries = scan(store, &table.name);
            (table, entries)
        })
        .collect()
}

/// Without what is only about right.
fn exact(whole: Whole) -> Whole {
    whole.into_iter().map(|(table, entries)| (Table { bytes_about: 0, ..table }, entries)).collect()
}

#[test]
fn it_is_read_as_redb_upgrades_it_and_comes_back_as_a_database_of_today() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    drop(old(&at("old.redb")));
    assert_eq!(version(&at("old.redb")), [2, 2]);
    fs::copy(at("old.redb"), at("upgraded.redb")).unwrap();
    assert!(redb2::Database::open(at("upgraded.redb")).unwrap().upgrade().unwrap());
    assert_eq!(version(&at("upgraded.redb")), [3, 3]);
    {
        let today = redb::Database::create(at("today.redb")).unwrap();
        let txn = today.begin_write().unwrap();
        tables!(redb, txn);
        txn.commit().unwrap();
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(at("old.redb")).unwrap().set_modified(long_ago).unwrap();
    let before = state(&at("old.redb"));

    let store = RedbStore::open(&at("old.redb")).unwrap();
    let read = exact(whole(&store));
    let upgraded = exact(whole(&RedbStore::open(&at("upgraded.redb")).unwrap()));
    let today = exact(whole(&RedbStore::open(&at("today.redb")).unwrap()));
    assert_eq!([read.len(), upgraded.len(), today.len()], [22; 3]);
    for ((mine, upgraded), today) in read.iter().zip(&upgraded).zip(&today) {
        let name = mine.0.name.as_str();
        assert_eq!(mine == upgraded, !RECODED.contains(&name), "{name}");
        // The entries are those of redb 4, and so are the types where they are spelled alike: then the roots are the same.
        assert_eq!((name, &mine.1), (today.0.name.as_str(), &today.1));
        assert_eq!(mine == today, SAME.contains(&name), "{name}: {:?} {:?}", mine.0, today.0);
    }
    assert!(store.split("bytes", 8).unwrap().len() > 1);
    assert!(store.stamp("bytes").unwrap().is_none());
    let notes = store.notes().unwrap();
    assert!(notes.iter().any(|(name, how)| name == "opened" && how.contains("file format 2")), "{notes:?}");
    assert!(
        notes.iter().any(|(name, what)| name == "left-behind" && what.contains("savepoints")),
        "{notes:?}"
    );

    copy(&store, &at("restored.redb"), 1 << 16).unwrap();
    drop(store);
    assert!(state(&at("old.redb")) == before, "the file was written to");
    let mut restored =
        redb::Builder::new().set_check_integrity_on_open(true).open(at("restored.redb")).unwrap();
    assert!(restored.check_integrity().unwrap());
    let txn = restored.begin_read().unwrap();
    let fixed = txn.open_table(TableDefinition::<(u32, i8), [u16; 2]>::new("fixed")).unwrap();
    assert_eq!(fixed.get((1999, -1)).unwrap().unwrap().value(), [1999, 2]);
    let option = txn.open_table(TableDefinition::<Option<u32>, Option<&str>>::new("option")).unwrap();
    assert_eq!(option.get(None).unwrap().unwrap().value(), Some("x"));
    let vec = txn.open_table(TableDefinition::<String, Vec<u32>>::new("string vec")).unwrap();
    assert_eq!(vec.get("key".to_owned()).unwrap().unwrap().value(), [1, 2]);
    let wide = txn.open_table(TableDefinition::<u128, i128>::new("u128 i128")).unwrap();
    assert_eq!(wide.get(1500 << 90).unwrap().unwrap().value(), -1500);
    let multi = txn.open_multimap_table(redb::MultimapTableDefinition::<&str, u64>::new("multi")).unwrap();
    assert_eq!(multi.len().unwrap(), 2000);
    assert_eq!(
        multi.get("other").unwrap().map(|value| value.unwrap().value()).collect::<Vec<_>>(),
        [0, 700, 1400]
    );
    let tuples = txn.open_table(TableDefinition::<(u32, &str), ()>::new("tuples")).unwrap();
    assert!(tuples.get((6, "1000")).unwrap().is_some() && tuples.get((5, "1000")).unwrap().is_none());
    let nested = txn.open_table(TableDefinition::<Nested, Option<(u8, &str)>>::new("nested")).unwrap();
    for i in ROWS {
        let long = "x".repeat(i as usize % 400);
        let value = nested.get((long.as_str(), (i as u8, ""), i)).unwrap().unwrap();
        assert_eq!(value.value(), (i % 3 > 0).then_some((i as u8, long.as_str())));
    }
    let vec = txn.open_table(TableDefinition::<u8, Vec<(&str, u16)>>::new("in a vec")).unwrap();
    assert_eq!(vec.get(1).unwrap().unwrap().value(), [("a", 1), ("", 2)]);
    let one = txn.open_table(TableDefinition::<(&str,), u8>::new("one")).unwrap();
    assert_eq!(one.get(("a",)).unwrap().unwrap().value(), 1);
    let multi = redb::MultimapTableDefinition::<(&str, u8), (u16, String)>::new("multi tuples");
    assert_eq!(txn.open_multimap_table(multi).unwrap().get(("a", 7)).unwrap().count(), 1000);
}

#[test]
fn what_was_not_closed_cleanly_is_repaired_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (path, killed) = (dir.path().join("old.redb"), dir.path().join("killed.redb"));
    let database = old(&path);
    let txn = database.begin_write().unwrap();
    txn.open_table(redb2::TableDefinition::<u8, i8>::new("u8 i8")).unwrap().remove(9).unwrap();
    // The copy is what a killed process leaves: the last commit, and marks that nobody took away.
    txn.commit().unwrap();
    let mut lost = database.begin_write().unwrap();
    lost.set_durability(redb2::Durability::None);
    lost.open_table(redb2::TableDefinition::<u8, i8>::new("u8 i8")).unwrap().remove(10).unwrap();
    lost.commit().unwrap();
    fs::copy(&path, &killed).unwrap();
    drop(database);
    let before = state(&killed);
    {
        let store = RedbStore::open(&killed).unwrap();
        let notes = store.notes().unwrap();
        assert!(notes.iter().any(|(_, how)| how.contains("repair")), "{notes:?}");
        let entries = scan(&store, "u8 i8");
        assert_eq!(entries.len(), 255);
        assert!(entries.iter().all(|(key, _)| key[..] != [9]));
        assert_eq!(scan(&store, "bytes").len(), 2000);
    }
    assert!(state(&killed) == before, "the file was written to");
}

#[test]
fn savepoints_stay_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.redb");
    let database = old(&path);
    let txn = database.begin_write().unwrap();
    txn.persistent_savepoint().unwrap();
    txn.commit().unwrap();
    for round in 0..5u64 {
        let txn = database.begin_write().unwrap();
        let mut table = txn.open_table(redb2::TableDefinition::<&[u8], &[u8]>::new("bytes")).unwrap();
        for i in ROWS {
            table.insert(&i.to_be_bytes()[..], &[round as u8; 500][..]).unwrap();
        }
        drop(table);
        txn.commit().unwrap();
    }
    drop(database);
    let before = state(&path);
    let store = RedbStore::open(&path).unwrap();
    assert!(scan(&store, "bytes").iter().all(|(_, value)| value[..] == [4; 500]));
    copy(&store, &dir.path().join("restored.redb"), 1 << 16).unwrap();
    drop(store);
    assert!(state(&path) == before, "the file was written to");
    // The application's savepoint is still there.
    let database = redb2::Database::open(&path).unwrap();
    assert_eq!(database.begin_write().unwrap().list_persistent_savepoints().unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_database_that_is_open_is_busy_and_one_that_is_read_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.redb");
    let open = old(&path);
    let error = RedbStore::open(&path).err().unwrap();
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.message.contains("open in another process"), "{error}");
    drop(open);
    let store = RedbStore::open(&path).unwrap();
    assert!(matches!(redb2::Database::open(&path), Err(redb2::DatabaseError::DatabaseAlreadyOpen)));
    let entries = store.scan("bytes", None, None).unwrap();
    drop(store);
    // The scan still reads.
    assert!(matches!(redb2::Database::open(&path), Err(redb2::DatabaseError::DatabaseAlreadyOpen)));
    drain(entries, 1 << 20).unwrap();
    redb2::Database::open(&path).unwrap();
}

#[test]
fn formats_that_nobody_reads_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.redb");
    drop(old(&path));
    let bytes = fs::read(&path).unwrap();
    let with = |version: u8| -> Error {
        let mut bytes = bytes.clone();
        (bytes[64], bytes[192]) = (version, version);
        fs::write(&path, &bytes).unwrap();
        RedbStore::open(&path).err().unwrap()
    };
    for (version, says) in [(1, "file format 1"), (4, "file format 4"), (200, "file format 200")] {
        let error = with(version);
        assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.redb");
    drop(old(&path));
    let bytes = fs::read(&path).unwrap();
    for seed in 0..60 {
        let mut damaged = bytes.clone();
        for i in 0..40 {
            let at = common::mix(seed * 100 + i) as usize % if seed % 3 == 0 { 4096 } else { damaged.len() };
            damaged[at] ^= 1 << (i % 8);
        }
        if seed % 10 == 9 {
            damaged.truncate(damaged.len() / 2);
        }
        // The magic number and the format stay.
        damaged[..9].copy_from_slice(&bytes[..9]);
        (damaged[64], damaged[192]) = (2, 2);
        fs::write(&path, &damaged).unwrap();
        if let Ok(store) = RedbStore::open(&path) {
            for table in store.tables().unwrap_or_default() {
                let _ = store.scan(&table.name, None, None).and_then(|entries| drain(entries, 1 << 20));
            }
        }
        assert!(fs::read(&path).unwrap() == damaged, "the file was written to");
    }
}

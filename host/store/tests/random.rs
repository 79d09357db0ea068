//! Any contents in any mixture of types come back.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Backwards, Borrowed, Seven, copy, drain, scan};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use redb::{Database, Key, MultimapTableDefinition, TableDefinition, Value, WriteTransaction};
use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Makes a key or a value of a type out of any bytes.
trait Make: Value {
    fn make(bytes: &[u8]) -> Vec<u8>;
}

macro_rules! makes {
    ($($stored:ty: |$bytes:ident| $value:expr;)*) => {
        $(impl Make for $stored {
            fn make($bytes: &[u8]) -> Vec<u8> {
                let value = $value;
                let encoded = <$stored as Value>::as_bytes(&value);
                let encoded: &[u8] = encoded.as_ref();
                encoded.to_vec()
            }
        })*
    };
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(*byte)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

makes! {
    u8: |b| number(b) as u8;
    i64: |b| number(b) as i64;
    u128: |b| u128::from(number(b)) << 50;
    bool: |b| b.len() % 2 == 1;
    &'static [u8]: |b| b;
    String: |b| text(b);
    (u32, String): |b| (number(b) as u32 % 9, text(b));
    (String, Backwards, u8): |b| (text(&b[..b.len() / 2]), Backwards(b.to_vec()), 1);
    Option<String>: |b| (!b.is_empty()).then(|| text(b));
    [u16; 3]: |b| [b.len() as u16, number(b) as u16, 7];
    Backwards: |b| Backwards(b.to_vec());
    Seven: |b| Seven(number(b).to_le_bytes()[..7].try_into().unwrap());
    Borrowed: |b| Borrowed(number(b) as u32);
}

type Fill = fn(&WriteTransaction, &str, &Entries);

fn plain<K: Key + Make + 'static, V: Make + 'static>(txn: &WriteTransaction, name: &str, entries: &Entries) {
    let mut table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    for (key, value) in entries {
        let (key, value) = (K::make(key), V::make(value));
        table.insert(K::from_bytes(&key), V::from_bytes(&value)).unwrap();
    }
}

fn multi<K: Key + Make + 'static, V: Key + Make + 'static>(
    txn: &WriteTransaction,
    name: &str,
    entries: &Entries,
) {
    let mut table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(name)).unwrap();
    for (key, value) in entries {
        let (key, value) = (K::make(&key[..key.len() / 8]), V::make(value));
        table.insert(K::from_bytes(&key), V::from_bytes(&value)).unwrap();
    }
}

macro_rules! all_pairs {
    ($keys:tt) => { all_pairs!(@keys $keys $keys) };
    (@keys [$($key:ty),*] $values:tt) => { [$(all_pairs!(@values $key, $values)),*].concat() };
    (@values $key:ty, [$($value:ty),*]) => {
        vec![$(plain::<$key, $value> as Fill, multi::<$key, $value> as Fill),*]
    };
}

fn fills() -> Vec<Fill> {
    all_pairs!([i64, &'static [u8], (u32, String), Option<String>, Backwards, Seven])
        .into_iter()
        .chain([
            plain::<u8, [u16; 3]> as Fill,
            plain::<u128, bool>,
            plain::<(String, Backwards, u8), Borrowed>,
            multi::<Borrowed, u8>,
            multi::<bool, (String, Backwards, u8)>,
            plain::<[u16; 3], u128>,
        ])
        .collect()
}

fn contents() -> impl Strategy<Value = Entries> {
    let bytes = prop_oneof![4 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 0..3000)];
    vec((bytes.clone(), bytes), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_database_comes_back(
        tables in btree_map("[a-z/é ]{1,12}", (any::<prop::sample::Index>(), contents()), 0..8),
        max in 1usize..100_000,
        parts in 1u32..12,
    ) {
        let fills = fills();
        let dir = tempfile::tempdir().unwrap();
        let database = Database::create(dir.path().join("a.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        for (name, (fill, entries)) in &tables {
            fill.get(&fills)(&txn, name, entries);
        }
        txn.commit().unwrap();
        let store = RedbStore::live(&database).unwrap();
        let restored = dir.path().join("restored.redb");
        copy(&store, &restored, max).unwrap();
        let again = RedbStore::open(&restored).unwrap();
        prop_assert_eq!(store.template().unwrap(), again.template().unwrap());
        let (before, after) = (store.tables().unwrap(), again.tables().unwrap());
        prop_assert_eq!(before.len(), tables.len());
        for (table, other) in before.iter().zip(&after) {
            prop_assert_eq!(&table.identity, &other.identity);
            let entries = scan(&store, &table.name);
            prop_assert_eq!(&entries, &scan(&again, &table.name));
            prop_assert_eq!(entries.len() as u64, table.entries);
            let marks = again.split(&table.name, parts).unwrap();
            let mut sum = Vec::new();
            for part in 0..=marks.len() {
                let from = part.checked_sub(1).map(|part| &marks[part][..]);
                let to = marks.get(part).map(|mark| &mark[..]);
                sum.extend(drain(again.scan(&table.name, from, to).unwrap(), max).unwrap());
            }
            prop_assert!(sum == drain(again.scan(&table.name, None, None).unwrap(), max).unwrap());
        }
        drop(again);
        // As its application sees it: the same entries again are all there already.
        let mut restored = Database::open(&restored).unwrap();
        let txn = restored.begin_write().unwrap();
        for (name, (fill, entries)) in &tables {
            fill.get(&fills)(&txn, name, entries);
        }
        txn.commit().unwrap();
        prop_assert!(restored.check_integrity().unwrap());
        let last = RedbStore::live(&restored).unwrap();
        for table in &before {
            prop_assert_eq!(scan(&store, &table.name), scan(&last, &table.name));
        }
    }
}

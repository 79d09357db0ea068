//! What the tests of stores and sinks share.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod edits;
pub mod make;

use redb::{Database, Key, MultimapTableDefinition, TableDefinition, TypeName, Value};
use redb::{ReadTransaction, ReadableDatabase, ReadableMultimapTable, ReadableTable, WriteTransaction};
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{self, AtomicUsize};
use strongroom_store::redb::RedbSink;
use strongroom_store::{Entries, Sink, Store, frame};

/// Entries as stored bytes.
pub type Dump = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads all of a scan in pieces of `max`, and checks that no piece is larger.
pub fn drain(mut entries: Box<dyn Entries>, max: usize) -> strongroom_store::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let before = all.len();
        entries.read(max, &mut all)?;
        assert!(all.len() - before <= max);
        if all.len() == before {
            return Ok(all);
        }
    }
}

pub fn unpack(bytes: &[u8]) -> Dump {
    let mut dump = Dump::new();
    let mut decoder = frame::Decoder::new();
    decoder
        .decode(bytes, |key, value| {
            dump.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
    decoder.finish().unwrap();
    dump
}

pub fn scan(store: &dyn Store, table: &str) -> Dump {
    unpack(&drain(store.scan(table, None, None).unwrap(), 1 << 20).unwrap())
}

/// Restores all of a store, in pieces of `max`.
pub fn copy(store: &dyn Store, target: &Path, max: usize) -> strongroom_store::Result<()> {
    // A sink with a thread, and one without, in turn.
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let sink = RedbSink::new(target, false)?;
    let threads = COPIES.fetch_add(1, atomic::Ordering::Relaxed).is_multiple_of(2);
    let mut sink = if threads { sink } else { sink.on_this_thread() };
    sink.create(&store.template()?)?;
    for table in store.tables()? {
        sink.table(&table)?;
        let mut entries = store.scan(&table.name, None, None)?;
        let mut piece = Vec::new();
        loop {
            piece.clear();
            entries.read(max, &mut piece)?;
            if piece.is_empty() {
                break;
            }
            sink.append(&piece)?;
        }
        assert_eq!(sink.finish_table()?, table.entries, "{}", table.name);
    }
    sink.finish()?;
    Box::new(sink).publish()
}

/// Well-mixed numbers.
pub fn mix(i: usize) -> u64 {
    (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// A table as its application knows it.
pub trait Shape {
    fn name(&self) -> &'static str;
    fn multimap(&self) -> bool;
    fn fill(&self, txn: &WriteTransaction, from: usize);
    fn dump(&self, txn: &ReadTransaction) -> Dump;
    /// Looks every key up, and says how many pairs that found.
    fn get_all(&self, txn: &ReadTransaction) -> usize;
}

pub struct Plain<K: Key + 'static, V: Value + 'static> {
    pub name: &'static str,
    pub fill: fn(&WriteTransaction, TableDefinition<'static, K, V>, usize),
    pub types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key + 'static, V: Value + 'static> Shape for Plain<K, V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn multimap(&self) -> bool {
        false
    }

    fn fill(&self, txn: &WriteTransaction, from: usize) {
        (self.fill)(txn, TableDefinition::new(self.name), from);
    }

    fn dump(&self, txn: &ReadTransaction) -> Dump {
        let table = txn.open_table(TableDefinition::<K, V>::new(self.name)).unwrap();
        let pair = |entry: Result<(redb::AccessGuard<'_, K>, redb::AccessGuard<'_, V>), _>| {
            let (key, value) = entry.unwrap();
            (K::as_bytes(&key.value()).as_ref().to_vec(), V::as_bytes(&value.value()).as_ref().to_vec())
        };
        table.iter().unwrap().map(pair).collect()
    }

    fn get_all(&self, txn: &ReadTransaction) -> usize {
        let table = txn.open_table(TableDefinition::<K, V>::new(self.name)).unwrap();
        let mut found = 0;
        for entry in table.iter().unwrap() {
            let (key, value) = entry.unwrap();
            let got = table.get(key.value()).unwrap().expect("every key is found by get");
            assert_eq!(V::as_bytes(&got.value()).as_ref(), V::as_bytes(&value.value()).as_ref());
            found += 1;
        }
        found
    }
}

pub struct Multi<K: Key + 'static, V: Key + 'static> {
    pub name: &'static str,
    pub fill: fn(&WriteTransaction, MultimapTableDefinition<'static, K, V>, usize),
    pub types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key + 'static, V: Key + 'static> Shape for Multi<K, V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn multimap(&self) -> bool {
        true
    }

    fn fill(&self, txn: &WriteTransaction, from: usize) {
        (self.fill)(txn, MultimapTableDefinition::new(self.name), from);
    }

    fn dump(&self, txn: &ReadTransaction) -> Dump {
        let table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(self.name)).unwrap();
        let mut dump = Dump::new();
        for entry in table.iter().unwrap() {
            let (key, values) = entry.unwrap();
            for value in values {
                let value = value.unwrap();
                dump.push((
                    K::as_bytes(&key.value()).as_ref().to_vec(),
                    V::as_bytes(&value.value()).as_ref().to_vec(),
                ));
            }
        }
        dump
    }

    fn get_all(&self, txn: &ReadTransaction) -> usize {
        let table = txn.open_multimap_table(MultimapTableDefinition::<K, V>::new(self.name)).unwrap();
        let mut found = 0;
        for entry in table.iter().unwrap() {
            let (key, values) = entry.unwrap();
            let bytes = |value: Result<redb::AccessGuard<'_, V>, _>| {
                V::as_bytes(&value.unwrap().value()).as_ref().to_vec()
            };
            let stored: Vec<Vec<u8>> = values.map(bytes).collect();
            let got: Vec<Vec<u8>> = table.get(key.value()).unwrap().map(bytes).collect();
            assert_eq!(stored, got);
            found += got.len();
        }
        found
    }
}

/// A user's key: longer ones first, then in reverse.
#[derive(Debug, Clone, PartialEq)]
pub struct Backwards(pub Vec<u8>);

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

/// A user's type of seven bytes, ordered by the middle one first, downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seven(pub [u8; 7]);

impl Seven {
    pub fn of(i: usize) -> Self {
        Self(mix(i).to_le_bytes()[..7].try_into().unwrap())
    }
}

impl Value for Seven {
    type SelfType<'a> = Seven;
    type AsBytes<'a> = [u8; 7];

    fn fixed_width() -> Option<usize> {
        Some(7)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> Seven
    where
        Self: 'a,
    {
        Seven(data.try_into().unwrap())
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Seven) -> [u8; 7] {
        value.0
    }

    fn type_name() -> TypeName {
        TypeName::new("app::Seven")
    }
}

impl Key for Seven {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        (b[3], a).cmp(&(a[3], b))
    }
}

/// A user's type that borrowed the name of a built-in one, and orders downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Borrowed(pub u32);

impl Value for Borrowed {
    type SelfType<'a> = Borrowed;
    type AsBytes<'a> = [u8; 4];

    fn fixed_width() -> Option<usize> {
        Some(4)
    }

    fn from_bytes<'a>(data: &'a [u8]) -> Borrowed
    where
        Self: 'a,
    {
        Borrowed(u32::from_le_bytes(data.try_into().unwrap()))
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a Borrowed) -> [u8; 4] {
        value.0.to_le_bytes()
    }

    fn type_name() -> TypeName {
        TypeName::new("u32")
    }
}

impl Key for Borrowed {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        Self::from_bytes(b).0.cmp(&Self::from_bytes(a).0)
    }
}

pub fn filled(path: &Path, shapes: &[Box<dyn Shape>]) -> Database {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    for shape in shapes {
        shape.fill(&txn, 0);
    }
    txn.commit().unwrap();
    database
}

/// Checks that a restored database is to its application what the original is.
pub fn assert_same(original: &Database, restored: &Path, shapes: &[Box<dyn Shape>]) {
    let mut database = redb::Builder::new().set_check_integrity_on_open(true).open(restored).unwrap();
    {
        let (a, b) = (original.begin_read().unwrap(), database.begin_read().unwrap());
        for shape in shapes {
            let dump = shape.dump(&a);
            assert_eq!(dump, shape.dump(&b), "{}", shape.name());
            assert_eq!(shape.get_all(&b), dump.len(), "{}", shape.name());
        }
    }
    // The application goes on with both.
    for database in [original, &database] {
        let txn = database.begin_write().unwrap();
        for shape in shapes {
            shape.fill(&txn, 1_000_000);
        }
        txn.commit().unwrap();
    }
    assert!(database.check_integrity().unwrap());
    let (a, b) = (original.begin_read().unwrap(), database.begin_read().unwrap());
    for shape in shapes {
        assert_eq!(shape.dump(&a), shape.dump(&b), "{} after more writes", shape.name());
    }
}

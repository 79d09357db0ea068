//! Whatever happens to a database of any types, what the store tells is what a scan finds.
#![allow(clippy::unwrap_used)]

mod common;

use common::edits::{Kept, keep, tells};
use common::make::{Entries, Fill, Make, multi, plain, unmulti, unplain};
use common::{Backwards, Seven, mix};
use proptest::prelude::*;
use redb::{Database, Durability, MultimapTableHandle, Savepoint, TableHandle, WriteTransaction};
use std::collections::BTreeMap;
use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

/// Tables of one kind: what fills them, and what takes entries out again.
type Kind = (Fill, Fill);

fn kinds() -> Vec<Kind> {
    fn p<K: redb::Key + Make + 'static, V: Make + 'static>() -> Kind {
        (plain::<K, V>, unplain::<K, V>)
    }
    fn m<K: redb::Key + Make + 'static, V: redb::Key + Make + 'static>() -> Kind {
        (multi::<K, V>, unmulti::<K, V>)
    }
    vec![
        p::<&'static [u8], &'static [u8]>(),
        p::<i64, Seven>(),
        p::<Backwards, String>(),
        p::<u128, [u16; 3]>(),
        m::<&'static [u8], &'static [u8]>(),
        m::<bool, u128>(),
        m::<i64, Seven>(),
        m::<u8, &'static [u8]>(),
        m::<Backwards, Backwards>(),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many entries of one of some sets, each of which is a stretch of its own.
    Insert(usize),
    Remove(usize),
    Large(usize),
    Drop,
    Rename(usize),
    Compact,
    Savepoint,
    Restore,
    Nothing,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..30usize).prop_map(Step::Insert),
        4 => (500..3000usize).prop_map(Step::Insert),
        3 => (1..30usize).prop_map(Step::Remove),
        3 => (500..3000usize).prop_map(Step::Remove),
        1 => (5_000..3_000_000usize).prop_map(Step::Large),
        1 => Just(Step::Drop),
        1 => (0..4usize).prop_map(Step::Rename),
        1 => Just(Step::Compact),
        1 => Just(Step::Savepoint),
        1 => Just(Step::Restore),
        1 => Just(Step::Nothing),
    ]
}

/// How a step is committed, and then looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Plainly,
    InMemory,
    TwoPhase,
    QuickRepair,
    Reopened,
}

fn set(set: usize, n: usize) -> Entries {
    let from = set * 10_000;
    let entry = |i: usize| {
        let (a, b) = (mix(i), mix(i + 1_000_000));
        let mut key = vec![set as u8];
        key.extend_from_slice(&a.to_be_bytes()[..(a % 7) as usize + 2]);
        // Keys of a multimap are the eighth part of this.
        key.resize(key.len() + (b % 30) as usize, b as u8);
        (key, b.to_le_bytes().repeat((b >> 20) as usize % 12))
    };
    (from..from + n).map(entry).collect()
}

struct World {
    database: Option<Database>,
    path: std::path::PathBuf,
    kinds: Vec<Kind>,
    /// Which kind each table is of.
    tables: BTreeMap<String, usize>,
    savepoint: Option<(Savepoint, BTreeMap<String, usize>)>,
    kept: BTreeMap<String, Vec<Kept>>,
}

impl World {
    fn txn(&self, how: How) -> WriteTransaction {
        let mut txn = self.database.as_ref().unwrap().begin_write().unwrap();
        match how {
            How::InMemory => txn.set_durability(Durability::None).unwrap(),
            How::TwoPhase => txn.set_two_phase_commit(true),
            How::QuickRepair => txn.set_quick_repair(true),
            How::Plainly | How::Reopened => {}
        }
        txn
    }

    fn apply(&mut self, step: Step, how: How, seed: usize) {
        let name = format!("table {}", seed % 4);
        let mut txn = self.txn(how);
        match step {
            Step::Insert(n) => {
                let kind = *self.tables.entry(name.clone()).or_insert(seed / 4 % self.kinds.len());
                self.kinds[kind].0(&txn, &name, &set(seed % 5, n));
            }
            Step::Remove(n) => {
                if let Some(kind) = self.tables.get(&name) {
                    self.kinds[*kind].1(&txn, &name, &set(seed % 5, n));
                }
            }
            Step::Large(len) => {
                let kind = *self.tables.entry(name.clone()).or_insert(seed / 4 % self.kinds.len());
                let bytes = mix(seed).to_le_bytes().repeat(len / 8);
                self.kinds[kind].0(&txn, &name, &vec![(b"large key".to_vec(), bytes)]);
            }
            Step::Drop => {
                for table in txn.list_tables().unwrap().filter(|table| table.name() == name) {
                    txn.delete_table(table).unwrap();
                }
                for table in txn.list_multimap_tables().unwrap().filter(|table| table.name() == name) {
                    txn.delete_multimap_table(table).unwrap();
                }
                self.tables.remove(&name);
            }
            Step::Rename(to) => {
                let to = format!("table {to}");
                if !self.tables.contains_key(&to) {
                    for table in txn.list_tables().unwrap().filter(|table| table.name() == name) {
                        let new = redb::TableDefinition::<u8, u8>::new(&to);
                        txn.rename_table(table, new).unwrap();
                    }
                    for table in txn.list_multimap_tables().unwrap().filter(|table| table.name() == name) {
                        let new = redb::MultimapTableDefinition::<u8, u8>::new(&to);
                        txn.rename_multimap_table(table, new).unwrap();
                    }
                    if let Some(kind) = self.tables.remove(&name) {
                        self.tables.insert(to, kind);
                    }
                }
            }
            Step::Compact => {
                txn.abort().unwrap();
                self.savepoint = None;
                self.database.as_mut().unwrap().compact().unwrap();
                return;
            }
            Step::Savepoint => {
                self.savepoint = Some((txn.ephemeral_savepoint().unwrap(), self.tables.clone()));
            }
            Step::Restore => {
                if let Some((savepoint, tables)) = &self.savepoint {
                    txn.restore_savepoint(savepoint).unwrap();
                    self.tables = tables.clone();
                }
            }
            Step::Nothing => {}
        }
        txn.commit().unwrap();
    }

    fn look(&mut self, how: How, piece: usize, max: usize) {
        let store = if how == How::Reopened {
            (self.savepoint, self.database) = (None, None);
            RedbStore::open(&self.path).unwrap()
        } else {
            RedbStore::live_with_file(self.database.as_ref().unwrap(), &self.path).unwrap()
        };
        let tables = store.tables().unwrap();
        assert_eq!(tables.len(), self.tables.len());
        for table in tables {
            let now = keep(&store, &table.name).unwrap().expect("the store can tell");
            assert_eq!(now.entries.len() as u64, table.entries);
            let kept = self.kept.entry(table.name.clone()).or_default();
            for old in kept.iter() {
                let like = old.stamp[26..] == now.stamp[26..];
                assert_eq!(tells(&store, &table.name, old, &now, piece, max).is_some(), like);
                assert!(old.stamp != now.stamp || old.entries == now.entries);
            }
            kept.push(now);
            if kept.len() > 3 {
                kept.remove(0);
            }
        }
        drop(store);
        if self.database.is_none() {
            self.database = Some(Database::open(&self.path).unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_tells_what_a_scan_finds(
        steps in prop::collection::vec((step(), 0..5usize, 0..180usize), 1..30),
        piece in 1usize..20_000,
        max in 1usize..50_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let mut world = World {
            database: Some(Database::create(&path).unwrap()),
            path,
            kinds: kinds(),
            tables: BTreeMap::new(),
            savepoint: None,
            kept: BTreeMap::new(),
        };
        for (step, how, seed) in steps {
            let how = [How::Plainly, How::InMemory, How::TwoPhase, How::QuickRepair, How::Reopened][how];
            world.apply(step, how, seed);
            world.look(how, piece, max);
        }
    }
}

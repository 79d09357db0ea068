//! What changed is what a scan would find.
#![allow(clippy::unwrap_used)]

mod common;

use common::edits::{Kept, apply, both, keep, tells};
use common::{mix, scan};
use redb::{Database, Durability, TableDefinition};
use std::path::Path;
use strongroom_store::redb::RedbStore;
use strongroom_store::{ErrorCode, Store};

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;
const TABLE: Bytes = Bytes::new("table");

fn key(i: usize) -> [u8; 32] {
    let mut key = [0; 32];
    (0..4).for_each(|part| key[part * 8..][..8].copy_from_slice(&mix(i * 4 + part).to_be_bytes()));
    key
}

fn write(database: &Database, rows: impl Iterator<Item = usize>, byte: u8) {
    let txn = database.begin_write().unwrap();
    {
        let mut table = txn.open_table(TABLE).unwrap();
        for i in rows {
            table.insert(&key(i)[..], &[byte; 200][..]).unwrap();
        }
    }
    txn.commit().unwrap();
}

fn all(store: &dyn Store) -> Kept {
    keep(store, "table").unwrap().expect("the store can tell")
}

#[test]
fn one_row_of_many_is_told_by_few_edits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    write(&database, 0..20_000, 1);
    let before = all(&RedbStore::live_with_file(&database, &path).unwrap());
    write(&database, 77..78, 2);
    let store = RedbStore::live_with_file(&database, &path).unwrap();
    let now = all(&store);
    assert_ne!(before.stamp, now.stamp);
    let edits = tells(&store, "table", &before, &now, 100, 1000).expect("the store can tell");
    assert!(edits.len() < 60_000, "{} bytes of edits", edits.len());
    let same = tells(&store, "table", &now, &now, 1 << 20, 1 << 20).expect("the store can tell");
    assert_eq!(same.len(), 9);
}

#[test]
fn the_baseline_is_at_most_a_thousandth_of_the_data() {
    for sorted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let database = Database::create(&path).unwrap();
        let rows = 100_000;
        let mut order: Vec<usize> = (0..rows).collect();
        if sorted {
            order.sort_by_key(|i| key(*i));
        }
        write(&database, order.into_iter(), 1);
        let kept = all(&RedbStore::live_with_file(&database, &path).unwrap());
        let share = kept.baseline.len() as f64 / (rows * 232) as f64;
        println!("sorted {sorted}: {:.3} %", share * 100.0);
        assert!(share <= 0.001, "{:.3} %", share * 100.0);
    }
}

//! Any contents in any mixture of types come back.
#![allow(clippy::unwrap_used)]

mod common;

use common::make::{Entries, fills};
use common::{copy, drain, scan};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use redb::Database;
use strongroom_store::Store;
use strongroom_store::redb::RedbStore;

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

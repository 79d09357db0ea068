//! What a store holds can be told without storing it; and a store that keeps entries back is found out.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};
use strongroom_engine::{Bytes, Code, Result, Silent, Store, Table, digest};

use crate::common::{Entries, backup, files, job, plain, try_backup};

fn rows(count: u32) -> Entries {
    (0..count).map(|i| (i.to_be_bytes().to_vec(), vec![i as u8; 100])).collect()
}

fn two_tables() -> ModelStore {
    ModelStore::new([("kept", plain(rows(5000))), ("other", plain(rows(300)))])
}

#[test]
fn the_digest_of_some_tables_is_that_of_a_store_which_has_no_others() {
    let only = digest(&two_tables(), Some(&["kept".to_owned(), "gone".to_owned()]), &Silent).unwrap();
    let alone = digest(&ModelStore::new([("kept", plain(rows(5000)))]), None, &Silent).unwrap();
    assert_eq!(only, alone);
    assert_ne!(digest(&two_tables(), None, &Silent).unwrap().id, only.id);
}

#[test]
fn a_snapshot_has_the_digest_of_its_store_also_as_a_store() {
    let vault = MemoryVault::default();
    let snapshot = backup(&vault, &two_tables(), "a", 3);
    let opened = strongroom_engine::open(&vault, "a").unwrap();
    let digest = digest(&opened, None, &Silent).unwrap();
    assert_eq!(digest.id, snapshot.id);
    assert_eq!(digest.tables, opened.tables());
}

#[test]
fn an_empty_store_has_one_too() {
    let vault = MemoryVault::default();
    for store in [ModelStore::new([]), ModelStore::new([("empty", ModelTable::default())])] {
        let name = format!("of-{}", store.tables.len());
        assert_eq!(digest(&store, None, &Silent).unwrap().id, backup(&vault, &store, &name, 1).id);
    }
}

/// A store whose scans end before the last entries of a table.
struct Short(ModelStore);

impl Store for Short {
    fn tables(&self) -> Result<Vec<Table>> {
        let mut tables = self.0.tables()?;
        tables[1].entries += 7;
        Ok(tables)
    }
    fn template(&self) -> Result<Box<dyn Bytes + '_>> {
        self.0.template()
    }
    fn notes(&self) -> Result<Vec<(String, String)>> {
        self.0.notes()
    }
    fn position(&self, at: &str) -> Result<u64> {
        self.0.position(at)
    }
    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        self.0.split(table, parts)
    }
    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Bytes + '_>> {
        self.0.scan(table, from, to)
    }
}

#[test]
fn a_scan_that_ends_too_early_makes_no_snapshot() {
    let vault = MemoryVault::default();
    let store = Short(two_tables());
    for parts in [1, 3] {
        let e = try_backup(&vault, &store, &job("a", parts)).unwrap_err();
        assert_eq!(e.code, Code::Io);
        assert!(
            e.message.contains("\"other\"") && e.message.contains("300") && e.message.contains("307"),
            "{e:?}"
        );
        assert!(files(&vault, "snapshots").iter().all(|name| name.contains("tmp-")));
    }
    assert_eq!(digest(&store, None, &Silent).unwrap_err().code, Code::Io);
}

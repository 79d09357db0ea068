//! What a backup looks at does not grow with the repository, and the parent is the right one all the same.

use std::cell::RefCell;
use std::collections::BTreeMap;

use strongroom_engine::testing::{MemoryVault, Tells};
use strongroom_engine::{Job, Result, Snapshot, Vault, VaultFile};

use crate::common::{Random, assert_holds, forget, job, one_table, try_backup};

/// Counts what is read, by folder: files that are opened, and bytes.
#[derive(Default)]
struct Counting {
    vault: MemoryVault,
    read: std::rc::Rc<RefCell<BTreeMap<String, (u64, u64)>>>,
}

struct File {
    file: Box<dyn VaultFile>,
    folder: String,
    read: std::rc::Rc<RefCell<BTreeMap<String, (u64, u64)>>>,
}

impl Counting {
    /// Since it was last asked.
    fn take(&self) -> BTreeMap<String, (u64, u64)> {
        self.read.take()
    }
}

impl Vault for Counting {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.vault.create(path)
    }
    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        let folder = path.split('/').next().unwrap_or_default().to_owned();
        let file = self.vault.open(path)?;
        self.read.borrow_mut().entry(folder.clone()).or_default().0 += 1;
        Ok(Box::new(File { file, folder, read: self.read.clone() }))
    }
    fn len(&self, path: &str) -> Result<u64> {
        self.vault.len(path)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.vault.rename(from, to)
    }
    fn remove(&self, path: &str) -> Result<()> {
        self.vault.remove(path)
    }
    fn make_dir(&self, path: &str) -> Result<()> {
        self.vault.make_dir(path)
    }
    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.vault.list(dir)
    }
    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.vault.sync_dir(dir)
    }
}

impl VaultFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let bytes = self.file.read_at(offset, len)?;
        self.read.borrow_mut().entry(self.folder.clone()).or_default().1 += bytes.len() as u64;
        Ok(bytes)
    }
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

/// After so many snapshots of so many rows: what one more, of one changed row, reads of each folder.
fn cost(rows: u32, snapshots: u32) -> BTreeMap<String, (u64, u64)> {
    let vault = Counting::default();
    let mut store = one_table(
        (0..rows)
            .map(|n| (n.to_be_bytes().to_vec(), n.wrapping_mul(0x9e37_79b9).to_le_bytes().repeat(10)))
            .collect(),
    );
    store.tells = Some(Tells { run: 70, ..Tells::default() });
    let mut last = BTreeMap::new();
    for number in 0..snapshots {
        let row = (number * 7919 % rows) as usize;
        store.tables.get_mut("table").unwrap().entries[row].1[0] ^= 1;
        vault.take();
        let snapshot = try_backup(&vault, &store, &job(&number.to_string(), 1)).unwrap();
        last = vault.take();
        assert!(number == 0 || snapshot.labels.iter().any(|(_, label)| label == "1 table by edits"));
        assert!(number == 0 || snapshot.bytes_added < 4_000, "{}", snapshot.bytes_added);
    }
    assert_holds(&vault.vault, &(snapshots - 1).to_string(), &store);
    last
}

#[test]
fn what_an_increment_reads_does_not_grow() {
    let few = cost(100_000, 4);
    let many = cost(100_000, 75);
    let small = cost(10_000, 4);
    let total = |cost: &BTreeMap<String, (u64, u64)>| cost.values().map(|(_, bytes)| bytes).sum::<u64>();
    // The parent, its hint, and the draft that is published.
    assert!(many["snapshots"].0 <= 3, "{many:?}");
    assert!(
        many["packs"].0 < few["packs"].0 + 25 && many["index"].0 < few["index"].0 + 200,
        "{few:?} {many:?}"
    );
    // The baseline, and a path through each tree.
    assert!(total(&few) < 600 << 10 && total(&small) < 400 << 10, "{small:?} {few:?}");
    assert!(total(&many) < 2 * total(&few), "{few:?} {many:?}");
}

#[test]
fn the_parent_is_the_newest_of_its_source_whatever_became_of_the_hint() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let vault = MemoryVault::default();
        let mut time = 1_700_000_000;
        for number in 0..40 {
            let source = ["a", "b", "c"][random.below(3)];
            let before = strongroom_engine::snapshots(&vault).map(|(all, _)| all).unwrap_or_default();
            let newest: Option<&Snapshot> = before.iter().rev().find(|snapshot| snapshot.source == source);
            // The clock may go back, or anywhere.
            time = time + 10 - [0, 0, 10, 25][random.below(4)];
            let shown = [0, 1 << 63, time + 3_000_000_000, time - 600_000_000, time, time][random.below(6)];
            let name = format!("{}", if random.below(4) == 0 { number % 3 } else { number });
            let wanted = Job { source: source.into(), time: shown, ..job(&name, 1) };
            let store = one_table(vec![(vec![number], vec![number])]);
            match try_backup(&vault, &store, &wanted) {
                Ok(snapshot) => {
                    assert_eq!(snapshot.parent, newest.map(|newest| newest.name.clone()), "{seed} {number}");
                    assert_eq!(snapshot.seq, newest.map_or(0, |newest| newest.seq) + 1);
                }
                Err(e) => assert_eq!(e.code, strongroom_engine::Code::Exists),
            }
            match random.below(8) {
                0 => drop(Vault::remove(&vault, "index/newest")),
                1 => vault.put("index/newest", random.bytes(200)),
                2 => {
                    let there = strongroom_engine::snapshots(&vault).unwrap().0;
                    forget(&vault, &[&there[random.below(there.len())].name]);
                }
                _ => {}
            }
        }
    }
}

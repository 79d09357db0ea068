//! What an increment writes.
//!
//! `cargo test --release -p strongroom-engine --lib cost -- --ignored --nocapture` prints it for a million rows.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::backup::{Folding, Job, complete_increment, copy, prepare, publish, seal};
use crate::catalog::{self, Table};
use crate::error::Result;
use crate::id::Kind;
use crate::objects::Objects;
use crate::progress::Silent;
use crate::snapshot::Snapshot;
use crate::store::{self, Bytes, Store};
use crate::testing::MemoryVault;
use crate::tree::Put;
use crate::tree::node::{Ref, Root, refs};
use crate::vault::{Vault, VaultFile};

/// Rows of 32-byte keys and 200-byte values, the second half of which repeats the first.
struct Rows(u32);

const KEY: usize = 32;
const VALUE: usize = 200;
const ITEM: usize = 8 + KEY + VALUE;

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fill(seed: u64, out: &mut [u8]) {
    let mut state = seed;
    for bytes in out.chunks_mut(8) {
        bytes.copy_from_slice(&random(&mut state).to_le_bytes()[..bytes.len()]);
    }
}

fn value(row: u32, version: u32) -> [u8; VALUE] {
    let mut value = [0; VALUE];
    fill(u64::from(version) << 32 | u64::from(row), &mut value[..VALUE / 2]);
    value.copy_within(..VALUE / 2, VALUE / 2);
    value
}

struct Scan {
    next: u32,
    end: u32,
}

impl Bytes for Scan {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let rows = (max / ITEM as u32).min(self.end - self.next);
        let mut out = Vec::with_capacity(rows as usize * ITEM);
        for row in self.next..self.next + rows {
            let mut key = [0; KEY];
            fill(0xabcd << 40 | u64::from(row), &mut key);
            out.extend([(KEY as u32).to_le_bytes(), (VALUE as u32).to_le_bytes()].concat());
            out.extend(key);
            out.extend(value(row, 0));
        }
        self.next += rows;
        Ok(out)
    }
}

impl Store for Rows {
    fn tables(&self) -> Result<Vec<store::Table>> {
        let table = store::Table {
            name: "rows".into(),
            multimap: false,
            entries: u64::from(self.0),
            bytes_about: u64::from(self.0) * ITEM as u64,
            key_type: "[u8; 32]".into(),
            value_type: "&[u8]".into(),
            identity: b"a plain table of bytes".to_vec(),
        };
        Ok(vec![table])
    }
    fn template(&self) -> Result<Box<dyn Bytes + '_>> {
        Ok(Box::new(Scan { next: 0, end: 0 }))
    }
    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(vec![("store".into(), "redb 4.5, file format v3".into())])
    }
    fn position(&self, _at: &str) -> Result<u64> {
        Ok(0)
    }
    fn split(&self, _table: &str, _parts: u32) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
    fn scan(&self, _table: &str, _from: Option<&[u8]>, _to: Option<&[u8]>) -> Result<Box<dyn Bytes + '_>> {
        Ok(Box::new(Scan { next: 0, end: self.0 }))
    }
}

/// Counts what is written.
#[derive(Clone, Default)]
struct Counting {
    vault: MemoryVault,
    written: std::rc::Rc<Cell<u64>>,
}

struct File(Box<dyn VaultFile>, std::rc::Rc<Cell<u64>>);

impl VaultFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.1.set(self.1.get() + bytes.len() as u64);
        self.0.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.0.read_at(offset, len)
    }
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
}

impl Vault for Counting {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        Ok(Box::new(File(self.vault.create(path)?, self.written.clone())))
    }
    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.vault.open(path)
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

fn job(number: u32) -> Job {
    Job {
        name: "{source}-{time}".into(),
        source: "app".into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1_750_000_000 + u64::from(number) * 3600,
        parts: 1,
        part_min: 1,
        folding: Folding::default(),
        compression: crate::Compression::default(),
        full_scan: false,
        full_scan_snapshots: crate::FULL_SCAN_SNAPSHOTS,
        full_scan_days: crate::FULL_SCAN_DAYS,
    }
}

/// The nodes of the table by level, in their order.
struct Tree(Vec<Vec<Ref>>);

impl Tree {
    fn read(objects: &Objects<'_>, root: Root) -> Self {
        let mut levels = vec![vec![root.node]];
        for level in (1..=root.level).rev() {
            let above = levels.last().unwrap();
            let below = above.iter().flat_map(|node| {
                let content = objects.read(Kind::Node { level }, node.id).unwrap();
                refs(&content).unwrap().collect::<Vec<_>>()
            });
            let below = below.collect();
            levels.push(below);
        }
        levels.reverse();
        Self(levels)
    }

    /// Changes rows; nodes above are changed with them.
    fn change(&mut self, rows: &BTreeMap<u32, u32>, objects: &Objects<'_>, put: &mut dyn Put) {
        let mut changed = Vec::new();
        let (mut first, mut rows) = (0, rows.iter().peekable());
        for (at, leaf) in self.0[0].iter_mut().enumerate() {
            let end = first + leaf.items;
            if rows.peek().is_some_and(|(row, _)| **row < end) {
                let kind = Kind::Node { level: 0 };
                let base = objects.read_base(kind, leaf.id).unwrap();
                let mut content = base.content.clone();
                while let Some((row, version)) = rows.next_if(|(row, _)| **row < end) {
                    let start = (row - first) as usize * ITEM + 8 + KEY;
                    content[start..start + VALUE].copy_from_slice(&value(*row, *version));
                }
                leaf.id = put.put_with_base(kind, &content, &base).unwrap();
                changed.push(at);
            }
            first = end;
        }
        for level in 1..self.0.len() {
            let (below, above) = self.0.split_at_mut(level);
            let (below, kind) = (&below[level - 1], Kind::Node { level: level as u8 });
            let (mut above_changed, mut first, mut changed_below) =
                (Vec::new(), 0, changed.iter().peekable());
            for (at, node) in above[0].iter_mut().enumerate() {
                let end = first + node.items as usize;
                let mut any = false;
                while changed_below.next_if(|at| **at < end).is_some() {
                    any = true;
                }
                if any {
                    let mut content = Vec::new();
                    below[first..end].iter().for_each(|node| node.encode(&mut content));
                    let base = objects.read_base(kind, node.id).unwrap();
                    node.id = put.put_with_base(kind, &content, &base).unwrap();
                    above_changed.push(at);
                }
                first = end;
            }
            changed = above_changed;
        }
    }

    fn root(&self) -> Root {
        Root { level: self.0.len() as u8 - 1, node: self.0[self.0.len() - 1][0] }
    }
}

/// Bytes that each of so many increments writes, after a first backup.
fn measure(rows: u32, changed: u32, increments: u32) -> (Vec<u64>, MemoryVault) {
    let vault = Counting::default();
    let store = Rows(rows);
    let plan = prepare(&vault, &store, &job(0), &Silent).unwrap();
    let receipt = copy(&vault, &store, &plan.state, 0, &Silent).unwrap();
    let draft = seal(&vault, &store, &plan.state, &[receipt], &Silent).unwrap();
    let first: Snapshot = publish(&vault, &draft.state).unwrap();
    let objects = Objects::open(&vault).unwrap();
    let table: Table = catalog::read(&objects, &first).unwrap().remove(0);
    let mut tree = Tree::read(&objects, table.root.unwrap());
    let (mut state, mut written, mut longest) = (7, Vec::new(), 0);
    let mut depths = [0; 9];
    for number in 1..=increments {
        let before = vault.written.get();
        let began = Instant::now();
        let rows: BTreeMap<u32, u32> =
            (0..changed).map(|_| ((random(&mut state) % u64::from(rows)) as u32, number)).collect();
        complete_increment(&vault, &store, &job(number), |objects, put| {
            tree.change(&rows, objects, put);
            vec![Table { root: Some(tree.root()), ..table.clone() }]
        })
        .unwrap();
        longest = longest.max(began.elapsed().as_millis());
        written.push(vault.written.get() - before);
    }
    let mut marks = 0;
    for path in vault.vault.paths().iter().filter(|path| path.starts_with("packs/")) {
        let id = crate::Id::from_hex(&path[6..]).unwrap();
        for entry in crate::pack::entries(&vault, id).unwrap().1 {
            depths[usize::from(entry.mark.depth())] += 1;
            marks += 1;
        }
    }
    let count = |dir: &str| vault.vault.paths().iter().filter(|path| path.starts_with(dir)).count();
    let bytes = |dir: &str| -> u64 {
        let paths = vault.vault.paths();
        paths.iter().filter(|path| path.starts_with(dir)).map(|path| vault.len(path).unwrap()).sum()
    };
    let mean = written.iter().sum::<u64>() / written.len() as u64;
    println!(
        "{rows} rows, {changed} changed, {increments} increments: mean {mean}, most {}, first {}, last {} bytes; {} packs of \
         {}, {} index files of {}, snapshots {}; {marks} objects, by depth {depths:?}; longest {longest} ms",
        written.iter().max().unwrap(),
        written[0],
        written[written.len() - 1],
        count("packs/"),
        bytes("packs/"),
        count("index/"),
        bytes("index/"),
        bytes("snapshots/"),
    );
    (written, vault.vault)
}

fn mean(written: &[u64]) -> u64 {
    written.iter().sum::<u64>() / written.len() as u64
}

#[test]
fn an_increment_of_one_row_writes_little_and_all_of_it_comes_back() {
    let (written, vault) = measure(20_000, 1, 70);
    assert!(mean(&written) < 4_000, "{}", mean(&written));
    let verified = crate::testing::verify(&vault, None, crate::Depth::Data, &Silent).unwrap();
    assert!(verified.damage.is_empty() && verified.snapshots == 71, "{:?}", verified.damage);
}

#[test]
fn an_increment_of_a_share_of_the_rows_writes_no_more_than_a_few_times_that() {
    let (written, vault) = measure(20_000, 200, 25);
    assert!(mean(&written) < 5 * 200 * VALUE as u64, "{}", mean(&written));
    let verified = crate::testing::verify(&vault, None, crate::Depth::Data, &Silent).unwrap();
    assert!(verified.damage.is_empty() && verified.snapshots == 26, "{:?}", verified.damage);
}

#[test]
#[ignore = "minutes"]
fn an_increment_of_one_row_of_a_million() {
    let (written, _) = measure(1_000_000, 1, 300);
    assert!(mean(&written) <= 4 << 10);
}

#[test]
#[ignore = "minutes"]
fn an_increment_of_a_thousand_rows_of_a_million() {
    let (written, _) = measure(1_000_000, 1000, 300);
    assert!(mean(&written) <= 1 << 20 && written.iter().all(|bytes| *bytes <= 5 << 19));
}

#[test]
#[ignore = "minutes"]
fn an_increment_of_ten_thousand_rows_of_a_million() {
    let (written, _) = measure(1_000_000, 10_000, 60);
    assert!(mean(&written) <= 7 << 20);
}

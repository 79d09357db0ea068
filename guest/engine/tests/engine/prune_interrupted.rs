//! `forget` and `prune`, ended before each of their operations: every snapshot is whole, and the next run gets to where the
//! one that was ended would have got.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, Error, Level, Progress, Prune, Pruned, Result, Silent, Vault, VaultFile};

use crate::common::{
    Random, backup, bytes_of_history, copy_all, files, forget, job, one_table, plain, prune, restore, stored,
    verify,
};

/// A vault that does so many operations that change something, and then nothing more at all.
struct Stopping {
    inner: MemoryVault,
    left: Rc<Cell<u64>>,
    done: Rc<Cell<u64>>,
    /// Names that were given, taken away and made durable, in order.
    log: Rc<RefCell<Vec<String>>>,
}

impl Stopping {
    fn after(inner: &MemoryVault, operations: u64) -> Self {
        Self {
            inner: inner.clone(),
            left: Rc::new(Cell::new(operations)),
            done: Rc::default(),
            log: Rc::default(),
        }
    }

    fn read(&self) -> Result<()> {
        if self.left.get() == 0 { Err(stopped()) } else { Ok(()) }
    }

    fn change(&self) -> Result<()> {
        self.read()?;
        self.left.set(self.left.get() - 1);
        self.done.set(self.done.get() + 1);
        Ok(())
    }
}

fn stopped() -> Error {
    Error::new(Code::Io, "the power is gone")
}

struct File {
    inner: Box<dyn VaultFile>,
    vault: Stopping,
}

impl Vault for Stopping {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.change()?;
        Ok(Box::new(File { inner: self.inner.create(path)?, vault: self.share() }))
    }
    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.read()?;
        Ok(Box::new(File { inner: self.inner.open(path)?, vault: self.share() }))
    }
    fn len(&self, path: &str) -> Result<u64> {
        self.read()?;
        self.inner.len(path)
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.change()?;
        self.log.borrow_mut().push(format!("name {to}"));
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &str) -> Result<()> {
        self.change()?;
        self.log.borrow_mut().push(format!("remove {path}"));
        self.inner.remove(path)
    }
    fn make_dir(&self, path: &str) -> Result<()> {
        self.change()?;
        self.inner.make_dir(path)
    }
    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.read()?;
        self.inner.list(dir)
    }
    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.change()?;
        self.log.borrow_mut().push(format!("sync {dir}"));
        self.inner.sync_dir(dir)
    }
}

impl Stopping {
    fn share(&self) -> Self {
        let Self { inner, left, done, log } = self;
        Self { inner: inner.clone(), left: Rc::clone(left), done: Rc::clone(done), log: Rc::clone(log) }
    }
}

impl VaultFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        // The last one is done by half.
        if self.vault.left.get() == 1 {
            self.inner.write_at(offset, &bytes[..bytes.len() / 2])?;
        }
        self.vault.change()?;
        if self.vault.left.get() == 0 { Err(stopped()) } else { self.inner.write_at(offset, bytes) }
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.vault.read()?;
        self.inner.read_at(offset, len)
    }
    fn len(&self) -> Result<u64> {
        self.vault.read()?;
        self.inner.len()
    }
    fn sync(&self) -> Result<()> {
        self.vault.change()?;
        self.inner.sync()
    }
}

fn store(seed: u64) -> ModelStore {
    let (mut same, mut random) = (Random(1), Random(70 + seed));
    let mut rows: Vec<_> = (0..500u32).map(|n| (n.to_be_bytes().to_vec(), same.bytes(150))).collect();
    let at = random.below(rows.len());
    rows[at].1 = random.bytes(150);
    let mut store = one_table(rows);
    store.tables.insert("own".into(), plain(vec![(vec![1], random.bytes(300_000))]));
    store
}

const KEPT: [u64; 2] = [1, 4];

/// Snapshots of which some are forgotten, packs of which all, some and nothing is needed, what a backup left that did not
/// end, and an index file that is gone.
fn repository() -> MemoryVault {
    let vault = MemoryVault::default();
    for n in 0..6 {
        backup(&vault, &store(n), &n.to_string(), 1 + n as u32 % 2);
    }
    let plan = strongroom_engine::prepare(&vault, &store(9), &job("lost", 2), &Silent).unwrap();
    copy_all(&vault, &store(9), &plan).unwrap();
    vault.put("packs/tmp-0-0", vec![1; 999]);
    files(&vault, "index").iter().for_each(|path| vault.remove(path).unwrap());
    vault
}

fn forgotten() -> MemoryVault {
    let vault = repository();
    forget(&vault, &["0", "2", "3", "5"]);
    vault
}

fn assert_whole(vault: &MemoryVault, kept: &[u64], when: &str) {
    let damage = verify(vault).damage;
    assert!(damage.iter().all(|damage| damage.snapshots.is_empty()), "{when}: {damage:?}");
    for n in kept {
        assert!(restore(vault, &n.to_string()).unwrap() == store(*n).tables, "{when}: {n}");
    }
}

/// Everything but what the names of snapshots make of it.
fn state(vault: &MemoryVault) -> (Vec<[u8; 32]>, u64, usize) {
    (stored(vault), vault.bytes() - bytes_of_history(vault), vault.paths().len())
}

fn try_prune(vault: &dyn Vault) -> Result<Pruned> {
    strongroom_engine::prune(vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent)
}

#[test]
fn a_prune_can_end_before_each_operation() {
    let start = forgotten();
    let baseline = start.deep_clone();
    let all = Stopping::after(&baseline, u64::MAX);
    try_prune(&all).unwrap();
    let (operations, baseline) = (all.done.get(), state(&baseline));
    assert!(operations > 20, "{operations}");
    let mut states = 0;
    for first in 0..operations {
        let vault = start.deep_clone();
        assert!(try_prune(&Stopping::after(&vault, first)).is_err(), "{first}");
        assert_whole(&vault, &KEPT, &format!("after {first} operations"));
        states += 1;

        // The next one ends early too, now and then at a place of its own.
        for second in (first % 7..operations + 10).step_by(7) {
            let vault = vault.deep_clone();
            let ended = try_prune(&Stopping::after(&vault, second)).is_err();
            assert_whole(&vault, &KEPT, &format!("after {first} and then {second} operations"));
            prune(&vault, 0);
            assert_eq!(state(&vault), baseline, "after {first} and then {second} operations");
            assert_whole(&vault, &KEPT, &format!("in the end, after {first} and {second}"));
            states += 1;
            if !ended {
                break;
            }
        }

        // Or a backup comes next.
        backup(&vault, &store(5), "5", 2);
        assert_whole(&vault, &[1, 4, 5], &format!("after {first} operations and a backup"));
        forget(&vault, &["5"]);
        prune(&vault, 0);
        assert_eq!(state(&vault), baseline, "after {first} operations and a backup");
    }
    println!("{operations} operations, {states} states");
}

#[test]
fn a_forget_can_end_before_each_operation() {
    let start = repository();
    let names: Vec<String> = ["0", "2", "3", "5"].map(String::from).into();
    for operations in 0.. {
        let vault = start.deep_clone();
        let done = strongroom_engine::forget(&Stopping::after(&vault, operations), &names, false);
        let left = strongroom_engine::snapshots(&vault).unwrap().0;
        let left: Vec<u64> = left.iter().map(|snapshot| snapshot.name.parse().unwrap()).collect();
        assert_whole(&vault, &left, &format!("after {operations} operations"));
        assert!(KEPT.iter().all(|kept| left.contains(kept)));
        if done.is_ok() {
            assert_eq!((left, operations), (KEPT.to_vec(), 7), "four files, the hint, and the folder twice");
            break;
        }
    }
}

#[test]
fn new_packs_then_the_new_index_then_the_old_ones_go_and_the_packs_last_each_step_durable() {
    let vault = Stopping::after(&forgotten(), u64::MAX);
    try_prune(&vault).unwrap();
    // One letter a step, in capitals if it is about packs; what is not finished says nothing.
    let log = vault.log.borrow();
    let letter = |step: &&String| match step.split_once(' ').unwrap() {
        (_, path) if path.contains("tmp-") => None,
        (what, path) => {
            let letter = what.chars().next().unwrap();
            match path.split('/').next().unwrap() {
                "packs" => Some(letter.to_ascii_uppercase()),
                "index" => Some(letter),
                _ => Some('-'),
            }
        }
    };
    let mut steps: Vec<char> = log.iter().filter_map(|step| letter(&step)).collect();
    steps.dedup();
    let steps: String = steps.into_iter().collect();
    // What is there is made durable; then what goes without anything being moved, which no index names (there was none), so
    // that it needs none before; then the rest.
    assert_eq!(steps, ["S-sS", "RnsS", "NSnsrsRS"].concat());
}

/// Says stop at the n-th question.
struct StopAt(Cell<u32>);

impl Progress for StopAt {
    fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() > 0
    }
    fn log(&self, _level: Level, _message: &str) {}
}

#[test]
fn a_prune_can_be_stopped_at_any_question() {
    let start = forgotten();
    let baseline = start.deep_clone();
    prune(&baseline, 0);
    let mut stopped = 0;
    for question in 1.. {
        let vault = start.deep_clone();
        let options = Prune { max_unused: 0, dry_run: false, allow_empty: true };
        match strongroom_engine::prune(&vault, options, &StopAt(Cell::new(question))) {
            Ok(_) => break,
            Err(e) => assert_eq!(e.code, Code::Cancelled, "{e}"),
        }
        stopped += 1;
        assert_whole(&vault, &KEPT, &format!("stopped at question {question}"));
        assert!(vault.bytes() <= start.bytes(), "what was written is taken back");
        prune(&vault, 0);
        assert_eq!(state(&vault), state(&baseline), "stopped at question {question}");
    }
    assert!(stopped > 10, "{stopped}");
}

#[test]
fn a_prune_of_large_packs_can_end_before_each_operation() {
    let mut random = Random(5);
    let rows: Vec<_> = (0..1000u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(20_000))).collect();
    let (whole, part) = (one_table(rows.clone()), one_table(rows[..900].to_vec()));
    let start = MemoryVault::default();
    backup(&start, &whole, "whole", 1);
    backup(&start, &part, "part", 1);
    forget(&start, &["whole"]);
    // One large pack stays as it is, small ones become one; or the large one is rewritten too.
    for max_unused in [0, 200] {
        let options = Prune { max_unused, dry_run: false, allow_empty: true };
        let baseline = start.deep_clone();
        prune(&baseline, max_unused);
        for operations in 0.. {
            let vault = start.deep_clone();
            let done = strongroom_engine::prune(&Stopping::after(&vault, operations), options, &Silent);
            assert!(restore(&vault, "part").unwrap() == part.tables, "after {operations} operations");
            if done.is_ok() {
                break;
            }
            prune(&vault, max_unused);
            assert_eq!(state(&vault), state(&baseline), "after {operations} operations");
        }
    }
}

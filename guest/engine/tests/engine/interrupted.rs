//! A run that ends early costs nothing that was there, and the next one goes on from what it wrote.

use std::cell::Cell;

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, Level, Progress, Silent, Snapshot};

use crate::common::{Random, assert_holds, backup, copy_all, job, one_table, plain};

fn store(seed: u64) -> ModelStore {
    let mut random = Random(seed);
    let mut store = one_table((0..4000u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(500))).collect());
    store.tables.insert("zz".into(), plain(vec![(b"k".to_vec(), random.bytes(600_000))]));
    store
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

fn unfinished(vault: &MemoryVault) -> Vec<String> {
    vault.paths().into_iter().filter(|path| path.contains("tmp-")).collect()
}

#[test]
fn what_was_copied_without_seal_is_not_written_again() {
    let (vault, store) = (MemoryVault::default(), store(1));
    backup(&vault, &one_table(vec![(b"a".to_vec(), b"b".to_vec())]), "earlier", 1);
    let plan = strongroom_engine::prepare(&vault, &store, &job("lost", 4), &Silent).unwrap();
    copy_all(&vault, &store, &plan).unwrap();
    vault.put("packs/tmp-0-7", vec![1; 100]);
    vault.put("index/tmp-index", vec![2; 100]);
    vault.put("snapshots/tmp-lost.json", vec![3; 100]);
    vault.put("tmp-anything", vec![4; 100]);
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().0.len(), 1);
    let snapshot = backup(&vault, &store, "next", 3);
    assert!(snapshot.bytes_added < 40_000, "{}", snapshot.bytes_added);
    assert!(unfinished(&vault).is_empty(), "{:?}", unfinished(&vault));
    assert_holds(&vault, "next", &store);
}

#[test]
fn what_was_sealed_but_not_published_is_not_there() {
    let (vault, store) = (MemoryVault::default(), store(2));
    let plan = strongroom_engine::prepare(&vault, &store, &job("x", 2), &Silent).unwrap();
    let receipts = copy_all(&vault, &store, &plan).unwrap();
    let draft = strongroom_engine::seal(&vault, &store, &plan.state, &receipts, &Silent).unwrap();
    assert!(strongroom_engine::snapshots(&vault).unwrap().0.is_empty());
    assert_eq!(strongroom_engine::find(&vault, "x").unwrap_err().code, Code::NotFound);
    let next = backup(&vault, &store, "x", 5);
    assert_eq!((next.id, next.bytes_added), (draft.snapshot.id, 0));
    assert!(unfinished(&vault).is_empty());
    // The draft from before is refused: its name is taken, and its file is gone.
    assert_eq!(strongroom_engine::publish(&vault, &draft.state).unwrap_err().code, Code::Exists);
    assert_holds(&vault, "x", &store);
}

#[test]
fn a_run_can_be_stopped_at_any_question() {
    let (vault, old, store) = (MemoryVault::default(), store(3), store(4));
    backup(&vault, &old, "old", 1);
    let run = |progress: &StopAt, name: &str| -> strongroom_engine::Result<Snapshot> {
        let plan = strongroom_engine::prepare(&vault, &store, &job(name, 2), progress)?;
        let receipts =
            (0..plan.parts).map(|part| strongroom_engine::copy(&vault, &store, &plan.state, part, progress));
        let receipts = receipts.collect::<Result<Vec<_>, _>>()?;
        let draft = strongroom_engine::seal(&vault, &store, &plan.state, &receipts, progress)?;
        strongroom_engine::publish(&vault, &draft.state)
    };
    let mut stopped = 0;
    for question in 1.. {
        match run(&StopAt(Cell::new(question)), "new") {
            Ok(_) => break,
            Err(e) => assert_eq!(e.code, Code::Cancelled, "{e}"),
        }
        stopped += 1;
        assert!(unfinished(&vault).is_empty(), "{:?}", unfinished(&vault));
        assert_eq!(strongroom_engine::snapshots(&vault).unwrap().0.len(), 1);
        assert_holds(&vault, "old", &old);
    }
    assert!(stopped >= 4, "{stopped}");
    assert_holds(&vault, "new", &store);
    for (question, which) in [(1, "old"), (2, "new")] {
        let stop = StopAt(Cell::new(question));
        let verified =
            strongroom_engine::testing::verify(&vault, Some(which), strongroom_engine::Depth::Data, &stop);
        assert_eq!(verified.unwrap_err().code, Code::Cancelled);
    }
}

#[test]
fn a_store_that_fails_leaves_everything_as_it_was() {
    let (vault, old) = (MemoryVault::default(), store(5));
    backup(&vault, &old, "old", 1);
    for fails_after in [0, 10, 100_000, 1_900_000] {
        let mut store = store(6);
        store.fails_after = Some(fails_after);
        let plan = strongroom_engine::prepare(&vault, &store, &job("new", 1), &Silent).unwrap();
        let failed = copy_all(&vault, &store, &plan).unwrap_err();
        assert_eq!(failed.code, Code::Io);
        assert!(failed.message.contains("table"), "{failed}");
        assert!(unfinished(&vault).is_empty());
        assert_holds(&vault, "old", &old);
    }
}

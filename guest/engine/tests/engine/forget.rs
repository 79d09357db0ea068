//! `forget` takes away the snapshots that it is told, whole names only, and nothing else.

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, forget};

use crate::common::{assert_holds, backup, one_table};

fn store(byte: u8) -> ModelStore {
    one_table((0..300u32).map(|n| (n.to_be_bytes().to_vec(), vec![byte; 100])).collect())
}

fn repository() -> MemoryVault {
    let vault = MemoryVault::default();
    for (name, byte) in [("a", 1), ("b", 2), ("c", 3)] {
        backup(&vault, &store(byte), name, 1);
    }
    vault
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_forgotten_is_gone_and_nothing_else_is() {
    let vault = repository();
    let before = vault.paths();
    forget(&vault, &names(&["a", "c", "a"]), false).unwrap();
    let gone: Vec<_> = before.into_iter().filter(|path| vault.get(path).is_none()).collect();
    // And the hint that says which one is the newest.
    assert_eq!(gone, ["index/newest", "snapshots/a.json", "snapshots/c.json"]);
    assert_holds(&vault, "b", &store(2));
    // What it held is still there to build on.
    let again = backup(&vault, &store(1), "again", 1);
    assert_eq!((again.bytes_added, again.seq, again.parent.as_deref()), (0, 3, Some("b")));
}

#[test]
fn if_one_name_is_not_there_none_is_forgotten() {
    let vault = repository();
    let id = strongroom_engine::find(&vault, "a").unwrap().id.hex();
    for wrong in ["x", "latest", "", "a.json", "../a", "a/../a", &id, &id[..8]] {
        let refused = forget(&vault, &names(&["a", wrong, "b"]), false).unwrap_err();
        assert_eq!(refused.code, Code::NotFound, "{wrong}");
        assert!(refused.message.contains(&format!("{wrong:?}")), "{refused}");
    }
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().0.len(), 3);
}

#[test]
fn a_dry_run_forgets_nothing() {
    let vault = repository();
    forget(&vault, &names(&["a"]), true).unwrap();
    assert_eq!(forget(&vault, &names(&["x"]), true).unwrap_err().code, Code::NotFound);
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().0.len(), 3);
}

#[test]
fn a_snapshot_file_that_cannot_be_read_can_be_forgotten() {
    let vault = repository();
    vault.put("snapshots/b.json", b"nonsense".to_vec());
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().1.len(), 1);
    forget(&vault, &names(&["b"]), false).unwrap();
    assert_eq!(strongroom_engine::snapshots(&vault).unwrap().1.len(), 0);
}

#[test]
fn a_directory_that_is_no_repository_is_left_alone() {
    let vault = MemoryVault::default();
    assert_eq!(forget(&vault, &names(&["a"]), false).unwrap_err().code, Code::NoRepository);
    assert!(vault.paths().is_empty());
}

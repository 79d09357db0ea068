//! Names of snapshots, and how one is found again.

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Code, Job};

use crate::common::{job, one_table, plain, restore, try_backup};

fn store(value: u8) -> ModelStore {
    one_table(vec![(vec![1], vec![value])])
}

#[test]
fn a_name_is_taken_once() {
    let vault = MemoryVault::default();
    try_backup(&vault, &store(1), &job("daily", 1)).unwrap();
    let before = vault.paths();
    assert_eq!(try_backup(&vault, &store(2), &job("daily", 1)).unwrap_err().code, Code::Exists);
    assert_eq!(vault.paths(), before);
    // Names that are made from the time give way.
    let timed = Job { name: "{source}-{time}".into(), ..job("", 1) };
    let names: Vec<String> = (0..3).map(|n| try_backup(&vault, &store(n), &timed).unwrap().name).collect();
    assert_eq!(names, ["test-20231114T221320Z", "test-20231114T221320Z-2", "test-20231114T221320Z-3"]);
}

#[test]
fn numbers_go_on_within_a_source() {
    let vault = MemoryVault::default();
    for (n, source) in [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "b")] {
        let job = Job { name: "{source}.{seq:3}".into(), source: source.into(), ..job("", 1) };
        let snapshot = try_backup(&vault, &store(0), &job).unwrap();
        assert_eq!((snapshot.seq, snapshot.name.as_str()), (n, format!("{source}.00{n}").as_str()));
        assert_eq!(snapshot.parent, (n > 1).then(|| format!("{source}.00{}", n - 1)));
    }
}

#[test]
fn a_position_that_is_not_there_writes_nothing() {
    let vault = MemoryVault::default();
    let job = Job { name: "slot_{position:07}".into(), position: Some("t/k".into()), ..job("", 1) };
    let refused = try_backup(&vault, &store(1), &job).unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
    assert!(vault.paths().is_empty());
    let mut store = store(1);
    store.position = Some(42);
    let snapshot = try_backup(&vault, &store, &job).unwrap();
    assert_eq!((snapshot.name.as_str(), snapshot.position), ("slot_0000042", Some(42)));
}

#[test]
fn bad_names_and_sources_write_nothing() {
    let vault = MemoryVault::default();
    for name in ["", "..", "a/b", "latest", "tmp-x", "{nope}", "{position}", "x\ny"] {
        assert_eq!(try_backup(&vault, &store(1), &job(name, 1)).unwrap_err().code, Code::Invalid, "{name:?}");
    }
    for source in ["", "a\0b", "a\nb", &"x".repeat(201)] {
        let job = Job { source: source.into(), ..job("x", 1) };
        assert_eq!(try_backup(&vault, &store(1), &job).unwrap_err().code, Code::Invalid, "{source:?}");
    }
    assert!(vault.paths().is_empty());
}

#[test]
fn a_snapshot_is_found_by_name_by_id_and_as_latest() {
    let vault = MemoryVault::default();
    assert_eq!(strongroom_engine::find(&vault, "x").unwrap_err().code, Code::NoRepository);
    let at = |name: &str, time, value| {
        let job = Job { time, ..job(name, 1) };
        try_backup(&vault, &store(value), &job).unwrap()
    };
    let (old, new, same) = (at("old", 100, 1), at("new", 300, 2), at("same", 200, 1));
    let find = |which: &str| strongroom_engine::find(&vault, which).map(|snapshot| snapshot.name);
    assert_eq!(find("old").unwrap(), "old");
    assert_eq!(find("latest").unwrap(), "same", "the clock went back");
    assert_eq!(old.id, same.id);
    for len in [4, 9, 64] {
        // Two have this id: the newer one is meant.
        assert_eq!(find(&old.id.hex()[..len]).unwrap(), "same");
        assert_eq!(find(&new.id.hex()[..len].to_uppercase()).unwrap(), "new");
    }
    let longer = format!("{}0", old.id.hex());
    for which in ["", "ol", "older", &old.id.hex()[..3], &longer, "../old", "old.json", "zzzz"] {
        let refused = find(which).unwrap_err();
        assert_eq!(refused.code, Code::NotFound, "{which:?}");
        assert!(refused.message.contains(which));
    }
    // A name goes before the beginning of an id.
    let name = &new.id.hex()[..6];
    at(name, 50, 3);
    assert_eq!(find(name).unwrap(), name);
    let times: Vec<u64> =
        strongroom_engine::snapshots(&vault).unwrap().0.iter().map(|snapshot| snapshot.time).collect();
    assert_eq!(times, [100, 300, 200, 50]);
}

#[test]
fn globs_choose_tables() {
    let vault = MemoryVault::default();
    let mut store = store(1);
    for name in ["logs.a", "logs.b", "users"] {
        store.tables.insert(name.into(), plain(vec![(name.into(), vec![1])]));
    }
    let chosen = |globs: &[&str]| Job {
        tables: Some(globs.iter().map(|glob| (*glob).into()).collect()),
        ..job("x", 1)
    };
    for globs in [&["nope"][..], &["logs.*", "user"], &[""]] {
        let refused = try_backup(&vault, &store, &chosen(globs)).unwrap_err();
        assert_eq!(refused.code, Code::NotFound);
        assert!(refused.message.contains("users"), "{refused}");
        assert!(vault.paths().is_empty());
    }
    let snapshot = try_backup(&vault, &store, &chosen(&["logs.*", "user?"])).unwrap();
    assert_eq!((snapshot.tables, snapshot.tables_left_out, snapshot.entries), (3, 1, 3));
    let restored = restore(&vault, "x").unwrap();
    assert_eq!(restored.keys().collect::<Vec<_>>(), ["logs.a", "logs.b", "users"]);
    let leave_out = ["users", "logs.b", "logs.*", "nope"].map(String::from).to_vec();
    let without = Job { name: "without".into(), leave_out, ..chosen(&["logs.*", "users"]) };
    let snapshot = try_backup(&vault, &store, &without).unwrap();
    assert_eq!((snapshot.tables, snapshot.tables_left_out), (1, 3));
    assert_eq!(restore(&vault, "without").unwrap().keys().collect::<Vec<_>>(), ["logs.a"]);
    let nothing = try_backup(&vault, &store, &Job { name: "none".into(), ..chosen(&[]) }).unwrap();
    assert_eq!((nothing.tables, nothing.tables_left_out), (0, 4));
    assert!(restore(&vault, "none").unwrap().is_empty());
}

#[test]
fn a_store_whose_tables_are_out_of_order_is_refused() {
    struct Odd(ModelStore, Vec<String>);
    impl strongroom_engine::Store for Odd {
        fn tables(&self) -> strongroom_engine::Result<Vec<strongroom_engine::Table>> {
            let mut tables = self.0.tables()?;
            tables.resize(self.1.len(), tables[0].clone());
            tables.iter_mut().zip(&self.1).for_each(|(table, name)| table.name.clone_from(name));
            tables.iter_mut().for_each(|table| table.bytes_about = u64::MAX);
            Ok(tables)
        }
        fn template(&self) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            self.0.template()
        }
        fn notes(&self) -> strongroom_engine::Result<Vec<(String, String)>> {
            self.0.notes()
        }
        fn position(&self, at: &str) -> strongroom_engine::Result<u64> {
            self.0.position(at)
        }
        fn split(&self, _: &str, parts: u32) -> strongroom_engine::Result<Vec<Vec<u8>>> {
            self.0.split("table", parts)
        }
        fn scan(
            &self,
            _: &str,
            from: Option<&[u8]>,
            to: Option<&[u8]>,
        ) -> strongroom_engine::Result<Box<dyn strongroom_engine::Bytes + '_>> {
            self.0.scan("table", from, to)
        }
    }
    let long = "x".repeat((64 << 10) + 1);
    for (names, code) in
        [(vec!["b", "a"], Code::Other), (vec!["a", "a"], Code::Other), (vec![&long], Code::Unsupported)]
    {
        let odd = Odd(store(1), names.into_iter().map(String::from).collect());
        let vault = MemoryVault::default();
        assert_eq!(try_backup(&vault, &odd, &job("x", 1)).unwrap_err().code, code);
        assert!(vault.paths().is_empty());
    }
    // Sizes that no store has are no reason to stumble.
    let odd = Odd(store(1), ["a", "b", &long[1..]].map(String::from).into());
    let vault = MemoryVault::default();
    for parts in [1, 2, u32::MAX] {
        let snapshot = try_backup(&vault, &odd, &job(&parts.to_string(), parts)).unwrap();
        assert_eq!((snapshot.tables, snapshot.entries), (3, 3));
    }
}

//! The examples of plugins, built as their pages say, and what a plugin is granted.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use redb::{Database, TableDefinition};
use strongroom::{Backup, Budgets, Plugin, Run};
use strongroom_tests::guests;
use strongroom_tests::tools::componentize_py;

const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");
const BLOBS: TableDefinition<u64, &[u8]> = TableDefinition::new("blobs");

/// More than one `read` gives, and entries that are cut.
fn database(path: &Path) -> Database {
    let db = Database::create(path).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut accounts = write.open_table(ACCOUNTS).unwrap();
        for number in 0..20_000 {
            accounts.insert(format!("Zoë {number}").as_str(), number).unwrap();
        }
        let mut blobs = write.open_table(BLOBS).unwrap();
        for number in 0..20 {
            blobs.insert(number, common::noise(number, 30_000).as_slice()).unwrap();
        }
    }
    write.commit().unwrap();
    db
}

/// What the two examples print of it, in any order.
fn expected() -> BTreeSet<String> {
    let accounts = (0..20_000).map(|number| {
        serde_json::json!({ "table": "accounts", "key": format!("Zoë {number}"), "value": number })
            .to_string()
    });
    let blobs = (0..20).map(|number| {
        let hex: String = common::noise(number, 30_000).iter().map(|byte| format!("{byte:02x}")).collect();
        serde_json::json!({ "table": "blobs", "key": number, "value": hex }).to_string()
    });
    accounts.chain(blobs).collect()
}

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn plugin(name: &str, bytes: Vec<u8>) -> Plugin {
    Plugin::builder(name, bytes).cache_dir(common::cache_dir()).build().unwrap()
}

/// Runs an example over a database, and over a backup of it, and compares.
fn prints_all_of_it(plugin: &Plugin) {
    let dir = tempfile::tempdir().unwrap();
    let db = database(&dir.path().join("app.redb"));
    let repository = common::repository(dir.path().join("backups"));
    repository.backup(&db, &Backup::new().name("first")).unwrap();
    // What comes later is not in the snapshot.
    let snapshot = repository.store("first").unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(ACCOUNTS).unwrap().remove("Zoë 7").unwrap();
    write.commit().unwrap();

    let printed = Printed::default();
    assert_eq!(plugin.run(&snapshot, Run::new().stdout(printed.clone())).unwrap(), 0);
    let lines = printed.lines();
    assert_eq!(lines.len(), 20_020);
    assert!(lines.into_iter().collect::<BTreeSet<_>>() == expected(), "the snapshot, line by line");

    let printed = Printed::default();
    assert_eq!(plugin.run(&db, Run::new().arg("accounts").stdout(printed.clone())).unwrap(), 0);
    let lines: BTreeSet<String> = printed.lines().into_iter().collect();
    let without =
        expected().into_iter().filter(|line| line.contains("accounts") && !line.contains("Zoë 7\""));
    assert!(lines == without.collect(), "the database as it is now, one table of it");
}

#[test]
fn the_example_in_rust_prints_a_database_and_a_snapshot_of_it() {
    prints_all_of_it(&plugin("to-jsonl", guests::component("to-jsonl", "to-jsonl.wasm").unwrap()));
}

#[test]
fn the_example_in_python_prints_a_database_and_a_snapshot_of_it() {
    let requirements = guests::root().join("examples/policies/python/requirements.txt");
    let Some(tool) = componentize_py(&requirements, Path::new(env!("CARGO_TARGET_TMPDIR"))) else { return };
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("to_jsonl.wasm");
    let mut command = Command::new(tool);
    command.current_dir(guests::root().join("examples/plugins/python"));
    command.args(["-d", "../../../wit/deps/kv", "-d", "wit", "-w", "example:to-jsonl/to-jsonl"]);
    let output = command.args(["componentize", "app", "-o"]).arg(&built).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    prints_all_of_it(&plugin("to-jsonl", std::fs::read(built).unwrap()));
}

/// An answer with many tables is as large as its budget allows, and no larger.
#[test]
fn a_reply_has_a_budget_too() {
    let dir = tempfile::tempdir().unwrap();
    let db = database(&dir.path().join("app.redb"));
    let bytes = guests::component("to-jsonl", "to-jsonl.wasm").unwrap();
    let few = Budgets::plugin().reply_bytes(100);
    let small =
        Plugin::builder("to-jsonl", bytes).budgets(few).cache_dir(common::cache_dir()).build().unwrap();
    let e = small.run(&db, Run::new().stdout(Printed::default())).unwrap_err();
    assert_eq!(e.code(), strongroom::ErrorCode::Budget);
    for part in ["plugin \"to-jsonl\"", "100 bytes", "Budgets::reply_bytes", "the database is as it was"] {
        assert!(e.to_string().contains(part), "{e}");
    }
}

#[test]
fn whoever_holds_the_token_stops_a_run() {
    let text = r#"(component
        (core module $m (func (export "run") (result i32) (loop $again (br $again)) unreachable))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $command (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $command)))"#;
    let plugin = plugin("endless", wat::parse_str(text).unwrap());
    let maps = Arc::new(common::map::Maps::filled(&[("a", 3, 3)]));
    let cancel = strongroom::Cancel::new();
    let run = Run::new().cancel_with(cancel.clone());
    let stopped = std::thread::spawn(move || plugin.run(&maps, run));
    std::thread::sleep(std::time::Duration::from_millis(200));
    cancel.cancel();
    assert_eq!(stopped.join().unwrap().unwrap_err().code(), strongroom::ErrorCode::Cancelled);
}

#[test]
fn grants_that_make_no_sense_are_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let plugin = plugin("to-jsonl", guests::component("to-jsonl", "to-jsonl.wasm").unwrap());
    let maps = Arc::new(common::map::Maps::filled(&[("a", 3, 3)]));
    let at = |name: &str| dir.path().join(name);
    for (run, why) in [
        (Run::new().dir(at("missing"), "/data"), "missing"),
        (Run::new().dir(at("file"), "/data"), "not a directory"),
        (Run::new().dir(at(""), ""), "cannot be the name"),
        (Run::new().dir(at(""), "/data").dir_read_only(at(""), "/data"), "two directories"),
    ] {
        let e = plugin.run(&maps, run).unwrap_err();
        assert!(e.to_string().contains(why), "{e}");
    }
}

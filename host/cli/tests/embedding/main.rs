//! The engine in other languages: the examples as their pages have them, on the very component that the command writes;
//! what they back up is restored by the command and compared entry by entry.
//!
//! The languages' packages come from their registries. Where one cannot be had, the test says so and passes; where `CI` is
//! set, it fails.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use serde_json::Value;
use strongroom_tests::tools::tool;

type Tables = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// What the drivers back up.
fn expected(version: u64) -> Tables {
    let account = |i: u64| {
        (
            format!("account-{i}").into_bytes(),
            (i * i + if i == 7 { version } else { 0 }).to_string().into_bytes(),
        )
    };
    let blob = |i: u8| {
        let value = (0..usize::from(i) * 37 % 500).map(|j| (usize::from(i) + j) as u8);
        (vec![255 - i, i], value.collect())
    };
    let mut blobs: BTreeMap<Vec<u8>, Vec<u8>> = (0..100).map(blob).collect();
    blobs.insert(b"large".to_vec(), vec![7; 300_000]);
    [("accounts", (0..2000).map(account).collect()), ("blobs", blobs), ("empty", BTreeMap::new())]
        .map(|(name, table)| (name.to_owned(), table))
        .into()
}

fn restored(path: &Path) -> Tables {
    let db = Database::open(path).unwrap();
    let txn = db.begin_read().unwrap();
    let table = |name: &str| {
        let table = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(name)).unwrap();
        let entries = table.iter().unwrap().map(Result::unwrap);
        entries.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
    };
    let names = txn.list_tables().unwrap().map(|table| table.name().to_owned());
    names.map(|name| (name.clone(), table(&name))).collect()
}

fn strongroom(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom")).current_dir(dir).args(args).output().unwrap()
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let output = strongroom(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An example with its packages, in a directory that is kept from one run to the next, and with the engine of now.
struct Example {
    dir: PathBuf,
    /// What runs the driver.
    program: PathBuf,
    driver: &'static str,
    /// What must be done before a new engine file counts.
    build: Option<&'static [&'static str]>,
}

impl Example {
    /// None if the packages cannot be had.
    fn new(language: &str, driver: &'static str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding").join(language);
        fs::create_dir_all(&dir).unwrap();
        let _ = fs::remove_dir_all(dir.join("backups"));
        let example = root.join("../../examples/embedding").join(language);
        for entry in fs::read_dir(example).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
            }
        }
        fs::copy(root.join("tests/embedding").join(driver), dir.join(driver)).unwrap();
        ok(&dir, &["component", "engine.wasm", "--force"]);
        if language == "javascript" {
            tool(Command::new("npm").current_dir(&dir).args(["install", "--no-audit", "--no-fund"]))?;
            let this =
                Self { dir, program: "node".into(), driver, build: Some(&["build.js", "engine.wasm"]) };
            let built = this.build();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            return Some(this);
        }
        let program = dir.join("tools/bin/python");
        if !Command::new(&program)
            .args(["-c", "import wasmtime"])
            .output()
            .is_ok_and(|out| out.status.success())
        {
            tool(Command::new("python3").current_dir(&dir).args(["-m", "venv", "tools"]))?;
            let mut install = Command::new(dir.join("tools/bin/pip"));
            tool(install.current_dir(&dir).args([
                "install",
                "--quiet",
                "--requirement",
                "requirements.txt",
            ]))?;
        }
        Some(Self { dir, program, driver, build: None })
    }

    fn build(&self) -> Output {
        Command::new(&self.program).current_dir(&self.dir).args(self.build.unwrap()).output().unwrap()
    }

    fn drive(&self, args: &[&str]) -> Value {
        let mut command = Command::new(&self.program);
        let output = command.current_dir(&self.dir).arg(self.driver).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn snapshots(&self) -> Vec<(String, String)> {
        let lines = ok(&self.dir, &["snapshots", "--json"]);
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .map(|line: Value| (line["name"].as_str().unwrap().into(), line["id"].as_str().unwrap().into()))
            .collect()
    }
}

/// All that must hold in every language. Returns the ids of two snapshots.
fn holds(example: &Example) -> [String; 2] {
    let ids = [("first", 0), ("second", 1)].map(|(name, version)| {
        let answer = example.drive(&["backup", name, &version.to_string()]);
        assert_eq!(answer["entries"], 2101, "{answer}");
        assert_eq!(answer["read"], (49 + version).to_string(), "{answer}");
        assert_eq!(answer["damaged"], 0);
        let out = format!("{name}.redb");
        ok(&example.dir, &["restore", name, &out, "--force"]);
        assert!(restored(&example.dir.join(&out)) == expected(version), "{name} is not what was backed up");
        // What was restored is the same database, also by its id.
        ok(&example.dir, &["verify", name, "--against", &out]);
        answer["id"].as_str().unwrap().to_owned()
    });
    ok(&example.dir, &["verify", "--read-data"]);
    ok(&example.dir, &["drill", "second"]);
    assert_eq!(ok(&example.dir, &["get", "first", "accounts", "account-7"]).trim(), "0x3439");
    for path in walk(&example.dir.join("backups")) {
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "others can look into {}", path.display());
    }

    // A source that throws in the middle of a read.
    let before = example.snapshots();
    let answer = example.drive(&["throw", "third"]);
    assert_eq!(answer["code"], "other", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("the source is gone"), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("accounts"), "{answer}");
    assert_eq!(answer["cause"], "the source is gone");
    assert_eq!(example.snapshots(), before);
    ok(&example.dir, &["verify", "--read-data"]);
    assert!(!example.dir.join("backups/lock").exists());

    // A name that is taken; a repository that somebody else writes to, and that others can see.
    assert_eq!(example.drive(&["backup", "first", "0"])["code"], "exists");
    fs::write(example.dir.join("backups/lock"), r#"{"kind":"component","doing":"a backup"}"#).unwrap();
    assert_eq!(example.drive(&["backup", "third", "0"])["code"], "locked");
    assert!(example.dir.join("backups/lock").exists());
    fs::remove_file(example.dir.join("backups/lock")).unwrap();
    assert_eq!(example.snapshots(), before);
    ids
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let (mut all, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.push(path);
    }
    all
}

/// The engine of a version that speaks other contracts.
fn swap(example: &Example) {
    let path = example.dir.join("engine.wasm");
    let mut engine = fs::read(&path).unwrap();
    let (from, to) = (b"strongroom:backup/engine@0.1.0", b"strongroom:backup/engine@0.9.0");
    let places: Vec<usize> =
        engine.windows(from.len()).enumerate().filter(|(_, at)| at == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        engine[at..at + to.len()].copy_from_slice(to);
    }
    fs::write(path, engine).unwrap();
}

/// The ids that the same data has by the native command, from a redb database.
fn native(dir: &Path) -> [String; 2] {
    [0, 1].map(|version| {
        let path = dir.join(format!("{version}.redb"));
        let db = Database::create(&path).unwrap();
        let txn = db.begin_write().unwrap();
        for (name, entries) in expected(version) {
            let mut table = txn.open_table(TableDefinition::<&[u8], &[u8]>::new(&name)).unwrap();
            for (key, value) in entries {
                table.insert(&key[..], &value[..]).unwrap();
            }
        }
        txn.commit().unwrap();
        drop(db);
        let line = ok(dir, &["backup", path.to_str().unwrap(), "--json", "--name", &version.to_string()]);
        serde_json::from_str::<Value>(&line).unwrap()["id"].as_str().unwrap().to_owned()
    })
}

#[test]
fn javascript() {
    let Some(example) = Example::new("javascript", "drive.js") else { return };
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(holds(&example), native(dir.path()));
    swap(&example);
    let built = example.build();
    let said = String::from_utf8(built.stderr).unwrap();
    assert!(
        !built.status.success() && said.contains("engine@0.9.0") && said.contains("engine@0.1.0"),
        "{said}"
    );
}

#[test]
fn python() {
    let Some(example) = Example::new("python", "drive.py") else { return };
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(holds(&example), native(dir.path()));
    swap(&example);
    let answer = example.drive(&["backup", "third", "0"]);
    let said = answer["message"].as_str().unwrap();
    assert!(
        answer["code"] == "unsupported" && said.contains("engine@0.9.0") && said.contains("@0.1.0"),
        "{said}"
    );
    assert_eq!(example.snapshots().len(), 2);
}

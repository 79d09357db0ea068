//! Bad input: each an exit code, a message that says what to do, and nothing lost.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use redb::{ConcurrencyMode, Database};

use crate::place::Place;

#[test]
fn a_command_line_that_makes_no_sense() {
    let place = Place::new();
    for args in [
        "frobnicate",
        "backup",
        "backup app.redb --nonsense",
        "backup app.redb --threads 0",
        "backup app.redb --memory 0",
        "verify --sample 5",
        "verify --sample 5% --read-data",
        "snapshots -v -q",
        "get latest t k --raw --json",
    ] {
        assert_eq!(place.run(args).code, Some(2), "{args}");
    }
    assert!(!place.path("backups").exists());
}

#[test]
fn no_repository() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    for verb in
        ["snapshots", "verify", "restore latest x.redb", "tables latest", "get latest t k", "cat latest t"]
    {
        place.fails(verb, 10, &["backups", "--repo"]);
        place.fails(&format!("{verb} --repo empty"), 10, &["empty", "no repository"]);
    }
    assert!(!place.path("backups").exists() && !place.path("x.redb").exists());
    place.fails("snapshots --repo app.redb", 1, &["app.redb", "not a directory"]);
}

#[test]
fn a_repository_that_somebody_holds() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let mut lock = File::create_new(place.path("backups/lock")).unwrap();
    lock.lock().unwrap();
    lock.write_all(br#"{"kind":"host","machine":"elsewhere","pid":4711,"doing":"a backup","since":0}"#)
        .unwrap();
    let said = place.fails("backup app.redb --name two", 11, &["4711", "elsewhere", "a backup"]);
    assert!(said.contains("lock"), "{said}");
    // Readers need no lock.
    assert_eq!(place.json("snapshots").len(), 1);
    place.ok("verify");
    drop(lock);
    fs::remove_file(place.path("backups/lock")).unwrap();
    place.ok("backup app.redb --name two");
    assert!(!place.path("backups/lock").exists());
}

#[test]
fn a_database_that_somebody_holds() {
    let place = Place::new();
    let db = Database::open(place.path("app.redb")).unwrap();
    place.fails("backup app.redb", 11, &["app.redb", "SingleWriter", "library", "stop it"]);
    assert!(!place.path("backups").exists());
    drop(db);
    let mut builder = Database::builder();
    let db =
        builder.set_concurrency_mode(ConcurrencyMode::SingleWriter).open(place.path("app.redb")).unwrap();
    place.ok("backup app.redb");
    drop(db);
}

#[test]
fn a_budget_that_is_too_small() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.fails("backup app.redb --name two --memory 1", 14, &["1 MiB", "--memory"]);
    place.fails("verify --memory 1", 14, &["--memory"]);
    assert_eq!(place.json("snapshots").len(), 1);
    place.ok("verify --read-data");
}

#[test]
fn names_that_cannot_be() {
    let place = Place::new();
    let long = "x".repeat(300);
    for (name, word) in [
        ("a/b", "slash"),
        ("..", "dot"),
        ("../x", "slash"),
        (".hidden", "dot"),
        ("latest", "latest"),
        ("{nonsense}", "{source}"),
        ("{position}", "--position"),
        ("{time", "brace"),
        (long.as_str(), "200"),
    ] {
        place.fails(&format!("backup app.redb --name {name}"), 1, &[word]);
    }
    // The source becomes part of a name too.
    place.fails("backup app.redb --source ../up", 1, &["slash"]);
    assert!(!place.path("x").exists() && !place.path("b").exists());
    place.ok("backup app.redb --name one");
    let before = place.files("backups/snapshots");
    place.fails("backup app.redb --name one", 1, &["one", "already", "--name"]);
    assert_eq!(place.files("backups/snapshots"), before);
}

#[test]
fn a_source_that_is_none() {
    let place = Place::new();
    fs::write(place.path("text.redb"), "this is text, and more than enough of it").unwrap();
    fs::write(place.path("short.redb"), "x").unwrap();
    fs::create_dir(place.path("dir.redb")).unwrap();
    place.fails("backup text.redb", 1, &["text.redb", "not a redb database"]);
    place.fails("backup short.redb", 1, &["short.redb", "not a redb database"]);
    place.fails("backup dir.redb", 1, &["dir.redb"]);
    place.fails("backup missing.redb", 1, &["no file", "missing.redb"]);
    assert!(!place.path("backups").exists());
}

#[test]
fn what_is_not_there() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    for verb in
        ["restore nothing x.redb", "verify nothing", "tables nothing", "cat nothing t", "get nothing t k"]
    {
        place.fails(verb, 1, &["nothing", "snapshots"]);
    }
    place.fails("restore lates x.redb", 1, &["there is no snapshot \"lates\"; did you mean \"latest\"?"]);
    place.fails("cat one nothing", 1, &["nothing", "accounts, blobs, head, tags"]);
    place.fails("restore one x.redb --table nothing*", 1, &["nothing*", "accounts"]);
    place.fails("backup app.redb --table nothing*", 1, &["nothing*", "accounts"]);
    place.fails("restore one missing/x.redb", 1, &["missing/x.redb"]);
    assert!(!place.path("x.redb").exists());
    assert_eq!(place.json("snapshots").len(), 1);
}

#[test]
fn positions_that_are_not_there() {
    let place = Place::new();
    for (at, words) in [
        ("head/nothing", ["head", "nothing"]),
        ("nothing/slot", ["nothing/slot", "accounts"]),
        ("slot", ["slot", "TABLE/KEY"]),
        ("blobs/1", ["blobs", "not an integer"]),
        ("tags/odd", ["tags", "multimap"]),
    ] {
        place.fails(&format!("backup app.redb --position {at}"), 1, &words);
    }
    assert!(!place.path("backups").exists(), "a directory was made for a backup that could not be named");
}

#[test]
fn a_component_that_is_none() {
    let place = Place::new();
    fs::write(place.path("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    place.fails("backup app.redb --component app.redb", 1, &["app.redb", "not a WebAssembly component"]);
    place.fails("backup app.redb --component module.wasm", 1, &["module.wasm", "component"]);
    place.fails("backup app.redb --component missing.wasm", 1, &["missing.wasm"]);
    assert!(!place.path("backups").exists());
}

#[test]
fn a_directory_that_is_not_a_repository_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("photos")).unwrap();
    fs::set_permissions(place.path("photos"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(place.path("photos/cat.jpg"), "").unwrap();
    let before = place.files("photos/cat.jpg");
    place.fails("backup app.redb --repo photos", 10, &["photos", "cat.jpg"]);
    assert_eq!(fs::read_dir(place.path("photos")).unwrap().count(), 1);
    assert_eq!(place.files("photos/cat.jpg"), before);
}

#[test]
fn a_newer_repository_is_not_touched() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    fs::write(place.path("backups/repository.json"), "{\"format\":\"strongroom\",\"version\":99}\n").unwrap();
    place.fails("snapshots", 1, &["99", "newer"]);
    place.fails("backup app.redb --name two", 1, &["99", "newer"]);
}

//! A snapshot as one file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use crate::place::{Place, Ran, lines};

/// One command's output is the other's input.
fn pipe(mut from: Command, mut to: Command) -> (Output, Output) {
    let mut from = from.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    to.stdin(from.stdout.take().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let to = to.spawn().unwrap().wait_with_output().unwrap();
    (from.wait_with_output().unwrap(), to)
}

#[test]
fn a_snapshot_goes_from_one_repository_to_another_through_a_pipe() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let export = place.command(["export", "one", "-", "--json"]);
    let (export, import) = pipe(export, place.command(["import", "-", "--repo", "far/away", "--json"]));
    assert!(export.status.success() && import.status.success(), "{export:?} {import:?}");
    let exported = &lines(std::str::from_utf8(&export.stderr).unwrap())[0];
    let imported = &lines(std::str::from_utf8(&import.stdout).unwrap())[0];
    let snapshot = &place.json("snapshots")[0];
    assert_eq!((&exported["type"], &exported["to"]), (&"exported".into(), &serde_json::Value::Null));
    assert_eq!((&exported["snapshot"], &exported["bytes"]), (&"one".into(), &snapshot["bytes"]));
    assert_eq!((&imported["type"], &imported["name"]), (&"imported".into(), &"one".into()));
    assert_eq!((&imported["id"], &imported["time"]), (&snapshot["id"], &snapshot["time"]));
    assert_eq!(exported["archive_bytes"], imported["archive_bytes"]);
    let mode = fs::metadata(place.path("far/away")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    place.ok("verify --read-data --repo far/away");
    place.ok("verify one --against app.redb --repo far/away");
    // And it is a repository like any other.
    let next = &place.json("backup app.redb --name two --repo far/away")[0];
    assert_eq!((&next["parent"], &next["id"]), (&"one".into(), &snapshot["id"]));
}

#[test]
fn a_file_is_imported_once_and_restored_without_a_repository() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let said = place.ok("export latest app.archive");
    assert!(said.starts_with("one  ") && said.contains("2,013 entries"), "{said}");
    let mode = fs::metadata(place.path("app.archive")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.fails("export latest app.archive", 1, &["app.archive", "exists", "--force"]);
    place.ok("export latest app.archive --force");
    place.fails("import app.archive", 1, &["\"one\"", "with the same data", "--name"]);
    let again = &place.json("import app.archive --name again")[0];
    assert_eq!((&again["name"], &again["bytes_added"]), (&"again".into(), &0.into()));
    fs::remove_dir_all(place.path("backups")).unwrap();
    place.ok("restore --archive app.archive out.redb");
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
    place.ok("restore --archive app.archive some.redb --table accounts");
    place.fails("restore --archive app.archive out.redb", 1, &["out.redb", "--force"]);
    place.fails("restore --archive app.archive none.redb --table nothing", 1, &["nothing", "accounts"]);
    let archive = fs::File::open(place.path("app.archive")).unwrap();
    let from_stdin =
        place.command(["restore", "--archive", "-", "piped.redb"]).stdin(archive).output().unwrap();
    assert!(from_stdin.status.success(), "{from_stdin:?}");
    assert_eq!(place.accounts("piped.redb"), place.accounts("app.redb"));
    assert!(!place.path("backups").exists());
}

#[test]
fn an_archive_that_is_cut_changed_or_none_leaves_nothing() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("export one app.archive");
    let archive = fs::read(place.path("app.archive")).unwrap();
    let place = Place::empty();
    let with = |bytes: &[u8]| fs::write(place.path("bad.archive"), bytes).unwrap();
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 4;
    let mut newer = archive.clone();
    newer[8] = 9;
    let half = format!("ends at byte {}", archive.len() / 2);
    for (bytes, code, words) in [
        (&archive[..archive.len() / 2], 12, &["cut off", &half, "table \"blobs\""][..]),
        (&flipped, 12, &["the archive at byte", "table \"blobs\""]),
        (&[&archive[..], b"\n"].concat(), 12, &["behind the end"]),
        (b"SQLite format 3", 12, &["no archive"]),
        (b"", 12, &["empty"]),
        (&newer, 1, &["version 9", "knows version 1"]),
    ] {
        with(bytes);
        let said = place.fails("import bad.archive --repo backups", code, words);
        assert!(!said.contains("backups:"), "it is not the repository that is damaged: {said}");
        place.fails("restore --archive bad.archive out.redb", code, words);
        assert!(!place.path("out.redb").exists() && !place.path("out.redb.strongroom-partial").exists());
        if place.path("backups").exists() {
            assert_eq!(place.json("snapshots"), [] as [serde_json::Value; 0]);
            assert!(!place.path("backups/lock").exists());
        }
    }
    // What was written of those that were broken off is used by the one that is whole.
    with(&archive);
    place.ok("import bad.archive");
    place.ok("verify --read-data");
    place.fails("import nothing.archive", 1, &["nothing.archive"]);
    place.fails("import bad.archive --name ../../etc/x", 1, &["slash"]);
}

#[test]
fn an_export_that_fails_leaves_no_file_and_says_so() {
    let place = Place::new();
    place.fails("export latest app.archive", 10, &["backups"]);
    place.ok("backup app.redb --name one");
    place.fails("export two app.archive", 1, &["\"two\""]);
    let packs = fs::read_dir(place.path("backups/packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    place.fails("export one app.archive", 12, &["backups", "table \"blobs\""]);
    assert!(!place.path("app.archive").exists() && !place.path("app.archive.strongroom-partial").exists());
    // Whoever reads what comes through a pipe finds that out too.
    let export = place.command(["export", "one", "-"]);
    let (export, import) = pipe(export, place.command(["import", "-", "--repo", "other"]));
    assert_eq!((export.status.code(), import.status.code()), (Some(12), Some(12)), "{import:?}");
    let said = Ran::from(import).stderr;
    assert!(said.contains("cut off"), "{said}");
    // Nobody reads it.
    let mut closed = place.command(["export", "one", "-"]);
    let mut closed = closed.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(closed.stdout.take());
    assert_eq!(closed.wait().unwrap().code(), Some(1));
}

#[test]
fn little_memory_is_enough() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("export one app.archive --memory 12");
    place.ok("import app.archive --repo other --memory 16");
    place.ok("restore --archive app.archive out.redb --memory 12");
}

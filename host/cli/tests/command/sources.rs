//! Which database is which: however it is backed up, from wherever it lies by then, one database has one history, and two
//! databases never share one by accident.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use redb::Database;
use strongroom::{Backup, ErrorCode, LiveFile, RedbStore, Repository, Sandbox, Snapshot};

use crate::place::{ACCOUNTS, Place, cache, lines};

static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::builder().cache_dir(cache().join("strongroom")).build().unwrap());

/// Who backs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Command,
    /// The library, with the database open and its file.
    Live,
    /// The library, with a store that it has opened.
    Store,
}

const ALL: [By; 3] = [By::Command, By::Live, By::Store];

/// A snapshot as far as it matters here, or the exit code and what was said.
type Made = Result<(String, u64, Option<String>, bool), (i32, String)>;

fn library(place: &Place) -> Repository {
    Repository::with_sandbox(place.path("backups"), SANDBOX.clone()).unwrap()
}

fn told(made: strongroom::Result<Snapshot>) -> Made {
    let scanned = |snapshot: &Snapshot| snapshot.labels.iter().any(|(_, value)| value.contains("moved"));
    made.map(|made| (made.source.clone(), made.seq, made.parent.clone(), scanned(&made))).map_err(|e| {
        let code = if e.code() == ErrorCode::Refused { 13 } else { 1 };
        (code, e.to_string())
    })
}

impl By {
    /// Backs up this file, with more words of the command where it is the command that does it.
    fn back_up(self, place: &Place, file: &str, source: Option<&str>, accept: bool) -> Made {
        let path = place.path(file);
        let mut backup = Backup::new().accept(accept);
        if let Some(source) = source {
            backup = backup.source(source);
        }
        match self {
            By::Command => {
                let mut command = place.command(["backup", file, "--repo", "backups", "--json"]);
                if let Some(source) = source {
                    command.args(["--source", source]);
                }
                if accept {
                    command.arg("--accept");
                }
                let output = command.output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                if !output.status.success() {
                    return Err((output.status.code().unwrap(), said));
                }
                let [made] = &lines(std::str::from_utf8(&output.stdout).unwrap())[..] else {
                    panic!("{said}")
                };
                let text = |member: &str| made[member].as_str().map(str::to_owned);
                let moved = made["labels"].to_string().contains("moved");
                Ok((text("source").unwrap(), made["seq"].as_u64().unwrap(), text("parent"), moved))
            }
            By::Live => {
                let database = Database::open(&path).unwrap();
                told(library(place).backup(&LiveFile::new(&database, &path), &backup))
            }
            By::Store => told(library(place).backup(&Arc::new(RedbStore::open(&path).unwrap()), &backup)),
        }
    }
}

/// The database in a directory of its own.
fn place() -> Place {
    let place = Place::small();
    fs::create_dir_all(place.path("a")).unwrap();
    fs::create_dir_all(place.path("b")).unwrap();
    fs::rename(place.path("app.redb"), place.path("a/app.redb")).unwrap();
    place
}

fn change(file: &Path) {
    let database = Database::open(file).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(ACCOUNTS).unwrap().insert("changed", 7).unwrap();
    write.commit().unwrap();
}

/// What is done to the file between two backups, and where the second one finds it.
type Step = fn(a: &Path, b: &Path);

#[test]
fn one_history_follows_its_database_and_no_other() {
    let same: Step = |_, _| {};
    let moved: Step = |a, b| fs::rename(a, b).unwrap();
    let copied: Step = |a, b| {
        fs::copy(a, b).unwrap();
    };
    let another: Step = |a, b| {
        fs::copy(a, b).unwrap();
        change(b);
    };
    let linked: Step = |a, b| symlink(a, b).unwrap();
    let hard: Step = |a, b| fs::hard_link(a, b).unwrap();
    let left: Step = |a, b| {
        fs::rename(a, b).unwrap();
        symlink(b, a).unwrap();
    };
    let no_file: Step = |a, b| {
        fs::rename(a, b).unwrap();
        fs::create_dir(a).unwrap();
    };
    let restored: Step = |a, b| {
        fs::copy(a, b).unwrap();
        fs::remove_dir_all(a.parent().unwrap()).unwrap();
    };
    // Whether it goes on, and, if so, whether as a move, of which all is scanned.
    for (name, step, file, goes_on) in [
        ("the same", same, "a/app.redb", Some(false)),
        ("through a link", linked, "b/app.redb", Some(false)),
        ("moved", moved, "b/app.redb", Some(true)),
        ("moved, a link left", left, "b/app.redb", Some(true)),
        ("moved, by the link", left, "a/app.redb", Some(true)),
        ("moved, a directory there", no_file, "b/app.redb", Some(true)),
        ("moved with its directory", restored, "b/app.redb", Some(true)),
        ("another name of it", hard, "b/app.redb", Some(true)),
        ("copied", copied, "b/app.redb", None),
        ("another one", another, "b/app.redb", None),
    ] {
        for (first, second) in ALL.iter().flat_map(|first| ALL.map(|second| (*first, second))) {
            let place = place();
            let case = format!("{name}, {first:?}, then {second:?}");
            let (source, seq, parent, _) = first.back_up(&place, "a/app.redb", None, false).unwrap();
            assert_eq!((source.as_str(), seq, parent), ("app", 1, None), "{case}");
            step(&place.path("a/app.redb"), &place.path("b/app.redb"));
            let made = second.back_up(&place, file, None, false);
            let Some(scanned) = goes_on else {
                let (code, said) = made.unwrap_err();
                assert_eq!(code, 13, "{case}: {said}");
                for word in ["a/app.redb", "b/app.redb", "--source", "--accept"] {
                    assert!(said.contains(word), "{case}: {said}");
                }
                assert_eq!(library(&place).snapshots().unwrap().snapshots.len(), 1, "{case}");
                // Each of the remedies.
                let other = second.back_up(&place, file, Some("other"), false).unwrap();
                assert_eq!((other.0.as_str(), other.1), ("other", 1), "{case}");
                let accepted = second.back_up(&place, file, None, true).unwrap();
                assert_eq!((accepted.0.as_str(), accepted.1), ("app", 2), "{case}");
                continue;
            };
            let (source, seq, parent, moved) = made.unwrap();
            assert_eq!((source.as_str(), seq, parent.is_some()), ("app", 2, true), "{case}");
            assert_eq!(moved, scanned, "{case}");
            // From now on it is there.
            let (_, seq, _, moved) = second.back_up(&place, file, None, false).unwrap();
            assert_eq!((seq, moved), (3, false), "{case}");
        }
    }
}

#[test]
fn two_databases_of_one_name_keep_their_snapshots() {
    let place = place();
    fs::copy(place.path("a/app.redb"), place.path("b/app.redb")).unwrap();
    change(&place.path("b/app.redb"));
    place.ok("backup a/app.redb --repo backups --name one");
    place.fails("backup b/app.redb --repo backups --name two", 13, &["--source"]);
    place.ok("backup b/app.redb --repo backups --name two --source b");
    place.ok("forget --keep-last 1");
    assert_eq!(place.json("snapshots").len(), 2);
}

#[test]
fn what_cannot_be_seen_may_still_be_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place();
    By::Command.back_up(&place, "a/app.redb", None, false).unwrap();
    fs::copy(place.path("a/app.redb"), place.path("b/app.redb")).unwrap();
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o000)).unwrap();
    let made = By::Command.back_up(&place, "b/app.redb", None, false);
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o700)).unwrap();
    // Root sees it.
    assert_eq!(made.unwrap_err().0, 13);
}

#[test]
fn a_database_that_knows_no_file_needs_a_name_beside_others() {
    let place = place();
    let path = place.path("a/app.redb");
    let bare = |source: Option<&str>| {
        let database = Database::open(&path).unwrap();
        let backup = Backup::new();
        let backup = if let Some(source) = source { backup.source(source) } else { backup };
        told(library(&place).backup(&database, &backup))
    };
    assert_eq!(bare(None).unwrap().0, "database");
    assert_eq!(bare(None).unwrap().1, 2);
    By::Command.back_up(&place, "a/app.redb", None, false).unwrap();
    let (_, said) = bare(None).unwrap_err();
    assert!(said.contains("\"app\"") && said.contains("Backup::source"), "{said}");
    // With the name it goes on with what the command made, and forgets no file.
    assert_eq!(bare(Some("app")).unwrap().1, 2);
    fs::copy(&path, place.path("b/app.redb")).unwrap();
    assert_eq!(By::Command.back_up(&place, "b/app.redb", None, false).unwrap_err().0, 13);
    assert_eq!(By::Live.back_up(&place, "a/app.redb", None, false).unwrap().1, 3);
}

#[test]
fn a_snapshot_without_a_file_is_gone_on_with() {
    let place = place();
    let database = Database::open(place.path("a/app.redb")).unwrap();
    told(library(&place).backup(&database, &Backup::new().source("app"))).unwrap();
    drop(database);
    let (_, seq, parent, moved) = By::Command.back_up(&place, "a/app.redb", None, false).unwrap();
    assert_eq!((seq, parent.is_some(), moved), (2, true, false));
}

#[test]
fn an_imported_snapshot_is_of_a_file_elsewhere() {
    let place = place();
    By::Command.back_up(&place, "a/app.redb", None, false).unwrap();
    place.ok("export latest app.archive --repo backups");
    fs::rename(place.path("backups"), place.path("old")).unwrap();
    place.ok("import app.archive --repo backups");
    fs::copy(place.path("a/app.redb"), place.path("b/app.redb")).unwrap();
    let (source, ..) = By::Command.back_up(&place, "b/app.redb", None, false).unwrap();
    assert_eq!(source, "app");
    assert_eq!(By::Command.back_up(&place, "a/app.redb", None, false).unwrap_err().0, 13);
}

#[test]
fn a_relative_path_and_an_absolute_one_are_one_file() {
    let place = place();
    let absolute: PathBuf = place.path("a/../a/app.redb");
    By::Command.back_up(&place, "a/app.redb", None, false).unwrap();
    let (_, seq, _, moved) = By::Command.back_up(&place, absolute.to_str().unwrap(), None, false).unwrap();
    assert_eq!((seq, moved), (2, false));
}

//! A disk that fills up in the middle of a run.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use strongroom::{Backup, ErrorCode, JsonLinesSink, Restore, SqliteSink};

use common::map::{MapSink, Maps};
use common::{assert_whole, files_below, names, noise, repository};

/// A backup, a restore and again a backup in a directory where there is no room for them; `make_room` makes some.
fn fill_up(dir: &Path, make_room: impl FnOnce()) {
    let repository = repository(dir.join("backups"));
    let first = Maps::filled(&[("a", 1000, 100)]);
    repository.backup(&Arc::new(first.clone()), &Backup::new().name("first")).unwrap();
    let large = Arc::new(Maps::filled(&[("a", 1000, 100), ("large", 40, 100_000)]));
    for threads in [1, 3] {
        let error = repository.backup(&large, &Backup::new().name("second").threads(threads)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Full, "{error}");
        assert_eq!(names(&repository), ["first"]);
        assert_whole(&repository);
        assert!(!repository.dir().join("lock").exists());
    }
    let (sink, restored) = MapSink::new();
    repository.restore_into("first", Box::new(sink), &Restore::new()).unwrap();
    assert!(restored.lock().unwrap().take() == Some(first));

    make_room();
    let second = repository.backup(&large, &Backup::new().name("second")).unwrap();
    assert_eq!(second.parent.as_deref(), Some("first"));
    assert_eq!(names(&repository), ["first", "second"]);
    assert_whole(&repository);
    let unfinished = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("tmp-");
    assert_eq!(files_below(dir).into_iter().find(unfinished), None, "what was unfinished is cleared away");
}

/// A restore into a directory where there is no room for it.
fn restore_into_full(backups: &Path, dir: &Path) {
    let before = files_below(dir);
    let error = repository(backups).restore("latest", dir.join("out.redb"), &Restore::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Full, "{error}");
    assert_eq!(files_below(dir), before, "nothing is left of it");
    let lines = JsonLinesSink::new(&dir.join("out.jsonl"), false).unwrap();
    let error = repository(backups).restore_into("latest", Box::new(lines), &Restore::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Full, "{error}");
    assert_eq!(files_below(dir), before, "nothing is left of it");
    let sqlite = SqliteSink::new(&dir.join("out.sqlite"), false).unwrap();
    let error = repository(backups).restore_into("latest", Box::new(sqlite), &Restore::new()).unwrap_err();
    // SQLite does not tell a limit of the file's size from other failures of the disk.
    assert!(matches!(error.code(), ErrorCode::Full | ErrorCode::Io), "{error}");
    assert_eq!(files_below(dir), before, "nothing is left of it");
}

fn large_database(dir: &Path) {
    let db = redb::Database::create(dir.join("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let definition = redb::TableDefinition::<u32, &[u8]>::new("large");
    for row in 0..200 {
        txn.open_table(definition).unwrap().insert(row, noise(u64::from(row), 50_000).as_slice()).unwrap();
    }
    txn.commit().unwrap();
    repository(dir.join("backups")).backup(&db, &Backup::new()).unwrap();
}

/// Not a test: where the file system of `FULL_DIR` has 6 MiB.
#[test]
#[ignore = "what another test starts as another process"]
fn on_a_small_file_system() {
    let Some(dir) = std::env::var_os("FULL_DIR").map(PathBuf::from) else { return };
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, noise(1, 4 << 20)).unwrap();
    restore_into_full(&PathBuf::from(std::env::var_os("FULL_BACKUPS").unwrap()), &dir);
    fill_up(&dir, || std::fs::remove_file(ballast).unwrap());
    eprintln!("it was full");
}

/// Not a test: where no file may grow beyond 1 MiB, which says so instead of killing the process.
#[test]
#[ignore = "what another test starts as another process"]
fn under_a_limit_of_file_size() {
    let Some(dir) = std::env::var_os("FULL_DIR").map(PathBuf::from) else { return };
    let limits = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), ..limits }).unwrap();
    restore_into_full(&PathBuf::from(std::env::var_os("FULL_BACKUPS").unwrap()), &dir);
    fill_up(&dir, || setrlimit(Resource::Fsize, limits).unwrap());
    eprintln!("it was full");
}

/// Starts this program by a line of shell that knows it as `"$0" "$@"`.
fn run(shell: &[&str], test: &str, dir: &Path, backups: &Path) -> (bool, String) {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]);
    command.env("FULL_DIR", dir).env("FULL_BACKUPS", backups).stdin(Stdio::null());
    let Ok(done) = command.output() else { return (false, format!("there is no {}", shell[0])) };
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.success() && said.contains("it was full"), said)
}

#[test]
fn a_full_disk_harms_nothing_and_with_room_the_next_run_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let [small, limited] = ["small", "limited"].map(|name| dir.path().join(name));
    std::fs::create_dir(&small).unwrap();
    std::fs::create_dir(&limited).unwrap();
    large_database(dir.path());
    let backups = dir.path().join("backups");

    // A file system of its own needs namespaces, which not every system lets everybody have.
    let mount = r#"mount -t tmpfs -o size=6m,mode=700 strongroom-test "$FULL_DIR" || exit 77"#;
    let can_mount = |line: &str| {
        let tried = Command::new("unshare").args(["-rm", "sh", "-c", line]).env("FULL_DIR", &small).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    if can_mount(mount) {
        let line = format!("{mount}; exec \"$0\" \"$@\"");
        let (done, said) =
            run(&["unshare", "-rm", "sh", "-c", &line], "on_a_small_file_system", &small, &backups);
        assert!(done, "{said}");
        println!("tried on a file system of 6 MiB");
    } else {
        println!("no file system of one's own may be mounted here");
    }

    // A signal that is ignored stays so in the program that is started.
    let line = "trap '' XFSZ; exec \"$0\" \"$@\"";
    let (done, said) = run(&["sh", "-c", line], "under_a_limit_of_file_size", &limited, &backups);
    assert!(done, "{said}");
    println!("tried with files of at most 1 MiB");
}

//! The same engine where nothing of ours runs it: composed with its provider and the command, under the stock
//! `wasmtime` command.
//!
//! The command is taken from `WASMTIME`, or found on the path. Without one, the same runtime comes from PyPI.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod place;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    ConcurrencyMode, Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, TableDefinition,
};
use serde_json::Value;
use strongroom::{Backup, Error, ErrorCode, Import, RedbStore, Repository, Restore, Result};
use tempfile::TempDir;

use common::{assert_whole, names, noise, repository};
use place::*;

/// The sum of all balances.
fn total(path: &Path) -> u64 {
    let db = Database::open(path).unwrap();
    let table = db.begin_read().unwrap().open_table(ACCOUNTS).unwrap();
    table.iter().unwrap().map(|entry| entry.unwrap().1.value()).sum()
}

#[test]
fn the_composed_component_holds_the_very_engine_and_needs_wasi_alone() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::new(&engine, strongroom_composed::COMMAND).unwrap();
    let kind = component.component_type();
    for (name, _) in kind.imports(&engine) {
        assert!(name.starts_with("wasi:"), "{name}");
    }
    let exports: Vec<&str> = kind.exports(&engine).map(|(name, _)| name).collect();
    assert_eq!(exports, ["wasi:cli/run@0.2.12", "strongroom:backup/engine@0.1.0"]);
    let holds = |part: &[u8]| strongroom_composed::COMMAND.windows(part.len()).any(|window| window == part);
    assert!(holds(strongroom_composed::ENGINE));
    assert!(
        strongroom_composed::WIT.iter().any(|(name, text)| *name == "engine.wit" && text.contains("prepare"))
    );
}

#[test]
fn one_repository_both_ways() {
    let place = Place::new();
    let first = &place.json("backup data/app.redb --name first")[0];
    assert_eq!((&first["entries"], &first["source"]), (&20_502.into(), &"app".into()));
    let second = place.native_backup("data/app.redb", "second").unwrap();
    assert_eq!((first["id"].as_str(), second.bytes_added), (Some(second.id.as_str()), 0));
    assert_eq!(second.parent.as_deref(), Some("first"));

    let db = Database::open(place.path("data/app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(ACCOUNTS).unwrap().insert("account-00007", 7).unwrap();
    txn.commit().unwrap();
    drop(db);
    let third = place.native_backup("data/app.redb", "third").unwrap();
    let fourth = &place.json("backup data/app.redb --name fourth")[0];
    assert_eq!((fourth["id"].as_str(), &fourth["bytes_added"]), (Some(third.id.as_str()), &0.into()));
    assert_eq!(names(&place.repository()), ["first", "second", "third", "fourth"]);
    assert_whole(&place.repository());
    assert_eq!(place.json("verify --read-data")[0]["damage"], 0);

    place.ok("restore latest data/composed.redb");
    place.repository().restore("latest", place.path("data/native.redb"), &Restore::new()).unwrap();
    for file in ["data/composed.redb", "data/native.redb"] {
        assert_eq!(
            place.native_backup(file, file.trim_start_matches("data/")).unwrap().id,
            third.id,
            "{file}"
        );
        assert_eq!(total(&place.path(file)), 1000 * 20_000 - 993, "{file}");
    }
    assert!(
        !place.path("backups/lock").exists() && !place.path("data/composed.redb.strongroom-partial").exists()
    );
}

#[test]
fn the_verbs_say_what_the_native_command_says() {
    let place = Place::new();
    let said = place.ok("backup data/app.redb --name one");
    assert!(said.starts_with("one  ") && said.contains("  20,502 entries  "), "{said}");
    assert_eq!(place.json("snapshots").len(), 1);
    assert!(place.ok("tables latest").starts_with("NAME      KIND      ENTRIES"));
    assert_eq!(place.ok("get one accounts account-00042"), "1000\n");
    assert_eq!(place.ok("get one blobs 1"), "0xff000a\n");
    assert_eq!(place.ok("get one tags odd").lines().count(), 250);
    assert_eq!(place.ok("cat one accounts").lines().count(), 20_000);
    assert_eq!(place.json("cat one accounts")[7]["key"], "account-00007");
    assert!(place.ok("verify").contains("no damage"));
    assert!(place.repository().checks().structure.is_some());
    assert!(place.ok("report --html data/report.html").contains("The page is in data/report.html."));
    assert!(fs::read_to_string(place.path("data/report.html")).unwrap().ends_with("</html>\n"));
    assert_eq!(place.ok("backup data/app.redb --name two -q"), "");
    assert!(place.ok("--help").contains("wasmtime run --dir"));
    assert!(place.ok("help backup").contains("EXAMPLES:"));
    for (args, words) in [
        ("frobnicate", "unrecognized subcommand"),
        ("demo", "native"),
        ("forget --keep-last 3", "--keep-last"),
        ("policy check", "native"),
        ("backup data/app.redb --threads 2", "one thread"),
        ("verify --memory 100", "-W max-memory-size"),
        ("backup data/app.redb --permission-override", "chmod"),
    ] {
        place.fails(&["data", "backups"], args, 2, &[words]);
    }
}

#[test]
fn what_is_forgotten_and_pruned_is_so_for_both() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    let db = Database::open(place.path("data/app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.delete_table(BLOBS).unwrap();
    txn.commit().unwrap();
    drop(db);
    place.ok("backup data/app.redb --name two");
    let both = ["data", "backups"];
    place.fails(&both, "forget one two", 1, &["no snapshot would be left"]);
    place.fails(&both, "forget one three", 1, &["three"]);
    assert_eq!(place.json("forget one --dry-run")[0]["forgotten"], 1);
    assert_eq!(names(&place.repository()), ["one", "two"]);
    let freed = place.json("forget one --prune")[1]["bytes_freed"].as_u64().unwrap();
    assert!(freed > 0);
    assert_eq!(names(&place.repository()), ["two"]);
    assert_eq!(place.json("prune --dry-run")[0]["bytes_freed"], 0);
    assert_whole(&place.repository());
    assert!(!place.path("backups/lock").exists());
}

#[test]
fn an_archive_goes_both_ways() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    let exported = &place.json("export one data/app.archive")[0];
    let native = repository(place.path("native"));
    let imported =
        native.import(fs::File::open(place.path("data/app.archive")).unwrap(), &Import::new()).unwrap();
    assert_eq!(exported["id"].as_str(), Some(&*imported.snapshot.id));
    assert_whole(&native);

    let mut archive = Vec::new();
    native.export("one", &mut archive).unwrap();
    fs::write(place.path("data/native.archive"), &archive).unwrap();
    let again = &place.json("import data/native.archive --name again")[0];
    assert_eq!((&again["id"], &again["bytes_added"]), (&exported["id"], &0.into()));
    assert_whole(&place.repository());
    place.ok("restore --archive data/native.archive data/restored.redb");
    assert_eq!(total(&place.path("data/restored.redb")), 1000 * 20_000);

    archive.truncate(archive.len() / 2);
    fs::write(place.path("data/cut.archive"), &archive).unwrap();
    let cut = format!("the archive is cut off: it ends at byte {}", archive.len());
    let both = ["data", "backups"];
    place.fails(&both, "import data/cut.archive --name cut", 12, &[&format!("error: {cut}")]);
    place.fails(&both, "restore --archive data/cut.archive data/cut.redb", 12, &[&cut]);
    assert!(
        !place.path("data/cut.redb").exists() && !place.path("data/cut.redb.strongroom-partial").exists()
    );
    assert!(!place.path("backups/lock").exists());
    // Through pipes.
    let export = place.command(&both, "export one -").output().unwrap();
    assert!(export.status.success() && export.stdout.starts_with(b"SRarchiv"), "{:?}", export.stderr);
    let mut import = place.command(&both, "import - --name piped");
    import.stdin(fs::File::open(place.path("data/app.archive")).unwrap());
    let ran = Ran::of(&mut import);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    assert_eq!(names(&place.repository()), ["again", "piped", "one"]);
}

#[test]
fn what_differs_is_told() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    let db = Database::open(place.path("data/app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(ACCOUNTS).unwrap().insert("account-00007", 7).unwrap();
    txn.commit().unwrap();
    drop(db);
    let live = place.ok("diff one data/app.redb --keys");
    assert!(live.contains("~ accounts\taccount-00007\t8 B to 8 B\n"), "{live}");
    place.ok("backup data/app.redb --name two");
    let said = place.json("diff one two");
    assert_eq!((&said[0]["table"], &said[0]["changed"]), (&"accounts".into(), &1.into()));
    assert_eq!((&said[1]["tables"], &said[1]["equal"]), (&1.into(), &false.into()));
    place.fails(&["data", "backups"], "diff one three", 1, &["three"]);
}

#[test]
fn a_repair_makes_an_index_again() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    for index in fs::read_dir(place.path("backups/index")).unwrap() {
        fs::write(index.unwrap().path(), "no index").unwrap();
    }
    let said = place.json("repair --dry-run")[0]["mended"].clone();
    assert!(said[0]["file"].as_str().unwrap().starts_with("index/"), "{said}");
    assert_eq!(place.json("repair")[0]["mended"], said);
    assert_eq!(place.json("repair")[0]["mended"].as_array().unwrap().len(), 0);
    assert_whole(&place.repository());
    assert!(!place.path("backups/lock").exists());
}

/// How many seconds ago the last sign of life was, as a message has it.
fn quiet_for(message: &str) -> u64 {
    let (_, ago) = message.split_once("sign of life ").unwrap();
    let (minutes, rest) = ago.split_once(" min ").unwrap();
    let (seconds, _) = rest.split_once(" s ago").unwrap();
    60 * minutes.parse::<u64>().unwrap() + seconds.parse::<u64>().unwrap()
}

#[test]
fn each_side_respects_the_lock_of_the_other() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    let lock = place.path("backups/lock");
    fs::write(&lock, br#"{"kind":"host","machine":"elsewhere","pid":4711,"doing":"a backup","since":0}"#)
        .unwrap();
    let words = ["elsewhere", "process 4711", "cannot be seen", "--break-lock"];
    place.fails(&["data", "backups"], "backup data/app.redb --name two", 11, &words);
    assert!(lock.exists());
    // Left by a component that was killed, or held by one that works: people decide by its signs of life.
    fs::write(&lock, br#"{"kind":"component","doing":"a backup","since":1780000000}"#).unwrap();
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(hour_ago).unwrap();
    let words = ["under another runtime", "2026-05-28 20:26:40", "(backups/lock)", "--break-lock"];
    let said = place.fails(&["data", "backups"], "backup data/app.redb --name two", 11, &words);
    let natively = place.native_backup("data/app.redb", "two").unwrap_err();
    assert_eq!(natively.code(), ErrorCode::Locked, "{natively}");
    // Each looked at a moment of its own between then and now, on a machine that may be busy.
    let at_most = hour_ago.elapsed().unwrap().as_secs() + 1;
    for said in [said, natively.to_string()] {
        let ago = quiet_for(&said);
        assert!((3600..=at_most).contains(&ago), "{ago} s, of at most {at_most}: {said}");
    }
    // Readers need no lock.
    assert_eq!(place.json("snapshots").len(), 1);
    place.fails(&["data", "backups"], "backup data/app.redb --name two --wait 1s", 11, &words);
    let broken = place.run("backup data/app.redb --name two --break-lock");
    assert_eq!(broken.code, Some(0), "{}", broken.stderr);
    assert!(!lock.exists());
    // A native run sees that the holder of another is gone, whatever its file says, and waits for one that is not.
    fs::write(&lock, br#"{"kind":"host","machine":"elsewhere","pid":4711,"doing":"a backup","since":0}"#)
        .unwrap();
    place.native_backup("data/app.redb", "three").unwrap();
    place.ok("init");
    assert_eq!(place.json("snapshots").len(), 3);
    assert!(!lock.exists());
}

/// What a component can see of a writer: an open database looks like one that was not closed.
#[test]
fn a_database_in_use_is_refused_or_backed_up_as_of_one_moment() {
    let place = Place::new();
    let db = Database::open(place.path("data/app.redb")).unwrap();
    place.fails(&["data", "backups"], "backup data/app.redb", 11, &["data/app.redb is open", "native"]);
    assert_eq!(fs::read_dir(place.path("backups")).unwrap().count(), 0);
    drop(db);
    place.ok("backup data/app.redb --name before");

    let mut shared = Database::builder();
    let shared = shared.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let db = shared.open(place.path("data/app.redb")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut i = 0_usize;
            while !stop.load(Ordering::Relaxed) {
                let txn = db.begin_write().unwrap();
                {
                    let mut accounts = txn.open_table(ACCOUNTS).unwrap();
                    for (step, amount) in [(7, 1), (11, -1)] {
                        let key = format!("account-{:05}", i * step % 20_000);
                        let balance = accounts.get(key.as_str()).unwrap().unwrap().value();
                        accounts.insert(key.as_str(), balance.wrapping_add_signed(amount)).unwrap();
                    }
                }
                txn.commit().unwrap();
                i += 1;
            }
        });
        let (mut made, mut refused) = (0, 0);
        for _ in 0..6 {
            match place.run("backup data/app.redb --name {source}-{seq}").code {
                Some(0) => made += 1,
                Some(11) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        println!("beside a writer: {made} made, {refused} refused");
    });
    drop(db);
    for name in names(&place.repository()) {
        let restored = place.path(&format!("data/{name}.redb"));
        place.repository().restore(&name, &restored, &Restore::new()).unwrap();
        assert_eq!(total(&restored), 1000 * 20_000, "{name} is not one moment");
    }
    place.ok("backup data/app.redb --name after");
    assert_whole(&place.repository());
}

#[test]
fn bad_input_is_answered_as_natively() {
    let place = Place::new();
    // Not granted, and outside.
    let both = ["data", "backups"];
    place.fails(&["backups"], "backup data/app.redb", 1, &["data/app.redb", "--dir data"]);
    place.fails(&["data"], "backup data/app.redb", 1, &["backups is in no directory", "--dir"]);
    place.fails(&both, "backup data/../../x.redb", 1, &["no directory that this run was granted"]);
    place.fails(&both, "restore latest ../x.redb", 1, &["../x.redb"]);
    // No database, no repository.
    fs::write(place.path("data/text.redb"), "this is text, and more than enough of it").unwrap();
    for file in ["data/text.redb", "data/missing.redb", "data"] {
        place.fails_as(&format!("backup {file}"), 1, place.native_backup(file, "x"));
    }
    place.fails_as("snapshots", 10, place.repository().snapshots());
    assert_eq!(fs::read_dir(place.path("backups")).unwrap().count(), 0);
    fs::write(place.path("backups/cat.jpg"), "").unwrap();
    place.fails_as("backup data/app.redb", 10, place.native_backup("data/app.redb", "x"));
    fs::remove_file(place.path("backups/cat.jpg")).unwrap();

    place.ok("backup data/app.redb --name one");
    let before = names(&place.repository());
    place.fails_as("backup data/app.redb --name one", 1, place.native_backup("data/app.redb", "one"));
    for which in ["nothing", "0123"] {
        place.fails_as(&format!("tables {which}"), 1, place.repository().tables(which));
        let to = place.path("data/out.redb");
        let natively = place.repository().restore(which, &to, &Restore::new());
        place.fails_as(&format!("restore {which} data/out.redb"), 1, natively);
    }
    place.fails(&both, "restore one data/app.redb", 1, &["data/app.redb exists already", "--force"]);
    place.fails(&both, "restore one data/none/out.redb", 1, &["data/none/out.redb"]);
    assert_eq!(total(&place.path("data/app.redb")), 1000 * 20_000);
    // A newer format.
    let about = place.path("backups/repository.json");
    let ours = fs::read(&about).unwrap();
    fs::write(&about, "{\"format\":\"strongroom\",\"version\":99}\n").unwrap();
    place.fails_as("snapshots", 1, place.repository().snapshots());
    place.fails_as("backup data/app.redb --name two", 1, place.native_backup("data/app.redb", "two"));
    fs::write(&about, ours).unwrap();
    assert_eq!(names(&place.repository()), before);
    assert_whole(&place.repository());
}

#[test]
fn a_database_that_is_damaged_is_told_as_natively() {
    let place = Place::new();
    let path = place.path("data/app.redb");
    let mut bytes = fs::read(&path).unwrap();
    // All but the header.
    bytes[4096..].iter_mut().for_each(|byte| *byte = 0x5a);
    fs::write(&path, bytes).unwrap();
    let natively = place.native_backup("data/app.redb", "x").unwrap_err();
    assert_eq!(natively.code(), ErrorCode::Damaged, "{natively}");
    place.fails(&["data", "backups"], "backup data/app.redb", 12, &["damaged"]);
    assert!(!place.path("backups/lock").exists());
}

#[test]
fn where_nothing_can_be_written_nothing_is_lost() {
    let place = Place::new();
    place.ok("backup data/app.redb --name one --table accounts");
    let dirs = ["data", "backups"];
    // No room: no file may grow beyond 1 MiB, which the blob does not fit into.
    let inner = place.command(&dirs, "backup data/app.redb --name two");
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]).arg(inner.get_program());
    limited.args(inner.get_args()).current_dir(place.dir.path()).stdin(Stdio::null());
    let ran = Ran::of(&mut limited);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("no larger file") || ran.stderr.contains("no room"), "{}", ran.stderr);
    // Read-only: by the runtime where it can do that, else by the file system.
    let mut command = place.command(&dirs, "backup data/app.redb --name two");
    if let Runtime::Command { .. } = runtime() {
        let inner = command;
        command = Command::new("unshare");
        let line =
            "mount --bind backups backups && mount -o remount,bind,ro backups || exit 77; exec \"$0\" \"$@\"";
        command.args(["-rm", "sh", "-c", line]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(place.dir.path()).stdin(Stdio::null());
    } else {
        command.env("READ_ONLY", "backups");
    }
    let ran = Ran::of(&mut command);
    if ran.code == Some(77) || ran.stderr.contains("unshare") {
        println!("nothing may be mounted here");
    } else {
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("cannot make the lock backups/lock"), "{}", ran.stderr);
    }
    assert_eq!(names(&place.repository()), ["one"]);
    assert_whole(&place.repository());
    place.ok("backup data/app.redb --name two");
}

#[test]
fn plain_calls_go_without_the_command() {
    let Runtime::Command { program, .. } = runtime() else {
        println!("only the wasmtime command has --invoke");
        return;
    };
    let place = Place::new();
    place.ok("backup data/app.redb --name one");
    let component = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasmtime/strongroom.wasm");
    for (call, answer) in [
        ("snapshots()", "ok(([{name: \"one\", id: \""),
        ("find(\"latest\")", "ok({name: \"one\", id: \""),
        ("verify(none, data)", "ok({snapshots: 1, objects: "),
        ("tables(\"nothing\")", "err({code: not-found, message: \""),
    ] {
        let mut command = Command::new(program);
        command.args(["run", "--dir", "backups", "--invoke", call]).arg(&component);
        let ran = Ran::of(command.current_dir(place.dir.path()).stdin(Stdio::null()));
        assert!(
            ran.code == Some(0) && ran.stdout.starts_with(answer),
            "{call}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

//! Ctrl-C.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};

use crate::place::{Place, Ran, random};

const BIG: TableDefinition<u64, &[u8]> = TableDefinition::new("big");

fn with_much() -> Place {
    let place = Place::new();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut big = txn.open_table(BIG).unwrap();
        for i in 0..20_000 {
            big.insert(i, random(i, 8_000).as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
    place
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until there is a file in the directory, or the child has ended.
fn wait_for_file(child: &mut Child, dir: &std::path::Path) {
    let started = Instant::now();
    while fs::read_dir(dir).map_or(0, Iterator::count) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        assert!(started.elapsed() < Duration::from_secs(30), "nothing was written");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_interrupted_backup_publishes_nothing_and_the_next_one_succeeds() {
    let place = with_much();
    // Something that must stay as it is.
    place.ok("backup app.redb --name before --table accounts");
    let before = place.files("backups/snapshots");
    fs::create_dir(place.path("other")).unwrap();
    for (sent, repo) in [("-INT", "backups"), ("-TERM", "new")] {
        let args = ["backup", "app.redb", "--name", "one", "--threads", "1", "--repo", repo];
        let mut command = place.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if repo == "new" {
            wait_for_file(&mut child, &place.path("new/packs"));
        } else {
            // The lock is there as soon as it is at work.
            while !place.path("backups/lock").exists() {
                assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
            }
        }
        signal(&child, sent);
        let ran = Ran::from(child.wait_with_output().unwrap());
        ran.failed(130, &["interrupted", "nothing was published", "next backup"]);
        assert!(!place.path(repo).join("lock").exists());
    }
    assert_eq!(place.files("backups/snapshots"), before);
    assert_eq!(place.json("snapshots --repo new").len(), 0);
    place.ok("verify --read-data");
    for repo in ["backups", "new"] {
        place.ok(&format!("backup app.redb --name one --repo {repo}"));
        place.ok(&format!("verify --read-data --repo {repo}"));
    }
    assert_eq!(place.json("snapshots").len(), 2);
}

#[test]
fn an_interrupted_restore_leaves_the_target_as_it_was() {
    let place = with_much();
    place.ok("backup app.redb --name one");
    fs::write(place.path("out.redb"), "precious").unwrap();
    let mut command = place.command(["restore", "one", "out.redb", "--force"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path("out.redb.strongroom-partial").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
    }
    signal(&child, "-INT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.failed(130, &["interrupted", "out.redb is as it was"]);
    assert_eq!(fs::read(place.path("out.redb")).unwrap(), b"precious");
    assert!(!place.path("out.redb.strongroom-partial").exists());
}

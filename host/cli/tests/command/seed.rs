//! What the command this one descends from did, row by row.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable};
use strongroom::{Repository, Restore, Sandbox};

use crate::place::{ACCOUNTS, HEAD, Place, cache, mix};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_directory_is_beside_the_database_or_where_it_is_told() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    fs::rename(place.path("app.redb"), place.path("data/app.redb")).unwrap();
    place.ok("backup data/app.redb");
    assert!(place.path("data/backups/repository.json").exists());
    place.ok("backup data/app.redb --repo given");
    assert!(place.path("given/repository.json").exists());
    let ran = place
        .command(["backup", "data/app.redb", "-q", "--init"])
        .env("STRONGROOM_REPO", "named")
        .status()
        .unwrap();
    assert!(ran.success());
    assert!(place.path("named/repository.json").exists());
}

#[test]
fn paths_are_expanded() {
    let place = Place::new();
    let run = |args: &[&str]| {
        let mut command = place.command(args.iter().copied());
        command.env("HOME", place.path("")).env("BASE", place.path("base")).output().unwrap()
    };
    assert!(run(&["backup", "~/app.redb", "--repo", "$BASE/x//y/./backups"]).status.success());
    assert!(place.path("base/x/y/backups/repository.json").exists());
    assert!(run(&["restore", "latest", "${BASE}/out.redb", "--repo", "~/base/x/y/backups"]).status.success());
    assert_eq!(place.accounts("base/out.redb").len(), 2000);
    // One that is not set does not count as empty.
    let refused = run(&["backup", "~/app.redb", "--repo", "$NO_SUCH_VARIABLE/backups"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("NO_SUCH_VARIABLE"));
}

#[test]
fn everything_is_for_its_owner_alone() {
    let place = Place::new();
    place.ok("backup app.redb --repo a/b/backups");
    place.ok("restore latest out.redb --repo a/b/backups");
    for dir in ["a", "a/b", "a/b/backups"] {
        assert_eq!(mode(&place.path(dir)), 0o700, "{dir}");
    }
    for path in place.files("a/b/backups").keys() {
        assert_eq!(mode(path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    assert_eq!(mode(&place.path("out.redb")), 0o600);
}

#[test]
fn a_directory_that_others_can_see_is_refused_unless_overridden() {
    let place = Place::new();
    fs::create_dir(place.path("backups")).unwrap();
    fs::set_permissions(place.path("backups"), fs::Permissions::from_mode(0o755)).unwrap();
    place.fails("backup app.redb", 1, &["backups", "0700", "0755", "--permission-override"]);
    assert_eq!(mode(&place.path("backups")), 0o755);
    assert_eq!(fs::read_dir(place.path("backups")).unwrap().count(), 0);
    place.ok("backup app.redb --permission-override");
    assert_eq!(mode(&place.path("backups")), 0o700);
    place.ok("backup app.redb --name next");
}

#[test]
fn a_position_that_is_missing_ends_the_run_with_nothing_written() {
    let place = Place::new();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(HEAD).unwrap().remove("slot").unwrap();
    txn.commit().unwrap();
    drop(db);
    place.fails("backup app.redb --name slot_{position} --position head/slot", 1, &["head/slot", "slot"]);
    assert!(!place.path("backups").exists());
}

/// Two hundred states of a chain, each backed up by the command under the name of its slot, listed in the order of
/// their numbers, and each restored and compared.
#[test]
fn two_hundred_positions_in_a_row_come_back() {
    const SLOTS: u64 = 200;
    let place = Place::small();
    // From before to after the point where the numbers need one more digit than the name has.
    let first = 9_999_900;
    let name = |slot: u64| format!("prysm_beacondb_at_slot_{slot:07}.backup");
    let mut expected = place.accounts("app.redb");
    let mut states = Vec::new();
    for slot in first..first + SLOTS {
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        {
            let mut accounts = txn.open_table(ACCOUNTS).unwrap();
            let key = format!("account-{:04}", mix(slot) % 2500);
            // A key that is deleted must stay so.
            if mix(slot).is_multiple_of(3) && accounts.remove(key.as_str()).unwrap().is_some() {
                expected.remove(&key);
            } else {
                accounts.insert(key.as_str(), slot).unwrap();
                expected.insert(key, slot);
            }
            txn.open_table(HEAD).unwrap().insert("slot", slot).unwrap();
        }
        txn.commit().unwrap();
        drop(db);
        let said = place
            .ok("backup app.redb --name prysm_beacondb_at_slot_{position:07}.backup --position head/slot");
        assert!(said.starts_with(&name(slot)), "{said}");
        states.push(expected.clone());
    }
    let listed = place.json("snapshots");
    let slots: Vec<u64> = listed.iter().map(|snapshot| snapshot["position"].as_u64().unwrap()).collect();
    assert_eq!(slots, (first..first + SLOTS).collect::<Vec<_>>());
    assert!(listed.iter().all(|snapshot| snapshot["name"] == name(snapshot["position"].as_u64().unwrap())));
    // In this process: the command would do the same, at three times the time.
    let sandbox = Sandbox::builder().cache_dir(cache().join("strongroom")).build().unwrap();
    let repository = Repository::with_sandbox(place.path("backups"), sandbox).unwrap();
    for (slot, expected) in (first..).zip(&states) {
        let restore = Restore::new().tables(["accounts", "head"]).overwrite(true);
        repository.restore(&name(slot), place.path("out.redb"), &restore).unwrap();
        assert_eq!(place.accounts("out.redb"), *expected, "slot {slot}");
        let db = Database::open(place.path("out.redb")).unwrap();
        let head = db.begin_read().unwrap().open_table(HEAD).unwrap();
        assert_eq!(head.get("slot").unwrap().unwrap().value(), slot);
        assert_eq!(head.iter().unwrap().count(), 1);
    }
    place.ok("verify --read-data");
}

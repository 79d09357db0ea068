//! A repository that is damaged, and verbs that must not change one.

use std::fs;
use std::path::PathBuf;

use redb::{Database, ReadableDatabase, TableDefinition};

use crate::place::{ACCOUNTS, Place, lines, random};

const BIG: TableDefinition<u64, &[u8]> = TableDefinition::new("big");

/// A repository in which a table of several megabytes takes nearly all of the pack, and that pack.
pub(crate) fn with_pack() -> (Place, PathBuf) {
    let place = Place::new();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut big = txn.open_table(BIG).unwrap();
        for i in 0..40_000 {
            big.insert(i, random(i + 10, 400).as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
    drop(db);
    place.ok("backup app.redb --name one --threads 1");
    let packs = fs::read_dir(place.path("backups/packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    (place, pack)
}

#[test]
fn a_flipped_bit_is_found_and_what_is_whole_can_be_restored() {
    let (place, pack) = with_pack();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let ran = place.run("verify --read-data --json");
    assert_eq!(ran.code, Some(12));
    let said = lines(std::str::from_utf8(&ran.stdout).unwrap());
    let file = format!("packs/{}", pack.file_name().unwrap().to_str().unwrap());
    assert_eq!((&said[0]["type"], &said[0]["file"]), (&"damage".into(), &file.into()), "{said:?}");
    assert_eq!(said[0]["snapshots"], serde_json::json!(["one"]));
    assert_eq!(lines(&ran.stderr).last().unwrap()["exit"], 12);
    place.fails("restore one out.redb", 12, &["big", "--skip-damaged"]);
    assert!(!place.path("out.redb").exists());
    place.fails("restore one out.redb --skip-damaged", 12, &["1 table", "big"]);
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
    let db = Database::open(place.path("out.redb")).unwrap();
    assert!(db.begin_read().unwrap().open_table(ACCOUNTS).is_ok());
    assert!(db.begin_read().unwrap().open_table(BIG).is_err());
}

#[test]
fn a_missing_pack_is_found_and_the_next_backup_heals_it() {
    let (place, pack) = with_pack();
    fs::remove_file(&pack).unwrap();
    place.fails("verify", 12, &["damaged"]);
    let ran = place.run("backup app.redb --name two --json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(lines(&ran.stderr)[0]["type"], "warning");
    place.ok("verify two --read-data");
    place.ok("restore two out.redb");
}

#[test]
fn a_damaged_snapshot_file_does_not_hide_the_others() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("backup app.redb --name two");
    let files = fs::read_dir(place.path("backups/snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let one = files.into_iter().find(|path| path.to_str().unwrap().contains("one")).unwrap();
    fs::write(one, "{").unwrap();
    let ran = place.run("snapshots --json");
    assert_eq!(ran.code, Some(12));
    let said = lines(std::str::from_utf8(&ran.stdout).unwrap());
    assert_eq!((&said[0]["name"], &said[1]["type"]), (&"two".into(), &"damage".into()));
    place.ok("restore two out.redb");
}

#[test]
fn verbs_that_read_change_nothing() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("verify");
    // But for the notes of when somebody looked, which nothing depends on.
    let files = || {
        let mut files = place.files("backups");
        files.retain(|path, _| !path.starts_with(place.path("backups/checks")));
        files
    };
    let before = files();
    for args in [
        "snapshots",
        "tables one",
        "cat one accounts",
        "get one accounts account-0001",
        "verify",
        "verify --read-data",
        "verify --sample 5%",
        "repair --dry-run",
        "restore one out.redb",
    ] {
        place.ok(args);
        assert_eq!(files(), before, "{args} changed the repository");
    }
}

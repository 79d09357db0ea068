//! Proof that a snapshot restores, and whether a database is still what it was.

use redb::{Database, TableDefinition};

use crate::place::{ACCOUNTS, Place, lines};

#[test]
fn a_drill_restores_checks_compares_and_leaves_nothing_behind() {
    let place = Place::new();
    place.ok("backup app.redb --name a");
    std::fs::create_dir(place.path("scratch")).unwrap();
    let said = place.ok("drill --dir scratch");
    assert!(
        said.starts_with("a  2,013 entries") && said.contains("every table came back as it was"),
        "{said}"
    );
    let drilled = &place.json("drill a --dir scratch")[0];
    assert_eq!(drilled["type"], "drilled");
    assert_eq!(drilled["equal"], true);
    assert_eq!(drilled["id"], drilled["restored_id"]);
    assert_eq!(drilled["id"], place.json("snapshots")[0]["id"]);
    assert_eq!(std::fs::read_dir(place.path("scratch")).unwrap().count(), 0);
}

#[test]
fn a_drill_of_what_is_damaged_fails_with_the_code_for_damage() {
    let place = Place::new();
    place.ok("backup app.redb --name a");
    std::fs::create_dir(place.path("scratch")).unwrap();
    let pack = std::fs::read_dir(place.path("backups/packs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    place.fails("drill --dir scratch", 12, &[]);
    assert_eq!(std::fs::read_dir(place.path("scratch")).unwrap().count(), 0);
}

#[test]
fn a_database_is_compared_with_a_snapshot() {
    let place = Place::new();
    place.ok("backup app.redb --name a");
    let before = place.files("app.redb");
    let said = place.ok("verify --against app.redb");
    assert!(said.contains("the same as the database"), "{said}");
    assert_eq!(place.files("app.redb"), before, "the database was written to");
    place.ok("restore a out.redb");
    place.ok("verify a --against out.redb");
    {
        let db = Database::open(place.path("out.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(ACCOUNTS).unwrap().insert("account-x", 5).unwrap();
        txn.open_table(TableDefinition::<u64, u64>::new("new")).unwrap().insert(1, 1).unwrap();
        txn.commit().unwrap();
    }
    place.fails("verify a --against out.redb", 1, &["is not what it was", "\"a\""]);
    let ran = place.run("verify a --against out.redb --json");
    let compared = &lines(std::str::from_utf8(&ran.stdout).unwrap())[0];
    assert_eq!(compared["equal"], false);
    let names: Vec<_> =
        compared["differences"].as_array().unwrap().iter().map(|d| d["table"].clone()).collect();
    assert_eq!(names, ["accounts", "new"]);
}

#[test]
fn a_snapshot_of_some_tables_is_compared_by_these() {
    let place = Place::new();
    place.ok("backup app.redb --name some --table acc*");
    place.ok("verify some --against app.redb");
}

//! What goes in comes out.

use redb::{Database, ReadableDatabase};

use crate::place::{ACCOUNTS, BLOBS, Place, TAGS, random};

#[test]
fn a_database_comes_back_as_it_was() {
    let place = Place::new();
    let before = place.files("app.redb");
    let said = place.ok("backup app.redb");
    assert!(said.starts_with("app-") && said.contains("2,013 entries"), "{said}");
    assert_eq!(place.files("app.redb"), before, "the database was written to");
    place.ok("verify --read-data");
    place.ok("restore latest out.redb");
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
    let db = Database::open(place.path("out.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    let blobs = txn.open_table(BLOBS).unwrap();
    assert_eq!(blobs.get(2).unwrap().unwrap().value(), random(2, 3_000_000));
    let tags = txn.open_multimap_table(TAGS).unwrap();
    let odd: Vec<u64> = tags.get("odd").unwrap().map(|value| value.unwrap().value()).collect();
    assert_eq!(odd, [1, 3, 5, 7, 9]);
}

#[test]
fn only_the_chosen_tables_are_backed_up_and_restored() {
    let place = Place::new();
    place.ok("backup app.redb --name some --table acc* --table t?gs");
    let names = |place: &Place| -> Vec<String> {
        place.json("tables some").iter().map(|table| table["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&place), ["accounts", "tags"]);
    assert_eq!(place.json("snapshots")[0]["tables_left_out"], 2);
    place.ok("restore some out.redb --table accounts");
    let db = Database::open(place.path("out.redb")).unwrap();
    let txn = db.begin_read().unwrap();
    assert!(txn.open_table(ACCOUNTS).is_ok());
    assert!(txn.open_multimap_table(TAGS).is_err());
}

#[test]
fn several_databases_share_a_repository() {
    let place = Place::new();
    std::fs::copy(place.path("app.redb"), place.path("other.redb")).unwrap();
    place.ok("backup app.redb --name one");
    place.ok("backup other.redb --name two");
    place.ok("backup other.redb --name three --source app --accept -q");
    let mut snapshots = place.json("snapshots");
    // Sources have no order among each other within a second.
    snapshots
        .sort_by_key(|snapshot| ["one", "two", "three"].iter().position(|name| snapshot["name"] == *name));
    let column = |name: &str| snapshots.iter().map(|snapshot| snapshot[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("source"), ["app", "other", "app"]);
    assert_eq!(snapshots[2]["parent"], "one");
    assert_eq!(snapshots[0]["id"], snapshots[1]["id"]);
    assert_eq!(place.json("snapshots --source other").len(), 1);
    // Equal data is stored once.
    assert!(snapshots[1]["bytes_added"].as_u64().unwrap() < 4096, "{snapshots:?}");
}

#[test]
fn an_existing_target_is_replaced_only_on_request() {
    let place = Place::new();
    place.ok("backup app.redb");
    std::fs::write(place.path("out.redb"), "precious").unwrap();
    place.fails("restore latest out.redb", 1, &["out.redb", "exists", "--force"]);
    assert_eq!(std::fs::read(place.path("out.redb")).unwrap(), b"precious");
    place.ok("restore latest out.redb --force");
    assert_eq!(place.accounts("out.redb").len(), 2000);
}

#[test]
fn an_engine_from_a_file_does_the_same() {
    let place = Place::new();
    std::fs::write(place.path("engine.wasm"), strongroom::ENGINE).unwrap();
    place.ok("backup app.redb --name a --component engine.wasm");
    place.ok("backup app.redb --name b");
    let snapshots = place.json("snapshots");
    assert_eq!(snapshots[0]["id"], snapshots[1]["id"]);
}

#[test]
fn the_demo_holds() {
    let place = Place::empty();
    let said = place.json("demo --keep shown");
    assert_eq!(said[0]["total"], 100_000_000);
    place.ok("verify --repo shown/backups");
    place.fails("demo --keep shown", 1, &["not empty"]);
}

#[test]
fn a_second_backup_asks_what_changed_unless_all_is_to_be_read() {
    let place = Place::new();
    let changes = |snapshot: &serde_json::Value| {
        let labels = snapshot["labels"].as_array().unwrap();
        let found = labels.iter().find(|label| label[0] == "changes").map(|label| label[1].to_string());
        found.unwrap_or_default()
    };
    let first = place.json("backup app.redb --name one");
    assert_eq!(changes(&first[0]), "", "there was nothing before it");
    let second = place.json("backup app.redb --name two");
    assert!(changes(&second[0]).contains("4 tables unchanged"), "{second:?}");
    let db = redb::Database::open(place.path("app.redb")).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(crate::place::ACCOUNTS).unwrap().insert("account-0007", 8).unwrap();
    write.commit().unwrap();
    drop(db);
    let third = place.json("backup app.redb --name three");
    assert!(changes(&third[0]).contains("3 tables unchanged, 1 by edits"), "{third:?}");
    let full = place.json("backup app.redb --name four --full-scan");
    assert!(changes(&full[0]).contains("4 tables scanned (asked for)"), "{full:?}");
    assert_eq!(third[0]["id"], full[0]["id"]);
    assert_eq!(place.ok("get three accounts account-0007"), "8\n");
    place.ok("verify --read-data");
    place.ok("verify three --against app.redb");
}

#[test]
fn a_backup_without_compression_is_the_same_snapshot_in_more_bytes() {
    let place = Place::new();
    place.ok("backup app.redb --repo small");
    place.ok("backup app.redb --repo large --compression none");
    let (small, large) = (place.json("snapshots --repo small"), place.json("snapshots --repo large"));
    assert_eq!(small[0]["id"], large[0]["id"]);
    let added = |snapshots: &[serde_json::Value]| snapshots[0]["bytes_added"].as_u64().unwrap();
    assert!(added(&large) > large[0]["bytes"].as_u64().unwrap() && added(&large) > added(&small));
    place.ok("verify --read-data --repo large");
    place.ok("restore latest out.redb --repo large");
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
    assert_eq!(place.run("backup app.redb --repo large --compression zstd").code, Some(2));
}

//! `repair`, and what `verify` and `restore --skip-damaged` say of damage.

use std::fs;
use std::path::PathBuf;

use crate::damage::with_pack;
use crate::place::{Place, lines};

fn files(place: &Place, dir: &str) -> Vec<PathBuf> {
    fs::read_dir(place.path("backups").join(dir)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn flip(path: &PathBuf, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_can_be_made_again_is() {
    let (place, pack) = with_pack();
    // The list of a pack, an index file, the file that makes it a repository; and something unfinished.
    flip(&pack, |len| len - 1);
    let mut index = files(&place, "index").into_iter();
    // Beside it lies a hint.
    let index = index.find(|path| path.file_name().unwrap().len() == 64).unwrap();
    flip(&index, |len| len / 2);
    fs::write(place.path("backups/repository.json"), "{").unwrap();
    fs::write(place.path("backups/packs/tmp-0-0"), "x").unwrap();
    place.fails("verify", 12, &["repository.json"]);

    let before = place.files("backups");
    let announced = place.ok("repair --dry-run");
    assert_eq!(place.files("backups"), before);
    assert_eq!(announced.matches("to do: ").count(), 4, "{announced}");
    let repaired = place.json("repair").remove(0);
    assert_eq!((&repaired["type"], &repaired["dry_run"]), (&"repaired".into(), &false.into()));
    let mended: Vec<String> =
        repaired["mended"].as_array().unwrap().iter().map(|note| note["file"].to_string()).collect();
    for file in ["repository.json", "packs/tmp-0-0", pack.file_name().unwrap().to_str().unwrap(), "index/"] {
        assert!(mended.iter().any(|mended| mended.contains(file)), "{file}: {mended:?}");
    }
    assert_eq!((&repaired["whole"], &repaired["snapshots"]), (&1.into(), &1.into()));
    assert!(place.ok("verify --read-data").contains("no damage"));
    place.ok("restore one out.redb");
    assert!(place.ok("repair").contains("nothing to put right  1 of 1 snapshot whole"));
    assert!(!place.path("backups/lock").exists());
}

#[test]
fn what_stays_lost_is_listed_with_what_it_costs() {
    let (place, pack) = with_pack();
    flip(&pack, |len| len / 2);
    let found = lines(std::str::from_utf8(&place.run("verify --read-data --json").stdout).unwrap());
    assert_eq!((&found[0]["tables"], &found[1]["whole"]), (&serde_json::json!(["big"]), &0.into()));
    let entries = found[0]["entries"].as_u64().unwrap();
    assert!((1..2000).contains(&entries), "{found:?}");

    let ran = place.run("repair --json");
    assert_eq!(ran.code, Some(12));
    let repaired = lines(std::str::from_utf8(&ran.stdout).unwrap()).remove(0);
    let lost = repaired["lost"].as_array().unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!((&lost[0]["what"], &lost[0]["entries"]), (&"leaf".into(), &entries.into()));
    assert_eq!(
        (&lost[0]["snapshots"], &lost[0]["tables"]),
        (&serde_json::json!(["one"]), &serde_json::json!(["big"]))
    );
    assert_eq!((&lost[0]["heals"], &repaired["whole"]), (&serde_json::json!(["app"]), &0.into()));
    let said = place.run("repair");
    let text = String::from_utf8(said.stdout.clone()).unwrap();
    assert!(text.contains("the next backup of app writes it again"), "{text}");
    said.failed(12, &["1 object lost", "--skip-damaged"]);

    // Table by table, what is left out is left out with all its entries, and that is said.
    let ran = place.run("restore one out.redb --skip-damaged --json");
    let restored = lines(std::str::from_utf8(&ran.stdout).unwrap());
    assert_eq!(
        (&restored[0]["tables"], &restored[0]["entries"]),
        (&serde_json::json!(["big"]), &40_000.into())
    );
    assert_eq!((&restored[1]["tables_damaged"], ran.code), (&1.into(), Some(12)));
    assert_eq!(restored.len(), 2);
    assert_eq!(place.accounts("out.redb"), place.accounts("app.redb"));
    place.fails("restore one out.redb --skip-damaged --force", 12, &["1 table", "big (40,000 entries)"]);

    // The database still holds it.
    place.ok("backup app.redb --name two");
    assert!(place.ok("verify --read-data").contains("2 snapshots"));
    assert!(place.ok("repair").contains("nothing to put right  2 of 2 snapshots whole"));
    place.ok("prune");
    place.ok("restore one whole.redb");
}

#[test]
fn a_snapshot_file_that_cannot_be_read_is_described_and_left_alone() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    place.ok("backup app.redb --name two");
    let path = place.path("backups/snapshots/one.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"entries\":", "\"entries\": ");
    fs::write(&path, &text).unwrap();
    let ran = place.run("repair");
    let said = String::from_utf8(ran.stdout.clone()).unwrap();
    ran.failed(12, &["1 snapshot file cannot be read"]);
    for words in [
        "unreadable: snapshots/one.json: ",
        "that of its bytes",
        "snapshot \"one\"",
        "number 1 of source \"app\"",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    place.ok("restore two out.redb");
}

#[test]
fn nothing_is_repaired_where_nothing_shows_that_it_is_a_repository_or_while_somebody_writes() {
    let place = Place::small();
    fs::create_dir(place.path("backups")).unwrap();
    fs::write(place.path("backups/letter.txt"), "hello").unwrap();
    place.fails("repair", 10, &["no repository"]);
    assert_eq!(files(&place, "").len(), 1);
    fs::remove_dir_all(place.path("backups")).unwrap();
    place.ok("backup app.redb --name one");
    let lock = place.path("backups/lock");
    fs::write(&lock, br#"{"kind":"host","machine":"elsewhere","pid":4711,"doing":"a backup","since":0}"#)
        .unwrap();
    let writer = fs::File::open(&lock).unwrap();
    writer.lock().unwrap();
    place.fails("repair", 11, &["4711", "elsewhere"]);
    // A dry run only reads.
    place.ok("repair --dry-run");
}

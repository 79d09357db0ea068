//! `report`, and what `verify` and `drill` leave for it. How the page looks in a browser is another test.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use redb::{Database, TableDefinition};
use strongroom::{Backup, RedbStore, Repository, Sandbox};
use strongroom_tests::copies::copy_snapshot;

use crate::damage::with_pack;
use crate::place::{ACCOUNTS, Place, cache, lines};

/// A snapshot a day up to yesterday, with a row more in each.
fn with_history(days: u64) -> Place {
    let place = Place::small();
    let sandbox = Sandbox::builder().cache_dir(cache().join("strongroom")).build().unwrap();
    let repository = Repository::with_sandbox(place.path("backups"), sandbox).unwrap();
    for day in 0..days {
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(ACCOUNTS).unwrap().insert(format!("day-{day:04}").as_str(), day).unwrap();
        txn.commit().unwrap();
        drop(db);
        let store = std::sync::Arc::new(RedbStore::open(&place.path("app.redb")).unwrap());
        let time = SystemTime::now() - Duration::from_secs(86_400 * (days - day));
        let backup = Backup::new().name(format!("day-{day:04}")).source("app").time(time);
        repository.backup(&store, &backup).unwrap();
    }
    place
}

fn page(place: &Place) -> String {
    fs::read_to_string(place.path("report.html")).unwrap()
}

#[test]
fn it_tells_what_is_there_and_what_rules_would_forget() {
    let place = with_history(12);
    let said = place.ok("report --html report.html --keep-daily 5");
    assert!(said.starts_with("12 snapshots of 1 database"), "{said}");
    assert!(said.contains("7 snapshots would be forgotten"), "{said}");
    assert!(said.contains("The page is in ") && said.contains("report.html."), "{said}");
    let page = page(&place);
    assert_eq!(page.matches("class=\"goes\"").count(), 7);
    assert!(page.contains("<code>--keep-daily 5</code>"));
    for from_elsewhere in ["http:", "https:", "src=", "<script", "url(", "@import"] {
        assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
    }
    let report = &place.json("report --keep-daily 5")[0];
    assert_eq!((&report["type"], &report["status"]), (&"report".into(), &"ok".into()));
    assert_eq!((&report["snapshots"], &report["sources"][0]["source"]), (&12.into(), &"app".into()));
    assert_eq!(report["tables"][0]["table"], "accounts");
    let history = report["tables"][0]["history"].as_array().unwrap();
    assert_eq!(
        (history[0]["entries"].as_u64(), history.last().unwrap()["entries"].as_u64()),
        (Some(2001), Some(2012))
    );
    let goes = report["retention"]["verdicts"].as_object().unwrap().values().filter(|v| v["keep"] == false);
    assert_eq!(goes.count(), 7);
    // Forget agrees.
    assert!(place.ok("forget --keep-daily 5 --dry-run").contains("7 snapshots would be forgotten, 5 kept."));
    assert!(page.len() < 100_000, "{}", page.len());
}

#[test]
fn it_changes_nothing() {
    let place = with_history(3);
    let before = place.files("backups");
    place.ok("report");
    place.ok("report --html report.html --no-landlock");
    place.ok("report --json --keep-last 1");
    assert_eq!(place.files("backups"), before);
}

#[test]
fn it_knows_when_somebody_verified_and_drilled() {
    let place = with_history(2);
    let checks = || place.json("report")[0]["checks"].clone();
    assert!(
        checks()
            .as_object()
            .unwrap()
            .values()
            .all(|check| check.is_null() || check == &serde_json::json!([]))
    );
    place.ok("verify");
    place.ok("verify --sample 5%");
    place.ok("verify --read-data");
    place.ok("verify day-0000");
    place.ok("drill");
    let known = checks();
    assert_eq!(known["structure"]["snapshots"], 2);
    assert!(known["structure"]["bytes"].as_u64() < known["data"]["bytes"].as_u64());
    assert_eq!((&known["sample"]["permille"], &known["data"]["damaged"]), (&50.into(), &0.into()));
    assert_eq!(
        (&known["snapshot"]["snapshot"], &known["drill"]["snapshot"]),
        (&"day-0000".into(), &"day-0001".into())
    );
    assert_eq!(known["drill"]["equal"], true);
    assert!(place.ok("report").ends_with("nothing is known to be wrong\n"));
    // Nobody else minds what is there.
    for verb in [
        "backup app.redb",
        "repair",
        "prune",
        "prune --dry-run",
        "forget day-0000 --prune",
        "verify --read-data",
    ] {
        place.ok(verb);
        assert_eq!(checks()["drill"]["snapshot"], "day-0001", "{verb}");
    }
    assert_eq!(place.json("repair --dry-run")[0]["mended"], serde_json::json!([]));
    // What cannot be read is not known.
    fs::write(place.path("backups/checks/drill.json"), "{\"time\":").unwrap();
    assert_eq!(checks()["unknown"], serde_json::json!(["checks/drill.json"]));
    assert!(place.ok("report").contains("hint: checks/drill.json: "));
    // A verify that nothing can be written for is as good.
    fs::remove_dir_all(place.path("backups/checks")).unwrap();
    fs::write(place.path("backups/checks"), "in the way").unwrap();
    place.ok("verify");
    place.ok("drill");
}

#[test]
fn it_tells_of_damage_now_and_of_damage_that_was_found_before() {
    let (place, pack) = with_pack();
    let whole = fs::read(&pack).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    // Nobody has read it yet.
    assert_eq!(place.json("report")[0]["status"], "ok");
    place.fails("verify --read-data", 12, &["damaged"]);
    let report = &place.json("report --html report.html")[0];
    assert_eq!(
        (&report["status"], &report["findings"][0]["severity"]),
        (&"damaged".into(), &"damage".into())
    );
    assert!(report["findings"][0]["found"].is_u64());
    assert!(page(&place).contains("Damaged: 1 finding"));
    // It is gone, which is seen at once; the page is written all the same.
    fs::remove_file(&pack).unwrap();
    fs::remove_file(place.path("report.html")).unwrap();
    let ran = place.run("report --html report.html --json");
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let report = &lines(std::str::from_utf8(&ran.stdout).unwrap())[0];
    let now = |finding: &serde_json::Value| finding["severity"] == "damage" && finding["found"].is_null();
    assert!(report["findings"].as_array().unwrap().iter().any(now), "{report}");
    assert!(page(&place).contains("status damaged"));
    place.fails("report", 12, &["damaged"]);
    // As it was.
    fs::write(&pack, whole).unwrap();
    place.ok("verify --read-data");
    assert_eq!(place.json("report")[0]["status"], "ok");
}

#[test]
fn a_snapshot_file_that_cannot_be_read_does_not_hide_the_others() {
    let place = with_history(3);
    fs::write(place.path("backups/snapshots/day-0001.json"), "{").unwrap();
    place.fails("report --html report.html", 12, &["damaged"]);
    let page = page(&place);
    assert!(page.contains("snapshots/day-0001.json") && page.contains("day-0002"), "{page}");
}

#[test]
fn the_page_takes_the_place_of_a_report_and_of_no_other_file() {
    let place = with_history(1);
    let database = fs::read(place.path("app.redb")).unwrap();
    place.fails("report --html app.redb", 1, &["app.redb", "no report", "--force"]);
    assert_eq!(fs::read(place.path("app.redb")).unwrap(), database);
    fs::write(place.path("report.html"), "<html>mine</html>").unwrap();
    place.fails("report --html report.html", 1, &["--force"]);
    place.ok("report --html report.html --force");
    place.ok("report --html report.html");
    assert!(!place.path("report.html.strongroom-partial").exists());
    fs::create_dir(place.path("dir")).unwrap();
    place.fails("report --html dir", 1, &["dir"]);
    place.fails("report --html dir --force", 1, &["dir"]);
    place.fails("report --html nowhere/report.html", 1, &["nowhere"]);
    assert_eq!(place.run("report --html - --json").code, Some(2));
    let streamed = place.ok("report --html -");
    assert!(streamed.starts_with("<!DOCTYPE html>") && streamed.ends_with("</html>\n"));
    assert_eq!(place.ok("report -q --html report.html"), "");
    place.fails("report --repo missing --html other.html", 10, &["missing"]);
    place.fails("report --keep-daily x", 2, &["number"]);
    assert!(!place.path("other.html").exists());
}

#[test]
fn rules_stand_in_the_settings_too() {
    let place = with_history(4);
    fs::write(place.path("strongroom.toml"), "[report]\nkeep-daily = 2\nhtml = \"report.html\"\n").unwrap();
    place.ok("report");
    assert_eq!(page(&place).matches("class=\"goes\"").count(), 2);
}

#[test]
fn a_repository_without_snapshots_has_a_page() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("forget one --allow-empty");
    place.ok("report --html report.html");
    assert!(page(&place).contains("There is no snapshot yet"));
}

#[test]
fn hostile_names_stay_text() {
    let place = Place::small();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let hostile = [
        "<script>document.title='taken'</script>",
        "\"><img src=x onerror=alert(1)>",
        "</style></title><b>",
        "\u{202e}\u{1b}[2J\0\n",
    ];
    for name in hostile.into_iter().map(str::to_owned).chain(["x".repeat(60_000)]) {
        txn.open_table(TableDefinition::<&str, u64>::new(&name)).unwrap().insert("a", 1).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let args = ["backup", "app.redb", "--name", "<b>one</b>"];
    // A name cannot have a slash.
    assert!(!place.command(args).status().unwrap().success());
    let made = place
        .command(["backup", "app.redb", "--name", "<script>\"&'one", "--source", "<img src=x>"])
        .status();
    assert!(made.unwrap().success());
    place.ok("report --html report.html");
    let page = page(&place);
    for element in ["<script", "<img", "</style><", "<b>one"] {
        assert!(!page.replacen("</style></head>", "", 1).contains(element), "{element}");
    }
    assert!(page.contains("&lt;script&gt;document.title=&#39;taken&#39;&lt;/script&gt;"));
    assert!(page.contains("\\u{202e}\\u{1b}[2J\\u{0}\\n"));
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
    assert!(page.len() < 60_000, "{}", page.len());
}

#[test]
fn a_thousand_snapshots_take_a_second() {
    let place = with_history(1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let copies = (0..999).map(|hour| (format!("hour-{hour:04}"), now - 3600 * (999 - hour)));
    copy_snapshot(&place.path("backups"), "day-0000", copies);
    let started = Instant::now();
    place.ok("report --html report.html --keep-hourly 24 --keep-daily 7");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("report on 1,000 snapshots: {took:?}");
    let page = page(&place);
    assert!(page.len() < 200_000, "{}", page.len());
    assert!(page.contains("Tables") && page.contains("hour-0998"));
}

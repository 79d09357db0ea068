//! Clocks that were wrong: what was made last is `latest`, and no rule takes true snapshots for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strongroom::{Backup, RedbStore, Repository, Sandbox};

use crate::place::{Place, cache};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn backup(place: &Place, name: &str, time: u64) {
    let sandbox = Sandbox::builder().cache_dir(cache().join("strongroom")).build().unwrap();
    let repository = Repository::with_sandbox(place.path("backups"), sandbox).unwrap();
    let store = Arc::new(RedbStore::open(&place.path("app.redb")).unwrap());
    let backup = Backup::new().name(name).source("app").time(UNIX_EPOCH + Duration::from_secs(time));
    repository.backup(&store, &backup).unwrap();
}

fn names(place: &Place) -> Vec<String> {
    place.json("snapshots").iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect()
}

/// One with a wrong clock, then nightly ones with the right one: `n-1`, `n-2`, ...
fn after_a_wrong_clock(wrong: u64) -> Place {
    let place = Place::small();
    backup(&place, "n-{seq}", wrong);
    (1..6).for_each(|ago| backup(&place, "n-{seq}", now() - (5 - ago) * DAY));
    place
}

#[test]
fn rules_keep_true_snapshots_and_latest_is_the_last() {
    for wrong in [now() + 5 * YEAR, 0, 1 << 62] {
        for rule in ["--keep-within 30d", "--keep-last 5", "--keep-daily 5", "--keep-hourly 5"] {
            let place = after_a_wrong_clock(wrong);
            let all = ["n-1", "n-2", "n-3", "n-4", "n-5", "n-6"];
            assert_eq!(names(&place), all, "{wrong}");
            assert_eq!(place.json("snapshots latest")[0]["name"], "n-6");
            place.ok(&format!("forget {rule} --prune"));
            // What says that it is of a time to come is kept, and does not count.
            let left = if wrong == 0 { &all[1..] } else { &all[..] };
            assert_eq!(names(&place), left, "{rule}, {wrong}");
            place.ok("verify --read-data");
        }
    }
    let place = after_a_wrong_clock(now() + 5 * YEAR);
    assert_eq!(place.json("drill")[0]["snapshot"], "n-6");
    assert_eq!(place.json("verify latest --against app.redb")[0]["snapshot"], "n-6");
    assert_eq!(place.json("restore latest out.redb")[0]["snapshot"], "n-6");
    let said = place.ok("forget --keep-last 1 --dry-run");
    assert!(
        said.contains("kept, and not counted") && said.lines().nth(6).unwrap().ends_with("newest"),
        "{said}"
    );
    place.ok("forget --keep-last 1 --prune");
    assert_eq!(names(&place), ["n-1", "n-6"]);
    // And the next ones are increments of it, of the same second or not.
    place.ok("backup app.redb --name n-{seq}");
    place.ok("backup app.redb --name n-{seq}");
    let last = &place.json("snapshots latest")[0];
    assert_eq!((&last["name"], &last["parent"]), (&"n-8".into(), &"n-7".into()));
    let labels = last["labels"].to_string();
    assert!(!labels.contains("scanned"), "{labels}");
}

#[test]
fn an_archive_of_a_time_to_come_displaces_nothing() {
    let place = Place::small();
    backup(&place, "theirs", now() + 5 * YEAR);
    place.ok("export theirs app.archive");
    std::fs::remove_dir_all(place.path("backups")).unwrap();
    place.ok("backup app.redb --name ours");
    place.ok("backup app.redb --name ours-2");
    // The same number, and the same data.
    place.ok("import app.archive");
    assert_eq!(place.json("snapshots theirs")[0]["imported"], true);
    assert_eq!(place.json("snapshots latest")[0]["name"], "ours-2");
    place.ok("forget --keep-last 1 --prune");
    assert_eq!(names(&place), ["theirs", "ours-2"]);
    assert_eq!(place.json("snapshots latest")[0]["name"], "ours-2");
}

#[test]
fn an_archive_of_another_database_wants_another_source() {
    let place = Place::small();
    place.ok("backup app.redb --name theirs");
    place.ok("export theirs app.archive");
    std::fs::remove_dir_all(place.path("backups")).unwrap();
    place.ok("backup app.redb --name ours --table head --accept");
    place.fails(
        "import app.archive",
        1,
        &["number 1 of source \"app\"", "\"ours\"", "import it as another --source"],
    );
    place.ok("import app.archive --source theirs");
    assert_eq!(place.json("snapshots theirs")[0]["source"], "theirs");
    place.ok("verify --read-data");
}

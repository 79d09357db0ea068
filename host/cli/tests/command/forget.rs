//! `forget` and `prune`.

use std::time::{Duration, SystemTime};

use strongroom::{Backup, RedbStore, Repository, Sandbox};

use crate::place::{Place, cache};

/// A place with a snapshot a day, the newest of which is of a day ago: `day-00` to `day-09`.
fn with_days() -> Place {
    let place = Place::small();
    let sandbox = Sandbox::builder().cache_dir(cache().join("strongroom")).build().unwrap();
    let repository = Repository::with_sandbox(place.path("backups"), sandbox).unwrap();
    for day in 0..10 {
        let store = std::sync::Arc::new(RedbStore::open(&place.path("app.redb")).unwrap());
        let time = SystemTime::now() - Duration::from_secs(86_400 * (10 - day));
        let backup = Backup::new().name(format!("day-{day:02}")).source("app").time(time);
        repository.backup(&store, &backup).unwrap();
    }
    place
}

fn names(place: &Place) -> Vec<String> {
    place.json("snapshots").iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_dry_run_says_what_would_be_forgotten_and_why() {
    let place = with_days();
    let before = place.files("backups");
    let said = place.ok("forget --keep-last 2 --keep-name day-?1 --dry-run");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 12, "{said}");
    assert!(lines[0].contains("NAME") && lines[0].contains("TIME (UTC)") && lines[0].contains("BECAUSE"));
    assert!(lines[1].starts_with("forget  day-00") && lines[1].ends_with("no rule keeps it"), "{said}");
    assert!(lines[2].starts_with("keep    day-01") && lines[2].ends_with("name matches day-?1"), "{said}");
    assert!(lines[9].starts_with("keep    day-08") && lines[9].ends_with("last"), "{said}");
    assert!(lines[10].starts_with("keep    day-09") && lines[10].ends_with("newest"), "{said}");
    assert_eq!(lines[11], "7 snapshots would be forgotten, 3 kept.");
    assert_eq!(place.files("backups"), before);

    let lines = place.json("forget --keep-daily 3 --dry-run");
    assert_eq!(lines.len(), 11);
    assert_eq!((&lines[0]["type"], &lines[0]["keep"]), (&"verdict".into(), &false.into()));
    assert_eq!((&lines[9]["name"], &lines[9]["reason"]), (&"day-09".into(), &"daily".into()));
    let done = &lines[10];
    assert_eq!((&done["type"], &done["dry_run"]), (&"forgotten".into(), &true.into()));
    assert_eq!((&done["kept"], &done["forgotten"]), (&3.into(), &7.into()));
}

#[test]
fn what_no_rule_keeps_is_forgotten_and_its_bytes_are_freed() {
    let place = with_days();
    let said = place.ok("forget --keep-daily 3 --prune");
    assert!(said.contains("7 snapshots forgotten, 3 kept."), "{said}");
    assert!(said.contains("freed"), "{said}");
    assert_eq!(names(&place), ["day-07", "day-08", "day-09"]);
    place.ok("verify --read-data");
    assert_eq!(place.json("prune")[0]["bytes_freed"], 0);
    // By name.
    place.ok("forget day-08 day-07");
    assert_eq!(names(&place), ["day-09"]);
    place.fails("forget day-10", 1, &["day-10"]);
}

#[test]
fn not_all_of_them_are_forgotten_by_a_slip() {
    let place = with_days();
    place.fails("forget", 2, &["--keep-daily 7"]);
    place.fails("forget --keep-daily 3 day-01", 2, &["--keep-daily", "cannot be used with"]);
    place.fails("forget --keep-daily x", 2, &["number"]);
    place.fails("forget --keep-daily 3 --source ap", 1, &["no snapshot of source \"ap\""]);
    let said = place.fails("forget --set keep-dayly=3", 1, &["keep-dayly", "all snapshots of app are kept"]);
    assert_eq!(said.matches("there is no such setting").count(), 1, "{said}");
    for verb in [
        "forget --keep-daily 1",
        "backup app.redb",
        "policy check",
        "policy simulate --every 1d --for 9d --keep-last 1",
    ] {
        place.fails(&format!("{verb} --time-zone Berlin"), 2, &["Europe/Berlin"]);
    }
    let all: Vec<String> = names(&place);
    assert_eq!(all.len(), 10);
    place.fails(&format!("forget {}", all.join(" ")), 1, &["--allow-empty"]);
    assert_eq!(names(&place).len(), 10);
    place.ok(&format!("forget --allow-empty {}", all.join(" ")));
    assert_eq!(names(&place).len(), 0);
}

#[test]
fn a_policy_that_fails_keeps_everything_and_the_command_says_so() {
    let place = with_days();
    let ran = place.run("forget --keep-daily 3 --policy-fuel 1 --set max-loss=101");
    ran.failed(1, &["more than 100 percent", "all snapshots of app are kept"]);
    assert_eq!(names(&place).len(), 10);
}

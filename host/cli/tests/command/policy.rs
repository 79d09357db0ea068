//! `policy`, and what a policy does to a backup.

use std::fs;

use redb::Database;

use crate::place::{ACCOUNTS, Place};

#[test]
fn what_looks_like_an_accident_is_refused_until_it_is_accepted() {
    let place = Place::small();
    place.ok("backup app.redb --name first");
    {
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.delete_table(ACCOUNTS).unwrap();
        txn.commit().unwrap();
    }
    let said = place.fails("backup app.redb --name second", 13, &["table accounts is gone", "--accept"]);
    assert!(said.contains("of 2011 entries are left, and 50 % may be lost"), "{said}");
    assert_eq!(place.json("snapshots").len(), 1);
    let ran = place.run("backup app.redb --name second --accept");
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("accepted on request"), "{}", ran.stderr);
    place.ok("backup app.redb --name third");
    place.ok("verify --read-data");
}

#[test]
fn settings_reach_the_policy() {
    let place = Place::small();
    place.ok("backup app.redb --name first --set leave-out=tags");
    let tables: Vec<_> = place.json("tables first").iter().map(|table| table["name"].clone()).collect();
    assert_eq!(tables, ["accounts", "head"]);
    place.fails("backup app.redb --set nonsense", 2, &["NAME=VALUE"]);
}

/// The built-in policy, in which only this function goes by a name that is known.
fn which_only(function: &str) -> Vec<u8> {
    let mut bytes = strongroom::POLICY.to_vec();
    for other in ["select", "admit", "retain"].into_iter().filter(|other| *other != function) {
        let (known, unknown) = (format!("strongroom:policy/{other}"), format!("strongroom:others/{other}"));
        let at: Vec<_> =
            bytes.windows(known.len()).enumerate().filter(|(_, seen)| *seen == known.as_bytes()).collect();
        let at: Vec<_> = at.into_iter().map(|(at, _)| at).collect();
        assert!(!at.is_empty(), "{known} is exported");
        for at in at {
            bytes[at..at + unknown.len()].copy_from_slice(unknown.as_bytes());
        }
    }
    bytes
}

#[test]
fn a_policy_that_says_only_what_to_keep_keeps_no_backup_from_being_made() {
    let place = Place::small();
    fs::write(place.path("keeps.wasm"), which_only("retain")).unwrap();
    place.ok("backup app.redb --name first");
    {
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.delete_table(ACCOUNTS).unwrap();
        txn.commit().unwrap();
    }
    // What the built-in policy refuses.
    let ran = place.run("backup app.redb --name second --policy keeps.wasm --set keep-last=1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = "policy keeps.wasm decides nothing about a backup, as it exports neither select nor admit: all tables \
                are taken, and the snapshot is published whatever is in it";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let snapshots = place.json("snapshots");
    let tables: Vec<_> =
        snapshots.iter().map(|one| [one["tables"].as_u64(), one["tables_left_out"].as_u64()]).collect();
    assert_eq!(tables, [[Some(3), Some(0)], [Some(2), Some(0)]]);
    let said = place.ok("forget --policy keeps.wasm --set keep-last=1");
    assert!(said.contains("1 snapshot forgotten, 1 kept"), "{said}");
    place.ok("verify --read-data");
}

#[test]
fn a_policy_that_does_not_say_what_to_keep_is_no_rule_to_forget_by() {
    let place = Place::small();
    fs::write(place.path("admits.wasm"), which_only("admit")).unwrap();
    place.ok("backup app.redb --name first");
    let ran = place.run("backup app.redb --name second --policy admits.wasm");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    for verb in ["forget", "forget --dry-run", "policy simulate --every 1h --for 2d"] {
        let verb = if verb.starts_with("policy") {
            verb.replace("simulate", "simulate admits.wasm")
        } else {
            format!("{verb} --policy admits.wasm")
        };
        place.fails(&verb, 2, &["policy admits.wasm does not say what to keep: it does not export retain"]);
    }
    assert_eq!(place.json("snapshots").len(), 2);
}

#[test]
fn a_policy_is_checked() {
    let place = Place::empty();
    let said = place.ok("policy check");
    for words in ["imports  nothing", "strongroom:policy/retain@0.1.0", "retain    1,000", "given"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let lines = place.json("policy check");
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[0]["imports"], serde_json::json!([]));
    assert!(lines[9]["fuel"].as_u64() < lines[9]["fuel_budget"].as_u64());
    fs::write(place.path("text.wasm"), "no component").unwrap();
    place.fails("policy check text.wasm", 1, &["policy text.wasm: it is not a WebAssembly component"]);
    place.fails("policy check nowhere.wasm", 1, &["nowhere.wasm"]);
    place.fails("policy check --policy-fuel 1 --set keep-last=1", 14, &["--policy-fuel"]);
}

#[test]
fn a_policy_is_tried_out() {
    let place = Place::empty();
    let run = "policy simulate --every 1h --for 60d --from 2026-10-01 --keep-daily 7 --keep-weekly 4 \
               --time-zone America/New_York";
    let said = place.ok(&format!("{run} --svg kept.svg"));
    assert!(said.starts_with("TIME (America/New_York)"), "{said}");
    assert!(said.contains("Of 1,441 backups 10 are left"), "{said}");
    let svg = fs::read_to_string(place.path("kept.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Time zone America/New_York"));
    place.fails(&format!("{run} --svg kept.svg"), 1, &["kept.svg exists already", "--force"]);
    place.ok(&format!("{run} --svg kept.svg --force"));
    let lines = place.json(run);
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[10]["made"], 1441);
    // What is left depends on the day on which it ends.
    for (from, left) in [("2026-10-01T09:00", 9), ("2027-01-13T23:59", 9), ("2026-08-29T12:00:00Z", 9)] {
        let lines = place.json(&run.replace("2026-10-01", from));
        assert_eq!(lines.len(), left + 1, "{from}");
    }
    // By their names.
    for (name, kept) in [("", 1), (" --name nightly", 31)] {
        let lines = place.json(&format!("policy simulate --every 1d --for 30d --keep-name nightly-*{name}"));
        assert_eq!(lines.len(), kept + 1, "{name}");
    }
    place.fails("policy simulate --every 1h --for 60d", 2, &["everything is kept"]);
    place.fails("policy simulate --every 1 --for 60d --keep-last 1", 2, &["30min"]);
    place.fails("policy simulate --every 2h --for 1h --keep-last 1", 1, &["1 to 1,000,000 backups"]);
    place.fails(
        "policy simulate --every 1h --for 9d --keep-last 1 --from now",
        2,
        &["--from", "2026-01-31T10:15"],
    );
    place.fails("policy simulate --every 1d --for 9d --keep-last 1 --from 9999-12-30", 1, &["1970 to 9998"]);
}

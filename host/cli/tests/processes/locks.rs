//! One writer at a time, whoever it is, and whatever became of it.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::application;
use crate::place::{Place, Ran};
use crate::victim::there_is;

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// A backup that stands still while it holds the lock, and its name. On a busy machine one may be done before it can be
/// stopped; then there is another.
fn stopped_under_the_lock(place: &Place) -> (Child, String) {
    for number in 0..100 {
        let name = format!("stopped-{number}");
        let mut command = place.command(["backup", "app.redb", "--name", &name]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The lock names its holder as soon as it is whole.
        let lock = place.path("backups/lock");
        let held = || fs::read_to_string(&lock).is_ok_and(|holder| holder.ends_with('\n'));
        while !held() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_none() {
            signal(&child, "-STOP");
            while !is_stopped(&child) && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            if held() && !place.path(&format!("backups/snapshots/{name}.json")).exists() {
                return (child, name);
            }
            signal(&child, "-CONT");
        }
        assert_eq!(finished(child).code, Some(0));
    }
    panic!("no backup could be stopped in time");
}

/// Whether all of it has come to a halt; what knows nothing of that is taken for prompt.
fn is_stopped(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", child.id()));
    status.map_or(true, |status| status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
}

fn finished(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

/// A place with a database and a snapshot of it, called "first".
fn place() -> Place {
    let place = Place::empty();
    application::database(&place.path("app.redb"), 5);
    assert_eq!(place.run("backup app.redb --name first").code, Some(0));
    place
}

fn names(place: &Place) -> Vec<String> {
    place.json("snapshots").iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_second_of_two_writers_is_refused_and_told_who_is_at_work() {
    let place = place();
    let (first, name) = stopped_under_the_lock(&place);
    let before = names(&place);
    let holder = format!("process {}", first.id());
    for args in [
        "backup app.redb --name third --repo backups",
        "forget first --repo backups --allow-empty",
        "prune --repo backups",
    ] {
        let said = place.fails(args, 11, &[&holder, "backup", "wait for it, or stop it"]);
        assert!(!said.contains("delete"), "a lock that is held is not to be deleted: {said}");
    }
    // Whoever only reads is not in the way.
    assert!(names(&place) == before && !before.contains(&name));
    place.ok("verify --read-data");
    place.ok("restore first out.redb");
    signal(&first, "-CONT");
    let ran = finished(first);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    place.ok("backup app.redb --name third");
    assert_eq!(names(&place), [&before[..], &[name, "third".to_owned()]].concat());
    assert!(!place.path("backups/lock").exists());
}

#[test]
fn the_lock_of_a_killed_process_is_taken_over() {
    for next in ["backup app.redb --name next --repo backups", "prune --repo backups"] {
        let place = place();
        let (mut victim, name) = stopped_under_the_lock(&place);
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert!(place.path("backups/lock").exists(), "nobody has tidied up");
        place.ok(next);
        assert!(!place.path("backups/lock").exists());
        assert!(!names(&place).contains(&name));
        place.ok("verify --read-data");
    }
}

#[test]
fn a_lock_of_another_machine_is_respected_and_what_to_do_is_said() {
    let place = place();
    let lock = place.path("backups/lock");
    let holder = json!({"kind": "host", "machine": "far-away", "pid": 7, "doing": "a backup", "since": 1});
    fs::write(&lock, format!("{holder}\n")).unwrap();
    for args in ["backup app.redb --name next", "forget first --allow-empty", "prune"] {
        place.fails(
            &format!("{args} --repo backups"),
            11,
            &["far-away", "process 7", "delete", "backups/lock"],
        );
        assert!(lock.exists());
    }
    assert_eq!(names(&place), ["first"]);
    place.ok("verify --read-data");
    place.ok("restore first out.redb");
    assert!(lock.exists(), "a reader took the lock away");
    fs::remove_file(&lock).unwrap();
    place.ok("backup app.redb --name next");
}

#[test]
fn of_many_backups_at_once_all_that_report_are_there_and_the_others_say_locked() {
    let place = place();
    let mut reported = vec!["first".to_owned()];
    for round in 0..2 {
        let start = |number| {
            let name = format!("backup-{round}-{number}");
            let args = format!("backup app.redb --name {name} --threads 2");
            let mut command = place.command(args.split_whitespace());
            (name, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let started: Vec<(String, Child)> = (0..6).map(start).collect();
        for (name, child) in started {
            let ran = finished(child);
            match ran.code {
                Some(0) => reported.push(name),
                _ => drop(ran.failed(11, &["in use by process"])),
            }
        }
        assert!(reported.len() > round + 1, "nobody got through");
    }
    let mut there = names(&place);
    there.sort();
    reported.sort();
    assert_eq!(there, reported);
    place.ok("verify --read-data");
    assert!(!there_is(&place.path("backups/packs/tmp-")) && !there_is(&place.path("backups/snapshots/tmp-")));
}

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

/// A backup that stands still while it holds the lock, and its name.
fn stopped_under_the_lock(place: &Place) -> (Child, String) {
    stopped_when(place, |_| true)
}

/// The same once something is so. On a busy machine a backup may be done before it can be stopped; then there is another.
fn stopped_when(place: &Place, is_so: impl Fn(&str) -> bool) -> (Child, String) {
    for number in 0..100 {
        let name = format!("stopped-{number}");
        let mut command = place.command(["backup", "app.redb", "--name", &name]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The lock names its holder as soon as it is whole.
        let lock = place.path("backups/lock");
        let held = || fs::read_to_string(&lock).is_ok_and(|holder| holder.ends_with('\n'));
        while !(held() && is_so(&name)) && child.try_wait().unwrap().is_none() {
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
            if child.try_wait().unwrap().is_none() {
                signal(&child, "-CONT");
            }
        }
        assert_eq!(finished(child).code, Some(0));
    }
    panic!("no backup could be stopped in time");
}

/// A run of this verb that stands still while it holds the lock.
fn stopped(place: &Place, args: &str) -> Child {
    let lock = place.path("backups/lock");
    for _ in 0..100 {
        let mut command = place.command(args.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let held = || fs::read_to_string(&lock).is_ok_and(|holder| holder.ends_with('\n'));
        while !held() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        signal(&child, "-STOP");
        while !is_stopped(&child) && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if held() && child.try_wait().unwrap().is_none() {
            return child;
        }
        signal(&child, "-CONT");
        child.wait().unwrap();
    }
    panic!("no {args} could be stopped in time");
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
fn a_lock_of_a_component_is_respected_and_what_is_said_to_do_has_an_effect() {
    let verbs = [
        "backup app.redb --name next",
        "import first.archive --name next",
        "prune",
        "repair",
        "forget first --allow-empty",
    ];
    for args in verbs {
        let place = place();
        place.ok("export first first.archive");
        let lock = place.path("backups/lock");
        let holder = json!({"kind": "component", "doing": "a backup", "since": 1});
        fs::write(&lock, format!("{holder}\n")).unwrap();
        let args = format!("{args} --repo backups");
        for wait in ["", " --wait 1s"] {
            place.fails(
                &format!("{args}{wait}"),
                11,
                &["a component", "a backup", "--break-lock", "backups/lock"],
            );
            assert!(lock.exists());
        }
        assert_eq!(names(&place), ["first"]);
        place.ok("verify --read-data");
        place.ok("restore first out.redb");
        assert!(lock.exists(), "a reader took the lock away");
        let ran = place.run(&format!("{args} --break-lock"));
        assert!(ran.code == Some(0) && ran.stderr.contains("is broken"), "{ran:?}");
        assert!(!lock.exists());
    }
    place().fails("snapshots --break-lock", 2, &["--break-lock", "only reads"]);
}

/// Of a container that was killed, say: what the file says does not matter where the operating system's lock is free.
#[test]
fn a_lock_of_another_machine_on_a_file_system_of_this_one_is_taken_over() {
    let place = place();
    let holder = json!({"kind": "host", "machine": "far-away", "boot": "other", "pid": 7, "doing": "a backup", "since": 1});
    for (number, text) in [format!("{holder}\n"), String::new(), "garbage".to_owned()].iter().enumerate() {
        fs::write(place.path("backups/lock"), text).unwrap();
        place.ok(&format!("backup app.redb --name next-{number}"));
        assert!(!place.path("backups/lock").exists());
    }
}

#[test]
fn whoever_waits_has_its_turn_and_a_signal_ends_the_wait() {
    let place = place();
    let (first, name) = stopped_under_the_lock(&place);
    let start = |args: &str| {
        let mut command = place.command(args.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let waits = start("backup app.redb --name second --wait 10m -v");
    let stopped = start("prune --repo backups --wait 10m");
    place.fails("prune --repo backups --wait 1s --break-lock", 11, &["wait for it, or stop it"]);
    signal(&stopped, "-INT");
    assert_eq!(finished(stopped).code, Some(130));
    signal(&first, "-CONT");
    assert_eq!(finished(first).code, Some(0));
    let ran = finished(waits);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(&place), ["first", &name, "second"]);
    place.fails("prune --wait 60", 2, &["60s"]);
}

/// Its lock is broken while it stands still, and another run writes: it publishes nothing after that and removes nothing,
/// also not the lock of a third.
#[test]
fn a_run_whose_lock_was_broken_changes_nothing_any_more() {
    for verb in ["backup", "sealed backup", "prune"] {
        let place = place();
        let sealed = |name: &str| there_is(&place.path(&format!("backups/snapshots/tmp-{name}")));
        let (first, name) = match verb {
            "backup" => stopped_under_the_lock(&place),
            "sealed backup" => stopped_when(&place, sealed),
            _ => {
                for number in 0..3 {
                    application::database(&place.path(&format!("{number}.redb")), 100 * number);
                    place.ok(&format!(
                        "backup {number}.redb --name more-{number} --source app --accept -q --repo backups"
                    ));
                }
                place.ok("forget more-0 more-1");
                (stopped(&place, "prune --repo backups"), "none".to_owned())
            }
        };
        fs::remove_file(place.path("backups/lock")).unwrap();
        place.ok("backup app.redb --source other --name another");
        let (_, third) = (fs::write(place.path("backups/lock"), "of a third"), place.path("backups/lock"));
        let before = place.files("backups");
        let listed = names(&place);
        signal(&first, "-CONT");
        finished(first).failed(11, &["broken or removed by somebody else"]);
        assert_eq!(fs::read_to_string(&third).unwrap(), "of a third");
        let after = place.files("backups");
        let lost: Vec<_> = before.keys().filter(|path| !after.contains_key(*path)).collect();
        assert!(lost.is_empty(), "{verb}: {lost:?} went");
        assert!(names(&place) == listed && !listed.contains(&name), "{verb}");
        fs::remove_file(third).unwrap();
        place.ok("backup app.redb --source other --name last");
        place.ok("verify --read-data");
    }
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
                _ => drop(ran.failed(11, &["in use by"])),
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

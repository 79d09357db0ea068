//! The repository's lock on a file system of which nobody knows whether it is of this machine alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use strongroom::{Backup, ErrorCode, Forget, Import, Prune, Repair, Repository, Result};
use strongroom_tests::faulty::{Errno, Faulty, Op};

use common::map::Maps;
use common::{assert_whole, names, repository};

type Verb = fn(&Repository) -> Result<()>;

const VERBS: [(&str, Verb); 6] = [
    ("init", |repository| repository.init().map(drop)),
    ("backup", |repository| repository.backup(&database(1), &Backup::new().name("next")).map(drop)),
    ("forget", |repository| repository.forget(["two"], &Forget::new())),
    ("prune", |repository| repository.prune(&Prune::new()).map(drop)),
    ("repair", |repository| repository.repair(&Repair::new()).map(drop)),
    ("import", |repository| {
        let mut archive = Vec::new();
        repository.export("one", &mut archive)?;
        repository.import(archive.as_slice(), &Import::new().name("imported")).map(drop)
    }),
];

fn database(number: u8) -> Arc<Maps> {
    Arc::new(Maps::filled(&[("a", 100 + u64::from(number), 100)]))
}

/// A repository with two snapshots on a FUSE file system, and what its verbs warn of.
fn on(disk: &Faulty) -> (Repository, Arc<Mutex<Vec<String>>>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&warnings);
    let repository = repository(disk.join("backups"))
        .on_warning(move |warning| hears.lock().unwrap().push(warning.to_owned()));
    for (number, name) in [(1, "one"), (2, "two")] {
        repository.backup(&database(number), &Backup::new().name(name)).unwrap();
    }
    (repository, warnings)
}

#[test]
fn a_lock_of_another_machine_stays_until_a_person_breaks_it() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    let (repository, _) = on(&disk);
    let lock = disk.join("backups/lock");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (boot, gone) in [("another", false), (boot.trim(), true)] {
        let holder =
            format!(r#"{{"kind":"host","machine":"far-away","boot":"{boot}","pid":7,"doing":"a backup"}}"#);
        for (name, verb) in VERBS {
            std::fs::write(&lock, &holder).unwrap();
            // How old it is does not matter.
            let old = std::time::SystemTime::now() - Duration::from_secs(3600 * 24 * 400);
            std::fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
            if !gone {
                let e = verb(&repository.clone().wait_for_lock(Duration::from_millis(300))).unwrap_err();
                let said = e.to_string();
                assert_eq!(e.code(), ErrorCode::Locked, "{name}: {said}");
                assert!(said.contains("far-away") && said.contains("--break-lock"), "{name}: {said}");
                assert_eq!(std::fs::read_to_string(&lock).unwrap(), holder);
                verb(&repository.clone().break_lock(true)).unwrap();
            } else {
                // The command is run again with other names.
                let again = verb(&repository);
                assert!(!matches!(&again, Err(e) if e.code() == ErrorCode::Locked), "{name}: {again:?}");
            }
            assert!(!lock.exists(), "{name}");
        }
    }
    assert_whole(&repository);
}

#[test]
fn a_file_system_without_locks_works_and_says_what_is_weaker() {
    for errno in [Errno::NOLCK, Errno::INVAL, Errno::BADF, Errno::OPNOTSUPP] {
        let behind = tempfile::tempdir().unwrap();
        let Some(disk) = Faulty::mount(behind.path()) else { return };
        disk.fail(Op::Lock, "*", errno);
        let (repository, warnings) = on(&disk);
        let is_one =
            |warning: &String| warning.contains("does not lock files") && warning.contains("--break-lock");
        let warned = std::mem::take(&mut *warnings.lock().unwrap());
        assert!(warned.len() == 2 && warned.iter().all(is_one), "{errno}: {warned:?}");
        // What a killed run left cannot be told from one at work.
        std::fs::write(disk.join("backups/lock"), "").unwrap();
        let e = repository.prune(&Prune::new()).unwrap_err();
        assert!(e.code() == ErrorCode::Locked && e.to_string().contains("--break-lock"), "{errno}: {e}");
        repository.clone().break_lock(true).prune(&Prune::new()).unwrap();
        assert_eq!(names(&repository), ["one", "two"]);
        assert_whole(&repository);
    }
}

#[test]
fn a_lock_that_cannot_say_who_holds_it_is_one_all_the_same() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    let (repository, _) = on(&disk);
    disk.fail(Op::Write, "backups/lock", Errno::NOSPC);
    repository.forget(["one"], &Forget::new()).unwrap();
    repository.prune(&Prune::new().max_unused(0)).unwrap();
    disk.heal();
    assert_eq!(names(&repository), ["two"]);
    assert_whole(&repository);
}

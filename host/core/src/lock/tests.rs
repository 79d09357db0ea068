use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

const NOW: Locking = Locking { wait: Duration::ZERO, break_lock: false };

fn take(dir: &Path, doing: &str) -> Result<Lock> {
    Lock::take(dir, doing, &NOW, &|| false)
}

fn code(taken: Result<Lock>) -> ErrorCode {
    taken.map(|_| ()).expect_err("it should be held").code()
}

/// A machine, whatever this one is.
fn place(is_local: bool, system: Option<fn(&File) -> std::io::Result<System>>) -> Place {
    type Kind = fn(&File) -> bool;
    let (local, remote): (Kind, Kind) = (|_| true, |_| false);
    Place {
        kind: place::HOST,
        machine: "here".to_owned(),
        boot: Some("this boot".to_owned()),
        pid: 4711,
        nameless: Duration::from_millis(20),
        is_local: if is_local { local } else { remote },
        try_lock: system.unwrap_or(Place::here().try_lock),
    }
}

fn unsupported(_file: &File) -> std::io::Result<System> {
    Ok(System::Unsupported("no locks".to_owned()))
}

/// What a lock's file may say.
fn holders() -> [(&'static str, Vec<u8>); 9] {
    let of = |kind: &str, machine: &str, boot: Option<&str>| {
        let holder = Holder {
            kind: kind.to_owned(),
            machine: machine.to_owned(),
            boot: boot.map(str::to_owned),
            pid: 1,
            ..Holder::default()
        };
        serde_json::to_vec(&holder).unwrap()
    };
    [
        ("of this boot", of("host", "here", Some("this boot"))),
        ("of a container", of("host", "9f3c", Some("this boot"))),
        ("of another boot", of("host", "here", Some("before"))),
        ("of another machine", of("host", "far-away", Some("another"))),
        ("of an unknown boot", of("host", "here", None)),
        ("of a component", of("component", "", None)),
        ("empty", Vec::new()),
        ("garbage", b"\xff\x00{\"kind\":".to_vec()),
        ("huge", vec![b' '; 9 << 20]),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Taken,
    Held,
}

/// Every kind of holder, whether the system's lock is held, on a file system of this machine or another: what becomes of it.
#[test]
fn who_may_take_a_lock() {
    use Becomes::{Held, Taken};
    for (holder, text) in holders() {
        for is_local in [true, false] {
            for system in ["held", "free", "no locks"] {
                let gone = match (system, holder) {
                    ("free", "of a component") => false,
                    ("free", "of this boot" | "of a container") => true,
                    ("free", _) => is_local,
                    _ => false,
                };
                let same_boot = matches!(holder, "of this boot" | "of a container");
                let broken = system != "held" || !(is_local || same_boot);
                let plain = if gone { Taken } else { Held };
                let with_break = if gone || broken { Taken } else { Held };
                for (option, expected) in
                    [("", plain), ("--wait", plain), ("--break-lock", with_break), ("let go", Taken)]
                {
                    if option == "let go" && gone {
                        continue;
                    }
                    let case = format!("{holder}, local {is_local}, system's lock {system}, {option}");
                    let dir = tempfile::tempdir().unwrap();
                    let path = dir.path().join(NAME);
                    fs::write(&path, &text).unwrap();
                    let other = File::open(&path).unwrap();
                    if system == "held" {
                        other.try_lock().unwrap();
                    }
                    let place = place(is_local, (system == "no locks").then_some(unsupported as fn(&_) -> _));
                    let wait = match option {
                        "--wait" => Duration::from_millis(50),
                        // It goes meanwhile.
                        "let go" => Duration::from_secs(60),
                        _ => Duration::ZERO,
                    };
                    let how = Locking { wait, break_lock: option == "--break-lock" };
                    let started = Instant::now();
                    let taken = std::thread::scope(|scope| {
                        let taken =
                            scope.spawn(|| Lock::take_at(&place, dir.path(), "test", &how, &|| false));
                        if option == "let go" {
                            std::thread::sleep(Duration::from_millis(30));
                            let _ = fs::remove_file(&path);
                        }
                        taken.join().unwrap()
                    });
                    match (&taken, expected) {
                        (Ok(lock), Taken) => {
                            assert!(lock.is_own(), "{case}");
                            assert_eq!(lock.weaker().is_some(), system == "no locks", "{case}");
                            let says: Holder = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                            assert_eq!((says.machine.as_str(), says.pid), ("here", 4711), "{case}");
                        }
                        (Err(e), Held) => {
                            assert_eq!(e.code(), ErrorCode::Locked, "{case}: {e}");
                            assert!(option != "--wait" || started.elapsed() >= wait, "{case}");
                            // What is advised has an effect.
                            assert_eq!(
                                e.to_string().contains("--break-lock"),
                                with_break == Taken && option != "--break-lock",
                                "{case}: {e}"
                            );
                            assert_eq!(fs::read(&path).unwrap(), text, "{case}: it was touched");
                        }
                        (Ok(_), Held) => panic!("{case}: it was taken"),
                        (Err(e), Taken) => panic!("{case}: {e}"),
                    }
                    let had = taken.is_ok();
                    drop(taken);
                    assert_eq!(path.exists(), !had, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_lock_is_held_by_one_and_gone_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let lock = take(dir.path(), "backup").unwrap();
    let second = take(dir.path(), "backup").expect_err("it should be held");
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
    drop(lock);
    assert!(!dir.path().join(NAME).exists());
    take(dir.path(), "backup").unwrap();
}

#[test]
fn an_empty_file_that_is_locked_is_a_lock() {
    let dir = tempfile::tempdir().unwrap();
    let lock = take(dir.path(), "backup").unwrap();
    lock.file.set_len(0).unwrap();
    for is_local in [true, false] {
        let held = Lock::take_at(&place(is_local, None), dir.path(), "prune", &NOW, &|| false);
        assert_eq!(code(held), ErrorCode::Locked);
    }
    assert!(lock.is_own());
}

#[test]
fn whoever_lost_the_lock_knows_and_leaves_the_other_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let remote = place(false, Some(unsupported));
    let first = Lock::take_at(&remote, dir.path(), "a backup", &NOW, &|| false).unwrap();
    assert!(first.is_own());
    let how = Locking { break_lock: true, ..NOW };
    let second = Lock::take_at(&remote, dir.path(), "a prune", &how, &|| false).unwrap();
    assert!(!first.is_own() && second.is_own());
    drop(first);
    assert!(second.is_own() && path.exists());
    fs::remove_file(&path).unwrap();
    assert!(!second.is_own());
}

#[test]
fn a_wait_ends_when_somebody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let _lock = take(dir.path(), "a backup").unwrap();
    let stopped = AtomicBool::new(false);
    let how = Locking { wait: Duration::from_secs(3600), ..NOW };
    std::thread::scope(|scope| {
        let waits = scope
            .spawn(|| Lock::take(dir.path(), "a prune", &how, &|| stopped.load(Ordering::Relaxed)).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        stopped.store(true, Ordering::Relaxed);
        assert_eq!(waits.join().unwrap().unwrap_err().code(), ErrorCode::Cancelled);
    });
}

#[test]
fn a_component_is_told_by_its_last_sign_of_life() {
    let dir = tempfile::tempdir().unwrap();
    let lock = take(dir.path(), "a backup").unwrap();
    let path = dir.path().join(NAME);
    let holder = Holder {
        kind: "component".into(),
        doing: "a backup".into(),
        since: 1_780_000_000,
        ..Holder::default()
    };
    fs::write(&path, serde_json::to_string(&holder).unwrap()).unwrap();
    let remote = place(false, Some(unsupported));
    let says = |words: &[&str]| {
        let held = Lock::take_at(&remote, dir.path(), "a backup", &NOW, &|| false);
        let said = held.expect_err("it should be held").to_string();
        assert!(
            words.iter().any(|words| said.contains(words)) && said.contains("2026-05-28 20:26:40"),
            "{said}"
        );
    };
    lock.file.set_modified(SystemTime::now() - Duration::from_secs(3720)).unwrap();
    says(&["62 min 0 s ago"]);
    lock.touch();
    says(&[" ms ago", " s ago"]);
}

#[test]
fn a_new_lock_that_somebody_looks_at_is_held_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    // Another process tries whether it is locked, just before it is.
    let looks = File::open(&path).unwrap();
    looks.try_lock().unwrap();
    let lock = std::thread::scope(|scope| {
        let settles = scope.spawn(|| Lock::settle(&Place::here(), file, &path, "a backup"));
        std::thread::sleep(Duration::from_millis(50));
        drop(looks);
        settles.join().unwrap().unwrap().unwrap()
    });
    assert_eq!(code(take(dir.path(), "a prune")), ErrorCode::Locked);
    drop(lock);
}

#[test]
fn what_lies_there_instead_of_a_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    fs::create_dir(&path).unwrap();
    let e = take(dir.path(), "a prune").unwrap_err();
    assert!(e.to_string().contains("lock"), "{e}");
    fs::remove_dir(&path).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        let e = take(dir.path(), "a prune").unwrap_err();
        assert!(e.to_string().contains("lock"), "{e}");
    }
}

#[test]
fn of_many_threads_one_at_a_time_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
    for wait in [Duration::ZERO, Duration::from_secs(60)] {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..if wait.is_zero() { 50 } else { 4 } {
                        match Lock::take(dir.path(), "test", &Locking { wait, ..NOW }, &|| false) {
                            Ok(lock) => {
                                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                                std::thread::yield_now();
                                turns.fetch_add(1, Ordering::SeqCst);
                                inside.fetch_sub(1, Ordering::SeqCst);
                                drop(lock);
                            }
                            Err(e) => assert!(wait.is_zero() && e.code() == ErrorCode::Locked, "{e}"),
                        }
                    }
                });
            }
        });
    }
    assert!(turns.into_inner() > 32, "whoever waits has a turn");
}

#[cfg(unix)]
#[test]
fn what_file_systems_without_locks_say_is_no_failure() {
    use rustix::io::Errno;
    for errno in [Errno::NOLCK, Errno::INVAL, Errno::BADF, Errno::OPNOTSUPP] {
        assert!(place::is_unsupported(&errno.into()), "{errno}");
    }
    assert!(!place::is_unsupported(&Errno::IO.into()));
}

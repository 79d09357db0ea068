//! The example policies: built with their languages' tools as their pages say, and run.
//!
//! The tools come from their registries. Where one cannot be had, the test says so and passes; where `CI` is set, it
//! fails.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strongroom::{Backup, Decision, ErrorCode, Policy, Repository, Timeline};

use strongroom_tests::tools::{componentize_py, tool};

use common::map::Maps;
use common::repository;

const DAY: u64 = 86_400;

/// Where components and tools are kept from one run of the tests to the next.
fn kept(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policies").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn source(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies").join(language).canonicalize().unwrap()
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/deps/policy").canonicalize().unwrap()
}

fn load(component: &Path) -> Policy {
    let policy = Policy::builder().cache_dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    policy.load(component).unwrap()
}

/// Whether a file is newer than what it is made from.
fn is_new(made: &Path, from: &[PathBuf]) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    modified(made).is_some_and(|made| from.iter().all(|from| modified(from).is_none_or(|from| from < made)))
}

/// A snapshot a day, of a database with this many entries; the newest is of day `days - 1`.
fn with_days(dir: &Path, days: u64) -> Repository {
    let repository = repository(dir.join("backups"));
    let maps = Maps::filled(&[("accounts", 50, 10)]);
    for day in 0..days {
        let time = UNIX_EPOCH + Duration::from_secs(1_780_000_000 + day * DAY);
        let job = Backup::new().name(format!("day-{day:02}")).time(time);
        repository.backup(&Arc::new(maps.clone()), &job).unwrap();
    }
    repository
}

fn now(days: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_780_000_000 + (days - 1) * DAY + 3600)
}

fn kept_names(repository: &Repository, policy: &Policy, days: u64) -> Vec<String> {
    let plan = repository.retention(policy, now(days)).unwrap();
    assert!(plan.failures.is_empty(), "{:?}", plan.failures);
    let kept = plan.snapshots.into_iter().filter(|judged| judged.keep);
    kept.map(|judged| judged.snapshot.name).collect()
}

#[test]
fn rust() {
    let target = kept("rust");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(source("rust")).args(["build", "--release", "--locked", "--target", "wasm32-wasip2"]);
    cargo.env("CARGO_TARGET_DIR", &target);
    for (name, _) in std::env::vars() {
        if name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" || name.starts_with("RUSTC") {
            cargo.env_remove(name);
        }
    }
    if tool(&mut cargo).is_none() {
        return;
    }
    let policy = load(&target.join("wasm32-wasip2/release/backoff_policy.wasm"));
    assert!(policy.decides(Decision::Retain) && !policy.decides(Decision::Admit));
    let dir = tempfile::tempdir().unwrap();
    let repository = with_days(dir.path(), 20);
    let kept = kept_names(&repository, &policy, 20);
    assert_eq!(kept.first().map(String::as_str), Some("day-00"));
    assert_eq!(kept.last().map(String::as_str), Some("day-19"));
    assert!(kept.len() < 15, "{kept:?}");
    let plan = repository.retention(&policy.clone().setting("parts", "none"), now(20)).unwrap();
    assert!(plan.to_forget().is_empty() && plan.failures[0].error.to_string().contains("give parts=NUMBER"));
    // However often it is asked, there is something left of every age.
    let mut timeline = Timeline::new(Duration::from_secs(3600), Duration::from_secs(365 * DAY));
    timeline.from = now(1000 - 365);
    let simulation = policy.simulate(&timeline, |_, _| true).unwrap();
    assert!((15..60).contains(&simulation.kept.len()), "{}", simulation.kept.len());
}

#[test]
fn javascript() {
    let dir = kept("javascript");
    let component = dir.join("policy.wasm");
    let files = ["policy.js", "build.js", "package.json"].map(|name| source("javascript").join(name));
    let wit_file = wit().join("retain.wit");
    if !is_new(&component, &[&files[..], &[wit_file]].concat()) {
        for file in &files {
            std::fs::copy(file, dir.join(file.file_name().unwrap())).unwrap();
        }
        let mut install = Command::new("npm");
        install.current_dir(&dir).args(["install", "--no-audit", "--no-fund"]);
        let mut build = Command::new("npm");
        build.current_dir(&dir).args(["run", "build"]).env("STRONGROOM_WIT", wit());
        if tool(&mut install).and_then(|()| tool(&mut build)).is_none() {
            return;
        }
    }
    let policy = load(&component);
    let dir = tempfile::tempdir().unwrap();
    let repository = with_days(dir.path(), 20);
    // Day 0 is a Thursday, 2026-05-28.
    let mondays = policy.clone().setting("weekdays", "1").setting("days", "2");
    assert_eq!(kept_names(&repository, &mondays, 20), ["day-04", "day-11", "day-18", "day-19"]);
    let plan = repository.retention(&policy.clone().setting("weekdays", "8"), now(20)).unwrap();
    assert!(plan.to_forget().is_empty());
    assert!(plan.failures[0].error.to_string().contains("weekdays must be like 1,5"), "{:?}", plan.failures);
    let plan = repository.retention(&policy.setting("dayz", "1"), now(20)).unwrap();
    assert!(plan.failures[0].error.to_string().contains("dayz=1"), "{:?}", plan.failures);
}

#[test]
fn python() {
    let dir = kept("python");
    let component = dir.join("policy.wasm");
    let files = ["policy.py", "requirements.txt"].map(|name| source("python").join(name));
    let wit_file = wit().join("admit.wit");
    if !is_new(&component, &[&files[..], &[wit_file]].concat()) {
        std::fs::copy(&files[0], dir.join("policy.py")).unwrap();
        let Some(compiler) = componentize_py(&files[1], Path::new(env!("CARGO_TARGET_TMPDIR"))) else {
            return;
        };
        let mut build = Command::new(compiler);
        build.current_dir(&dir).arg("-d").arg(wit()).args(["-w", "admitter", "componentize", "policy"]);
        if tool(build.args(["--stub-wasi", "-o", "policy.wasm"])).is_none() {
            return;
        }
    }
    let policy = load(&component).setting("not-empty", "accounts");
    let dir = tempfile::tempdir().unwrap();
    let repository = with_days(dir.path(), 3);
    let backup = |maps: Maps, policy: &Policy, name: &str| {
        repository.backup(&Arc::new(maps), &Backup::new().name(name).policy(policy))
    };
    backup(Maps::filled(&[("accounts", 50, 10)]), &policy, "good").unwrap();
    let refused = backup(Maps::filled(&[("other", 60, 10)]), &policy, "missing").unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Refused);
    assert!(refused.to_string().contains("table accounts is empty or missing"), "{refused}");
    let refused = backup(Maps::filled(&[("accounts", 30, 10)]), &policy, "small").unwrap_err();
    assert!(refused.to_string().contains("smaller than 80 % of what is usual"), "{refused}");
    // One that cannot decide does not keep backups from being made.
    let confused = policy.setting("smallest", "most");
    backup(Maps::filled(&[("accounts", 50, 10)]), &confused, "published").unwrap();
}

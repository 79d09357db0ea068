//! Policies: what they decide, what becomes of those that fail, and what they cost.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strongroom::{
    Backup, Decision, ErrorCode, POLICY, Policy, PolicyBudgets, PolicyBuilder, Repository, TimeZone, Timeline,
};

use common::map::Maps;
use common::{assert_whole, names, repository};

fn builder() -> PolicyBuilder {
    Policy::builder().cache_dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
}

fn built_in() -> Policy {
    builder().built_in().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn backup(repository: &Repository, maps: &Maps, backup: &Backup) -> strongroom::Result<String> {
    repository.backup(&Arc::new(maps.clone()), backup).map(|snapshot| snapshot.name)
}

/// A repository with a snapshot every so many seconds, of two sources.
fn with_snapshots(dir: &Path, count: u64, every: u64) -> Repository {
    let repository = repository(dir.join("backups"));
    let maps = Maps::filled(&[("a", 3, 10)]);
    for i in 0..count {
        for source in ["one", "two"] {
            let job = Backup::new().name(format!("{source}-{i}")).source(source);
            backup(&repository, &maps, &job.time(at(1_780_000_000 + i * every))).unwrap();
        }
    }
    repository
}

#[test]
fn the_built_in_policy_imports_nothing() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::from_binary(&engine, POLICY).unwrap();
    let types = component.component_type();
    assert_eq!(types.imports(&engine).count(), 0);
    let mut exports: Vec<String> = types.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    assert_eq!(exports, ["admit", "retain", "select"].map(|name| format!("strongroom:policy/{name}@0.1.0")));
}

#[test]
fn retention_goes_by_source() {
    let dir = tempfile::tempdir().unwrap();
    let repository = with_snapshots(dir.path(), 5, 86_400);
    let policy = built_in().setting("keep-daily", "2");
    let plan = repository.retention(&policy, at(1_790_000_000)).unwrap();
    assert!(plan.failures.is_empty());
    let kept = plan.snapshots.iter().filter(|judged| judged.keep);
    let mut kept: Vec<&str> = kept.map(|judged| judged.snapshot.name.as_str()).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["one-3", "one-4", "two-3", "two-4"]);
    assert_eq!(plan.to_forget().len(), 6);
    assert!(plan.emptied().is_empty());
    assert!(plan.snapshots.iter().all(|judged| !judged.reason.is_empty()));
    assert_eq!(plan.only("one").to_forget(), ["one-0", "one-1", "one-2"]);
    // Nothing has happened.
    assert_eq!(names(&repository).len(), 10);
}

#[test]
fn days_are_those_of_the_time_zone() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let maps = Maps::filled(&[("a", 3, 10)]);
    // 23:30 and 00:30 in Berlin, on one day in UTC.
    for (name, seconds) in [("late", 1_780_003_800), ("early", 1_780_007_400)] {
        backup(&repository, &maps, &Backup::new().name(name).time(at(seconds))).unwrap();
    }
    let policy = built_in().setting("keep-daily", "all");
    let now = at(1_780_010_000);
    let dropped = |policy: &Policy| repository.retention(policy, now).unwrap().to_forget().len();
    // The oldest is kept while the rule has counts left: `all` always has.
    assert_eq!(dropped(&policy.clone().time_zone(TimeZone::named("Europe/Berlin").unwrap())), 0);
    let one = built_in().setting("keep-daily", "1");
    assert_eq!(dropped(&one), 1);
    let reasons = |policy: &Policy| {
        let plan = repository.retention(policy, now).unwrap();
        plan.snapshots.into_iter().map(|judged| judged.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&policy), ["oldest daily", "daily"]);
    let berlin = policy.time_zone(TimeZone::named("Europe/Berlin").unwrap());
    assert_eq!(reasons(&berlin), ["daily", "daily"]);
}

#[test]
fn a_setting_that_is_not_known_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let repository = with_snapshots(dir.path(), 3, 86_400);
    let policy = built_in().setting("keep-last", "1").setting("keep-dayly", "1");
    let plan = repository.retention(&policy, at(1_790_000_000)).unwrap();
    assert!(plan.to_forget().is_empty());
    assert_eq!(plan.failures.len(), 2);
    let said = plan.failures[0].error.to_string();
    assert!(said.contains("policy built-in") && said.contains("keep-dayly"), "{said}");
}

#[test]
fn what_looks_like_an_accident_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let policy = built_in();
    let job = |name: &str| Backup::new().name(name).source("app").policy(&policy);
    let whole = Maps::filled(&[("a", 100, 10), ("b", 10, 10)]);
    backup(&repository, &whole, &job("first")).unwrap();
    backup(&repository, &whole, &job("second")).unwrap();
    for (name, maps, says) in [
        ("gone", Maps::filled(&[("a", 110, 10)]), "table b is gone"),
        ("lost", Maps::filled(&[("a", 40, 10), ("b", 10, 10)]), "only 50 of 110 entries are left"),
    ] {
        let refused = backup(&repository, &maps, &job(name)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Refused);
        let said = refused.to_string();
        assert!(
            said.contains(says) && said.contains("compared with second") && said.contains("--accept"),
            "{said}"
        );
        assert_eq!(names(&repository), ["first", "second"]);
        assert_whole(&repository);
    }
    // Another source has nothing to do with it.
    let small = Maps::filled(&[("a", 1, 10)]);
    backup(&repository, &small, &job("other").source("other")).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let listened =
        repository.clone().on_warning(move |warning| tell.lock().unwrap().push(warning.to_owned()));
    backup(&listened, &small, &job("meant").accept(true)).unwrap();
    assert!(told.lock().unwrap().concat().contains("accepted on request"));
    // Compared with what was accepted, nothing is missing any more.
    backup(&repository, &small, &job("after")).unwrap();
    assert_whole(&repository);
}

#[test]
fn a_policy_leaves_tables_out() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    let maps = Maps::filled(&[("cache*", 5, 10), ("cache-x", 5, 10), ("data", 5, 10)]);
    let policy = built_in().setting("leave-out", "cache-?");
    backup(&repository, &maps, &Backup::new().name("x").policy(&policy)).unwrap();
    let tables: Vec<String> = repository.tables("x").unwrap().into_iter().map(|table| table.name).collect();
    assert_eq!(tables, ["cache*", "data"]);
    let snapshot = repository.find("x").unwrap();
    assert_eq!((snapshot.tables, snapshot.tables_left_out), (2, 1));
    let nothing = built_in().setting("leave-out", "*");
    let refused = backup(&repository, &maps, &Backup::new().name("y").policy(&nothing)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Refused);
}

#[test]
fn a_policy_that_fails_keeps_no_backup_from_being_made() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let repository = repository(dir.path().join("backups"));
    let repository = repository.on_warning(move |warning| tell.lock().unwrap().push(warning.to_owned()));
    let budgets = PolicyBudgets::default().fuel(1000).fuel_per_item(0);
    let policy = builder().budgets(budgets).built_in().unwrap();
    let maps = Maps::filled(&[("a", 5, 10)]);
    backup(&repository, &maps, &Backup::new().name("x").policy(&policy)).unwrap();
    let told = told.lock().unwrap().join("\n");
    assert!(told.contains("all tables are backed up"), "{told}");
    assert!(told.contains("snapshot x is published without its consent"), "{told}");
    assert!(
        told.contains("policy built-in: it was not done within its budget of 0 million units of fuel"),
        "{told}"
    );
    assert!(told.contains("--policy-fuel"), "{told}");
    let plan = repository.retention(&policy, SystemTime::now()).unwrap();
    assert_eq!(plan.failures[0].error.code(), ErrorCode::Budget);
    assert!(plan.to_forget().is_empty());
}

#[test]
fn what_is_no_policy_is_refused_with_what_to_do() {
    let load = |bytes: &[u8]| builder().bytes("bad.wasm", bytes).unwrap_err();
    let component = |text: &str| wat::parse_str(text).unwrap();
    for (bytes, says) in [
        (b"hello".to_vec(), "it is not a WebAssembly component"),
        (Vec::new(), "it is not a WebAssembly component"),
        (component("(module)"), "it is a core WebAssembly module"),
        (POLICY[..POLICY.len() / 2].to_vec(), "it is not a component that can be run"),
        (
            component("(component)"),
            "it exports no policy interface; those that are known: strongroom:policy/select@0.1",
        ),
        (
            component(r#"(component (import "wasi:cli/environment@0.2.0" (instance)) (import "x" (func)))"#),
            "it imports wasi:cli/environment@0.2.0, x, and a policy may import nothing",
        ),
        (
            component(r#"(component (instance $i) (export "strongroom:policy/retain@0.9.0" (instance $i)))"#),
            "it exports strongroom:policy/retain@0.9.0, which this version of Strongroom does not know; it knows \
             strongroom:policy/select@0.1.x",
        ),
        (
            component(r#"(component (instance $i) (export "strongroom:policy/retain@0.1.0" (instance $i)))"#),
            "what it exports as retain is not what strongroom:policy/retain@0.1.0 says",
        ),
    ] {
        let e = load(&bytes);
        assert_eq!(e.code(), ErrorCode::Invalid);
        assert!(e.to_string().contains(says), "{e}");
        assert!(e.to_string().starts_with("policy bad.wasm: "), "{e}");
    }
    let budgets = PolicyBudgets::default().component_bytes(1000);
    assert_eq!(builder().budgets(budgets).built_in().unwrap_err().code(), ErrorCode::Budget);
}

#[test]
fn a_simulation_ends_with_what_the_rules_say() {
    let policy = built_in().setting("keep-daily", "7").setting("keep-monthly", "6");
    let mut timeline = Timeline::new(Duration::from_secs(6 * 3600), Duration::from_secs(365 * 86_400));
    timeline.from = at(1_790_000_000 - 365 * 86_400);
    let simulation = policy.simulate(&timeline, |_, _| true).unwrap();
    assert_eq!(simulation.made, 4 * 365 + 1);
    assert_eq!(simulation.kept.len(), 12);
    assert!(simulation.most() <= 14);
    assert_eq!(simulation.counts.len(), 365);
    let again = policy.simulate(&timeline, |_, _| true).unwrap();
    assert_eq!((&simulation.kept, &simulation.counts), (&again.kept, &again.counts));
    let svg = simulation.svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("1,461 backups, one each 6 hours, for 1 year. 12 are left at the end"), "{svg}");
    let stopped = policy.simulate(&timeline, |_, _| false).unwrap_err();
    assert_eq!(stopped.code(), ErrorCode::Cancelled);
    timeline.every = Duration::ZERO;
    assert_eq!(policy.simulate(&timeline, |_, _| true).unwrap_err().code(), ErrorCode::Invalid);
}

#[test]
fn a_check_says_what_an_answer_costs() {
    let policy =
        built_in().setting("keep-daily", "7").setting("keep-weekly", "8").setting("keep-monthly", "24");
    let report = policy.check(SystemTime::now()).unwrap();
    assert_eq!((report.bytes, report.exports.len()), (POLICY.len(), 3));
    assert_eq!(report.trials.len(), 9);
    for trial in &report.trials {
        let cost = trial.cost.as_ref().unwrap();
        println!(
            "{} of {}: {:?}, {} of {} fuel",
            trial.decision, trial.items, cost.time, cost.fuel, cost.fuel_budget
        );
        assert!(cost.fuel > 0 && cost.fuel < cost.fuel_budget / 100);
    }
    // Fuel does not depend on the machine or on what else it does.
    let fuel = |report: &strongroom::PolicyReport| {
        report.trials.iter().map(|trial| trial.cost.as_ref().unwrap().fuel).collect::<Vec<_>>()
    };
    let now = at(1_790_000_000);
    assert_eq!(fuel(&policy.check(now).unwrap()), fuel(&policy.check(now).unwrap()));
    assert!(Decision::ALL.iter().all(|decision| policy.decides(*decision)));
}

//! The process is killed, or the power fails, before and after every change.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

use strongroom_engine::Result;
use strongroom_engine::testing::disk::{Disk, Effect, Fault, Repeat, Survival};

use crate::verbs::{self, Verb};
use crate::world::{Promises, next, store};

/// How much of it to try.
pub(crate) struct Effort {
    /// In how many ways the disk may have kept what was unsynced, at each point.
    pub(crate) survivals: u64,
    /// Of so many states, one is tried with a second failure, at every point of the next run.
    pub(crate) again: u64,
    /// In how many ways then.
    pub(crate) survivals_again: u64,
}

const SHORT: Effort = Effort { survivals: 16, again: 100, survivals_again: 4 };
const LONG: Effort = Effort { survivals: 64, again: 3, survivals_again: 16 };

/// What was tried.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) verb: &'static str,
    /// Places between two changes.
    pub(crate) points: u64,
    /// Disks after a failure, without equal ones.
    pub(crate) states: u64,
    /// Points at which a run that recovered from the first failure met a second one.
    pub(crate) again: u64,
    /// Runs that followed and had to succeed.
    pub(crate) runs: u64,
    seen: HashSet<(u64, BTreeSet<String>, u64)>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, points, states, again, runs, .. } = self;
        write!(f, "| {verb} | {points} | {states} | {again} | {runs} |")
    }
}

/// Says where it was if the test panics.
pub(crate) struct Here(pub(crate) String);

impl Drop for Here {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was: {}", self.0);
        }
    }
}

/// A backup and a prune that nothing disturbs succeed, clear away what was unfinished and what nobody needs, and cost
/// nobody anything; also not if the power fails as soon as they have reported.
pub(crate) fn next_run_succeeds(disk: &Disk, promises: &Promises, name: &str) {
    let mut promises = promises.clone();
    disk.begin(None);
    next(disk, name, &promises, &Cell::default()).unwrap();
    promises.report(name, &store(4));
    promises.check(disk);
    promises.check_pruned(disk);
    let mut seen = HashSet::from([disk.fingerprint()]);
    for number in [0, 2, 8] {
        let after = disk.after_power_failure(Survival::number(number));
        if seen.insert(after.fingerprint()) {
            promises.check(&after);
        }
    }
}

impl Tried {
    /// A disk after a failure: once for all that are equal.
    fn state(&mut self, disk: &Disk, promises: &Promises, effort: &Effort, depth: u64) {
        if !self.seen.insert((disk.fingerprint(), promises.reported.clone(), depth)) {
            return;
        }
        self.states += 1;
        promises.check(disk);
        if depth == 0 && self.states.is_multiple_of(effort.again) {
            self.fail_again(disk, promises, effort);
        }
        self.runs += 1;
        next_run_succeeds(disk, promises, ["next", "after next"][depth as usize]);
    }

    /// The next run is not spared either.
    fn fail_again(&mut self, disk: &Disk, promises: &Promises, effort: &Effort) {
        let mut meanwhile = promises.clone();
        meanwhile.begin("next", &store(4));
        let mut after = promises.clone();
        after.report("next", &store(4));
        let reported = Cell::default();
        self.again += at_every_change(
            disk,
            |disk| {
                reported.set(false);
                next(disk, "next", promises, &reported)
            },
            |disk, _| {
                let promises = if reported.get() { &after } else { &meanwhile };
                self.state(&disk.deep_clone(), promises, effort, 1);
                for number in 0..effort.survivals_again {
                    let survival = Survival::number(number);
                    let _here = Here(format!("the power failed again: {survival:?}"));
                    self.state(&disk.after_power_failure(survival), promises, effort, 1);
                }
            },
        );
    }
}

/// Kills a run before every change and after the last one; says how many places these were.
pub(crate) fn at_every_change(
    disk: &Disk,
    run: impl Fn(&Disk) -> Result<()>,
    mut killed: impl FnMut(&Disk, bool),
) -> u64 {
    let whole = disk.deep_clone();
    whole.begin(None);
    run(&whole).unwrap();
    let (_, changes) = whole.counts();
    for before_change in 0..=changes {
        let disk = disk.deep_clone();
        disk.begin(Some(Fault::Kill { before_change }));
        let done = run(&disk);
        let _here = Here(format!("killed before change {before_change}, {:?}", disk.struck()));
        disk.begin(None);
        assert!(done.is_ok() || before_change < changes);
        killed(&disk, done.is_ok());
    }
    changes + 1
}

/// Every point of one verb.
fn everywhere(verb: &Verb, effort: &Effort) -> Tried {
    let mut tried = Tried { verb: verb.name, ..Tried::default() };
    let _here = Here(verb.name.to_owned());
    verb.before.check(&verb.disk.deep_clone());
    tried.points = at_every_change(&verb.disk, &verb.run, |disk, done| {
        let promises = if done { &verb.after } else { &verb.meanwhile };
        // Killed: what was written is still seen, and still not durable.
        tried.state(&disk.deep_clone(), promises, effort, 0);
        for number in 0..effort.survivals {
            let survival = Survival::number(number);
            let _here = Here(format!("the power failed: {survival:?}"));
            tried.state(&disk.after_power_failure(survival), promises, effort, 0);
        }
    });
    tried
}

fn all_verbs(effort: &Effort) -> (u64, u64) {
    println!("| verb | points | states | points again | runs afterwards |\n|---|---|---|---|---|");
    let (mut points, mut states) = (0, 0);
    for verb in verbs::all() {
        let tried = everywhere(&verb, effort);
        println!("{tried}");
        points += tried.points + tried.again;
        states += tried.states;
    }
    println!("{points} points, {states} states");
    (points, states)
}

#[test]
fn nothing_reported_is_lost_wherever_the_power_fails() {
    let (points, states) = all_verbs(&SHORT);
    assert!(points > 300 && states > 500, "{points} points, {states} states");
}

/// A backup is killed when its snapshot has its name, which is not durable yet. Everybody sees it, so the one before it
/// is forgotten.
#[test]
fn what_is_forgotten_does_not_go_before_what_it_is_forgotten_for_is_durable() {
    let verb = verbs::all().into_iter().find(|verb| verb.name == "second backup").unwrap();
    let disk = &verb.disk;
    disk.begin(None);
    let whole = disk.deep_clone();
    (verb.run)(&whole).unwrap();
    // The hint, which comes after it, takes three changes.
    disk.begin(Some(Fault::Kill { before_change: whole.counts().1 - 4 }));
    (verb.run)(disk).unwrap_err();
    let forget = |disk: &Disk| strongroom_engine::forget(disk, &["one".into()], false);
    at_every_change(disk, forget, |disk, _| {
        for number in 0..300 {
            let after = disk.after_power_failure(Survival::number(number));
            assert!(!strongroom_engine::snapshots(&after).unwrap().0.is_empty(), "{number}");
            let mut promises = verb.after.clone();
            promises.reported.clear();
            promises.check(&after);
        }
    });
}

/// Which of the syncs of a verb are needed: leaves one after the other out, and looks whether anything is lost by it. So
/// the check finds what it should find.
fn needed_syncs(name: &str) -> BTreeSet<String> {
    let verb = verbs::all().into_iter().find(|verb| verb.name == name).unwrap();
    let whole = verb.disk.deep_clone();
    whole.begin(None);
    (verb.run)(&whole).unwrap();
    let (operations, _) = whole.counts();
    let mut needed = BTreeSet::new();
    for at in 0..operations {
        let disk = verb.disk.deep_clone();
        disk.begin(Some(Fault::Fail { at, effect: Effect::NoSync, repeat: Repeat::Once }));
        (verb.run)(&disk).unwrap();
        let Some(struck) = disk.struck().filter(|struck| struck.starts_with(&format!("operation {at}:")))
        else {
            continue;
        };
        let holds = |number| {
            let after = disk.after_power_failure(Survival::number(number));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| verb.after.check(&after))).is_ok()
        };
        if !(0..16).all(holds) {
            needed.insert(struck.split_once(": ").unwrap().1.to_owned());
        }
    }
    needed
}

#[test]
fn a_backup_that_leaves_a_sync_out_is_found_out() {
    let needed = needed_syncs("first backup");
    let folders = ["sync \"\"", "sync \"packs\"", "sync \"snapshots\""];
    let files =
        ["index/tmp-index", "packs/tmp-0-0", "packs/tmp-seal-0", "snapshots/tmp-new.json", "tmp-repository"];
    let all = folders.iter().map(|sync| (*sync).to_owned());
    let all: BTreeSet<String> = all.chain(files.map(|path| format!("sync {path:?}"))).collect();
    // Without the one of the folder of the index, it would be made again from the packs.
    assert_eq!(needed, all);
}

/// The packs that are put together go only when what is made of them is durable.
#[test]
fn a_backup_that_folds_and_leaves_a_sync_out_is_found_out() {
    let needed = needed_syncs("backup that folds");
    // The folder of packs is synced three times, each of which makes up for the one before.
    let all =
        ["index/tmp-index", "packs/tmp-fold-0", "packs/tmp-seal-0", "snapshots/tmp-new.json", "snapshots"];
    assert_eq!(needed, all.map(|path| format!("sync {path:?}")).into());
}

#[test]
fn an_import_that_leaves_a_sync_out_is_found_out() {
    let needed = needed_syncs("first import");
    let folders = ["sync \"\"", "sync \"packs\"", "sync \"snapshots\""];
    let files = ["index/tmp-index", "packs/tmp-import-0", "snapshots/tmp-new.json", "tmp-repository"];
    let all = folders.iter().map(|sync| (*sync).to_owned());
    let all: BTreeSet<String> = all.chain(files.map(|path| format!("sync {path:?}"))).collect();
    assert_eq!(needed, all);
}

#[test]
#[ignore = "minutes"]
fn nothing_reported_is_lost_wherever_the_power_fails_long() {
    let (points, states) = all_verbs(&LONG);
    assert!(points > 5_000 && states > 20_000, "{points} points, {states} states");
}

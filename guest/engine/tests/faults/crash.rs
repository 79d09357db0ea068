//! The process is killed, or the power fails, before and after every change.

use std::collections::HashSet;
use std::fmt;

use strongroom_engine::testing::disk::{Disk, Fault, Survival};
use xxhash_rust::xxh3::xxh3_64;

use crate::common::{Random, job, try_backup};
use crate::verbs::{self, Verb};
use crate::world::{Promises, store};

/// How much of it to try.
pub(crate) struct Effort {
    /// What the disk may have kept, at each point.
    pub(crate) survivals: u64,
    /// Of so many states, one is tried with a second failure while the next run recovers.
    pub(crate) again: usize,
}

const SHORT: Effort = Effort { survivals: 16, again: 60 };
const LONG: Effort = Effort { survivals: 64, again: 4 };

/// What was tried.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) verb: &'static str,
    /// Places between two changes.
    pub(crate) points: u64,
    /// Disks after a failure, without equal ones.
    pub(crate) states: u64,
    /// Second failures, while a run recovered from the first.
    pub(crate) again: u64,
    /// Runs that followed and had to succeed.
    pub(crate) runs: u64,
    seen: HashSet<u64>,
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

/// A hash of all that readers see.
fn fingerprint(disk: &Disk) -> u64 {
    let mut all = Vec::new();
    for (path, content) in disk.files() {
        all.extend_from_slice(path.as_bytes());
        all.extend_from_slice(&xxh3_64(&content).to_le_bytes());
    }
    xxh3_64(&all)
}

/// A backup that nothing disturbs succeeds, clears away what was unfinished, and costs nobody anything; also not if the
/// power fails as soon as it has reported.
pub(crate) fn next_run_succeeds(disk: &Disk, promises: &Promises, name: &str) {
    let mut promises = promises.clone();
    disk.begin(None);
    try_backup(disk, &store(4), &job(name, 2)).unwrap();
    promises.report(name, &store(4));
    promises.check(disk);
    let unfinished = |(path, _): &(String, Vec<u8>)| path.contains("tmp-");
    assert!(!disk.files().iter().any(unfinished), "something unfinished is left");
    let files = fingerprint(disk);
    for survival in [0, 2, 8] {
        let after = disk.after_power_failure(Survival::number(survival));
        if fingerprint(&after) != files {
            promises.check(&after);
        }
    }
}

impl Tried {
    /// One state after a failure.
    fn state(&mut self, disk: &Disk, promises: &Promises, effort: &Effort, depth: u32) {
        if !self.seen.insert(fingerprint(disk) ^ u64::from(depth)) {
            return;
        }
        self.states += 1;
        promises.check(disk);
        if depth == 0 && (self.states as usize).is_multiple_of(effort.again) {
            self.fail_again(disk, promises, effort);
        }
        self.runs += 1;
        next_run_succeeds(disk, promises, ["next", "after next"][depth as usize]);
    }

    /// The next run is not spared either.
    fn fail_again(&mut self, disk: &Disk, promises: &Promises, effort: &Effort) {
        let mut promises = promises.clone();
        promises.begin("next", &store(4));
        let whole = disk.deep_clone();
        whole.begin(None);
        try_backup(&whole, &store(4), &job("next", 2)).unwrap();
        let (_, changes) = whole.counts();
        let mut random = Random(self.states);
        for _ in 0..4 {
            let before_change = random.below(changes as usize) as u64;
            let _here = Here(format!("then killed before change {before_change}"));
            let disk = disk.deep_clone();
            disk.begin(Some(Fault::Kill { before_change }));
            if try_backup(&disk, &store(4), &job("next", 2)).is_ok() {
                promises.report("next", &store(4));
            }
            disk.begin(None);
            self.again += 1;
            let survival = random.next();
            let after = disk.after_power_failure(Survival::number(survival % 1000));
            self.state(&after, &promises, effort, 1);
        }
    }
}

/// Every point of one verb.
pub(crate) fn everywhere(verb: &Verb, effort: &Effort) -> Tried {
    let mut tried = Tried { verb: verb.name, ..Tried::default() };
    verb.before.check(&verb.disk.deep_clone());
    let whole = verb.disk.deep_clone();
    whole.begin(None);
    (verb.run)(&whole).unwrap();
    let (_, changes) = whole.counts();
    verb.after.check(&whole);
    for before_change in 0..=changes {
        tried.points += 1;
        let disk = verb.disk.deep_clone();
        disk.begin(Some(Fault::Kill { before_change }));
        let done = (verb.run)(&disk);
        let place = disk.struck();
        disk.begin(None);
        let _here = Here(format!("{}, killed before change {before_change}, {place:?}", verb.name));
        assert!(done.is_ok() || before_change < changes);
        let promises = if done.is_ok() { &verb.after } else { &verb.meanwhile };
        // Killed: what was written is still seen, and still not durable.
        tried.state(&disk.deep_clone(), promises, effort, 0);
        for number in 0..effort.survivals {
            let survival = Survival::number(number);
            let _here = Here(format!("the power failed: {survival:?}"));
            tried.state(&disk.after_power_failure(survival), promises, effort, 0);
        }
    }
    tried
}

fn all_verbs(effort: &Effort) -> (u64, u64) {
    println!("| verb | points | states | second failures | runs afterwards |\n|---|---|---|---|---|");
    let (mut points, mut states) = (0, 0);
    for verb in verbs::all() {
        let tried = everywhere(&verb, effort);
        println!("{tried}");
        points += tried.points;
        states += tried.states;
    }
    println!("{points} points, {states} states");
    (points, states)
}

#[test]
fn nothing_reported_is_lost_wherever_the_power_fails() {
    let (points, states) = all_verbs(&SHORT);
    assert!(points > 200 && states > 1000, "{points} points, {states} states");
}

#[test]
#[ignore = "minutes"]
fn nothing_reported_is_lost_wherever_the_power_fails_long() {
    let (_, states) = all_verbs(&LONG);
    assert!(states > 10_000, "{states} states");
}

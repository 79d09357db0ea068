//! The disk gives an error at every operation, once or from then on.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use strongroom_engine::Code;
use strongroom_engine::testing::disk::{Disk, Effect, Fault, Repeat, Survival};

use crate::crash::{Here, next_run_succeeds};
use crate::verbs::{self, Verb};
use crate::world::{Promises, next, store};

/// How much of it to try.
struct Effort {
    /// Of so many different states of the disk that an error leaves, one is tried with a second fault, at every operation of
    /// the next run.
    again: u64,
    /// Of so many operations, one is tried.
    step: usize,
}

const SHORT: Effort = Effort { again: 25, step: 7 };
const LONG: Effort = Effort { again: 12, step: 1 };

const EFFECTS: [Effect; 4] = [Effect::Io, Effect::IoButDone, Effect::Full, Effect::ShortRead];
const REPEATS: [Repeat; 3] = [Repeat::Once, Repeat::OfItsKind, Repeat::Forever];

/// What was tried, and what came of it.
#[derive(Default)]
struct Tried {
    cases: u64,
    /// The run succeeded all the same.
    survived: u64,
    again: u64,
    /// Different states that the errors left.
    left: u64,
    /// How often each kind of error came out.
    codes: BTreeMap<String, u64>,
    /// What was looked at after runs, without equal ones.
    states: u64,
    seen: HashSet<(u64, BTreeSet<String>)>,
}

/// What a person reads must say what happened; a program must be able to tell a full disk from a failing one.
fn check_error(e: &strongroom_engine::Error, effect: Effect, struck: &str) {
    let fits = match effect {
        Effect::Io | Effect::IoButDone => e.code == Code::Io,
        Effect::Full => e.code == Code::Full,
        Effect::NoSync => false,
        // What did not come is not called damaged: that would be acted upon.
        Effect::ShortRead => e.code == Code::Io,
    };
    assert!(fits && e.message.len() > 10, "{struck}, and the error is {e:?}");
    // A disk names the file, and whoever says where it happened does not name it once more.
    let parts: Vec<&str> = e.message.split(": ").collect();
    for (i, file) in parts.iter().enumerate().filter(|(_, part)| part.contains('/') && !part.contains(' ')) {
        assert!(!parts[i + 1..].iter().any(|rest| rest.contains(file)), "{file} is named twice in {e:?}");
    }
}

impl Tried {
    fn is_new(&mut self, disk: &Disk, promises: &Promises) -> bool {
        let new = self.seen.insert((disk.fingerprint(), promises.reported.clone()));
        self.states += u64::from(new);
        new
    }

    /// What holds after a run that met a fault, at once, after a loss of power, and after the next run. Says whether this
    /// was not known.
    fn aftermath(&mut self, disk: &Disk, promises: &Promises, name: &str) -> bool {
        disk.begin(None);
        if !self.is_new(disk, promises) {
            return false;
        }
        let disk = &disk.deep_clone();
        promises.check(disk);
        for number in [0, 1, 2, 6, 8] {
            let _here = Here(format!("the power failed: {:?}", Survival::number(number)));
            let after = disk.after_power_failure(Survival::number(number));
            if self.is_new(&after, promises) {
                promises.check(&after);
            }
        }
        next_run_succeeds(disk, promises, name);
        true
    }

    fn case(&mut self, verb: &Verb, fault: Fault, effort: &Effort) {
        let Fault::Fail { effect, .. } = fault else { return };
        let disk = verb.disk.deep_clone();
        disk.begin(Some(fault));
        let done = (verb.run)(&disk);
        // Of no concern to this operation.
        let Some(struck) = disk.struck() else { return };
        let _here = Here(format!("{}, {fault:?}, {struck}", verb.name));
        self.cases += 1;
        let promises = match &done {
            Ok(()) => {
                self.survived += 1;
                &verb.after
            }
            Err(e) => {
                check_error(e, effect, &struck);
                *self.codes.entry(format!("{:?}", e.code)).or_default() += 1;
                &verb.meanwhile
            }
        };
        // What follows is equal for equal disks.
        if self.aftermath(&disk, promises, "next") {
            self.left += 1;
            if self.left.is_multiple_of(effort.again) {
                self.fail_again(&disk, promises);
            }
        }
    }

    /// The next run meets an error too, at any operation.
    fn fail_again(&mut self, disk: &Disk, promises: &Promises) {
        disk.begin(None);
        let whole = disk.deep_clone();
        next(&whole, "next", promises, &Cell::default()).unwrap();
        for (at, operation) in (0..).zip(whole.operations()) {
            let number = (self.left + at) as usize % 12;
            let (effect, repeat) = (EFFECTS[number % 4], REPEATS[number / 4]);
            if !effect.strikes(operation) {
                continue;
            }
            let fault = Fault::Fail { at, effect, repeat };
            let disk = disk.deep_clone();
            disk.begin(Some(fault));
            let reported = Cell::default();
            let done = next(&disk, "next", promises, &reported);
            self.again += 1;
            let _here = Here(format!("then {fault:?}, {:?}", disk.struck()));
            let mut promises = promises.clone();
            if let Err(e) = done {
                check_error(&e, effect, &disk.struck().unwrap());
            }
            promises.begin("next", &store(4));
            if reported.get() {
                promises.report("next", &store(4));
            }
            self.aftermath(&disk, &promises, "after next");
        }
    }
}

fn all_verbs(effort: &Effort) -> u64 {
    println!(
        "| verb | operations | errors | survived | errors again | states | codes |\n|---|---|---|---|---|---|---|"
    );
    let mut all = 0;
    for verb in verbs::all() {
        let whole = verb.disk.deep_clone();
        whole.begin(None);
        (verb.run)(&whole).unwrap();
        let operations = whole.operations();
        let mut tried = Tried::default();
        for (at, operation) in (0..).zip(operations.iter()).step_by(effort.step) {
            // What does not strike here strikes another operation, which has its turn.
            for effect in EFFECTS.into_iter().filter(|effect| effect.strikes(*operation)) {
                for repeat in REPEATS {
                    // A look is not worse for having been done.
                    if effect != Effect::IoButDone || repeat != Repeat::Once || operation.changes {
                        tried.case(&verb, Fault::Fail { at, effect, repeat }, effort);
                    }
                }
            }
        }
        let Tried { cases, survived, again, codes, states, .. } = &tried;
        println!(
            "| {} | {} | {cases} | {survived} | {again} | {states} | {codes:?} |",
            verb.name,
            operations.len()
        );
        all += cases + again;
    }
    println!("{all} errors");
    all
}

#[test]
fn an_error_of_the_disk_anywhere_loses_nothing() {
    let errors = all_verbs(&SHORT);
    assert!(errors > 1000, "{errors}");
}

#[test]
#[ignore = "minutes"]
fn an_error_of_the_disk_anywhere_loses_nothing_long() {
    let errors = all_verbs(&LONG);
    assert!(errors > 5_000, "{errors}");
}

//! A repair that was killed is ended by the next one.

use std::cell::Cell;

use strongroom_engine::testing::disk::{Disk, Survival};
use strongroom_engine::{Code, Level, Lost, Progress, Repair, Repaired, Silent};

use crate::crash::{Here, at_every_change};
use crate::verbs;

fn repair(disk: &Disk) -> Repaired {
    strongroom_engine::repair(disk, Repair::default(), &Silent).unwrap()
}

/// What stays lost, but for where it was.
fn lost(repaired: &Repaired) -> Vec<Lost> {
    repaired.lost.iter().map(|lost| Lost { file: String::new(), ..lost.clone() }).collect()
}

#[test]
fn a_repair_after_one_that_was_killed_ends_in_the_same_state() {
    for verb in verbs::all().into_iter().filter(|verb| verb.name.starts_with("repair")) {
        let whole = verb.disk.deep_clone();
        whole.begin(None);
        let expected = repair(&whole);
        let ends = |disk: &Disk| {
            disk.begin(None);
            verb.meanwhile.check(disk);
            let repaired = repair(disk);
            assert_eq!(lost(&repaired), lost(&expected));
            verb.after.check(disk);
            let files = disk.files();
            let again = repair(disk);
            assert!(again.mended.is_empty(), "{again:#?} after {repaired:#?}");
            assert!(disk.files() == files && lost(&again) == lost(&expected));
        };
        at_every_change(&verb.disk, verbs::repair, |disk, _| {
            ends(&disk.deep_clone());
            for number in 0..16 {
                let survival = Survival::number(number);
                let _here = Here(format!("{}, the power failed: {survival:?}", verb.name));
                ends(&disk.after_power_failure(survival));
            }
        });
    }
}

/// Asks to stop at this call.
struct StopAt(Cell<u32>);

impl Progress for StopAt {
    fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
        self.0.set(self.0.get().wrapping_sub(1));
        self.0.get() != u32::MAX
    }
    fn log(&self, _level: Level, _message: &str) {}
}

#[test]
fn a_repair_that_is_stopped_leaves_nothing_worse_and_the_next_one_ends_it() {
    for verb in verbs::all().into_iter().filter(|verb| verb.name.starts_with("repair")) {
        let whole = verb.disk.deep_clone();
        whole.begin(None);
        let expected = repair(&whole);
        let mut stopped = 0;
        loop {
            let disk = verb.disk.deep_clone();
            disk.begin(None);
            let done = strongroom_engine::repair(&disk, Repair::default(), &StopAt(Cell::new(stopped)));
            if done.is_ok() {
                break;
            }
            assert_eq!(done.unwrap_err().code, Code::Cancelled);
            stopped += 1;
            verb.meanwhile.check(&disk);
            assert_eq!(lost(&repair(&disk)), lost(&expected));
            verb.after.check(&disk);
        }
        assert!(stopped > 10, "{stopped}");
    }
}

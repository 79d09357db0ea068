//! A repair that was killed is ended by the next one.

use strongroom_engine::testing::disk::{Disk, Survival};
use strongroom_engine::{Lost, Repair, Repaired, Silent};

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

//! Budgets of a run.

use std::sync::Arc;
use std::time::Duration;

use strongroom::{Backup, Repository};

use crate::common::map::Maps;
use crate::common::{assert_whole, builder, names};
use crate::{assert_budget, assert_unharmed, budgets, limited, restored, with_a_snapshot};

#[test]
fn a_run_that_wants_more_memory_than_its_budget_ends_and_names_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let large = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    let small = limited(&repository, |budgets| budgets.memory = 8 << 20);
    let error = small.backup(&large, &Backup::new().name("too large")).unwrap_err();
    assert_budget(&error, "--memory");
    assert!(error.to_string().contains("8 MiB"), "{error}");
    assert_unharmed(&repository, &first);
}

#[test]
fn every_memory_budget_either_suffices_or_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let large = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    let (mut refused, mut done) = (0, 0);
    for kib in [1, 512, 1500, 2500, 4000, 12_000, 20_000, 40_000, 80_000, 160_000] {
        let limited = limited(&repository, |budgets| budgets.memory = kib << 10);
        match limited.backup(&large, &Backup::new().name("large").threads(3)) {
            Ok(snapshot) => {
                done += 1;
                assert_eq!(restored(&repository, "large"), *large);
                std::fs::remove_file(repository.dir().join(format!("snapshots/{}.json", snapshot.name)))
                    .unwrap();
            }
            Err(error) => {
                refused += 1;
                assert_budget(&error, "--memory");
                assert_eq!(names(&repository), ["first"]);
            }
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
    assert_unharmed(&repository, &first);
}

#[test]
fn a_run_that_takes_longer_than_its_budget_ends_and_names_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let maps = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    for interrupts in [false, true] {
        let budgets = budgets(|budgets| budgets.time = Some(Duration::from_millis(1)));
        let sandbox = builder().budgets(budgets).interrupts(interrupts).build().unwrap();
        let late = Repository::with_sandbox(repository.dir(), sandbox).unwrap();
        assert_budget(&late.backup(&maps, &Backup::new()).unwrap_err(), "--timeout");
        assert_unharmed(&repository, &first);
    }
}

#[test]
fn a_component_that_can_be_interrupted_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, snapshot) = with_a_snapshot(dir.path());
    let budgets = budgets(|budgets| budgets.time = Some(Duration::from_secs(600)));
    let sandbox = builder().budgets(budgets).interrupts(true).build().unwrap();
    let other = Repository::with_sandbox(repository.dir(), sandbox).unwrap();
    let again = other.backup(&Arc::new(first.clone()), &Backup::new().name("again")).unwrap();
    assert_eq!((again.id, again.bytes_added), (snapshot.id, 0));
    assert!(restored(&other, "again") == first);
    assert_whole(&other);
}

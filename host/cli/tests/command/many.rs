//! Many tables, snapshots and sources: every verb. `cargo run --release -p strongroom-tests --bin many` is the long form.

use std::process::Output;

use strongroom_tests::many::{self, Verb};

use crate::place::{Place, Ran};

fn run_all(place: &Place, verbs: &[Verb]) {
    std::fs::write(place.path("plugin.wasm"), many::plugin().unwrap()).unwrap();
    for (number, verb) in verbs.iter().enumerate() {
        if verb.changes {
            many::change(&place.path("app.redb"), number as u64).unwrap();
        }
        let output: Output = place.command(verb.args.split(' ')).output().unwrap();
        let ran = Ran::from(output);
        assert_eq!(ran.code, Some(verb.code), "{}: {:.2000}", verb.args, ran.stderr);
        // A person reads it, unless all details were asked for.
        let lines = ran.stderr.lines().count();
        assert!(lines <= 20 || verb.args.starts_with("-vv"), "{}: {:.2000}", verb.args, ran.stderr);
    }
}

#[test]
fn every_verb_takes_many_tables() {
    let place = Place::empty();
    many::tables(&place.path("app.redb"), 2500).unwrap();
    run_all(&place, &many::over_tables());
}

#[test]
fn every_verb_takes_many_snapshots_of_many_sources() {
    let place = Place::empty();
    many::snapshots(&place.path("backups"), 2000, 100).unwrap();
    std::fs::rename(place.path("backups.redb"), place.path("app.redb")).unwrap();
    run_all(&place, &many::over_snapshots(false));
}

#[test]
fn every_verb_works_round_many_files_that_cannot_be_read() {
    let place = Place::empty();
    many::snapshots(&place.path("backups"), 10, 2).unwrap();
    std::fs::rename(place.path("backups.redb"), place.path("app.redb")).unwrap();
    many::unreadable(&place.path("backups"), 2000).unwrap();
    run_all(&place, &many::over_snapshots(true));
}

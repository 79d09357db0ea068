//! What holds for all rules and all snapshots.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use strongroom_policy::Facts;

use crate::common::{judged, kept, snapshots};

const CALENDAR: [&str; 6] =
    ["keep-last", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"];

/// Up to 60 moments from minutes to years apart, around changes of clocks too, in some zone.
fn histories() -> impl Strategy<Value = Vec<Facts>> {
    let gap = prop_oneof![0..7_200i64, 0..200_000i64, 0..10_000_000i64];
    let zone = prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/St_Johns"),
        Just("Australia/Lord_Howe"),
        Just("Pacific/Apia"),
    ];
    let positions = proptest::collection::vec(proptest::option::of(0..1000u64), 60);
    let start = prop_oneof![Just(1_774_750_000i64), Just(1_792_880_000), 0..2_000_000_000i64];
    (start, proptest::collection::vec(gap, 1..60), zone, positions).prop_map(
        |(start, gaps, zone, positions)| {
            let mut time = start;
            let times = gaps.into_iter().map(|gap| {
                time += gap;
                time
            });
            let mut all = snapshots(times.collect::<Vec<_>>(), &TimeZone::get(zone).unwrap());
            for (snapshot, position) in all.iter_mut().zip(positions) {
                snapshot.position = position;
            }
            all[0].position.get_or_insert(0);
            all
        },
    )
}

/// Some rules: each calendar rule with a count or without.
fn rules() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let counts = proptest::collection::vec(proptest::option::of(0..15u32), CALENDAR.len());
    let within = proptest::option::of("[1-9][0-9]?[ymwdh]");
    let every = proptest::option::of(1..300u32);
    let name = proptest::option::of("s[0-9*?]{1,2}");
    (counts, within, every, name).prop_map(|(counts, within, every, name)| {
        let mut rules: Vec<(&str, String)> = CALENDAR
            .into_iter()
            .zip(counts)
            .filter_map(|(rule, count)| Some((rule, count?.to_string())))
            .collect();
        rules.extend(within.map(|within| ("keep-within", within)));
        rules.extend(every.map(|every| ("keep-every", every.to_string())));
        rules.extend(name.map(|name| ("keep-name", name)));
        rules
    })
}

fn borrowed<'r>(rules: &'r [(&'static str, String)]) -> Vec<(&'r str, &'r str)> {
    rules.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn names(kept: Vec<(String, String)>) -> BTreeSet<String> {
    kept.into_iter().map(|(name, _)| name).collect()
}

proptest! {
    #[test]
    fn the_newest_is_never_dropped(all in histories(), rules in rules()) {
        let verdicts = judged(&borrowed(&rules), &all);
        prop_assert_eq!(verdicts.len(), all.len());
        prop_assert!(verdicts.last().unwrap().yes);
    }

    #[test]
    fn every_verdict_has_a_reason(all in histories(), rules in rules()) {
        for verdict in judged(&borrowed(&rules), &all) {
            prop_assert!(!verdict.reason.is_empty());
            prop_assert_eq!(verdict.yes, verdict.reason != "no rule keeps it");
        }
    }

    #[test]
    fn the_same_input_gives_the_same_answer(all in histories(), rules in rules()) {
        prop_assert_eq!(judged(&borrowed(&rules), &all), judged(&borrowed(&rules), &all));
    }

    #[test]
    fn rules_are_joined_by_or(all in histories(), rules in rules()) {
        prop_assume!(!rules.is_empty());
        let together = names(kept(&borrowed(&rules), &all));
        let apart = rules.iter().flat_map(|rule| names(kept(&borrowed(std::slice::from_ref(rule)), &all))).collect();
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn a_rule_keeps_no_more_than_it_says(all in histories(), rule in 0..CALENDAR.len(), count in 0..20usize) {
        let kept = kept(&[(CALENDAR[rule], &count.to_string())], &all);
        prop_assert!(kept.len() <= count.max(1), "{:?}", kept);
    }

    #[test]
    fn a_higher_count_keeps_all_that_a_lower_one_keeps(
        all in histories(), rule in 0..CALENDAR.len(), count in 0..20u32, more in 1..20u32
    ) {
        let with = |count: &str| names(kept(&[(CALENDAR[rule], count)], &all));
        let (few, many, most) = (with(&count.to_string()), with(&(count + more).to_string()), with("all"));
        prop_assert!(few.is_subset(&many));
        prop_assert!(many.is_subset(&most));
    }

    #[test]
    fn a_longer_time_keeps_all_that_a_shorter_one_keeps(
        all in histories(), number in 1..40u32, more in 1..40u32, unit in "[ymwdh]"
    ) {
        let with = |number: u32| names(kept(&[("keep-within", &format!("{number}{unit}"))], &all));
        prop_assert!(with(number).is_subset(&with(number + more)));
    }

    /// Forgetting after each backup ends with the same as forgetting once, so it does not matter how often it runs.
    #[test]
    fn it_does_not_matter_how_often_it_is_applied(all in histories(), rules in rules()) {
        let rules: Vec<_> = borrowed(&rules).into_iter().filter(|(rule, _)| *rule != "keep-within").collect();
        prop_assume!(!rules.is_empty());
        let mut there: Vec<Facts> = Vec::new();
        for snapshot in &all {
            there.push(snapshot.clone());
            let kept = names(kept(&rules, &there));
            there.retain(|snapshot| kept.contains(&snapshot.name));
        }
        let there: BTreeSet<String> = there.into_iter().map(|snapshot| snapshot.name).collect();
        let at_once = names(kept(&rules, &all));
        // While a rule has counts left, it keeps what was the oldest then.
        prop_assert!(at_once.is_subset(&there), "{:?} is not within {:?}", at_once, there);
    }

    #[test]
    fn every_multiple_of_a_position_has_the_first_behind_it(all in histories(), every in 1..300u64) {
        let kept = names(kept(&[("keep-every", &every.to_string())], &all));
        for (i, snapshot) in all.iter().enumerate().filter(|(_, snapshot)| snapshot.position.is_some()) {
            let stretch = snapshot.position.unwrap() / every;
            let first = !all[..i].iter().any(|earlier| earlier.position.is_some_and(|p| p / every == stretch));
            prop_assert!(!first || kept.contains(&snapshot.name));
            prop_assert!(first || i + 1 == all.len() || !kept.contains(&snapshot.name));
        }
    }
}

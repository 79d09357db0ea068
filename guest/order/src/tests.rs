//! Small histories, all of them, against what the rules say word for word.

use super::*;

/// Every run that never falls is tried.
fn longest_run_by_trying(times: &[u64]) -> Vec<usize> {
    let runs = (0u32..1 << times.len())
        .map(|chosen| (0..times.len()).filter(|index| chosen >> index & 1 == 1).collect::<Vec<_>>());
    let runs = runs.filter(|run| run.is_sorted_by_key(|index| times[*index]));
    let best = runs.max_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev())));
    best.unwrap()
}

fn at_by_the_rules(times: &[u64], latest: u64) -> Vec<Option<u64>> {
    let possible: Vec<usize> = (0..times.len()).filter(|index| times[*index] <= latest).collect();
    let run = longest_run_by_trying(&possible.iter().map(|index| times[*index]).collect::<Vec<_>>());
    let run: Vec<usize> = run.into_iter().map(|index| possible[index]).collect();
    let of = |index: &usize| {
        let next = run.iter().find(|trusted| *trusted >= index).or(run.last());
        times[*next.unwrap()]
    };
    (0..times.len()).map(|index| possible.contains(&index).then(|| of(&index))).collect()
}

/// All sequences of this many of these values.
fn sequences(values: &[u64], len: usize) -> Vec<Vec<u64>> {
    let mut all = vec![Vec::new()];
    for _ in 0..len {
        all =
            all.iter().flat_map(|start| values.iter().map(|value| [start, &[*value][..]].concat())).collect();
    }
    all
}

#[test]
fn trusted_times_are_those_of_the_rules() {
    const DAY: u64 = TOLERANCE;
    for len in 0..=6 {
        for times in sequences(&[0, 1, 2, 3, 1 << 63], len) {
            assert_eq!(longest_run(&times), longest_run_by_trying(&times), "{times:?}");
            assert_eq!(trusted(&times, None).at, at_by_the_rules(&times, u64::MAX), "{times:?}");
        }
    }
    for times in sequences(&[0, 5, 5 + DAY, 6 + DAY, u64::MAX], 5) {
        let Trusted { at, places } = trusted(&times, Some(5));
        assert_eq!(at, at_by_the_rules(&times, 5 + DAY), "{times:?}");
        assert!(places.is_sorted(), "{times:?}: {places:?}");
        assert!(at.iter().zip(&places).all(|(at, place)| at.is_none_or(|at| at == *place)));
    }
}

#[test]
fn one_wrong_clock_moves_two_snapshots_at_most() {
    let right = [10, 20, 20, 30, 40, 50];
    for index in 0..right.len() {
        for wrong in [0, 15, 25, 35, 45, 1000] {
            let mut times = right;
            times[index] = wrong;
            // Whatever fits in is not contradicted by anything.
            if times.is_sorted() {
                continue;
            }
            let at = trusted(&times, None).at;
            let moved = (0..right.len()).filter(|index| at[*index] != Some(right[*index])).count();
            assert!(moved <= 2, "{times:?}: {at:?}");
        }
    }
}

fn made<'a>(source: &'a str, imported: bool, seq: u64, time: u64, name: &'a str) -> Made<'a> {
    Made { source, imported, seq, time, name }
}

fn names(snapshots: &[Made<'_>], now: Option<u64>) -> Vec<String> {
    arrange(snapshots, now).iter().map(|placed| snapshots[placed.index].name.to_owned()).collect()
}

#[test]
fn the_number_is_the_order_within_a_source() {
    let app = [
        made("app", false, 3, 9_000_000, "year ahead"),
        made("app", false, 4, 0, "at 1970"),
        made("app", false, 5, 1_000_000, "newest"),
        made("app", false, 2, 800_000, "b"),
        made("app", false, 2, 800_000, "a"),
        made("app", false, 2, 700_000, "c"),
        made("app", true, 99, 2_000_000, "imported"),
    ];
    assert_eq!(names(&app, None), ["c", "a", "b", "imported", "year ahead", "at 1970", "newest"]);
    // An import of the future is set aside too.
    assert_eq!(names(&app, Some(1_000_000)), ["imported", "c", "a", "b", "year ahead", "at 1970", "newest"]);
    let at: Vec<_> = arrange(&app, Some(1_000_000)).iter().map(|placed| placed.at).collect();
    assert_eq!((at[0], at[4], at[5]), (None, None, Some(1_000_000)));
}

#[test]
fn sources_stand_by_trusted_times() {
    let all = [
        made("alone", false, 1, 4_000_000_000, "future"),
        made("app", false, 1, 1_000, "app 1"),
        made("app", false, 2, 5_000_000_000, "app 2"),
        made("other", false, 1, 500, "other 1"),
        made("other", false, 2, 2_000, "other 2"),
    ];
    assert_eq!(names(&all, Some(3_000)), ["future", "other 1", "app 1", "app 2", "other 2"]);
    assert_eq!(names(&all, None), ["other 1", "app 1", "other 2", "future", "app 2"]);
}

#[test]
fn imports_are_the_history_of_a_source_that_has_nothing_else() {
    let all =
        [made("app", true, 2, 10, "two"), made("app", true, 1, 20, "one"), made("app", true, 3, 15, "three")];
    assert_eq!(names(&all, None), ["one", "two", "three"]);
}

#[test]
fn a_hundred_thousand_take_no_time() {
    let times: Vec<u64> =
        (0..100_000u64).map(|n| n.pow(3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).collect();
    let run = longest_run(&times);
    assert!(run.is_sorted_by_key(|index| times[*index]) && run.len() > 500);
}

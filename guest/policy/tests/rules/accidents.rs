//! What is refused, and what is not.

use jiff::tz::TimeZone;
use strongroom_policy::{Candidate, Facts, Verdict, admit};

use crate::common::{settings, snapshots};

fn facts(entries: u64, position: Option<u64>) -> Facts {
    let mut facts = snapshots([1_780_000_000], &TimeZone::UTC).remove(0);
    (facts.name, facts.entries, facts.position) = ("before".to_owned(), entries, position);
    facts
}

fn asked(rules: &[(&str, &str)], new: &Facts, tables: &[&str], before: &Facts, were: &[&str]) -> Verdict {
    let candidate =
        Candidate { new, tables: tables.to_vec(), before: Some(before), tables_before: Some(were.to_vec()) };
    admit(&settings(rules), &candidate)
}

#[test]
fn the_first_of_a_source_is_accepted() {
    let candidate = Candidate { new: &facts(0, None), tables: Vec::new(), before: None, tables_before: None };
    assert!(admit(&settings(&[]), &candidate).yes);
}

#[test]
fn more_and_less_in_the_same_tables_is_accepted() {
    for (new, before) in [(0, 0), (50, 100), (100, 100), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
        let verdict = asked(&[], &facts(new, Some(7)), &["a", "b"], &facts(before, Some(7)), &["a"]);
        assert!(verdict.yes, "{new} after {before}: {}", verdict.reason);
    }
}

#[test]
fn a_table_that_is_gone_is_refused() {
    let (new, before) = (facts(10, None), facts(10, None));
    let verdict = asked(&[], &new, &["a", "c"], &before, &["a", "b", "c"]);
    assert_eq!((verdict.yes, verdict.reason.as_str()), (false, "table b is gone, compared with before"));
    let verdict = asked(&[], &new, &[], &before, &["a", "b", "c", "d", "e"]);
    assert_eq!(verdict.reason, "tables a, b, c and 2 more are gone, compared with before");
    assert!(asked(&[("may-go", "tmp-*")], &new, &["a"], &before, &["a", "tmp-1"]).yes);
    assert!(!asked(&[("may-go", "tmp-*")], &new, &["a"], &before, &["a", "b", "tmp-1"]).yes);
    let mut new = new;
    new.tables_left_out = 1;
    let verdict = asked(&[], &new, &[], &before, &["a"]);
    assert_eq!(verdict.reason, "table a is gone or left out, compared with before");
    assert!(asked(&[("leave-out", "a")], &new, &[], &before, &["a"]).yes);
}

#[test]
fn entries_down_by_more_than_half_are_refused() {
    for (new, before, yes) in
        [(49, 100, false), (50, 100, true), (0, 1, false), (u64::MAX / 2 - 1, u64::MAX, false)]
    {
        assert_eq!(
            asked(&[], &facts(new, None), &[], &facts(before, None), &[]).yes,
            yes,
            "{new} of {before}"
        );
    }
    let with = |max_loss| asked(&[("max-loss", max_loss)], &facts(5, None), &[], &facts(100, None), &[]).yes;
    assert_eq!(["0", "94%", "95", "100"].map(with), [false, false, true, true]);
}

#[test]
fn a_position_that_goes_back_is_refused() {
    let (new, before) = (facts(1, Some(99)), facts(1, Some(100)));
    let verdict = asked(&[], &new, &[], &before, &[]);
    assert_eq!(verdict.reason, "the position went back from 100 to 99, compared with before");
    assert!(asked(&[("may-go-back", "yes")], &new, &[], &before, &[]).yes);
    // None was asked for this time, or the time before.
    assert!(asked(&[], &facts(1, None), &[], &before, &[]).yes);
    assert!(asked(&[], &new, &[], &facts(1, None), &[]).yes);
}

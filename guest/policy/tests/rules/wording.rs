//! Settings, and what is said about them.

use jiff::tz::TimeZone;
use strongroom_policy::{Settings, select};

use crate::common::{kept, settings, snapshots};

#[test]
fn a_setting_without_sense_is_an_error() {
    for (name, value, says) in [
        ("keep-dayly", "7", "setting keep-dayly: there is no such setting"),
        ("keep-daily", "seven", "setting keep-daily: \"seven\" is not a number, nor `all`"),
        ("keep-daily", "", "is not a number"),
        ("keep-daily", "-1", "is not a number"),
        ("keep-daily", "99999999999999999999", "is not a number"),
        ("keep-within", "5 days", "setting keep-within: \"5 days\" is not a duration"),
        ("keep-every", "0", "every 0th"),
        ("max-loss", "101", "more than 100"),
        ("may-go-back", "maybe", "neither `yes` nor `no`"),
    ] {
        let e = Settings::parse([(name, value)]).unwrap_err();
        assert!(e.contains(says), "{e}");
    }
    let twice = Settings::parse([("keep-last", "1"), ("keep-last", "2")]).unwrap_err();
    assert_eq!(twice, "setting keep-last: it is given twice");
}

#[test]
fn every_reason_is_told() {
    let mut all = snapshots((0..5).map(|day| day * 86_400), &TimeZone::UTC);
    for (i, snapshot) in all.iter_mut().enumerate() {
        snapshot.position = Some(i as u64 * 60);
    }
    let rules = [
        ("keep-last", "2"),
        ("keep-daily", "3"),
        ("keep-within", "25h"),
        ("keep-name", "x"),
        ("keep-name", "s*1"),
        ("keep-every", "100"),
    ];
    let kept = kept(&rules, &all);
    let kept: Vec<(&str, &str)> = kept.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("s0", "first from position 0"),
            ("s1", "name matches s*1"),
            ("s2", "daily, first from position 100"),
            ("s3", "last, daily, within 25h"),
            ("s4", "newest, daily, within 25h, first from position 200"),
        ]
    );
}

#[test]
fn without_rules_everything_is_kept() {
    let all = snapshots(0..5, &TimeZone::UTC);
    assert_eq!(kept(&[("max-loss", "10")], &all).len(), 5);
    assert_eq!(kept(&[("keep-last", "0")], &all).len(), 1);
}

#[test]
fn tables_are_left_out_by_name() {
    let settings = settings(&[("leave-out", "cache"), ("leave-out", "tmp-*")]);
    let taken = ["cache", "cached", "tmp-", "accounts"].map(|table| select(&settings, table).yes);
    assert_eq!(taken, [false, true, false, true]);
}

#[test]
fn positions_that_no_snapshot_has_cannot_be_gone_by() {
    let all = snapshots([0, 86_400], &jiff::tz::TimeZone::UTC);
    let refused = strongroom_policy::retain(&settings(&[("keep-every", "100"), ("keep-last", "1")]), &all);
    assert!(refused.err().unwrap().contains("--position"));
    assert_eq!(kept(&[("keep-last", "1")], &all).len(), 1);
}

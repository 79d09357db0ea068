//! Hours, days, weeks, months and years, also where clocks change.

use jiff::tz::TimeZone;
use strongroom_policy::Facts;

use crate::common::{berlin, kept, seconds, snapshots};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn every(step: i64, from: &str, to: &str, zone: &TimeZone) -> Vec<Facts> {
    snapshots((seconds(from)..seconds(to)).step_by(step as usize), zone)
}

/// The wall clocks of those that are kept.
fn clocks(rules: &[(&str, &str)], all: &[Facts]) -> Vec<String> {
    let kept = kept(rules, all);
    let kept = all.iter().filter(|snapshot| kept.iter().any(|(name, _)| *name == snapshot.name));
    kept.map(|s| format!("{:02}-{:02} {:02}:{:02}", s.at.month, s.at.day, s.at.hour, s.at.minute)).collect()
}

#[test]
fn the_newest_of_each_day_is_kept() {
    let all = every(6 * HOUR, "2026-05-01T00:00:00Z", "2026-05-11T00:00:00Z", &TimeZone::UTC);
    assert_eq!(clocks(&[("keep-daily", "3")], &all), ["05-08 18:00", "05-09 18:00", "05-10 18:00"]);
}

#[test]
fn a_day_is_one_of_the_time_zone() {
    let all = every(HOUR, "2026-05-08T00:00:00Z", "2026-05-10T12:00:00Z", &berlin());
    // 23:00 in Berlin is 21:00 UTC.
    assert_eq!(clocks(&[("keep-daily", "2")], &all), ["05-09 23:00", "05-10 13:00"]);
}

#[test]
fn an_hour_that_comes_twice_is_two_hours() {
    // Clocks are set back from 3:00 to 2:00 on 25 October 2026, at 01:00 UTC.
    let all = every(HOUR / 2, "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", &berlin());
    let hours = clocks(&[("keep-hourly", "10")], &all);
    assert_eq!(hours, ["10-25 01:00", "10-25 01:30", "10-25 02:30", "10-25 02:30", "10-25 03:30"]);
}

#[test]
fn an_hour_that_is_left_out_is_not_missed() {
    // Clocks are set forward from 2:00 to 3:00 on 29 March 2026, at 01:00 UTC.
    let all = every(HOUR / 2, "2026-03-28T22:00:00Z", "2026-03-29T03:00:00Z", &berlin());
    let hours = clocks(&[("keep-hourly", "4")], &all);
    assert_eq!(hours, ["03-29 00:30", "03-29 01:30", "03-29 03:30", "03-29 04:30"]);
    let days = clocks(&[("keep-daily", "2")], &all);
    assert_eq!(days, ["03-28 23:30", "03-29 04:30"]);
}

#[test]
fn days_of_23_and_25_hours_have_one_snapshot_each() {
    for (from, to) in
        [("2026-03-20T00:00:00Z", "2026-04-05T12:00:00Z"), ("2026-10-20T00:00:00Z", "2026-11-05T12:00:00Z")]
    {
        let all = every(HOUR, from, to, &berlin());
        let days = clocks(&[("keep-daily", "10")], &all);
        assert_eq!(days.len(), 10);
        assert!(days[..9].iter().all(|clock| clock.ends_with("23:00")), "{days:?}");
    }
}

#[test]
fn a_week_belongs_to_one_year_alone() {
    // 2026-12-28 to 2027-01-03 is week 53 of 2026.
    let all = every(DAY, "2026-12-26T12:00:00Z", "2027-01-06T12:00:00Z", &TimeZone::UTC);
    let weeks = clocks(&[("keep-weekly", "3")], &all);
    assert_eq!(weeks, ["12-27 12:00", "01-03 12:00", "01-05 12:00"]);
}

#[test]
fn the_newest_of_each_month_and_year_is_kept() {
    let all = every(DAY, "2024-01-01T12:00:00Z", "2026-03-15T13:00:00Z", &TimeZone::UTC);
    let months = clocks(&[("keep-monthly", "3")], &all);
    assert_eq!(months, ["01-31 12:00", "02-28 12:00", "03-15 12:00"]);
    // There is one year less than is asked for, so the oldest of all stays.
    let years = kept(&[("keep-yearly", "4")], &all);
    let reasons: Vec<&str> = years.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["oldest yearly", "yearly", "yearly", "yearly"]);
    assert_eq!(years[0].0, "s0");
}

#[test]
fn within_counts_from_the_newest() {
    let all = every(HOUR, "2026-05-01T00:00:00Z", "2026-05-03T00:30:00Z", &TimeZone::UTC);
    assert_eq!(kept(&[("keep-within", "5h")], &all).len(), 6);
    assert_eq!(clocks(&[("keep-within", "1d")], &all)[0], "05-02 00:00");
}

#[test]
fn a_day_before_is_the_same_time_of_day() {
    // 23 hours, then 25.
    for (from, to, hours) in [
        ("2026-03-27T12:00:00Z", "2026-03-29T10:30:00Z", 23),
        ("2026-10-23T12:00:00Z", "2026-10-25T11:30:00Z", 25),
    ] {
        let all = every(HOUR, from, to, &berlin());
        let within = clocks(&[("keep-within", "1d")], &all);
        assert_eq!(within.len(), hours + 1);
        assert!(within[0].ends_with("12:00"), "{within:?}");
        assert_eq!(kept(&[("keep-within", "24h")], &all).len(), 25);
    }
}

#[test]
fn a_month_before_runs_over_where_the_month_is_shorter() {
    let all = every(DAY, "2026-02-01T12:00:00Z", "2026-03-31T13:00:00Z", &TimeZone::UTC);
    // 31 February is 3 March.
    assert_eq!(clocks(&[("keep-within", "1m")], &all)[0], "03-03 12:00");
    assert_eq!(clocks(&[("keep-within", "1m2w")], &all)[0], "02-17 12:00");
}

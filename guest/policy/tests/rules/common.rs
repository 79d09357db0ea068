//! Moments and snapshots, made with a calendar that the rules do not have.

use jiff::{Timestamp, tz::TimeZone};
use strongroom_policy::{Facts, Moment, Settings, Verdict, retain};

pub(crate) fn moment(seconds: i64, zone: &TimeZone) -> Moment {
    let at = Timestamp::from_second(seconds).unwrap().to_zoned(zone.clone());
    let week = at.date().iso_week_date();
    Moment {
        seconds,
        year: at.year().into(),
        month: at.month() as u8,
        day: at.day() as u8,
        hour: at.hour() as u8,
        minute: at.minute() as u8,
        second: at.second() as u8,
        week: week.week() as u8,
        week_year: week.year().into(),
        day_number: (seconds + i64::from(at.offset().seconds())).div_euclid(86_400) as i32,
        utc_offset: at.offset().seconds(),
    }
}

pub(crate) fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

pub(crate) fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// Snapshots of these moments, named `s0`, `s1`, ...
pub(crate) fn snapshots(times: impl IntoIterator<Item = i64>, zone: &TimeZone) -> Vec<Facts> {
    let snapshot = |(i, time)| Facts {
        name: format!("s{i}"),
        at: moment(time, zone),
        position: None,
        entries: 1,
        tables_left_out: 0,
    };
    times.into_iter().enumerate().map(snapshot).collect()
}

pub(crate) fn settings(settings: &[(&str, &str)]) -> Settings {
    Settings::parse(settings.iter().copied()).unwrap()
}

pub(crate) fn judged(rules: &[(&str, &str)], snapshots: &[Facts]) -> Vec<Verdict> {
    retain(&settings(rules), snapshots).unwrap()
}

/// The names of those that are kept, each with its reason.
pub(crate) fn kept(rules: &[(&str, &str)], snapshots: &[Facts]) -> Vec<(String, String)> {
    let verdicts = judged(rules, snapshots);
    assert_eq!(verdicts.len(), snapshots.len());
    let kept = snapshots.iter().zip(verdicts).filter(|(_, verdict)| verdict.yes);
    kept.map(|(snapshot, verdict)| (snapshot.name.clone(), verdict.reason)).collect()
}

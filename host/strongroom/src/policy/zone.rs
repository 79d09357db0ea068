//! Time zones, and moments as their calendars show them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::{Error, ErrorCode, Result};

/// A time zone: what a day is, for rules that keep one snapshot of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl Default for TimeZone {
    fn default() -> Self {
        Self::utc()
    }
}

impl TimeZone {
    /// Coordinated universal time: the same on every machine, and the one that snapshots are listed in.
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// A zone by its IANA name, such as `Europe/Berlin`; `local` is that of this machine. The rules for its daylight
    /// saving are those of the system or, where it has none, those that were built in.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NotFound`] if there is no such zone.
    pub fn named(name: &str) -> Result<Self> {
        let zone = match name {
            "local" => jiff::tz::TimeZone::try_system(),
            _ => jiff::tz::TimeZone::get(name),
        };
        zone.map(Self).map_err(|e| {
            let message = format!(
                "there is no time zone {name:?}; give an IANA name such as Europe/Berlin, or `local`, or `UTC` ({e})"
            );
            Error::new(ErrorCode::NotFound, message)
        })
    }

    /// What a person wrote for a moment: `2026-01-31`, `2026-01-31T10:15`, both as a clock of this zone shows it, or with
    /// an offset of its own, `2026-01-31T10:15:00Z`. A day is its beginning; of an hour that comes twice the first is meant.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] if it is none.
    pub fn parse(&self, text: &str) -> Result<SystemTime> {
        let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(self.0.clone()).ok();
        let timestamp = text.parse::<Timestamp>().ok().or_else(|| civil().map(|at| at.timestamp()));
        timestamp.map(SystemTime::from).ok_or_else(|| {
            let message =
                format!("{text:?} is no moment; write 2026-01-31, 2026-01-31T10:15 or 2026-01-31T10:15:00Z");
            Error::new(ErrorCode::Invalid, message)
        })
    }

    /// A moment in this zone.
    pub(crate) fn moment(&self, seconds: i64) -> Moment {
        let timestamp = Timestamp::from_second(seconds);
        // What a repository says may be nonsense. Its order stays right.
        let timestamp = timestamp.unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX });
        let at = timestamp.to_zoned(self.0.clone());
        let week = at.date().iso_week_date();
        let offset = at.offset().seconds();
        Moment {
            seconds,
            year: at.year().into(),
            month: at.month() as u8,
            day: at.day() as u8,
            hour: at.hour() as u8,
            minute: at.minute() as u8,
            second: at.second() as u8,
            weekday: at.weekday().to_monday_one_offset() as u8,
            week: week.week() as u8,
            week_year: week.year().into(),
            day_number: (timestamp.as_second() + i64::from(offset)).div_euclid(86_400) as i32,
            utc_offset: offset,
        }
    }

    /// What a clock shows there, so many seconds after 1970-01-01T00:00:00 UTC: `2026-01-31 10:15`.
    pub fn clock(&self, seconds: i64) -> String {
        let Moment { year, month, day, hour, minute, .. } = self.moment(seconds);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("local"))
    }
}

/// A moment as a calendar shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) year: i32,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) weekday: u8,
    pub(crate) week: u8,
    pub(crate) week_year: i32,
    pub(crate) day_number: i32,
    pub(crate) utc_offset: i32,
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> i64 {
    let whole = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_the_calendar_shows() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        // 2026-10-25T01:30:00Z, in the second of the two hours from 2 to 3.
        let at = berlin.moment(1_792_891_800);
        assert_eq!((at.year, at.month, at.day, at.hour, at.minute), (2026, 10, 25, 2, 30));
        assert_eq!((at.weekday, at.week, at.week_year, at.utc_offset), (7, 43, 2026, 3600));
        assert_eq!(berlin.moment(1_792_891_800 - 3600).utc_offset, 7200);
        // Half an hour before the year begins in UTC, it has begun there.
        let at = berlin.moment(1_798_759_800);
        assert_eq!((at.year, at.month, at.day, at.day_number), (2027, 1, 1, 20_819));
        assert_eq!((at.week, at.week_year), (53, 2026));
        assert_eq!(TimeZone::utc().moment(-1).day_number, -1);
    }

    #[test]
    fn no_number_of_seconds_is_too_much() {
        for seconds in [i64::MIN, i64::MAX] {
            assert_eq!(TimeZone::named("Pacific/Apia").unwrap().moment(seconds).seconds, seconds);
        }
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let read = |text: &str| berlin.parse(text).map(seconds);
        assert_eq!(read("2026-10-25T01:30:00Z").unwrap(), 1_792_891_800);
        assert_eq!(read("2026-10-25T01:30:00+02:00").unwrap(), 1_792_884_600);
        // The hour from 2 to 3 comes twice.
        assert_eq!(read("2026-10-25T02:30").unwrap(), 1_792_888_200);
        assert_eq!(read("2026-10-25").unwrap(), 1_792_879_200);
        assert_eq!(read("2026-03-29T02:30").unwrap(), read("2026-03-29T03:30").unwrap());
        for wrong in ["", "now", "2026-02-30", "31.1.2026", "1792891800"] {
            assert_eq!(read(wrong).unwrap_err().code(), ErrorCode::Invalid, "{wrong}");
        }
    }

    #[test]
    fn a_zone_that_is_none_is_an_error() {
        let e = TimeZone::named("Europe/Berlim").unwrap_err();
        assert_eq!(e.code(), ErrorCode::NotFound);
        assert!(e.to_string().contains("Europe/Berlin"), "{e}");
    }
}

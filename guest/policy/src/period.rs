//! Hours, days, weeks, months and years.

use crate::model::Moment;

/// A stretch of the calendar of which one snapshot is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    pub(crate) const ALL: [Period; 5] =
        [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

    /// The rule's setting.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Period::Hour => "keep-hourly",
            Period::Day => "keep-daily",
            Period::Week => "keep-weekly",
            Period::Month => "keep-monthly",
            Period::Year => "keep-yearly",
        }
    }

    /// The rule in reasons.
    pub(crate) fn word(self) -> &'static str {
        &self.setting()["keep-".len()..]
    }

    /// Which one a moment lies in: equal for moments of the same, and for no others.
    pub(crate) fn of(self, at: &Moment) -> (i32, u8, i32) {
        match self {
            // When clocks are set back, two hours have one name. They are two.
            Period::Hour => (at.day_number, at.hour, at.utc_offset),
            Period::Day => (at.day_number, 0, 0),
            Period::Week => (at.week_year, at.week, 0),
            Period::Month => (at.year, at.month, 0),
            Period::Year => (at.year, 0, 0),
        }
    }
}

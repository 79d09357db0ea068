//! What the rules look at.

use alloc::string::String;

/// A moment as the calendar of the chosen time zone shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, UTC.
    pub seconds: i64,
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// The week of ISO 8601.
    pub week: u8,
    /// The year that the week belongs to.
    pub week_year: i32,
    /// Days since 1970-01-01 in that zone.
    pub day_number: i32,
    /// Seconds ahead of UTC.
    pub utc_offset: i32,
}

/// What the rules look at in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: Moment,
    /// How far the database had come.
    pub position: Option<u64>,
    /// Entries of all tables.
    pub entries: u64,
    /// How many tables were left out.
    pub tables_left_out: u32,
}

/// Yes or no, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Keep it, take it, accept it.
    pub yes: bool,
    /// Why, on one line for people.
    pub reason: String,
}

impl Verdict {
    pub(crate) fn new(yes: bool, reason: impl Into<String>) -> Self {
        Self { yes, reason: reason.into() }
    }
}

//! Durations as people count them: `1y6m2w3d12h`.

use alloc::format;
use alloc::string::String;

use crate::model::Moment;

/// No field is larger, so that nothing overflows.
const MAX: i64 = 100_000;

/// A stretch of calendar time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Duration {
    months: i64,
    days: i64,
    hours: i64,
}

impl Duration {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a duration; write years, months, weeks, days and hours like 1y6m2w3d12h")
        };
        let mut parsed = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: i64 = rest[..digits].parse().ok().filter(|n| *n <= MAX).ok_or_else(wrong)?;
            let mut after = rest[digits..].chars();
            match after.next() {
                Some('y') => parsed.months += 12 * number,
                Some('m') => parsed.months += number,
                Some('w') => parsed.days += 7 * number,
                Some('d') => parsed.days += number,
                Some('h') => parsed.hours += number,
                _ => return Err(wrong()),
            }
            rest = after.as_str();
        }
        let some = parsed.months + parsed.days + parsed.hours > 0;
        if some { Ok(parsed) } else { Err(wrong()) }
    }

    /// Whether `at` is not longer before `newest` than this. Hours alone are hours; where there are days or months, the
    /// wall clock counts, so that `1d` before noon is noon, also over the change of clocks.
    pub(crate) fn covers(&self, at: &Moment, newest: &Moment) -> bool {
        if self.months == 0 && self.days == 0 {
            return at.seconds >= newest.seconds.saturating_sub(self.hours * 3600);
        }
        wall(at) >= self.before(newest)
    }

    /// The wall clock so long before `newest`, in seconds.
    fn before(&self, newest: &Moment) -> i64 {
        let months = i64::from(newest.year) * 12 + i64::from(newest.month) - 1 - self.months;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        // A day that the month does not have runs over into the next, as 30 February is 1 or 2 March.
        let day = days_from_civil(year, month) + i64::from(newest.day) - 1 - self.days;
        day * 86_400 + of_day(newest) - self.hours * 3600
    }
}

fn of_day(at: &Moment) -> i64 {
    i64::from(at.hour) * 3600 + i64::from(at.minute) * 60 + i64::from(at.second)
}

fn wall(at: &Moment) -> i64 {
    i64::from(at.day_number) * 86_400 + of_day(at)
}

/// Days from 1970-01-01 to the first of a month, in the Gregorian calendar.
fn days_from_civil(year: i64, month: i64) -> i64 {
    // Years that begin in March end with the day that is sometimes missing.
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let duration = |months, days, hours| Ok(Duration { months, days, hours });
        assert_eq!(Duration::parse("1y6m2w3d12h"), duration(18, 17, 12));
        assert_eq!(Duration::parse("36h"), duration(0, 0, 36));
        for wrong in ["", "5", "d", "5x", "-1d", "1d ", "0d", "99999999999999999999d", "1.5d"] {
            assert!(Duration::parse(wrong).unwrap_err().contains("1y6m2w3d12h"), "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(days_from_civil(1970, 1), 0);
        assert_eq!(days_from_civil(2000, 3), 11_017);
        assert_eq!(days_from_civil(2026, 11), 20_758);
        assert_eq!(days_from_civil(1969, 12), -31);
    }
}

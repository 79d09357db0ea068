//! Moments in UTC, for people, and which of them to name on an axis.

use strongroom_core::text;

/// The last moment that the calendar has, in the year 9999. What a repository says may lie beyond.
pub(super) const LATEST: u64 = 253_402_207_200;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// `2026-01-31 10:15`
pub(super) fn moment(seconds: u64) -> String {
    let text = text::time(seconds);
    if seconds > LATEST { text } else { text.get(..16).unwrap_or(&text).to_owned() }
}

/// `2026-01-31`
pub(super) fn day(seconds: u64) -> String {
    let text = text::time(seconds);
    if seconds > LATEST { text } else { text.get(..10).unwrap_or(&text).to_owned() }
}

/// For a `datetime` attribute: `2026-01-31T10:15:00Z`.
pub(super) fn machine(seconds: u64) -> String {
    text::time(seconds.min(LATEST)).replace(' ', "T") + "Z"
}

/// `35 s`, `10 min`, `3 hours`, `12 days`, `1.5 years`
pub(super) fn stretch(seconds: u64) -> String {
    let of = |number: u64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", seconds.div_ceil(30) / 2),
        6000..172_800 => of((seconds + HOUR / 2) / HOUR, "hour"),
        172_800..63_072_000 => of((seconds + DAY / 2) / DAY, "day"),
        _ => format!("{:.1} years", seconds as f64 / (365.25 * DAY as f64)),
    }
}

/// Moments to name on an axis from one to another, with their names.
pub(super) fn ticks(from: u64, to: u64) -> Vec<(u64, String)> {
    const STEPS: [u64; 13] = [
        60,
        300,
        900,
        1800,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        7 * DAY,
        14 * DAY,
        // Longer ones follow the months.
        u64::MAX,
    ];
    const MONTHS: [u64; 11] = [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200, 12_000];
    let (from, to) = (from.min(LATEST), to.min(LATEST));
    let room = (to.saturating_sub(from) / 7).max(1);
    let step = STEPS.into_iter().find(|step| *step >= room).unwrap_or(u64::MAX);
    if step < u64::MAX {
        let first = from.next_multiple_of(step);
        let all = (0..).map(|number| first + number * step).take_while(|at| *at <= to);
        return all.map(|at| (at, name(at, step < DAY))).collect();
    }
    let months = MONTHS.into_iter().find(|months| months * 30 * DAY >= room).unwrap_or(12_000);
    let (year, month, _) = civil(from);
    let first = (year * 12 + month - 1).next_multiple_of(months);
    let all = (0..).map(|number| first + number * months).map(|month| (start_of(month), month));
    let all = all.skip_while(|(at, _)| *at < from).take_while(|(at, month)| *at <= to && *month < 120_000);
    let named = all.map(|(at, month)| {
        let year = month / 12;
        (at, if months < 12 { format!("{} {year}", NAMES[(month % 12) as usize]) } else { year.to_string() })
    });
    named.collect()
}

const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `10:15`, `31 Jan`
fn name(at: u64, hours: bool) -> String {
    if hours && !at.is_multiple_of(DAY) {
        return format!("{:02}:{:02}", at % DAY / HOUR, at % HOUR / 60);
    }
    let (_, month, day) = civil(at);
    format!("{day} {}", NAMES[(month as usize - 1) % 12])
}

/// Year, month and day, counted from 1.
fn civil(seconds: u64) -> (u64, u64, u64) {
    // Years that begin in March, in eras of 400 years: the day that may be missing is the last one.
    let days = seconds / DAY + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// The moment at which a month begins; months are counted from that of year 0.
fn start_of(month: u64) -> u64 {
    let (year, month) = (month / 12, month % 12 + 1);
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    days.saturating_sub(719_468) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_that_of_everybody_else() {
        for seconds in (0..LATEST).step_by(86_400 * 13 + 4321) {
            let (year, month, of_month) = civil(seconds);
            assert_eq!(day(seconds), format!("{year:04}-{month:02}-{of_month:02}"));
            let start = start_of(year * 12 + month - 1);
            assert_eq!(day(start), format!("{year:04}-{month:02}-01"));
        }
    }

    #[test]
    fn an_axis_has_a_handful_of_names_whatever_its_length() {
        let ends =
            [7200, 86_400, 40 * DAY, 400 * DAY, 4000 * DAY, LATEST - 1_700_000_000, u64::MAX - 1_700_000_000];
        for length in ends {
            let named = ticks(1_700_000_000, 1_700_000_000 + length);
            assert!((2..=9).contains(&named.len()), "{length}: {named:?}");
            assert!(named.is_sorted_by(|a, b| a.0 < b.0), "{named:?}");
        }
        assert!(ticks(0, u64::MAX).len() < 10);
        assert!(ticks(u64::MAX, u64::MAX).len() < 10);
        assert_eq!(ticks(0, 0).len(), 1);
        let names: Vec<String> =
            ticks(1_780_000_000, 1_780_000_000 + 200 * DAY).into_iter().map(|t| t.1).collect();
        assert_eq!(names[0], "Jun 2026");
    }

    #[test]
    fn stretches_are_told_as_people_do() {
        let told: Vec<String> = [0, 1, 119, 3600, 7200, 86_400, 10 * DAY, 800 * DAY].map(stretch).into();
        assert_eq!(told, ["0 s", "1 s", "2 min", "60 min", "2 hours", "24 hours", "10 days", "2.2 years"]);
        assert_eq!(moment(1_780_000_000), "2026-05-28 20:26");
        assert_eq!(moment(u64::MAX), "18446744073709551615");
        assert_eq!(machine(u64::MAX), "9999-12-30T22:00:00Z");
    }
}

//! Numbers, times and stored text for people.

use std::fmt::Write;
use std::time::Duration;

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 table`, `2 tables`
pub fn counted(number: u64, what: &str) -> String {
    match (number, what) {
        (1, "entry") => "1 entry".to_owned(),
        (_, "entry") => format!("{} entries", count(number)),
        (1, _) => format!("1 {what}"),
        _ => format!("{} {what}s", count(number)),
    }
}

/// `232.0 MB`; decimal units.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1000.0;
    let mut unit = 0;
    // What would be rounded to 1000.0 is one of the next unit.
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// `0.8 s`, `3 min 20 s`
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.0995 {
        format!("{} ms", time.as_millis())
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        let seconds = seconds.round() as u64;
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// `2026-01-31 10:15:00`, UTC.
pub fn time(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| seconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The first digits of an id.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// What happened, with the place in front unless it says that already.
pub fn placed(place: &str, what: &str) -> String {
    // As part of a longer path it is another place.
    let within = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    let is_named = what.match_indices(place).any(|(at, _)| !what[..at].ends_with(within));
    if is_named { what.to_owned() } else { format!("{place}: {what}") }
}

/// Text from a database on one line, with nothing in it that a terminal would act on.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            // The second kind turns text around.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                // A String takes all that is written.
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 999_949, 999_950, 232_000_000, 4_000_000_000].map(size),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "232.0 MB", "4.0 GB"]
        );
        assert_eq!(counted(1, "entry"), "1 entry");
        assert_eq!(counted(2000, "entry"), "2,000 entries");
        assert_eq!(
            [12, 812, 200_000].map(|ms| duration(Duration::from_millis(ms))),
            ["12 ms", "0.8 s", "3 min 20 s"]
        );
        assert_eq!(time(1_780_000_000), "2026-05-28 20:26:40");
    }

    #[test]
    fn stored_text_stays_on_its_line() {
        assert_eq!(visible("a\tb\nc\u{1b}[2J\u{202e}é"), "a\\tb\\nc\\u{1b}[2J\\u{202e}é");
    }
}

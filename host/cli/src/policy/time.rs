//! Stretches of time on the command line, and the clock of a time zone.

use std::time::Duration;

use strongroom::TimeZone;

const UNITS: [(&str, u64); 7] = [
    ("min", 60),
    ("h", 3600),
    ("d", 86_400),
    ("w", 7 * 86_400),
    ("m", 30 * 86_400),
    ("y", 365 * 86_400),
    ("s", 1),
];

/// `90min`, `1h`, `2y`: a number and a unit.
pub(crate) fn stretch(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: Option<u64> = text[..digits].parse().ok();
    let unit = UNITS.iter().find(|(unit, _)| *unit == &text[digits..]);
    let seconds = number.zip(unit).and_then(|(number, (_, seconds))| number.checked_mul(*seconds));
    seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(|| {
        format!("{text:?} is not a stretch of time; write 30min, 1h, 2d, 3w, 6m (months of 30 days) or 2y (of 365)")
    })
}

/// A moment as the clock of a zone shows it.
pub(crate) fn clock(zone: &TimeZone, seconds: u64) -> String {
    i64::try_from(seconds).map_or_else(|_| seconds.to_string(), |seconds| zone.clock(seconds))
}

#[cfg(test)]
mod tests {
    use super::stretch;

    #[test]
    fn stretches_of_time_are_read_as_people_write_them() {
        let hours = |hours: u64| Ok(std::time::Duration::from_secs(hours * 3600));
        assert_eq!(stretch("1h"), hours(1));
        assert_eq!(stretch("90min").map(|d| d.as_secs()), Ok(5400));
        assert_eq!(stretch("2y"), hours(2 * 365 * 24));
        assert_eq!(stretch("1m"), hours(30 * 24));
        for wrong in ["", "h", "1", "0h", "1x", "-1h", "99999999999999999y", "1é"] {
            assert!(stretch(wrong).is_err(), "{wrong}");
        }
    }
}

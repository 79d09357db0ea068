//! Settings of the built-in rules, and what they decide.

use strongroom_policy::{Facts, Moment, Settings, retain};

/// Text of settings, `name=value` a line; behind a zero byte, times between snapshots, four bytes each.
pub(crate) fn rules(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(halves.next().unwrap_or_default());
    let settings: Vec<(&str, &str)> =
        text.lines().map(|line| line.split_once('=').unwrap_or((line, ""))).collect();
    // Each of them alone, and then all.
    for setting in &settings {
        if let Err(wrong) = Settings::parse([*setting]) {
            assert!(wrong.starts_with("setting "), "{wrong}");
        }
    }
    let Ok(parsed) = Settings::parse(settings.iter().copied()) else { return };
    let snapshots = snapshots(halves.next().unwrap_or_default());
    let Ok(verdicts) = retain(&parsed, &snapshots) else {
        let positions = snapshots.iter().filter(|facts| facts.position.is_some()).count();
        assert_eq!(positions, 0, "only rules that go by positions can be impossible");
        return;
    };
    assert_eq!(verdicts.len(), snapshots.len());
    assert!(verdicts.iter().all(|verdict| !verdict.reason.is_empty()));
    if let Some(newest) = verdicts.last() {
        assert!(newest.yes, "the newest is always kept");
    }
    let last = settings.iter().find(|(name, _)| *name == "keep-last").and_then(|(_, last)| last.parse().ok());
    let kept = verdicts.iter().rev().take(last.unwrap_or(0)).filter(|verdict| verdict.yes).count();
    assert_eq!(kept, verdicts.len().min(last.unwrap_or(0)), "the last ones are kept");
    // What is kept is kept for the reason that is given: without the others it is the same.
    let left: Vec<Facts> = snapshots
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.yes)
        .map(|(facts, _)| facts.clone())
        .collect();
    let again = retain(&parsed, &left).expect("what is kept has positions if they matter");
    assert!(again.iter().all(|verdict| verdict.yes), "a second run takes more away");
}

/// Snapshots after each other, in UTC.
fn snapshots(times: &[u8]) -> Vec<Facts> {
    let mut seconds = 951_800_000_i64;
    let mut position = 0u64;
    let next = |(number, step): (usize, &[u8])| {
        let step = step.iter().fold(0u64, |step, byte| step << 8 | u64::from(*byte));
        seconds += (step >> 6) as i64;
        position += step & 31;
        let position = (step & 32 == 0).then_some(position);
        Facts { name: format!("s{number}"), at: moment(seconds), position, entries: 1, tables_left_out: 0 }
    };
    times.chunks(4).take(200).enumerate().map(next).collect()
}

/// The calendar of UTC, without weeks as ISO counts them: any that follow from the day will do.
pub(crate) fn moment(seconds: i64) -> Moment {
    let day_number = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    // Counted in eras of 400 years that begin in March.
    let days = day_number + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    Moment {
        seconds,
        year: year as i32,
        month: month as u8,
        day: (day_of_year - (153 * from_march + 2) / 5 + 1) as u8,
        hour: (of_day / 3600) as u8,
        minute: (of_day / 60 % 60) as u8,
        second: (of_day % 60) as u8,
        week: (day_number.rem_euclid(364) / 7 + 1) as u8,
        week_year: day_number.div_euclid(364) as i32,
        day_number: day_number as i32,
        utc_offset: 0,
    }
}

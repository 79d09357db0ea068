//! Rules over histories whose clock was wrong now and then.

use std::collections::BTreeSet;

use strongroom_order::{Made, histories};
use strongroom_policy::{Facts, Settings, retain};

use crate::rules::moment;

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;
const PERIODS: [&str; 5] = ["keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly"];

/// A rule, a wrong clock, and the times between backups, two bytes each.
pub(crate) fn clocks(data: &[u8]) {
    let Some((head, gaps)) = data.split_first_chunk::<6>() else { return };
    let [which, number, span, how, index, jump] = *head;
    let count = (number % 12 + 1).to_string();
    let rule = match which % 7 {
        0 => ("keep-last", count),
        period @ 1..=5 => (PERIODS[usize::from(period) - 1], count),
        _ => ("keep-within", format!("{}h", u32::from(number) * u32::from(span) / 8 + 1)),
    };
    let settings = Settings::parse([(rule.0, rule.1.as_str())]).expect("it is a rule");
    let mut time = 1_700_000_000;
    let right: Vec<u64> = gaps
        .chunks_exact(2)
        .take(64)
        .map(|gap| {
            let minutes = u64::from(gap[0] & 0x3f) * [1, 60, 1440, 7 * 1440][usize::from(gap[1] % 4)];
            time += minutes * 60;
            time
        })
        .collect();
    if right.is_empty() {
        return;
    }
    let now = time + u64::from(span) * 100;
    let index = usize::from(index) % right.len();
    let jump = u64::from(jump) * DAY;
    let wrong = |time: u64, how: u8| match how % 8 {
        0 => 0,
        1 => 1 << 63,
        2 => u64::MAX,
        3 => time - YEAR - jump,
        4 => time + YEAR + jump,
        5 => time.saturating_sub(jump),
        6 => (time + jump).min(now),
        _ => right[index / 2],
    };
    one_wrong_clock(&settings, &right, index, wrong(right[index], how), now, rule.0 == "keep-within");
    // Clocks that are wrong most of the time, and imports between.
    let any: Vec<(u64, bool)> = (0u8..)
        .zip(right.iter().zip(gaps.chunks_exact(2)))
        .map(|(number, (time, gap))| match gap[1] >> 2 {
            show @ 0..40 => (wrong(*time, show.wrapping_add(number)), false),
            40..48 => (wrong(*time, number), true),
            _ => (*time, false),
        })
        .collect();
    any_clocks(&settings, &any, now, rule.0 == "keep-last", usize::from(number % 12 + 1));
}

/// Which snapshots are kept. Their numbers follow from their order.
fn kept(settings: &Settings, times: &[(u64, bool)], now: u64) -> BTreeSet<usize> {
    let names: Vec<String> = (0..times.len()).map(|number| format!("s{number}")).collect();
    let made: Vec<Made<'_>> = (1u64..)
        .zip(times.iter().zip(&names))
        .map(|(seq, ((time, imported), name))| Made {
            source: "app",
            imported: *imported,
            seq,
            time: *time,
            name,
        })
        .collect();
    let mut kept = BTreeSet::new();
    for history in histories(&made, Some(now)) {
        let aside = history.iter().filter(|placed| placed.at.is_none());
        kept.extend(aside.map(|placed| placed.index));
        let shown: Vec<(usize, u64)> =
            history.iter().filter_map(|placed| Some((placed.index, placed.at?))).collect();
        assert!(shown.is_sorted_by_key(|(index, at)| (*index, *at)), "{shown:?}");
        let facts = |(index, at): &(usize, u64)| Facts {
            name: names[*index].clone(),
            at: moment(*at as i64),
            position: None,
            entries: 1,
            tables_left_out: 0,
        };
        let facts: Vec<Facts> = shown.iter().map(facts).collect();
        let verdicts = retain(settings, &facts).expect("no rule goes by positions");
        kept.extend(
            shown.iter().zip(verdicts).filter(|(_, verdict)| verdict.yes).map(|((index, _), _)| *index),
        );
    }
    kept
}

/// What one wrong clock changes of what a rule drops.
fn one_wrong_clock(settings: &Settings, right: &[u64], index: usize, wrong: u64, now: u64, within: bool) {
    let times = |times: &[u64]| times.iter().map(|time| (*time, false)).collect::<Vec<_>>();
    let mut shown = right.to_vec();
    shown[index] = wrong;
    // A time that fits in between the others is contradicted by nothing.
    if shown.is_sorted() && wrong <= now + DAY {
        return;
    }
    let (before, after) = (kept(settings, &times(right), now), kept(settings, &times(&shown), now));
    let dropped: Vec<_> = before.difference(&after).collect();
    let spared: Vec<_> = after.difference(&before).collect();
    assert!(dropped.len() <= 2, "{wrong} instead of {} in {right:?} drops {dropped:?}", right[index]);
    // `keep-within` counts from the newest: where that has the time of the one before it, more is kept.
    let moves_the_end = within && index + 1 == right.len();
    assert!(
        spared.len() <= 2 || (moves_the_end && dropped.is_empty()),
        "{wrong} instead of {} in {right:?} drops {dropped:?} and spares {spared:?}",
        right[index]
    );
    assert!(after.contains(&(right.len() - 1)), "what was made last is dropped");
}

/// Whatever clocks show, what was made last stays, and so does what is said to be of a time to come.
fn any_clocks(settings: &Settings, times: &[(u64, bool)], now: u64, last: bool, number: usize) {
    let kept = kept(settings, times, now);
    let made_here = || (0..times.len()).rev().filter(|index| !times[*index].1);
    assert!(made_here().next().is_none_or(|newest| kept.contains(&newest)), "what was made last is dropped");
    assert!((0..times.len()).all(|index| times[index].0 <= now + DAY || kept.contains(&index)));
    if last {
        assert!(
            made_here().take(number).all(|index| kept.contains(&index)),
            "one of the last {number} is dropped"
        );
    }
    // An import changes nothing about what was made here.
    let alone: Vec<(u64, bool)> = times.iter().copied().filter(|(_, imported)| !imported).collect();
    let mut of_alone = self::kept(settings, &alone, now).into_iter();
    let among: Vec<usize> = (0..times.len()).filter(|index| !times[*index].1).collect();
    assert!(
        among
            .iter()
            .enumerate()
            .filter(|(_, index)| kept.contains(index))
            .map(|(at, _)| at)
            .eq(of_alone.by_ref())
    );
}

//! Which snapshots to keep.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::glob;
use crate::model::{Facts, Verdict};
use crate::period::Period;
use crate::settings::Settings;

/// One verdict a snapshot. They come oldest first, all of one source.
///
/// A snapshot is kept if any rule keeps it. The newest one is always kept, and without any rule all are. Rules that cannot
/// mean what they say are an error: that keeps everything.
pub fn retain(settings: &Settings, snapshots: &[Facts]) -> Result<Vec<Verdict>, String> {
    if !settings.keeps_anything() {
        return Ok(snapshots.iter().map(|_| Verdict::new(true, "no rule is given")).collect());
    }
    if settings.keep_every.is_some() && snapshots.iter().all(|snapshot| snapshot.position.is_none()) {
        return Err("keep-every goes by positions, and no snapshot has one; back up with --position".into());
    }
    let mut reasons = Reasons(vec![String::new(); snapshots.len()]);
    let newest_first = || snapshots.iter().enumerate().rev();

    for ((i, _), number) in newest_first().zip(0..settings.keep_last.unwrap_or(0)) {
        reasons.add(i, if number == 0 { "newest" } else { "last" });
    }
    for (period, keep) in Period::ALL.into_iter().zip(settings.keep_of) {
        newest_of_each(period, keep.unwrap_or(0), snapshots, &mut reasons);
    }
    if let (Some((within, text)), Some(newest)) = (&settings.keep_within, snapshots.last()) {
        // From the oldest that it covers on: when clocks are set back, wall clocks are not in order.
        let first = snapshots.iter().position(|snapshot| within.covers(&snapshot.at, &newest.at));
        for i in first.unwrap_or(snapshots.len())..snapshots.len() {
            reasons.add(i, &format!("within {text}"));
        }
    }
    for (i, snapshot) in newest_first() {
        if let Some(pattern) =
            settings.keep_names.iter().find(|pattern| glob::matches(pattern, &snapshot.name))
        {
            reasons.add(i, &format!("name matches {pattern}"));
        }
    }
    if let Some(every) = settings.keep_every {
        first_of_each(every, snapshots, &mut reasons);
    }
    // Whatever the rules: without it the next backup would have nothing to build on.
    if let Some(newest) = reasons.0.last_mut()
        && newest.is_empty()
    {
        newest.push_str("newest");
    }
    let verdict = |reason: String| match reason.is_empty() {
        true => Verdict::new(false, "no rule keeps it"),
        false => Verdict::new(true, reason),
    };
    Ok(reasons.0.into_iter().map(verdict).collect())
}

/// Why each snapshot is kept; empty where nothing says so yet.
struct Reasons(Vec<String>);

impl Reasons {
    fn add(&mut self, snapshot: usize, reason: &str) {
        let reasons = &mut self.0[snapshot];
        if !reasons.is_empty() {
            reasons.push_str(", ");
        }
        reasons.push_str(reason);
    }
}

/// Keeps the newest of each of the last `keep` periods that have one. While there are fewer, the oldest of all is kept
/// too, so that the history grows as long as the rule lets it.
fn newest_of_each(period: Period, mut keep: u64, snapshots: &[Facts], reasons: &mut Reasons) {
    let mut last = None;
    for (i, snapshot) in snapshots.iter().enumerate().rev() {
        if keep == 0 {
            return;
        }
        let this = Some(period.of(&snapshot.at));
        if this != last {
            reasons.add(i, period.word());
        } else if i == 0 {
            reasons.add(i, &format!("oldest {}", period.word()));
        } else {
            continue;
        }
        last = this;
        keep -= 1;
    }
}

/// Keeps the first at or after each multiple of a position: once it is the first, it stays the first.
fn first_of_each(every: u64, snapshots: &[Facts], reasons: &mut Reasons) {
    let mut seen = BTreeSet::new();
    for (i, snapshot) in snapshots.iter().enumerate() {
        if let Some(position) = snapshot.position
            && seen.insert(position / every)
        {
            reasons.add(i, &format!("first from position {}", position / every * every));
        }
    }
}

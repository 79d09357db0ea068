//! Whether a new snapshot looks like an accident.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::glob;
use crate::model::{Facts, Verdict};
use crate::settings::Settings;

/// How many of its entries a database may lose from one snapshot to the next, in percent, unless settings say otherwise.
const MAX_LOSS: u64 = 50;
/// So many tables are named.
const NAMED: usize = 3;

/// What is to be decided.
#[derive(Debug)]
pub struct Candidate<'c> {
    /// The new snapshot.
    pub new: &'c Facts,
    /// The names of its tables.
    pub tables: Vec<&'c str>,
    /// The newest snapshot before it, of the same source.
    pub before: Option<&'c Facts>,
    /// The names of that one's tables, if they are known.
    pub tables_before: Option<Vec<&'c str>>,
}

/// Refuses what looks like an accident: a table gone, more than half of the entries gone, the position going back.
pub fn admit(settings: &Settings, candidate: &Candidate<'_>) -> Verdict {
    let Some(before) = candidate.before else {
        return Verdict::new(true, "it is the first of its source");
    };
    let mut wrong = Vec::new();
    wrong.extend(gone(settings, candidate));
    wrong.extend(lost(settings, candidate.new, before));
    wrong.extend(back(settings, candidate.new, before));
    if wrong.is_empty() {
        return Verdict::new(true, format!("nothing is missing that was in {}", before.name));
    }
    Verdict::new(false, format!("{}, compared with {}", wrong.join("; "), before.name))
}

/// Tables that were there.
fn gone(settings: &Settings, candidate: &Candidate<'_>) -> Option<String> {
    let there: BTreeSet<&str> = candidate.tables.iter().copied().collect();
    let may_go = |table: &str| {
        settings.may_go.iter().chain(&settings.leave_out).any(|pattern| glob::matches(pattern, table))
    };
    let before = candidate.tables_before.iter().flatten().copied();
    let gone: Vec<&str> = before.filter(|table| !there.contains(table) && !may_go(table)).collect();
    let (first, more) = gone.split_at(gone.len().min(NAMED));
    let names = first.join(", ");
    let how = if candidate.new.tables_left_out > 0 { "gone or left out" } else { "gone" };
    match (first.len(), more.len()) {
        (0, _) => None,
        (1, _) => Some(format!("table {names} is {how}")),
        (_, 0) => Some(format!("tables {names} are {how}")),
        (_, more) => Some(format!("tables {names} and {more} more are {how}")),
    }
}

/// Too many entries are gone.
fn lost(settings: &Settings, new: &Facts, before: &Facts) -> Option<String> {
    let max_loss = settings.max_loss.unwrap_or(MAX_LOSS);
    let left = u128::from(new.entries) * 100;
    let least = u128::from(before.entries) * u128::from(100 - max_loss);
    (left < least).then(|| {
        let (new, before) = (new.entries, before.entries);
        format!("only {new} of {before} entries are left, and {max_loss} % may be lost")
    })
}

/// The position is before the one that was.
fn back(settings: &Settings, new: &Facts, before: &Facts) -> Option<String> {
    match (new.position, before.position) {
        (Some(new), Some(before)) if new < before && !settings.may_go_back => {
            Some(format!("the position went back from {before} to {new}"))
        }
        _ => None,
    }
}

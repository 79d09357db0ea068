//! The order of snapshots, and the times that it bears out.
//!
//! Within a source `seq` is the order: clocks jump, years both ways. Calendars and the order among sources need times all
//! the same. A time that lies over a day past now is set aside. Of the others, in the order of `seq`, the longest run that
//! never falls is trusted, of runs of the same length the later one; a snapshot outside the run takes the time of the next
//! trusted one, or of the last.
//!
//! Imports are a history of their own beside what was made here: they never displace a snapshot that was made here.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

/// A clock is right if it is wrong by no more than this: seconds.
const TOLERANCE: u64 = 86_400;

/// What decides where a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made<'a> {
    /// Which database it is of.
    pub source: &'a str,
    /// Whether it came in with an archive.
    pub imported: bool,
    /// Its number among those of its source.
    pub seq: u64,
    /// What the clock showed: seconds since 1970, UTC.
    pub time: u64,
    /// Its name.
    pub name: &'a str,
}

impl Made<'_> {
    /// The order within a history. Numbers may be equal where a snapshot was forgotten, and its file came back.
    fn order(&self, other: &Self) -> Ordering {
        (self.seq, self.time, self.name).cmp(&(other.seq, other.time, other.name))
    }
}

/// A snapshot in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Where it is in what was given.
    pub index: usize,
    /// The time that the order bears out. `None`: its own lies over a day past now.
    pub at: Option<u64>,
    /// Where it stands among those of other histories; within one it never falls.
    place: u64,
}

/// Arranges snapshots, oldest first. Those of a source that were made here come in the order of their numbers; the last
/// of a source is its newest, which is an import only if none was made here. Without `now` no time is set aside.
pub fn arrange(snapshots: &[Made<'_>], now: Option<u64>) -> Vec<Placed> {
    let mut arranged = Vec::with_capacity(snapshots.len());
    // The source, and where its newest stands.
    let mut before: (Option<&str>, u64) = (None, u64::MAX);
    for history in histories(snapshots, now) {
        let Made { source, imported, .. } = snapshots[history[0].index];
        let newest = if before.0 == Some(source) { before.1 } else { u64::MAX };
        for (number, placed) in history.iter().enumerate() {
            let key = (placed.place.min(newest), source, !imported, number);
            arranged.push((key, *placed));
        }
        before = (Some(source), history[history.len() - 1].place);
    }
    arranged.sort_unstable_by_key(|(key, _)| *key);
    arranged.into_iter().map(|(_, placed)| placed).collect()
}

/// The histories of which rules judge each by itself, oldest first, none of them empty: what was made here of each source,
/// and after it what was imported of it. Without `now` no time is set aside.
pub fn histories(snapshots: &[Made<'_>], now: Option<u64>) -> Vec<Vec<Placed>> {
    let mut indices: Vec<usize> = (0..snapshots.len()).collect();
    let of = |index: &usize| (snapshots[*index].source, snapshots[*index].imported);
    indices.sort_by(|a, b| of(a).cmp(&of(b)).then_with(|| snapshots[*a].order(&snapshots[*b])));
    let history = |indices: &[usize]| {
        let times: Vec<u64> = indices.iter().map(|index| snapshots[*index].time).collect();
        let Trusted { at, places } = trusted(&times, now);
        let placed = indices.iter().zip(at).zip(places);
        placed.map(|((index, at), place)| Placed { index: *index, at, place }).collect()
    };
    indices.chunk_by(|a, b| of(a) == of(b)).map(history).collect()
}

/// The times of a history in the order of its numbers.
struct Trusted {
    /// What calendars go by.
    at: Vec<Option<u64>>,
    /// Where each stands among those of other histories; never falls.
    places: Vec<u64>,
}

fn trusted(times: &[u64], now: Option<u64>) -> Trusted {
    let latest = now.map_or(u64::MAX, |now| now.saturating_add(TOLERANCE));
    let possible: Vec<u64> = times.iter().copied().filter(|time| *time <= latest).collect();
    let run = longest_run(&possible);
    // Without a single trusted time nothing is known, and what is known comes after it.
    let mut next = run.last().map_or(0, |last| possible[*last]);
    let mut places = vec![next; times.len()];
    let mut number = possible.len();
    let mut run = run.into_iter().rev().peekable();
    for (place, time) in places.iter_mut().zip(times).rev() {
        if *time <= latest {
            number -= 1;
            if run.next_if_eq(&number).is_some() {
                next = *time;
            }
        }
        *place = next;
    }
    let at = |(time, place): (&u64, &u64)| (*time <= latest).then_some(*place);
    Trusted { at: times.iter().zip(&places).map(at).collect(), places }
}

/// The longest run of times that never falls, as indices; of several the one that is later, from its end on.
fn longest_run(times: &[u64]) -> Vec<usize> {
    // By length, the least time at which a run of this length can end.
    let mut ends: Vec<u64> = Vec::new();
    let lengths: Vec<usize> = times
        .iter()
        .map(|time| {
            let length = ends.partition_point(|end| end <= time);
            match ends.get_mut(length) {
                Some(end) => *end = *time,
                None => ends.push(*time),
            }
            length
        })
        .collect();
    let mut run = Vec::with_capacity(ends.len());
    let (mut wanted, mut most) = (ends.len(), u64::MAX);
    for (index, (time, length)) in times.iter().zip(lengths).enumerate().rev() {
        if length + 1 == wanted && *time <= most {
            run.push(index);
            (wanted, most) = (length, *time);
        }
    }
    run.reverse();
    run
}

//! A policy over an imagined time.

use std::time::{Duration, SystemTime};

use super::retention::Judged;
use super::zone::{TimeZone, seconds};
use super::{Decision, Policy};
use crate::model::Snapshot;
use crate::sandbox::on_own_thread;
use crate::{Error, ErrorCode, Result};

/// No imagined time has more backups.
const BACKUPS_MAX: u64 = 1_000_000;
/// The end of the year 9998, UTC.
const LATEST: i64 = 253_370_764_799;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// An imagined time, in which backups are made and forgotten.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Timeline {
    /// From one backup to the next.
    pub every: Duration,
    /// How long it goes on.
    pub length: Duration,
    /// From one time at which the policy is asked to the next; a day, or `every` if that is longer.
    pub forget_every: Duration,
    /// When it begins.
    pub from: SystemTime,
    /// How far the database's position moves from one backup to the next.
    pub positions: u64,
    /// How the names of the snapshots begin; a dash and a number follow.
    pub name: String,
}

impl Timeline {
    /// A backup so often, for so long, from now on; the policy is asked once a day.
    pub fn new(every: Duration, length: Duration) -> Self {
        Self {
            every,
            length,
            forget_every: every.max(DAY),
            from: SystemTime::now(),
            positions: 1,
            name: "imagined".to_owned(),
        }
    }
}

/// What became of an imagined time.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Simulation {
    /// What the policy is called.
    pub policy: String,
    /// The time zone whose calendar it was shown.
    pub zone: TimeZone,
    /// From one backup to the next.
    pub every: Duration,
    /// When it began and ended: seconds since 1970, UTC.
    pub time: (i64, i64),
    /// How many backups were made.
    pub made: usize,
    /// What was there in the end, oldest first.
    pub kept: Vec<Judged>,
    /// How many snapshots there were after each time at which the policy was asked, as (seconds since 1970, snapshots).
    pub counts: Vec<(i64, usize)>,
    /// How long the policy took in all.
    pub took: Duration,
}

impl Simulation {
    /// The most snapshots that there were after the policy was asked.
    pub fn most(&self) -> usize {
        self.counts.iter().map(|(_, count)| *count).max().unwrap_or(0)
    }
}

impl Policy {
    /// Makes backups in an imagined time and forgets what the policy does not keep. `each` is told how many of how many
    /// backups are made, and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] if the policy does not decide what to keep or the time makes no sense; the policy's own
    /// error if it fails.
    pub fn simulate(
        &self,
        timeline: &Timeline,
        each: impl FnMut(usize, usize) -> bool + Send,
    ) -> Result<Simulation> {
        if !self.decides(Decision::Retain) {
            return Err(self.lacks(Decision::Retain));
        }
        let every = timeline.every.as_secs();
        let wanted = timeline.length.as_secs().checked_div(every);
        let backups = wanted.filter(|n| (1..BACKUPS_MAX).contains(n)).ok_or_else(|| {
            let wanted = wanted.map_or_else(String::new, |n| format!(", not {n}"));
            let message = format!(
                "the time must hold 1 to 1,000,000 backups{wanted}, with a second between them at least"
            );
            Error::new(ErrorCode::Invalid, message)
        })?;
        let start = seconds(timeline.from);
        let length = i64::try_from(timeline.length.as_secs()).ok();
        // Calendars go no further.
        if start < 0 || length.and_then(|length| start.checked_add(length)).is_none_or(|end| end > LATEST) {
            let message = "the imagined time must lie in the years 1970 to 9998";
            return Err(Error::new(ErrorCode::Invalid, message));
        }
        let history = History { policy: self, timeline, start, backups };
        on_own_thread("simulate", || history.run(each))
    }
}

struct History<'p> {
    policy: &'p Policy,
    timeline: &'p Timeline,
    start: i64,
    /// How many follow the first one.
    backups: u64,
}

impl History<'_> {
    fn run(&self, mut each: impl FnMut(usize, usize) -> bool) -> Result<Simulation> {
        let mut there: Vec<Judged> = Vec::new();
        let mut simulation = Simulation {
            policy: self.policy.name().to_owned(),
            zone: self.policy.zone().clone(),
            every: self.timeline.every,
            time: (self.start, self.start + (self.backups * self.timeline.every.as_secs()) as i64),
            made: 0,
            kept: Vec::new(),
            counts: Vec::new(),
            took: Duration::ZERO,
        };
        let forget_every = self.timeline.forget_every.as_secs().max(1) as i64;
        let mut forget_at = self.start + forget_every;
        for number in 0..=self.backups {
            let snapshot = self.snapshot(number);
            let now = snapshot.time as i64;
            there.push(Judged { snapshot, keep: true, reason: String::new() });
            simulation.made += 1;
            if now < forget_at && number < self.backups {
                continue;
            }
            while forget_at <= now {
                forget_at += forget_every;
            }
            let shown: Vec<(&Snapshot, u64)> =
                there.iter().map(|judged| (&judged.snapshot, judged.snapshot.time)).collect();
            let at = || self.policy.zone().clock(now);
            let (verdicts, cost) = self.policy.ask_retain(now, &shown).map_err(|e| e.at(at()))?;
            simulation.took += cost.time;
            for (judged, (keep, reason)) in there.iter_mut().zip(verdicts) {
                (judged.keep, judged.reason) = (keep, reason);
            }
            there.retain(|judged| judged.keep);
            simulation.counts.push((now, there.len()));
            if !each(simulation.made, self.backups as usize + 1) {
                return Err(Error::new(ErrorCode::Cancelled, "stopped on request"));
            }
        }
        simulation.kept = there;
        Ok(simulation)
    }

    fn name(&self, number: u64) -> String {
        format!("{}-{number:06}", self.timeline.name)
    }

    /// The snapshot of this number, of a database that grows evenly.
    fn snapshot(&self, number: u64) -> Snapshot {
        let time = self.start + (number * self.timeline.every.as_secs()) as i64;
        let mut snapshot = Snapshot::default();
        snapshot.name = self.name(number);
        snapshot.id = format!("{number:064x}");
        snapshot.source = "imagined".to_owned();
        snapshot.parent = number.checked_sub(1).map(|parent| self.name(parent));
        snapshot.seq = number + 1;
        snapshot.time = u64::try_from(time).unwrap_or(0);
        snapshot.position = Some(number.saturating_mul(self.timeline.positions));
        snapshot.tables = 10;
        snapshot.entries = 1_000_000 + 10 * number;
        snapshot.bytes = snapshot.entries * 200;
        snapshot.bytes_added = 20_000;
        snapshot
    }
}

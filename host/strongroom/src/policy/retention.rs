//! Which snapshots to keep.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;
use strongroom_order::{Made, histories};

use super::call::{Cost, ask, check_count, one_line};
use super::facts::{made, retain_moment, retain_snapshot, time};
use super::zone::seconds;
use super::{Decision, Policy};
use crate::model::{Damage, Snapshot};
use crate::repository::Repository;
use crate::sandbox::on_own_thread;
use crate::{Error, Result};

/// What a policy says about all snapshots of a repository. Nothing has happened yet.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retention {
    /// All snapshots that can be read, oldest first.
    pub snapshots: Vec<Judged>,
    /// Sources about which it said nothing, because it failed. All their snapshots are kept.
    pub failures: Vec<PolicyFailure>,
    /// Snapshot files that cannot be read, and so are not judged: they stay.
    pub damage: Vec<Damage>,
}

/// A snapshot, and what a policy says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// Whether to keep it.
    pub keep: bool,
    /// Why, on one line.
    pub reason: String,
}

/// A policy that failed over the snapshots of a source.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyFailure {
    /// The source.
    pub source: String,
    /// What went wrong.
    pub error: Error,
}

impl Retention {
    /// The names of the snapshots that are not to be kept, oldest first.
    pub fn to_forget(&self) -> Vec<&str> {
        let dropped = self.snapshots.iter().filter(|judged| !judged.keep);
        dropped.map(|judged| judged.snapshot.name.as_str()).collect()
    }

    /// Sources of which no snapshot would be left.
    pub fn emptied(&self) -> Vec<&str> {
        let mut left: BTreeMap<&str, bool> = BTreeMap::new();
        for judged in &self.snapshots {
            *left.entry(&judged.snapshot.source).or_default() |= judged.keep;
        }
        left.into_iter().filter(|(_, left)| !left).map(|(source, _)| source).collect()
    }

    /// The same, about one source alone. All snapshots of others are left out of it, and so are kept.
    #[must_use]
    pub fn only(mut self, source: &str) -> Self {
        self.snapshots.retain(|judged| judged.snapshot.source == source);
        self.failures.retain(|failure| failure.source == source);
        self
    }
}

impl Repository {
    /// Asks a policy which snapshots to keep, source by source, as of `now`. A policy that takes no such decision, or
    /// fails, keeps all.
    pub fn retention(&self, policy: &Policy, now: SystemTime) -> Result<Retention> {
        let listed = self.snapshots()?;
        let (snapshots, failures) = judge(policy, seconds(now), listed.snapshots)?;
        Ok(Retention { snapshots, failures, damage: listed.damage })
    }
}

/// Judges snapshots: each source for itself, and beside what was made here, imports by themselves, so that they never take
/// the place of such a snapshot. What has a time past now is kept and not counted: its clock, or this one, is wrong.
fn judge(policy: &Policy, now: i64, snapshots: Vec<Snapshot>) -> Result<(Vec<Judged>, Vec<PolicyFailure>)> {
    let made: Vec<Made<'_>> = snapshots.iter().map(made).collect();
    let histories = histories(&made, Some(u64::try_from(now).unwrap_or(0)));
    let mut verdicts = vec![(true, String::new()); snapshots.len()];
    let mut failures: Vec<PolicyFailure> = Vec::new();
    on_own_thread("retain", || {
        for history in histories {
            let mut shown = Vec::new();
            for placed in &history {
                match placed.at {
                    Some(at) => shown.push((placed.index, at)),
                    None => verdicts[placed.index].1 = past_now(policy, &snapshots[placed.index]),
                }
            }
            if shown.is_empty() {
                continue;
            }
            let asked: Vec<(&Snapshot, u64)> =
                shown.iter().map(|(index, at)| (&snapshots[*index], *at)).collect();
            match policy.retain(now, &asked) {
                Ok(said) => {
                    for ((index, _), said) in shown.into_iter().zip(said) {
                        verdicts[index] = said;
                    }
                }
                Err(error) => {
                    for (index, _) in &shown {
                        verdicts[*index].1 = "the policy failed".to_owned();
                    }
                    let of = &snapshots[shown[0].0];
                    let source = of.source.clone();
                    // What was made here was judged: an import must not make every `forget` fail.
                    if of.imported && snapshots.iter().any(|other| other.source == source && !other.imported)
                    {
                        tracing::warn!(source, "{error}; all imports of this source are kept");
                        continue;
                    }
                    tracing::info!(source, "{error}; all snapshots of this source are kept");
                    failures.push(PolicyFailure { source, error });
                }
            }
        }
        Ok(())
    })?;
    let judged = snapshots.into_iter().zip(verdicts);
    Ok((judged.map(|(snapshot, (keep, reason))| Judged { snapshot, keep, reason }).collect(), failures))
}

fn past_now(policy: &Policy, snapshot: &Snapshot) -> String {
    format!("its time is past now ({}): kept, and not counted", policy.zone().clock(time(snapshot)))
}

impl Policy {
    /// One verdict a snapshot, in the same order: oldest first, all of one source, each with the time that the order bears
    /// out. Without the interface all are kept.
    fn retain(&self, now: i64, snapshots: &[(&Snapshot, u64)]) -> Result<Vec<(bool, String)>> {
        if !self.decides(Decision::Retain) {
            let all = format!("policy {} does not export retain", self.name());
            return Ok(vec![(true, all); snapshots.len()]);
        }
        Ok(self.ask_retain(now, snapshots)?.0)
    }

    pub(super) fn ask_retain(
        &self,
        now: i64,
        snapshots: &[(&Snapshot, u64)],
    ) -> Result<(Vec<(bool, String)>, Cost)> {
        let pre = self.compiled().retainer.as_ref().ok_or_else(|| self.lacks(Decision::Retain))?;
        let shown: Vec<_> =
            snapshots.iter().map(|(snapshot, at)| retain_snapshot(snapshot, *at, self.zone())).collect();
        let now = retain_moment(self.zone().moment(now));
        let (verdicts, cost) = ask(self, snapshots.len(), |store| {
            let policy = pre.instantiate(&mut *store)?;
            policy.strongroom_policy_retain().call_retain(store, self.settings(), now, &shown)
        })?;
        check_count(self, "snapshots", verdicts.len(), snapshots.len())?;
        Ok((verdicts.into_iter().map(|verdict| (verdict.keep, one_line(&verdict.reason))).collect(), cost))
    }
}

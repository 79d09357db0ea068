//! Which snapshots to keep.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::call::{Cost, ask, check_count, one_line};
use super::facts::{retain_moment, retain_snapshot};
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

/// Judges snapshots that come oldest first, each source for itself.
fn judge(policy: &Policy, now: i64, snapshots: Vec<Snapshot>) -> Result<(Vec<Judged>, Vec<PolicyFailure>)> {
    let mut judged: Vec<Judged> = snapshots
        .into_iter()
        .map(|snapshot| Judged { snapshot, keep: true, reason: String::new() })
        .collect();
    let mut sources: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, judged) in judged.iter().enumerate() {
        sources.entry(judged.snapshot.source.clone()).or_default().push(i);
    }
    let mut failures = Vec::new();
    on_own_thread("retain", || {
        for (source, members) in sources {
            let of_source: Vec<&Snapshot> = members.iter().map(|i| &judged[*i].snapshot).collect();
            match policy.retain(now, &of_source) {
                Ok(verdicts) => {
                    for (i, (keep, reason)) in members.into_iter().zip(verdicts) {
                        (judged[i].keep, judged[i].reason) = (keep, reason);
                    }
                }
                Err(error) => {
                    tracing::info!(source, "{error}; all snapshots of this source are kept");
                    for i in members {
                        judged[i].reason = "the policy failed".to_owned();
                    }
                    failures.push(PolicyFailure { source, error });
                }
            }
        }
        Ok(())
    })?;
    Ok((judged, failures))
}

impl Policy {
    /// One verdict a snapshot, in the same order: oldest first, all of one source. Without the interface all are kept.
    fn retain(&self, now: i64, snapshots: &[&Snapshot]) -> Result<Vec<(bool, String)>> {
        if !self.decides(Decision::Retain) {
            let all = format!("policy {} does not export retain", self.name());
            return Ok(vec![(true, all); snapshots.len()]);
        }
        Ok(self.ask_retain(now, snapshots)?.0)
    }

    pub(super) fn ask_retain(
        &self,
        now: i64,
        snapshots: &[&Snapshot],
    ) -> Result<(Vec<(bool, String)>, Cost)> {
        let pre = self.compiled().retainer.as_ref().ok_or_else(|| self.lacks(Decision::Retain))?;
        let shown: Vec<_> = snapshots.iter().map(|snapshot| retain_snapshot(snapshot, self.zone())).collect();
        let now = retain_moment(self.zone().moment(now));
        let (verdicts, cost) = ask(self, snapshots.len(), |store| {
            let policy = pre.instantiate(&mut *store)?;
            policy.strongroom_policy_retain().call_retain(store, self.settings(), now, &shown)
        })?;
        check_count(self, "snapshots", verdicts.len(), snapshots.len())?;
        Ok((verdicts.into_iter().map(|verdict| (verdict.keep, one_line(&verdict.reason))).collect(), cost))
    }
}

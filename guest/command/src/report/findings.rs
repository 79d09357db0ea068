//! What is wrong with a repository, or may be.

use std::path::Path;

use serde::Serialize;
use strongroom_core::text::{counted, visible};
use strongroom_core::{Checks, Damage, Snapshot, Table, Verification, Verified};

use super::calendar::{moment, stretch};
use super::facts::{Retention, Source};

const DAY: u64 = 86_400;
/// No report has more findings.
const MOST: usize = 100;
/// After so many days somebody should look again.
const VERIFY_DAYS: u64 = 35;
const DRILL_DAYS: u64 = 100;
/// From how many snapshots a rhythm can be told.
const RHYTHM: usize = 4;

/// How a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Nothing is known to be wrong.
    Ok,
    /// Somebody should look at something.
    Attention,
    /// A snapshot is not whole.
    Damaged,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// A snapshot is not whole.
    Damage,
    /// Somebody should look at it.
    Attention,
    /// Good to know.
    Hint,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The file it is in, from the repository's root; may be empty.
    pub(crate) file: String,
    pub(crate) what: String,
    pub(crate) snapshots: Vec<String>,
    pub(crate) tables: Vec<String>,
    /// When it was found, if not just now.
    pub(crate) found: Option<u64>,
}

pub(super) struct Findings {
    now: u64,
    /// How messages begin that say which repository they are about, which is plain here.
    place: String,
    all: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(now: u64, dir: &Path) -> Self {
        Self { now, place: format!("{}: ", dir.display()), all: Vec::new() }
    }

    /// The worst first; how the repository is.
    pub(super) fn end(mut self) -> (Status, Vec<Finding>) {
        self.all.sort_by_key(|finding| finding.severity);
        self.all.truncate(MOST);
        let status = match self.all.first().map(|finding| finding.severity) {
            Some(Severity::Damage) => Status::Damaged,
            Some(Severity::Attention) => Status::Attention,
            _ => Status::Ok,
        };
        (status, self.all)
    }

    fn add(&mut self, severity: Severity, what: impl Into<String>) -> &mut Finding {
        let (file, snapshots, tables) = Default::default();
        self.all.push(Finding { severity, file, what: what.into(), snapshots, tables, found: None });
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    fn damage(&mut self, damage: &Damage, found: Option<u64>) {
        // The file stands in front of it anyway.
        let file = format!("{}: ", damage.file);
        let what = damage.what.strip_prefix(&file).unwrap_or(&damage.what);
        let known = |finding: &Finding| finding.file == damage.file && finding.what == what;
        // What holds now need not be told as of then.
        if self.all.iter().any(known) {
            return;
        }
        let finding = self.add(Severity::Damage, what);
        finding.file.clone_from(&damage.file);
        finding.snapshots.clone_from(&damage.snapshots);
        finding.tables.clone_from(&damage.tables);
        finding.found = found;
    }

    /// Snapshot files that cannot be read.
    pub(super) fn unreadable(&mut self, damage: &[Damage]) {
        damage.iter().for_each(|damage| self.damage(damage, None));
    }

    /// What was seen while the newest snapshot of a source was looked at.
    pub(super) fn looked(&mut self, verified: &Verified) {
        verified.damage.iter().for_each(|damage| self.damage(damage, None));
        for note in &verified.warnings {
            if !self.all.iter().any(|finding| finding.file == note.file && finding.what == note.what) {
                let finding = self.add(Severity::Attention, note.what.clone());
                finding.file.clone_from(&note.file);
            }
        }
    }

    /// Snapshots whose tables could not be looked at, and why: mostly all for the same reason.
    pub(super) fn without_tables(&mut self, failed: Vec<(String, String)>) {
        let Some((_, why)) = failed.first() else { return };
        let known = |finding: &Finding| failed.iter().all(|(name, _)| finding.snapshots.contains(name));
        // What is the matter with them was told before.
        if self.all.iter().any(known) {
            return;
        }
        let why = why.strip_prefix(&self.place).unwrap_or(why);
        let what = match failed.len() {
            1 => why.to_owned(),
            many => format!("{many} of the snapshots that were looked at do not tell their tables: {why}"),
        };
        self.add(Severity::Damage, what).snapshots = failed.into_iter().map(|(name, _)| name).collect();
    }

    /// Tables that the newest of some snapshots has no longer, and the one before it has.
    pub(super) fn vanished(&mut self, read: &[(&Snapshot, Vec<Table>)]) {
        let [.., (before, had), (newest, has)] = read else { return };
        // Where tables were left out on request, that may be why.
        if newest.tables_left_out > 0 {
            return;
        }
        let has = |name: &str| has.binary_search_by(|table| table.name.as_str().cmp(name)).is_ok();
        let gone: Vec<&Table> = had.iter().filter(|table| table.entries > 0 && !has(&table.name)).collect();
        if gone.is_empty() {
            return;
        }
        let entries = gone.iter().fold(0_u64, |sum, table| sum.saturating_add(table.entries));
        let what = format!(
            "{} of {} with {}, which the snapshot before it has, {} not in its newest snapshot",
            counted(gone.len() as u64, "table"),
            visible(&newest.source),
            counted(entries, "entry"),
            if gone.len() == 1 { "is" } else { "are" },
        );
        let (snapshots, tables) = (
            vec![before.name.clone(), newest.name.clone()],
            gone.iter().take(20).map(|table| table.name.clone()).collect(),
        );
        let finding = self.add(Severity::Attention, what);
        (finding.snapshots, finding.tables) = (snapshots, tables);
    }

    /// What the last looks found, as far as no later one says otherwise and what they found is still there.
    pub(super) fn remembered(&mut self, checks: &Checks, all: &[Snapshot], unreadable: &[Damage]) {
        let is_there = |name: &String| all.iter().any(|snapshot| snapshot.name == *name);
        let latest = self.now.saturating_add(DAY);
        let mended = |of: &Verification| {
            // One that says that it is of a time to come need not be later.
            let later = |v: &Verification| v.time > of.time && v.time <= latest;
            checks.verifications().any(|v| later(v) && v.look >= of.look && v.damaged == 0)
        };
        for verification in checks.verifications().chain(&checks.snapshot) {
            if verification.damaged == 0 || mended(verification) {
                continue;
            }
            let told = self.all.len();
            for damage in &verification.damage {
                // A snapshot file that could not be read, and is gone or can be read by now, is told of no longer.
                let unreadable = unreadable.iter().any(|now| now.file == damage.file);
                if damage.snapshots.iter().any(is_there) || (damage.snapshots.is_empty() && unreadable) {
                    self.damage(damage, Some(verification.time));
                }
            }
            let more = verification.damaged.saturating_sub(verification.damage.len() as u64);
            if more > 0 && self.all.len() > told {
                let what = format!("{} more; `verify` names all of it", counted(more, "finding"));
                self.add(Severity::Damage, what).found = Some(verification.time);
            }
        }
        if let Some(drill) = checks.drill.as_ref().filter(|drill| !drill.equal) {
            let what = match &drill.error {
                Some(error) => format!("the last drill could not restore: {error}"),
                None => "the last drill gave back something else than the snapshot has".to_owned(),
            };
            let (snapshot, time) = (drill.snapshot.clone(), drill.time);
            let finding = self.add(Severity::Damage, what);
            (finding.snapshots, finding.found) = (vec![snapshot], Some(time));
        }
        for file in &checks.unknown {
            let what = "it cannot be read, so what was found then is not known; the next look of its kind replaces it";
            self.add(Severity::Hint, what).file.clone_from(file);
        }
        if !all.is_empty() {
            self.overdue(checks);
        }
    }

    fn overdue(&mut self, checks: &Checks) {
        let since = |time: u64| self.now.saturating_sub(time) / DAY;
        let latest = self.now.saturating_add(DAY);
        let looks = [&checks.sample, &checks.data].into_iter().flatten();
        let verified = looks.map(|v| v.time).filter(|time| *time <= latest).max();
        let verify = match verified {
            None => Some(
                "It is not known that its data was ever read and hashed: `strongroom verify --read-data`"
                    .to_owned(),
            ),
            Some(time) if since(time) > VERIFY_DAYS => Some(format!(
                "Its data was last read and hashed {} days ago: `strongroom verify --read-data`",
                since(time)
            )),
            Some(_) => None,
        };
        let drill = match checks.drill.as_ref().filter(|drill| drill.time <= latest) {
            None => Some("It is not known that it was ever drilled: `strongroom drill` proves that a snapshot restores".to_owned()),
            Some(drill) if since(drill.time) > DRILL_DAYS => {
                Some(format!("It was last drilled {} days ago: `strongroom drill`", since(drill.time)))
            }
            Some(_) => None,
        };
        for what in verify.into_iter().chain(drill) {
            self.add(Severity::Hint, what);
        }
    }

    /// Whether snapshots come as they did before.
    pub(super) fn rhythm(&mut self, source: &Source, all: &[Snapshot]) {
        let name = visible(&source.source);
        if source.newest_time > self.now.saturating_add(DAY) {
            let what = format!(
                "the newest snapshot of {name} is of a time to come: {} UTC",
                moment(source.newest_time)
            );
            self.add(Severity::Attention, what).snapshots = vec![source.newest.clone()];
            return;
        }
        let times: Vec<u64> = all.iter().filter(|s| s.source == source.source).map(|s| s.time).collect();
        let recent = &times[times.len().saturating_sub(20)..];
        if recent.len() < RHYTHM {
            return;
        }
        let mut gaps: Vec<u64> = recent.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        gaps.sort_unstable();
        let usual = gaps[gaps.len() / 2].max(60);
        let silent = self.now.saturating_sub(source.newest_time);
        if silent > (usual.saturating_mul(3)).max(2 * 3600) {
            let what = format!(
                "no snapshot of {name} for {}; before that, one came about every {}",
                stretch(silent),
                stretch(usual)
            );
            self.add(Severity::Attention, what).snapshots = vec![source.newest.clone()];
        }
    }

    /// What the rules say that nobody may want.
    pub(super) fn retention(&mut self, retention: &Retention) {
        for source in &retention.emptied {
            let what = format!(
                "the rules would leave no snapshot of {}; `forget` refuses that without --allow-empty",
                visible(source)
            );
            self.add(Severity::Attention, what);
        }
        for failure in &retention.failures {
            self.add(Severity::Attention, failure.clone());
        }
    }
}

//! Backups, one at a time.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use strongroom::{Backup, Cancel, ErrorCode, LiveFile, Repository, Snapshot};

use crate::pairs::Pairs;

/// So many that have ended can be asked about.
const REMEMBERED: usize = 100;

/// What is known of one backup.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    pub(crate) id: u64,
    /// Who asked: `schedule` or `request`.
    pub(crate) asked_by: &'static str,
    #[serde(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum State {
    Running { phase: String, bytes: u64, bytes_total: u64, entries: u64, entries_total: u64 },
    Done { seconds: f64, snapshot: Box<Snapshot> },
    Failed { seconds: f64, code: String, message: String },
}

/// Figures over all backups of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Of the last that was done: when it ended, in seconds since 1970, and what it was.
    pub(crate) last: Option<(u64, f64, Snapshot)>,
}

#[derive(Default)]
struct Jobs {
    all: BTreeMap<u64, Status>,
    running: Option<u64>,
    last: u64,
    ending: bool,
    totals: Totals,
}

pub(crate) struct Backups {
    repository: Repository,
    pairs: Arc<Pairs>,
    cancel: Cancel,
    jobs: Mutex<Jobs>,
    ended: Condvar,
}

/// Why a backup was not begun.
pub(crate) enum Busy {
    /// This one runs.
    Running(u64),
    /// The service ends.
    Ending,
}

impl Backups {
    pub(crate) fn new(repository: Repository, pairs: Arc<Pairs>) -> Self {
        let cancel = Cancel::new();
        let repository = repository.cancel_with(cancel.clone());
        Self { repository, pairs, cancel, jobs: Mutex::default(), ended: Condvar::new() }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a backup, on a thread of its own.
    pub(crate) fn start(self: &Arc<Self>, asked_by: &'static str) -> Result<u64, Busy> {
        let mut jobs = self.jobs();
        if let Some(id) = jobs.running {
            return Err(Busy::Running(id));
        }
        if jobs.ending {
            return Err(Busy::Ending);
        }
        jobs.last += 1;
        let id = jobs.last;
        let state =
            State::Running { phase: "start".into(), bytes: 0, bytes_total: 0, entries: 0, entries_total: 0 };
        jobs.all.insert(id, Status { id, asked_by, state });
        jobs.running = Some(id);
        while jobs.all.len() > REMEMBERED {
            jobs.all.pop_first();
        }
        drop(jobs);
        // It goes with the closure, also where the system makes no thread: then the backup has failed, and does not run.
        let ended = Ended { backups: Arc::clone(self), id };
        if let Err(e) =
            std::thread::Builder::new().name("backup".to_owned()).spawn(move || ended.backups.run(id))
        {
            eprintln!("backup {id}: no thread for it: {e}");
        }
        Ok(id)
    }

    fn run(self: &Arc<Self>, id: u64) {
        let began = Instant::now();
        let (watched, told) = (Arc::downgrade(self), self.repository.clone());
        let repository = told.on_progress(move |now| {
            let Some(this) = watched.upgrade() else { return };
            if let Some(status) = this.jobs().all.get_mut(&id) {
                status.state = State::Running {
                    phase: now.phase.to_owned(),
                    bytes: now.bytes,
                    bytes_total: now.bytes_total,
                    entries: now.entries,
                    entries_total: now.entries_total,
                };
            }
        });
        let writes = self.pairs.writes.load(Ordering::Acquire);
        // Reads only what changed since the backup before.
        let source = LiveFile::new(&self.pairs.database, &self.pairs.file);
        let made = repository.backup(&source, &Backup::new().source("service"));
        let seconds = began.elapsed().as_secs_f64();
        let mut jobs = self.jobs();
        let state = match made {
            Ok(snapshot) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                // Only now: after one that failed, the next try is due.
                self.pairs.saved(writes);
                jobs.totals.done += 1;
                jobs.totals.last = Some((now, seconds, snapshot.clone()));
                State::Done { seconds, snapshot: Box::new(snapshot) }
            }
            Err(e) => {
                eprintln!("backup {id}: {e}");
                jobs.totals.failed += 1;
                State::Failed { seconds, code: e.code().as_str().to_owned(), message: e.to_string() }
            }
        };
        if let Some(status) = jobs.all.get_mut(&id) {
            status.state = state;
        }
    }

    pub(crate) fn status(&self, id: u64) -> Option<Status> {
        self.jobs().all.get(&id).cloned()
    }

    pub(crate) fn running(&self) -> Option<Status> {
        let jobs = self.jobs();
        jobs.running.and_then(|id| jobs.all.get(&id).cloned())
    }

    pub(crate) fn totals(&self) -> Totals {
        self.jobs().totals.clone()
    }

    /// Begins no more. One that runs is waited for, and stopped if it takes longer.
    pub(crate) fn end(&self, patience: Duration) {
        let mut jobs = self.jobs();
        jobs.ending = true;
        let until = Instant::now() + patience;
        while jobs.running.is_some() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.cancel.cancel();
                jobs = self.ended.wait(jobs).unwrap_or_else(PoisonError::into_inner);
            } else {
                jobs = self.ended.wait_timeout(jobs, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Makes room for the next backup, also if this one panicked or was never begun.
struct Ended {
    backups: Arc<Backups>,
    id: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let mut jobs = self.backups.jobs();
        jobs.running = None;
        if let Some(status) = jobs.all.get_mut(&self.id)
            && let State::Running { .. } = status.state
        {
            let code = ErrorCode::Other.as_str().to_owned();
            status.state = State::Failed {
                seconds: 0.0,
                code,
                message: "the backup panicked, or had no thread".to_owned(),
            };
            jobs.totals.failed += 1;
        }
        self.backups.ended.notify_all();
    }
}

//! `progress`: how far a run is, and whether it should stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use strongroom_core::Progress;

use super::log::Admitted;
use crate::sandbox::wit_backup::progress;
use crate::sandbox::{Budgets, ENGINE, Exceeded, State, UNHARMED};
use crate::{Error, ErrorCode};

/// Is told how far a run is, about ten times a second or more, from whatever thread is at work.
pub type OnProgress = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Asks a run to stop, from any thread or from a signal handler. The run then ends with
/// [`ErrorCode::Cancelled`](crate::ErrorCode::Cancelled), and the repository is whole.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A flag of the caller's own, such as one that a signal handler sets.
impl From<Arc<AtomicBool>> for Cancel {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

/// Adds up what the instances of a run report.
pub(crate) struct Meter {
    on_progress: Option<OnProgress>,
    cancel: Cancel,
    /// Set when one of several instances has failed: the others stop.
    failed: AtomicBool,
    time: Option<Duration>,
    deadline: Option<Instant>,
    late: AtomicBool,
    /// Somebody broke the run's lock.
    lockless: AtomicBool,
    bytes: AtomicU64,
    entries: AtomicU64,
    bytes_total: AtomicU64,
    entries_total: AtomicU64,
    /// What was told, so that callbacks come one at a time.
    telling: Mutex<()>,
}

impl Meter {
    pub(crate) fn new(on_progress: Option<OnProgress>, cancel: Cancel, time: Option<Duration>) -> Self {
        Self {
            on_progress,
            cancel,
            failed: AtomicBool::new(false),
            time,
            deadline: time.and_then(|time| Instant::now().checked_add(time)),
            late: AtomicBool::new(false),
            lockless: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            entries_total: AtomicU64::new(0),
            telling: Mutex::new(()),
        }
    }

    pub(crate) fn set_total(&self, bytes: u64, entries: u64) {
        self.bytes_total.store(bytes, Ordering::Relaxed);
        self.entries_total.store(entries, Ordering::Relaxed);
    }

    /// The others of this run should stop.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether the run should end, for whatever reason.
    pub(crate) fn is_over(&self) -> bool {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            self.late.store(true, Ordering::Relaxed);
        }
        [&self.failed, &self.late, &self.lockless].iter().any(|flag| flag.load(Ordering::Relaxed))
            || self.cancel.is_cancelled()
    }

    /// Its lock is no longer its own: it ends.
    pub(crate) fn lose_lock(&self) {
        self.lockless.store(true, Ordering::Relaxed);
    }

    /// Whether its time has run out.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// An end that the time budget or a broken lock brought about says so. Without its lock a run meets what others do,
    /// and fails in whichever way.
    pub(crate) fn explain(&self, e: Error) -> Error {
        if self.lockless.load(Ordering::Relaxed) {
            return Error::new(ErrorCode::Locked, strongroom_core::LOCK_LOST);
        }
        if e.code() == ErrorCode::Cancelled && self.is_late() {
            let budgets = Budgets { time: self.time, ..Budgets::default() };
            return Exceeded::Time.explain(ENGINE, &budgets, UNHARMED);
        }
        e
    }

    /// All is done, and this is how much it was: totals that were estimates become exact.
    pub(crate) fn complete(&self, phase: &str, bytes: u64, entries: u64) {
        self.set_total(bytes, entries);
        let left = |all: u64, done: &AtomicU64| all.saturating_sub(done.load(Ordering::Relaxed));
        self.advance(phase, left(bytes, &self.bytes), left(entries, &self.entries));
    }

    pub(crate) fn advance(&self, phase: &str, bytes: u64, entries: u64) -> bool {
        // Within the lock, so that a listener never hears of less than before.
        let _one_at_a_time = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let add = |sum: &AtomicU64, more: u64| sum.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
        let (bytes, entries) = (add(&self.bytes, bytes), add(&self.entries, entries));
        if let Some(on_progress) = &self.on_progress {
            let mut progress = Progress::default();
            progress.phase = phase;
            (progress.bytes, progress.entries) = (bytes, entries);
            progress.bytes_total = self.bytes_total.load(Ordering::Relaxed);
            progress.entries_total = self.entries_total.load(Ordering::Relaxed);
            on_progress(progress);
        }
        !self.is_over()
    }
}

/// A word for people is not longer.
const PHASE_MAX: usize = 40;

impl progress::Host for State {
    fn advance(&mut self, phase: String, bytes: u64, entries: u64) -> wasmtime::Result<bool> {
        if phase.is_empty() {
            return Ok(self.grants.may_change());
        }
        let phase = strongroom_core::excerpt(&phase, PHASE_MAX);
        Ok(self.grants.meter.advance(&phase, bytes, entries))
    }

    fn log(&mut self, level: progress::Level, message: String) -> wasmtime::Result<()> {
        let detail = level == progress::Level::Debug;
        if detail && !tracing::enabled!(tracing::Level::DEBUG) {
            return Ok(());
        }
        let message = strongroom_core::message(&message);
        match self.grants.log.admit(detail, &message, self.budgets.log_bytes) {
            Admitted::Shown => {}
            // A component that says too much may do nothing else.
            Admitted::Again | Admitted::Dropped => return self.go_on(),
        }
        match level {
            progress::Level::Debug => tracing::debug!(component = "engine", "{message}"),
            progress::Level::Info => tracing::info!(component = "engine", "{message}"),
            progress::Level::Warn => tracing::warn!(component = "engine", "{message}"),
        }
        Ok(())
    }
}

//! How long each kind of call took, over all threads of this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the engine asks of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// The entries of the store.
    Read,
    /// Bytes into a file.
    Write,
    /// A file or a folder onto the disk.
    Sync,
    /// Everything else on files: opening, naming, listing, reading.
    Files,
}

/// All of them, with what the report calls them.
pub(super) const CALLS: [(Call, &str); 4] = [
    (Call::Read, "reading the store: pages, their checksums, packing the entries"),
    (Call::Write, "writing files"),
    (Call::Sync, "syncing files and folders"),
    (Call::Files, "other calls on files"),
];

static NANOSECONDS: [AtomicU64; CALLS.len()] = [const { AtomicU64::new(0) }; CALLS.len()];

/// Counts time for a call.
pub(super) fn add(call: Call, time: Duration) {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    NANOSECONDS[call as usize].fetch_add(nanoseconds, Ordering::Relaxed);
}

/// Makes a call and counts the time for it.
pub(super) fn timed<T>(call: Call, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    add(call, started.elapsed());
    done
}

/// The seconds of all calls until now, in the order of [`CALLS`].
pub(super) fn seconds() -> [f64; CALLS.len()] {
    NANOSECONDS.each_ref().map(|time| time.load(Ordering::Relaxed) as f64 / 1e9)
}

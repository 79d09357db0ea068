//! Files of redb 4 that were not closed cleanly: redb repairs them, and what it writes stays in memory.
//!
//! The repair is redb's own, as the application's next start would do it: it looks for the newest commit that is whole,
//! which may mean to read all of the file, and makes the lists of free pages again.

use super::contain::contain;
use super::fault::{fault, io_fault};
use super::open::{CACHE, Opened, busy};
use super::overlay::Overlay;
use crate::{Error, ErrorCode, Result};
use redb::backends::FileBackend;
use redb::{Builder, ConcurrencyMode, ReadableDatabase, StorageBackend};
use std::fs::{File, TryLockError};
use std::ops::Bound;
use std::path::Path;

/// What the repair may write.
const MOST: u64 = 256 << 20;

/// Keeps every writer away while what is read is not what the file says of itself.
pub(super) struct Away {
    _whole: File,
    _ranges: FileBackend,
}

/// Opens the file and begins to read. `cancelled` is asked while redb repairs.
pub(super) fn read_only(path: &Path, cancelled: impl Fn() -> bool + 'static) -> Result<Opened> {
    let away = keep_away(path)?;
    let shown = path.display();
    let opening = |error| io_fault(&format!("opening {shown}"), &error);
    let overlay = Overlay::new(File::open(path).map_err(opening)?, MOST).map_err(opening)?;
    let doing = format!("repairing {shown} in memory, as it was not closed cleanly");
    tracing::info!("{doing}");
    let repaired = contain(&doing, || {
        let made = Builder::new()
            .set_cache_size(CACHE)
            .set_repair_callback(move |session| {
                if cancelled() {
                    session.abort();
                }
            })
            .create_with_backend(overlay.clone());
        // Closed in full, so that it opens for reading.
        made.map(drop).map_err(|error| match error {
            redb::DatabaseError::RepairAborted => {
                Error::new(ErrorCode::Cancelled, format!("stopped on request while {doing}"))
            }
            other => fault(&doing, redb::Error::from(other)),
        })
    });
    // Errors of closing it are not told, but what was not held is known.
    if overlay.is_over() {
        let message = format!(
            "{shown} was not closed cleanly, and repairing it in memory needs more than {} MiB. Open it once with its \
             application, which repairs it, or let redb open a copy of it, and back that up",
            MOST >> 20
        );
        return Err(Error::new(ErrorCode::Unsupported, message));
    }
    repaired?;
    contain(&format!("opening {shown}"), || {
        let cannot = |error: redb::Error| fault(&format!("opening {shown}, repaired in memory"), error);
        let database = Builder::new()
            .set_cache_size(CACHE)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only_with_backend(overlay)
            .map_err(|error| cannot(error.into()))?;
        let txn = database.begin_read().map_err(|error| cannot(error.into()))?;
        let how = "read-only, after a repair in memory: it was not closed cleanly";
        Ok(Opened { database, txn, committed: None, how, held: None, away: Some(away) })
    })
}

/// Takes the lock of the whole file, which all redb before 5 respects, and a shared one of all its ranges, against which
/// no writer of a later one gets its own. A file that is open for reading can have no more.
fn keep_away(path: &Path) -> Result<Away> {
    let doing = format!("locking {}", path.display());
    let open = || File::open(path).map_err(|error| io_fault(&doing, &error));
    let whole = open()?;
    match whole.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(path)),
        Err(TryLockError::Error(error)) => return Err(io_fault(&doing, &error)),
    }
    let ranges = FileBackend::new(open()?).map_err(|error| fault(&doing, redb::Error::from(error)))?;
    match ranges.try_lock_shared_range(Bound::Included(0), Bound::Excluded(i64::MAX as u64)) {
        Ok(true) => Ok(Away { _whole: whole, _ranges: ranges }),
        Ok(false) => Err(busy(path)),
        Err(error) => {
            let message =
                format!("{doing}: {error}; it was not closed cleanly, so it is only read while locked");
            Err(Error::new(ErrorCode::Io, message))
        }
    }
}

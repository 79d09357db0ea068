//! Databases in redb's file format 2, from before redb 3: redb 4 refuses them, redb 2.6 upgrades them.
//!
//! The upgrade is redb 2.6's own, as an application would call it. What it writes stays in memory, over a file that is
//! only read: the header, the lists of free pages and the places of tables; no page of entries. The same goes for the
//! repair of a file that was not closed cleanly. redb 4 then reads the result like any other database.

use super::contain::contain;
use super::fault::{io_code, io_fault};
use super::open::{CACHE, Opened, busy};
use super::overlay::Overlay;
use crate::{Error, ErrorCode, Result, in_words};
use redb::{Builder, ConcurrencyMode, ReadableDatabase};
use std::fs::{File, TryLockError};
use std::path::Path;

/// What the upgrade may write; it needs about a ten-thousandth of the file, and more for savepoints.
const MOST: u64 = 256 << 20;

/// Opens the file, which is known to be in that format, and begins to read.
pub(super) fn read_only(path: &Path) -> Result<Opened> {
    let shown = path.display();
    let open = || File::open(path).map_err(|error| io_fault(&format!("opening {shown}"), &error));
    // redb 2 knows no other lock.
    let held = open()?;
    match held.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(path)),
        Err(TryLockError::Error(error)) => return Err(io_fault(&format!("locking {shown}"), &error)),
    }
    let overlay =
        Overlay::new(open()?, MOST).map_err(|error| io_fault(&format!("opening {shown}"), &error))?;
    let upgraded = contain(&format!("upgrading {shown} in memory"), || upgrade(path, overlay.clone()));
    let repaired = upgraded.map_err(|error| match overlay.is_over() {
        true => Error::new(
            ErrorCode::Unsupported,
            format!(
                "{shown} has file format 2 of redb, and upgrading it in memory needs more than {} MiB. Delete its \
                 savepoints, or upgrade a copy of it with redb 2.6 (Database::upgrade), and back that up",
                MOST >> 20
            ),
        ),
        false => error,
    })?;
    contain(&format!("opening {shown}"), || {
        let cannot =
            |error: redb::Error| super::fault::fault(&format!("opening {shown}, upgraded in memory"), error);
        let database = Builder::new()
            .set_cache_size(CACHE)
            // Otherwise redb 4 wants lists of free pages that redb 2 does not keep like that.
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only_with_backend(overlay)
            .map_err(|error| cannot(error.into()))?;
        let txn = database.begin_read().map_err(|error| cannot(error.into()))?;
        let how = if repaired {
            "read-only, file format 2 upgraded in memory by redb 2.6, after a repair in memory: it was not closed cleanly"
        } else {
            "read-only, file format 2 upgraded in memory by redb 2.6"
        };
        Ok(Opened { database, txn, committed: None, how, held: Some(held), away: None })
    })
}

/// Upgrades to file format 3; whether it had to be repaired before.
fn upgrade(path: &Path, overlay: Overlay) -> Result<bool> {
    let failed = |error: redb2::Error| {
        let (code, why) = match &error {
            redb2::Error::Io(io) => (io_code(io), in_words(io)),
            redb2::Error::Corrupted(_) => (ErrorCode::Corrupt, error.to_string()),
            _ => (ErrorCode::Other, error.to_string()),
        };
        let shown = path.display();
        Error::new(code, format!("{shown}, in file format 2 of redb, cannot be upgraded in memory: {why}"))
    };
    let repaired = std::rc::Rc::new(std::cell::Cell::new(false));
    let noted = std::rc::Rc::clone(&repaired);
    let mut database = redb2::Builder::new()
        .set_cache_size(CACHE)
        .set_repair_callback(move |_| noted.set(true))
        .create_with_backend(overlay)
        .map_err(|error| failed(error.into()))?;
    // They stand in the way, and no restore could bring them back.
    let txn = database.begin_write().map_err(|error| failed(error.into()))?;
    let savepoints: Vec<u64> =
        txn.list_persistent_savepoints().map_err(|error| failed(error.into()))?.collect();
    for id in savepoints {
        txn.delete_persistent_savepoint(id).map_err(|error| failed(error.into()))?;
    }
    txn.commit().map_err(|error| failed(error.into()))?;
    database.upgrade().map_err(|error| failed(error.into()))?;
    Ok(repaired.get())
}

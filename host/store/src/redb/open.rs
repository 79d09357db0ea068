//! Opening a database file that belongs to somebody else, without writing to it.

use super::contain::{contain, quiet};
use super::fault::{fault, io_fault};
use super::pages::{HEADER_LEN, Pages};
use super::store::Committed;
use super::watched::Watched;
use crate::{Error, ErrorCode, Result};
use redb::backends::FileBackend;
use redb::{
    Builder, ConcurrencyMode, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase,
    StorageError,
};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// A scan reads every page once.
pub(super) const CACHE: usize = 16 << 20;

/// What every redb file begins with.
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// A file that was opened, and the moment that is read of it.
pub(super) struct Opened {
    pub(super) database: ReadOnlyDatabase,
    pub(super) txn: ReadTransaction,
    /// What is read, if that is known.
    pub(super) committed: Option<Committed>,
    /// How it was opened.
    pub(super) how: &'static str,
    /// What keeps writers away who know no lock of redb 4's.
    pub(super) held: Option<File>,
    /// The same for a file that was repaired in memory.
    #[cfg(not(target_family = "wasm"))]
    pub(super) away: Option<super::unclean::Away>,
}

/// Opens the file and begins to read. `cancelled` is asked while redb repairs.
pub(super) fn read_only(path: &Path, cancelled: impl Fn() -> bool + 'static) -> Result<Opened> {
    quiet();
    let shown = path.display();
    check_magic(path)?;
    // A reader in this mode shares the file with a writer of either shared mode, and of the exclusive mode it is
    // refused. The exclusive mode is for systems on which redb cannot share.
    let modes = [
        (ConcurrencyMode::SingleWriter, "read-only, SingleWriter"),
        (ConcurrencyMode::ExclusiveWriter, "read-only, ExclusiveWriter"),
    ];
    let mut unshareable = None;
    for (mode, how) in modes {
        let attempt = contain(&format!("opening {shown}"), || Ok(attempt(path, mode, how)))?;
        match attempt {
            Ok(opened) => return Ok(opened),
            Err(redb::Error::Unsupported) => unshareable = Some(redb::Error::Unsupported),
            #[cfg(feature = "redb2")]
            Err(redb::Error::UpgradeRequired(2)) => return super::format2::read_only(path),
            // A file that somebody has open is told before, as `Busy`.
            #[cfg(not(target_family = "wasm"))]
            Err(redb::Error::RepairAborted) => return super::unclean::read_only(path, cancelled),
            Err(error) => return Err(refusal(path, error)),
        }
    }
    #[cfg(target_family = "wasm")]
    let _ = cancelled;
    Err(refusal(path, unshareable.unwrap_or(redb::Error::Unsupported)))
}

fn check_magic(path: &Path) -> Result<()> {
    let shown = path.display();
    let not_redb = || Error::new(ErrorCode::Unsupported, format!("{shown} is not a redb database"));
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(ErrorCode::NotFound, format!("there is no file {shown}")),
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorCode::Denied, format!("{shown}: no permission to read it; run as a user who may"))
        }
        _ => io_fault(&format!("opening {shown}"), &error),
    })?;
    if !file.metadata().map_err(|error| io_fault(&format!("opening {shown}"), &error))?.is_file() {
        return Err(Error::new(ErrorCode::Unsupported, format!("{shown} is not a file")));
    }
    let mut magic = [0; MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == MAGIC => match of_redb_0(path) {
            Some(version) => Err(Error::new(
                ErrorCode::Unsupported,
                format!(
                    "{shown} has file format {version}, of redb before 1.0, which no later redb reads. Copy its tables to \
                     a new database with a program that has both that redb and a later one"
                ),
            )),
            None => Ok(()),
        },
        Ok(()) => Err(not_redb()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(not_redb()),
        Err(error) => Err(io_fault(&format!("reading {shown}"), &error)),
    }
}

pub(super) fn attempt(path: &Path, mode: ConcurrencyMode, how: &'static str) -> Result<Opened, redb::Error> {
    let file = Arc::new(FileBackend::new(File::open(path)?)?);
    let (backend, seen) = Watched::new(Arc::clone(&file));
    let database = Builder::new()
        .set_cache_size(CACHE)
        .set_concurrency_mode(mode)
        .open_read_only_with_backend(backend)
        .map_err(|error| match error {
            DatabaseError::Storage(StorageError::Io(io)) if io.kind() == io::ErrorKind::Unsupported => {
                redb::Error::Unsupported
            }
            other => other.into(),
        })?;
    let txn = database.begin_read()?;
    let pinned = if mode == ConcurrencyMode::ExclusiveWriter { seen.exclusive() } else { seen.shared() };
    let committed = pinned.map(|(header, slot)| Committed { pages: Pages::new(file, &header), slot });
    Ok(Opened {
        database,
        txn,
        committed,
        how,
        held: None,
        #[cfg(not(target_family = "wasm"))]
        away: None,
    })
}

/// Why a file cannot be opened, and what to do about it.
fn refusal(path: &Path, error: redb::Error) -> Error {
    let shown = path.display();
    let (code, message) = match error {
        redb::Error::DatabaseAlreadyOpen => return busy(path),
        redb::Error::LockProtocolMismatch => (
            ErrorCode::Busy,
            format!(
                "{shown} is open in a process whose version of redb locks it in a way that this one does not know; \
                 stop that process, or embed the strongroom library in it"
            ),
        ),
        // Without locks a file that is open and one that was not closed look the same.
        redb::Error::RepairAborted => (
            ErrorCode::Busy,
            format!(
                "{shown} is open in another process, or was not closed cleanly; this runtime has no locks to tell \
                 which. Stop the application that has it open; if none has, open it once with its application, which \
                 repairs it. The native strongroom command tells the two apart"
            ),
        ),
        redb::Error::UpgradeRequired(version) => (ErrorCode::Unsupported, older(path, version)),
        redb::Error::Corrupted(_) if let Some(version) = newer(path) => (
            ErrorCode::Unsupported,
            format!(
                "{shown} says that it has file format {version} of redb, which is later than {NEWEST}, the last one that \
                 this program knows: a newer redb wrote it, or it is damaged. Use a newer strongroom"
            ),
        ),
        redb::Error::Corrupted(why) => (ErrorCode::Corrupt, format!("{shown} is damaged: {why}")),
        other => return fault(&format!("opening {shown}"), other),
    };
    Error::new(code, message)
}

/// Held by somebody who does not share it.
pub(super) fn busy(path: &Path) -> Error {
    let shown = path.display();
    Error::new(
        ErrorCode::Busy,
        format!(
            "{shown} is open in another process that does not share it. Three ways out: embed the strongroom \
             library in that application and back up from the inside; have it open the database with \
             set_concurrency_mode(ConcurrencyMode::SingleWriter) (redb 4.5 or newer); or stop it for the time of \
             the backup"
        ),
    )
}

/// What a file in an old format is, and what to do about it.
fn older(path: &Path, version: u8) -> String {
    let shown = path.display();
    if version < 2 {
        return format!(
            "{shown} has file format {version}, of redb before 2.0, which no later redb reads. Copy its tables to a new \
             database with a program that has both redb 1 and a later one, as redb's own notes on 2.0 show"
        );
    }
    let why = if cfg!(target_family = "wasm") {
        "The native strongroom command reads it"
    } else {
        "This program was built without the feature `redb2`, which reads it"
    };
    format!(
        "{shown} has file format {version}, of redb before 3.0, which redb 4 does not read. {why}; or open the file, or a \
         copy of it, with redb 2.6 and call Database::upgrade() on it"
    )
}

/// The file format of a file that redb 0 wrote: those have numbers from 100 on, which look like ones to come, and the first
/// versions had their two commit slots elsewhere.
fn of_redb_0(path: &Path) -> Option<u8> {
    let mut header = [0; 512];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let slots = [(64, 192), (128, 256), (128, 320)];
    let versions = slots.map(|(first, second)| (header[first], header[second]));
    versions.into_iter().find(|(first, second)| first == second && (100..200).contains(first)).map(|(v, _)| v)
}

/// The last file format that redb 4 knows.
const NEWEST: u8 = 3;

/// The file format of a file that has a later one.
fn newer(path: &Path) -> Option<u8> {
    let mut header = [0; HEADER_LEN];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    // Each of the two commit slots begins with it.
    [header[64], header[192]].into_iter().max().filter(|version| *version > NEWEST)
}

//! Checking a database file that is nobody else's.

use super::batched::Batched;
use super::contain::contain;
use super::fault::{fault, io_fault};
use crate::{Error, ErrorCode, Result};
use redb::backends::FileBackend;
use redb::{Builder, Database};
use std::fs::OpenOptions;
use std::path::Path;

const CACHE: usize = 16 << 20;

/// Opens a restored database as an application would, and lets redb check all of it: checksums, order and lengths.
///
/// The file must belong to the caller alone, for redb writes to it when it is opened and closed.
pub fn check_file(path: &Path) -> Result<()> {
    let shown = path.display();
    contain(&format!("checking {shown}"), || {
        let opening = format!("opening {shown}");
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| io_fault(&opening, &error))?;
        let empty = file.metadata().map_err(|error| io_fault(&opening, &error))?.len() == 0;
        if empty {
            // redb would make a new database of it.
            return Err(Error::new(ErrorCode::Corrupt, format!("{shown} is empty")));
        }
        let backend = FileBackend::new(file).map_err(|error| fault(&opening, error))?;
        let database = Builder::new().set_cache_size(CACHE).create_with_backend(Batched::new(backend));
        check(&mut database.map_err(|error| fault(&opening, error))?)
    })
}

/// Lets redb check a restored database.
pub(super) fn check(database: &mut Database) -> Result<()> {
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::new(ErrorCode::Corrupt, "the restored database failed redb's integrity check"))
        }
        Err(error) => Err(fault("checking the restored database", error)),
    }
}

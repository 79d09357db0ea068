//! What can go wrong outside of the engine where an archive comes from or goes to.

use std::io;

use crate::error::{Error, ErrorCode};

/// An archive could not be written.
pub fn not_written(e: &io::Error) -> Error {
    let code = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorCode::Full
        }
        io::ErrorKind::PermissionDenied => ErrorCode::Denied,
        _ => ErrorCode::Io,
    };
    Error::new(code, format!("cannot write the archive: {e}; what was written of it is of no use"))
}

/// An archive could not be read.
pub fn not_read(e: &io::Error) -> Error {
    Error::new(ErrorCode::Io, format!("cannot read the archive: {e}"))
}

//! redb's errors as ours: what a program can act on, and where it happened.

use crate::{Error, ErrorCode, in_words};
use std::io;

/// An error of redb that happened while doing `what`.
pub(super) fn fault(what: &str, error: impl Into<redb::Error>) -> Error {
    let error = error.into();
    let code = match &error {
        redb::Error::Io(io) => io_code(io),
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::UnorderedKey => ErrorCode::Corrupt,
        redb::Error::TableDoesNotExist(_) => ErrorCode::NotFound,
        redb::Error::TableExists(_) => ErrorCode::Exists,
        redb::Error::ValueTooLarge(_) | redb::Error::Unsupported => ErrorCode::Unsupported,
        redb::Error::PreviousIo => ErrorCode::Io,
        redb::Error::DatabaseClosed => {
            return Error::new(
                ErrorCode::Busy,
                format!("{what}: the application closed its database meanwhile; try again when it is open"),
            );
        }
        _ => ErrorCode::Other,
    };
    let why = match &error {
        redb::Error::Io(io) => in_words(io),
        other => other.to_string(),
    };
    Error::new(code, format!("{what}: {why}"))
}

/// An error of the file system that happened while doing `what`.
pub(crate) fn io_fault(what: &str, error: &io::Error) -> Error {
    Error::new(io_code(error), format!("{what}: {}", in_words(error)))
}

pub(super) fn io_code(error: &io::Error) -> ErrorCode {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorCode::NotFound,
        io::ErrorKind::AlreadyExists => ErrorCode::Exists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorCode::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorCode::Full
        }
        // The file ends before a page that it names.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorCode::Corrupt,
        io::ErrorKind::Unsupported => ErrorCode::Unsupported,
        _ => ErrorCode::Io,
    }
}

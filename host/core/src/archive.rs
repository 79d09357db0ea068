//! What lies outside of the engine where an archive comes from or goes to.

use std::io::{self, Write};

use crate::error::{Error, ErrorCode, Result};

/// Writes all pieces that come, until one is empty; how many bytes they had.
///
/// # Errors
///
/// What `next` fails with, and what [`not_written`] says.
pub fn write_all(to: &mut dyn Write, mut next: impl FnMut() -> Result<Vec<u8>>) -> Result<u64> {
    let mut bytes = 0;
    loop {
        let piece = next()?;
        if piece.is_empty() {
            break;
        }
        to.write_all(&piece).map_err(|e| not_written(&e))?;
        bytes += piece.len() as u64;
    }
    to.flush().map_err(|e| not_written(&e))?;
    Ok(bytes)
}

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

/// Whether an error is about an archive, and not about the repository.
pub fn is_about(e: &Error) -> bool {
    let message = e.to_string();
    ["the archive ", "cannot write the archive", "cannot read the archive"]
        .iter()
        .any(|begin| message.starts_with(begin))
}

/// An archive could not be read.
pub fn not_read(e: &io::Error) -> Error {
    Error::new(ErrorCode::Io, format!("cannot read the archive: {e}"))
}

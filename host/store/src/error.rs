//! What a store or a sink can say went wrong.

use std::fmt;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no store, table or position of that name.
    NotFound,
    /// It exists already.
    Exists,
    /// The caller was not granted this.
    Denied,
    /// Somebody else holds it; try later.
    Busy,
    /// The store cannot do this at all.
    Unsupported,
    /// The data contradicts itself.
    Corrupt,
    /// The store's own storage failed.
    Io,
    /// No room left.
    Full,
    /// The run was asked to stop.
    Cancelled,
    /// None of these: read the message.
    Other,
}

/// A code for programs and a message for people: what happened, where, and what to do.
#[derive(Debug, Clone)]
pub struct Error {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// What stores and sinks return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this code with this message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

//! What a store or a sink can say went wrong.

use std::fmt;
use std::io;
use std::path::Path;

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

    /// The same error with the file that it is about in front, if there is one that it does not name yet.
    #[must_use]
    pub fn about(mut self, file: Option<&Path>) -> Self {
        let Some(file) = file.map(|file| file.display().to_string()) else { return self };
        if !self.message.contains(&file) {
            self.message = format!("{file}: {}", self.message);
        }
        self
    }
}

/// What the system said of a file, in words that say something to whoever does not know how it was read.
pub fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file ends before what must follow; it was cut off".to_owned(),
        io::ErrorKind::WriteZero => "not all of it could be written".to_owned(),
        _ => error.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

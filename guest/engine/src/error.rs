//! What the engine says went wrong.
//!
//! The rules: a message names what happened, where (file, snapshot, table), and what to do; the code is what a program
//! acts on. Whatever is read from a file, a store or a caller is checked and ends as an error here, never as a panic.

use std::fmt;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There is no snapshot, table, position or file of that name.
    NotFound,
    /// It exists already.
    Exists,
    /// The caller asked for something that makes no sense.
    Invalid,
    /// The directory holds no repository.
    NoRepository,
    /// A later version of Strongroom wrote this.
    NewerFormat,
    /// Somebody else holds it.
    Locked,
    /// Stored bytes are missing or are not what was written.
    Damaged,
    /// Permission is missing.
    Denied,
    /// No room left.
    Full,
    /// Reading or writing failed.
    Io,
    /// This cannot be done at all.
    Unsupported,
    /// The run was asked to stop.
    Cancelled,
    /// None of these: read the message.
    Other,
}

/// A code for programs and a message for people.
#[derive(Debug, Clone)]
pub struct Error {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

/// What the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this code with this message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(Code::Damaged, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// What is to be read cannot be: a bad sector, no permission, or something else in the file's place. What is there is not
    /// known then, so nobody removes, replaces or renames it; otherwise it is treated as damaged.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self.code, Code::Io | Code::Denied)
    }

    /// It is damaged, or cannot be read.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.code == Code::Damaged || self.is_unreadable()
    }

    /// It does not come back from where it was looked for: it is damaged, cannot be read, or is not there.
    pub(crate) fn is_lost(&self) -> bool {
        self.code == Code::NotFound || self.is_spoilt()
    }

    /// The same error, with where it happened in front, unless it says that already: a vault names the file.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let place = place.to_string();
        if !self.message.contains(&place) {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Says where an error happened.
pub(crate) trait Place<T> {
    /// Puts the place in front of the message.
    fn place(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> Place<T> for Result<T> {
    fn place(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.at(place))
    }
}

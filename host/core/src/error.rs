//! What can go wrong, for programs and for people.

use std::fmt;

use strongroom_store as store;

use crate::text;

/// Why not all snapshots are forgotten unless that is asked for.
pub const NOTHING_LEFT: &str = "no snapshot would be left, so nothing was forgotten; if that is what you want, allow it \
                                with --allow-empty or Forget::allow_empty";

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no snapshot, table, position or file of that name.
    NotFound,
    /// It exists already.
    Exists,
    /// What was asked for makes no sense.
    Invalid,
    /// The directory holds no repository.
    NoRepository,
    /// A later version of Strongroom wrote this.
    NewerFormat,
    /// Somebody else holds the repository or the database.
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
    /// A run in the sandbox went past a budget.
    Budget,
    /// A policy said no.
    Refused,
    /// None of these: read the message.
    Other,
}

impl ErrorCode {
    /// Each of them once; a new one that is not listed does not compile, as long as `Other` is the last.
    const ALL: [Self; Self::Other as usize + 1] = [
        Self::NotFound,
        Self::Exists,
        Self::Invalid,
        Self::NoRepository,
        Self::NewerFormat,
        Self::Locked,
        Self::Damaged,
        Self::Denied,
        Self::Full,
        Self::Io,
        Self::Unsupported,
        Self::Cancelled,
        Self::Budget,
        Self::Refused,
        Self::Other,
    ];

    /// The code in the words of JSON output: `not-found`, `no-repository`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NotFound => "not-found",
            ErrorCode::Exists => "exists",
            ErrorCode::Invalid => "invalid",
            ErrorCode::NoRepository => "no-repository",
            ErrorCode::NewerFormat => "newer-format",
            ErrorCode::Locked => "locked",
            ErrorCode::Damaged => "damaged",
            ErrorCode::Denied => "denied",
            ErrorCode::Full => "full",
            ErrorCode::Io => "io",
            ErrorCode::Unsupported => "unsupported",
            ErrorCode::Cancelled => "cancelled",
            ErrorCode::Budget => "budget",
            ErrorCode::Refused => "refused",
            ErrorCode::Other => "other",
        }
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = ();

    /// The code of these words; what it does not know is an error.
    fn from_str(words: &str) -> Result<Self, ()> {
        ErrorCode::ALL.into_iter().find(|code| code.as_str() == words).ok_or(())
    }
}

/// A code for programs and a message for people: what happened, where, and what to do.
#[derive(Debug, Clone)]
pub struct Error {
    code: ErrorCode,
    message: String,
}

/// What this library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this code with this message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// For programs.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The same error with where it happened in front, unless it says that already.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = text::placed(&place.to_string(), &self.message);
        self
    }

    /// An error says which repository it is about, if it is about one.
    #[must_use]
    pub fn in_repository(self, dir: &std::path::Path) -> Self {
        use ErrorCode::{Damaged, Denied, Full, NewerFormat, NoRepository};
        match self.code {
            NoRepository | NewerFormat | Denied | Damaged | Full => self.at(dir.display()),
            _ => self,
        }
    }

    /// An error of the file system while something was done to a path.
    pub fn io(doing: &str, path: &std::path::Path, e: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let code = match e.kind() {
            K::NotFound => ErrorCode::NotFound,
            K::AlreadyExists => ErrorCode::Exists,
            K::PermissionDenied | K::ReadOnlyFilesystem => ErrorCode::Denied,
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => ErrorCode::Full,
            _ => ErrorCode::Io,
        };
        Self::new(code, format!("cannot {doing} {}: {}", path.display(), store::in_words(e)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(e: store::Error) -> Self {
        use store::ErrorCode as S;
        let code = match e.code {
            S::NotFound => ErrorCode::NotFound,
            S::Exists => ErrorCode::Exists,
            S::Denied => ErrorCode::Denied,
            S::Busy => ErrorCode::Locked,
            S::Unsupported => ErrorCode::Unsupported,
            S::Corrupt => ErrorCode::Damaged,
            S::Io => ErrorCode::Io,
            S::Full => ErrorCode::Full,
            S::Cancelled => ErrorCode::Cancelled,
            _ => ErrorCode::Other,
        };
        Self::new(code, e.message)
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_comes_back_from_its_words() {
        for (i, code) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, i, "{code:?} is not listed once");
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        for words in ["", "Refused", "no such code"] {
            assert_eq!(words.parse::<ErrorCode>(), Err(()));
        }
    }
}

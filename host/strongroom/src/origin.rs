//! Which database a backup is of, and whether it is the one that its source was before.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::source::Source;
use crate::{Backup, Error, ErrorCode, Result};
use strongroom_core::message;

/// The source of a database that has no name of its own, as long as it is the only one of its repository.
const NAMELESS: &str = "database";

/// Which database a backup is of.
pub(crate) struct Identity {
    /// Its source.
    pub(crate) source: String,
    /// Nobody gave it that name.
    pub(crate) is_nameless: bool,
    /// The canonical path of its file.
    pub(crate) origin: Option<String>,
}

impl Identity {
    pub(crate) fn of<S: Source + ?Sized>(source: &S, backup: &Backup) -> Self {
        let name = backup.given_source().or_else(|| source.name());
        // A file that cannot be found any more, because it was removed under an open database, has no path to keep.
        let origin = source.file().and_then(|file| fs::canonicalize(file).ok());
        Self {
            is_nameless: name.is_none(),
            source: name.unwrap_or_else(|| NAMELESS.to_owned()),
            origin: origin.map(|path| path.to_string_lossy().into_owned()),
        }
    }

    /// Why this is not the database that its source was, if that had this file: the file is still there, and is another.
    pub(crate) fn differs_from(&self, before: &str) -> Option<Error> {
        let now = self.origin.as_deref()?;
        let shown = message(before);
        let there = match fs::metadata(before) {
            // A file that was moved, and what lies there now is none.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return None,
            Ok(found) if !found.is_file() => return None,
            Ok(_) if is_same(Path::new(before), Path::new(now)) => return None,
            Ok(_) => format!("{shown}, which is still there"),
            Err(e) => format!("{shown}, and whether that is still there cannot be seen ({e})"),
        };
        let text = format!(
            "source {:?} was made of {there}. {now} is taken for another database, which needs a source of its own: give it \
             with --source NAME (Backup::source). If the database was moved, remove or rename the old file; for a copy that \
             is to go on with that source, allow it with --accept (Backup::accept)",
            self.source
        );
        Some(Error::new(ErrorCode::Refused, text))
    }
}

/// Whether two paths lead to one file, as hard links and mounts do.
#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}

#[cfg(not(unix))]
fn is_same(one: &Path, other: &Path) -> bool {
    fs::canonicalize(one).is_ok_and(|one| one == other)
}

/// Fails if the source was another database before, unless that is accepted.
pub(crate) fn check(
    identity: &Identity,
    moved_from: Option<&str>,
    backup: &Backup,
    warn: impl Fn(&str),
) -> Result<()> {
    match moved_from.and_then(|before| identity.differs_from(before)) {
        Some(e) if backup.accepts() => {
            warn(&format!("{e}; accepted on request"));
            Ok(())
        }
        Some(e) => Err(e),
        None => Ok(()),
    }
}

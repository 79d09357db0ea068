//! A new file, of a restore say: made beside its final name, and put under it only when it is whole.

use super::fault::io_fault;
use crate::{Error, ErrorCode, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A file in the making. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct Partial {
    target: PathBuf,
    partial: PathBuf,
    overwrite: bool,
    published: bool,
}

impl Partial {
    /// Fails where a target would be refused.
    pub fn check(target: &Path, overwrite: bool) -> Result<()> {
        Self { target: target.to_owned(), partial: PathBuf::new(), overwrite, published: true }.check_target()
    }

    /// Makes `TARGET.strongroom-partial` for the user alone. One that an interrupted run left is replaced.
    pub fn create(target: &Path, overwrite: bool) -> Result<(Self, File)> {
        let mut name = target.as_os_str().to_owned();
        // Not a name that somebody gives a file of their own: an old one is removed.
        name.push(".strongroom-partial");
        let mut this = Self { target: target.to_owned(), partial: name.into(), overwrite, published: true };
        this.check_target()?;
        this.remove_leftover()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&this.partial)
            .map_err(|error| io_fault(&format!("creating {}", this.partial.display()), &error))?;
        // From here on there is something to remove.
        this.published = false;
        Ok((this, file))
    }

    /// Where the file is until it is published.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// The directory of both, if it can be told.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        std::path::absolute(&self.partial).ok()?.parent().map(Path::to_owned)
    }

    /// An existing target is refused, or, if it may be overwritten, at least one that somebody has open.
    fn check_target(&self) -> Result<()> {
        let shown = self.target.display();
        match fs::symlink_metadata(&self.target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_fault(&format!("looking at {shown}"), &error)),
            Ok(found) if !found.is_file() => {
                let what = match found.file_type() {
                    kind if kind.is_dir() => "a directory",
                    kind if kind.is_symlink() => "a symbolic link",
                    _ => "not a file",
                };
                let message = format!("{shown} is {what}, so it is never overwritten; choose another name");
                Err(Error::new(ErrorCode::Exists, message))
            }
            Ok(_) if !self.overwrite && locked(&self.target) => Err(Error::new(
                ErrorCode::Exists,
                format!("{shown} exists already, and is open in another process; choose another name"),
            )),
            Ok(_) if !self.overwrite => Err(self.exists()),
            Ok(_) if locked(&self.target) => Err(Error::new(
                ErrorCode::Busy,
                format!(
                    "{shown} is open in another process, which would go on with the old one; stop it first"
                ),
            )),
            Ok(_) => Ok(()),
        }
    }

    /// Gives the new file owner, group and mode of the one that it replaces, or says that it cannot.
    #[cfg(unix)]
    fn inherit(&self) -> Result<()> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
        let failed = |error: io::Error| io_fault(&format!("looking at {}", self.partial.display()), &error);
        let Ok(old) = fs::symlink_metadata(&self.target) else { return Ok(()) };
        let file = File::open(&self.partial).map_err(failed)?;
        let new = file.metadata().map_err(failed)?;
        let owners = |of: &fs::Metadata| (of.uid(), of.gid());
        let mut mode = old.mode() & 0o777;
        if owners(&new) != owners(&old) && fchown(&file, Some(old.uid()), Some(old.gid())).is_err() {
            // The group alone may be one of this user's. What another group may not see, this one's must not.
            if fchown(&file, None, Some(old.gid())).is_err() {
                mode &= 0o707;
            }
        }
        if new.mode() & 0o777 != mode {
            // Whether it was done is to be seen.
            let _ = file.set_permissions(fs::Permissions::from_mode(mode));
        }
        let new = file.metadata().map_err(failed)?;
        if (owners(&new), new.mode() & 0o777) != (owners(&old), old.mode() & 0o777) {
            tracing::warn!(
                "{} belonged to user {} and group {} with mode {:04o}, which could not be kept: it now belongs to {} \
                 and {} with mode {:04o}",
                self.target.display(),
                old.uid(),
                old.gid(),
                old.mode() & 0o777,
                new.uid(),
                new.gid(),
                new.mode() & 0o777
            );
        }
        file.sync_all().map_err(|error| io_fault(&format!("syncing {}", self.partial.display()), &error))
    }

    fn exists(&self) -> Error {
        let shown = self.target.display();
        Error::new(
            ErrorCode::Exists,
            format!("{shown} exists already; choose another name, or allow overwriting it"),
        )
    }

    fn remove_leftover(&self) -> Result<()> {
        let shown = self.partial.display();
        if fs::symlink_metadata(&self.partial).is_ok_and(|found| found.is_file()) && locked(&self.partial) {
            return Err(Error::new(ErrorCode::Busy, format!("another run is writing {shown}")));
        }
        match fs::remove_file(&self.partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_fault(&format!("removing {shown}, left by an interrupted run"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the content durable.
    pub fn sync(&self) -> Result<()> {
        let sync = || File::open(&self.partial)?.sync_all();
        sync().map_err(|error| io_fault(&format!("syncing {}", self.partial.display()), &error))
    }

    /// Puts the file under its final name, durably.
    pub fn publish(mut self) -> Result<()> {
        self.check_target()?;
        let failed = |error: io::Error| {
            io_fault(&format!("moving what was made to {}", self.target.display()), &error)
        };
        if self.overwrite {
            #[cfg(unix)]
            self.inherit()?;
            fs::rename(&self.partial, &self.target).map_err(failed)?;
        } else {
            // A link does not replace what another process has put there since the check.
            match fs::hard_link(&self.partial, &self.target) {
                // The target has the content; the second name can only be in the way of the next restore, which
                // replaces it.
                Ok(()) => drop(fs::remove_file(&self.partial)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(self.exists()),
                // Not every file system has links.
                Err(_) => fs::rename(&self.partial, &self.target).map_err(failed)?,
            }
        }
        self.published = true;
        sync_directory_of(&self.target).map_err(|error| {
            let shown = self.target.display();
            Error::new(
                error.code,
                format!(
                    "{shown} is there and whole, but a loss of power may still take it away: {}",
                    error.message
                ),
            )
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // The next restore to this name tries again.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Whether redb holds the file somewhere; all its versions take a lock on the whole of it on Linux.
fn locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(unix)]
fn sync_directory_of(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let sync = || File::open(directory)?.sync_all();
    let synced = sync();
    if let Err(error) = &synced
        && matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
    {
        tracing::warn!(
            "{} is on a file system that cannot sync directories: after a loss of power what was made there may be gone",
            directory.display()
        );
        return Ok(());
    }
    synced.map_err(|error| io_fault(&format!("syncing the directory {}", directory.display()), &error))
}

#[cfg(not(unix))]
fn sync_directory_of(_path: &Path) -> Result<()> {
    Ok(())
}

//! The repository's directory: for its owner alone.

use std::path::Path;

use crate::error::{Error, ErrorCode, Result};

/// The bits that a repository's directory has.
#[cfg(unix)]
const MODE: u32 = 0o700;

/// Whether a directory was made by this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was.
    Now,
    /// It was there.
    Before,
}

/// Makes the directory, with those above it, or checks the one that is there.
///
/// A directory that others can look into is refused, unless `override_permissions` says to take that right away.
pub fn prepare(dir: &Path, override_permissions: bool) -> Result<Made> {
    match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => {
            check_mode(dir, &metadata, override_permissions)?;
            Ok(Made::Before)
        }
        Ok(_) => Err(Error::new(ErrorCode::Invalid, format!("{} is a file, not a directory", dir.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, MODE);
            builder.create(dir).map_err(|e| Error::io("make", dir, &e))?;
            Ok(Made::Now)
        }
        Err(e) => Err(Error::io("look at", dir, &e)),
    }
}

#[cfg(unix)]
fn check_mode(dir: &Path, metadata: &std::fs::Metadata, override_permissions: bool) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode == MODE {
        return Ok(());
    }
    if !override_permissions {
        return Err(Error::new(
            ErrorCode::Denied,
            format!(
                "directory {0} exists already without proper {MODE:04o} permissions (it has {mode:04o}); run `chmod \
                 {MODE:o} {0}`, or pass --permission-override to have it done",
                dir.display()
            ),
        ));
    }
    let permissions = std::fs::Permissions::from_mode(MODE);
    std::fs::set_permissions(dir, permissions).map_err(|e| Error::io("change the permissions of", dir, &e))
}

#[cfg(not(unix))]
fn check_mode(_dir: &Path, _metadata: &std::fs::Metadata, _override_permissions: bool) -> Result<()> {
    Ok(())
}

/// Fails if there is no such directory to read from.
pub fn check(dir: &Path) -> Result<()> {
    match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorCode::Invalid, format!("{} is a file, not a directory", dir.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::new(
            ErrorCode::NoRepository,
            format!(
                "there is no directory {}; name the repository with --repo, or make one with a first backup",
                dir.display()
            ),
        )),
        Err(e) => Err(Error::io("look at", dir, &e)),
    }
}

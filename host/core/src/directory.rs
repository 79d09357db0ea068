//! The repository's directory: for its owner alone.

use std::path::Path;

use crate::error::{Error, ErrorCode, Result};

/// Fails for what is no path but an address, `s3://bucket/backups`: taken for a path, it would make a directory `s3:`.
pub fn check_local(path: &Path) -> Result<()> {
    let Some((scheme, _)) = path.to_str().and_then(|path| path.split_once("://")) else { return Ok(()) };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
    if !is_scheme {
        return Ok(());
    }
    let path = path.display();
    let message = format!(
        "{path}: {scheme}:// is not supported; give the path of a file or directory of this machine, which may be a mounted \
         one (./{path} is one of that name)"
    );
    Err(Error::new(ErrorCode::Unsupported, message))
}

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
/// A directory that others can look into is refused, unless `override_permissions` says to take that right away. That is
/// the last thing to be done, and only to a repository or an empty directory.
pub fn prepare(dir: &Path, override_permissions: bool) -> Result<Made> {
    match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => {
            #[cfg(unix)]
            mode::check(dir, &metadata, override_permissions)?;
            #[cfg(not(unix))]
            let _ = override_permissions;
            Ok(Made::Before)
        }
        Ok(_) => Err(Error::new(ErrorCode::Invalid, format!("{} is a file, not a directory", dir.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode::MODE);
            builder.create(dir).map_err(|e| Error::io("make", dir, &e))?;
            #[cfg(unix)]
            mode::look_at_new(dir);
            Ok(Made::Now)
        }
        Err(e) => Err(Error::io("look at", dir, &e)),
    }
}

#[cfg(unix)]
mod mode {
    use std::fs::{self, Metadata, OpenOptions, Permissions};
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::Path;

    use crate::error::{Error, ErrorCode, Result};

    /// The bits that a repository's directory has.
    pub(super) const MODE: u32 = 0o700;
    /// Those of a file in it.
    const FILE_MODE: u32 = 0o600;
    /// What may be in a directory that becomes a repository, beside names that begin with `tmp-`.
    const OURS: [&str; 7] =
        ["repository.json", "lock", "checks", "packs", "index", "snapshots", "lost+found"];

    pub(super) fn check(dir: &Path, metadata: &Metadata, override_permissions: bool) -> Result<()> {
        let mode = metadata.mode() & 0o777;
        if mode == MODE {
            return Ok(());
        }
        let shown = dir.display();
        if let Some(foreign) = foreign(dir)? {
            let message = format!(
                "{shown} holds no repository but other things ({foreign:?}); give an empty or a new directory"
            );
            return Err(Error::new(ErrorCode::NoRepository, message));
        }
        if keeps_no_modes(dir) {
            warn(dir, mode);
            return Ok(());
        }
        let user = rustix::process::geteuid();
        if !user.is_root() && metadata.uid() != user.as_raw() {
            let message = format!(
                "directory {shown} belongs to user {} and has mode {mode:04o}; run strongroom as that user, or give a \
                 directory of your own",
                metadata.uid()
            );
            return Err(Error::new(ErrorCode::Denied, message));
        }
        if !override_permissions {
            return Err(Error::new(
                ErrorCode::Denied,
                format!(
                    "directory {shown} exists already without proper {MODE:04o} permissions (it has {mode:04o}); run \
                     `chmod {MODE:o} {shown}`, or pass --permission-override to have it done"
                ),
            ));
        }
        fs::set_permissions(dir, Permissions::from_mode(MODE))
            .map_err(|e| Error::io("change the permissions of", dir, &e))
    }

    /// A directory that was just made has other bits where the file system has none of its own.
    pub(super) fn look_at_new(dir: &Path) {
        if let Ok(metadata) = fs::metadata(dir)
            && metadata.mode() & 0o077 != 0
        {
            warn(dir, metadata.mode() & 0o777);
        }
    }

    fn warn(dir: &Path, mode: u32) {
        tracing::warn!(
            "{} is on a file system that keeps no permissions (everything has mode {mode:04o}): the backups are as \
             protected as its mount options say, and no more",
            dir.display()
        );
    }

    /// The first thing in the directory that shows that it is no repository, nor to become one.
    fn foreign(dir: &Path) -> Result<Option<std::ffi::OsString>> {
        let failed = |e| Error::io("list", dir, &e);
        let mut foreign = None;
        for entry in fs::read_dir(dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name == OURS[0] {
                return Ok(None);
            }
            let text = name.to_string_lossy();
            if !OURS.contains(&&*text) && !text.starts_with("tmp-") {
                foreign = Some(name);
            }
        }
        Ok(foreign)
    }

    /// Whether a new file gets other bits than it is made with.
    fn keeps_no_modes(dir: &Path) -> bool {
        let path = dir.join(format!("tmp-mode-{}", std::process::id()));
        let _owner = crate::owner::AsOwner::of(dir);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path);
        let Ok(found) = file.and_then(|file| file.metadata()) else { return false };
        let _ = fs::remove_file(&path);
        found.mode() & 0o077 != 0
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_path() {
        for address in
            ["s3://bucket/x", "S3://b", "sftp://host/x", "rest:http://host/", "file:///x", "az+v2://x"]
        {
            let e = check_local(Path::new(address)).unwrap_err().to_string();
            assert!(e.contains(address) && e.contains("not supported"), "{e}");
        }
        for path in ["./s3://x", "/s3://x", "a/s3://x", "s3:/x", "://x", "3s://x", "C:\\x", "a b://x"] {
            check_local(Path::new(path)).unwrap();
        }
    }
}

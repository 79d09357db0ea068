//! A directory for the time of a run, which a later run clears away if this one is killed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// What the names of all of them begin with.
const PREFIX: &str = "strongroom-drill-";

/// A directory that is removed when this is dropped. Until then the system's lock on it is held, which ends with the
/// process: what is there without it was left by a run that is gone.
pub(crate) struct Scratch {
    dir: TempDir,
    _held: Option<File>,
}

impl Scratch {
    /// A new one in this directory, after those that dead runs left there are gone.
    pub(crate) fn new(within: &Path) -> io::Result<Self> {
        clear(within);
        loop {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(within)?;
            let held = File::open(dir.path()).ok().filter(|file| file.try_lock().is_ok());
            // Before it was locked, another run may have taken it for one that is left over.
            if dir.path().is_dir() {
                return Ok(Self { dir, _held: held });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn close(self) -> io::Result<()> {
        self.dir.close()
    }
}

/// Removes what this user's dead runs left. Where that fails, the next one tries again.
fn clear(within: &Path) {
    let Ok(entries) = fs::read_dir(within) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && is_mine(&found))
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            tracing::info!("removing {}, left by a drill that is gone", path.display());
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(unix)]
fn is_mine(found: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == rustix::process::geteuid().as_raw()
}

/// Elsewhere a directory cannot be locked, so nothing says that its run is gone.
#[cfg(not(unix))]
fn is_mine(_found: &fs::Metadata) -> bool {
    false
}

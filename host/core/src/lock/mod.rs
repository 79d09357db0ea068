//! The repository's lock: one writer at a time, also beside a component that runs under another runtime.
//!
//! The lock is a file that is made only where none is, and that names its holder as far as there is room for that. A host
//! in addition holds the operating system's lock on the file, which ends with its process. On a local file system that
//! lock alone decides, whoever made the file: one that is free was left by a process that is gone. Elsewhere it may not
//! reach other machines, so there the holder must have been of this very boot of this machine. A component has no such
//! lock: its file is left to people, and so is every other of which this cannot be known.
//!
//! Silence is never taken for an end. Whoever breaks a lock (`--break-lock`) may be wrong, so the holder looks whether the
//! lock is still its own before each change that others see.

mod decide;
mod place;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::owner::AsOwner;
use decide::{Verdict, decide, held};
use place::{Place, System};

/// The name of the file in the repository.
const NAME: &str = "lock";
/// No holder writes more.
const HOLDER_MAX: u64 = 4 << 10;

/// What is said to the holder of a lock that another run took away.
pub const LOCK_LOST: &str = "the lock of this run was broken or removed by somebody else while it worked, so it stopped before \
                             the next change; every snapshot is whole. Run it again when no other run is at work";

/// How long a file that names nobody is waited for: its maker is between making and writing it.
const NAMELESS: Duration = Duration::from_secs(2);
/// How long its maker waits for those who look at it, each of whom locks it for a moment.
const LOOKED_AT: Duration = Duration::from_secs(10);
/// How often one that is held is looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// How a lock is taken that another run holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Locking {
    /// Waits so long for it.
    pub wait: Duration,
    /// Takes it away where it cannot be seen whether its holder still works.
    pub break_lock: bool,
}

/// Who holds a lock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Holder {
    /// `host`: also holds the operating system's lock. `component`: cannot, and gives signs of life.
    kind: String,
    machine: String,
    /// Which boot of the machine, where that is known.
    boot: Option<String>,
    pid: u32,
    doing: String,
    /// Seconds since 1970.
    since: u64,
    /// Tells this run from others.
    run: u64,
}

impl Holder {
    /// What a file says; `None` if that is not what a holder writes.
    fn read(file: &File) -> Option<Self> {
        let mut text = String::new();
        let read = file.take(HOLDER_MAX + 1).read_to_string(&mut text);
        if read.is_err() || text.len() as u64 > HOLDER_MAX {
            return None;
        }
        let holder: Self = serde_json::from_str(&text).ok()?;
        matches!(holder.kind.as_str(), "host" | "component").then_some(holder)
    }
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    /// What the file says, if there was room for it.
    text: String,
    weaker: Option<String>,
}

/// What came of one try.
enum Tried {
    Taken(Lock),
    /// It is worth another look.
    Again,
    Held(Error),
}

impl Lock {
    /// Takes the lock, or says who holds it. `stopped` says whether somebody asked the run to stop meanwhile.
    pub fn take(dir: &Path, doing: &str, how: &Locking, stopped: &dyn Fn() -> bool) -> Result<Self> {
        Self::take_at(&Place::here(), dir, doing, how, stopped)
    }

    fn take_at(
        place: &Place,
        dir: &Path,
        doing: &str,
        how: &Locking,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let _owner = AsOwner::of(dir);
        let path = dir.join(NAME);
        let started = Instant::now();
        let mut told = false;
        loop {
            if stopped() {
                return Err(Error::new(ErrorCode::Cancelled, "stopped on request; nothing was changed"));
            }
            match Self::attempt(place, &path, doing, how, started)? {
                Tried::Taken(lock) => return Ok(lock),
                Tried::Again => std::thread::sleep(Duration::from_millis(20)),
                Tried::Held(e) => {
                    let left = how.wait.saturating_sub(started.elapsed());
                    if left.is_zero() {
                        return Err(e);
                    }
                    if !std::mem::replace(&mut told, true) {
                        tracing::info!("waiting for the lock: {e}");
                    }
                    std::thread::sleep(left.min(AGAIN));
                }
            }
        }
    }

    fn attempt(place: &Place, path: &Path, doing: &str, how: &Locking, started: Instant) -> Result<Tried> {
        match make(path) {
            Ok(file) => Ok(Self::settle(place, file, path, doing)?.map_or(Tried::Again, Tried::Taken)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => look(place, path, how, started),
            Err(e) => Err(Error::io("make the lock", path, &e)),
        }
    }

    /// Locks the new file and writes who holds it; `None` if somebody took it away in between.
    fn settle(place: &Place, file: File, path: &Path, doing: &str) -> Result<Option<Self>> {
        let failed = |e| Error::io("write the lock", path, &e);
        let made = Instant::now();
        let weaker = loop {
            match (place.try_lock)(&file).map_err(failed)? {
                System::Free => break None,
                // Without the operating system's lock the file would pass for one that was left behind.
                System::Held if made.elapsed() < LOOKED_AT => std::thread::sleep(Duration::from_millis(1)),
                // Only who has that lock takes the file away.
                System::Held => return Err(held(path, None)),
                // The file alone has to do.
                System::Unsupported(why) => break Some(why),
            }
        };
        if !is_at(&file, path) {
            return Ok(None);
        }
        let holder = Holder {
            kind: place.kind.to_owned(),
            machine: place.machine.clone(),
            boot: place.boot.clone(),
            pid: place.pid,
            doing: doing.to_owned(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            run: random(),
        };
        let text = serde_json::to_string(&holder).map_err(|e| Error::new(ErrorCode::Other, e.to_string()))?;
        let weaker = weaker.filter(|_| place.kind == place::HOST).map(|why| {
            format!(
                "the file system of {} does not lock files ({why}): a lock that a killed run leaves there must be broken \
                 with --break-lock, and only the file itself keeps two runs apart",
                path.display()
            )
        });
        // From here on it is taken away again, whatever fails.
        let mut lock = Self { path: path.to_owned(), file, text: format!("{text}\n"), weaker };
        if let Err(e) = lock.file.write_all(lock.text.as_bytes()) {
            // An empty file that is locked is a lock too: a full disk must not stop what makes room.
            if place.kind != place::HOST {
                return Err(failed(e));
            }
            tracing::debug!("the lock {} does not say who holds it: {e}", path.display());
            let _ = lock.file.set_len(0);
        }
        Ok(Some(lock))
    }

    /// Whether it is still this run's: nobody broke it.
    pub fn is_own(&self) -> bool {
        if cfg!(unix) {
            return is_at(&self.file, &self.path);
        }
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    /// What is weaker about it than it should be.
    pub fn weaker(&self) -> Option<&str> {
        self.weaker.as_deref()
    }

    /// Gives a sign of life.
    pub fn touch(&self) {
        // Without it the file only looks older.
        let _ = self.file.set_modified(SystemTime::now());
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the operating system's lock is still held, so that nobody takes over a file that is about to go.
        if self.is_own()
            && let Err(e) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("the lock {} could not be taken away: {e}", self.path.display());
        }
    }
}

/// Makes the file where none is.
fn make(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).or_else(|e| match (e.kind(), path.parent()) {
        // No room for one more file: this hint may go at any time, whoever is at work.
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, Some(dir)) => {
            std::fs::remove_file(dir.join("index/newest")).map_err(|_| e)?;
            options.open(path)
        }
        _ => Err(e),
    })
}

/// Looks at a lock that is there, and takes it away if its holder is gone, or if a person says so.
fn look(place: &Place, path: &Path, how: &Locking, started: Instant) -> Result<Tried> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Tried::Again),
        Err(e) => return Err(Error::io("open the lock", path, &e)),
    };
    let system = (place.try_lock)(&file).map_err(|e| Error::io("try the lock", path, &e))?;
    let holder = Holder::read(&file);
    if holder.is_none() && started.elapsed() < place.nameless {
        return Ok(Tried::Again);
    }
    let verdict = decide(place, holder.as_ref(), &system, (place.is_local)(&file), how.break_lock);
    let broken = match verdict {
        Verdict::Left => false,
        Verdict::Broken => true,
        Verdict::Held(known) => {
            let alive = file.metadata().and_then(|metadata| metadata.modified()).ok();
            let quiet = alive.and_then(|alive| SystemTime::now().duration_since(alive).ok());
            return Ok(Tried::Held(held(path, Some((holder.unwrap_or_default(), known, quiet)))));
        }
    };
    if !is_at(&file, path) {
        return Ok(Tried::Again);
    }
    let Holder { machine, pid, doing, .. } = holder.unwrap_or_default();
    if broken {
        tracing::warn!(machine, pid, doing, "the lock of another run is broken");
    } else {
        tracing::info!(machine, pid, doing, "taking over the lock of a process that is gone");
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("take away the lock", path, &e)),
        _ => Ok(Tried::Again),
    }
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

//! The repository's lock: one writer at a time, also beside a component that runs under another runtime.
//!
//! The lock is a file that is made only where none is, and that names its holder. A host in addition holds the operating
//! system's lock on the file, which ends with its process: so a file without that lock, made by a host on this machine,
//! is what a process left that is gone, and is taken over. A component has no such lock. It gives a sign of life every
//! few seconds, by the time at which the file was changed; without one for a while it may be gone, or stopped for a
//! while, so its file is left to people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::owner::AsOwner;
use crate::text;

/// The name of the file in the repository.
const NAME: &str = "lock";

/// Who holds a lock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Holder {
    /// `host`: also holds the operating system's lock. `component`: cannot, and gives signs of life.
    kind: String,
    machine: String,
    pid: u32,
    doing: String,
    /// Seconds since 1970.
    since: u64,
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// How long a file that names nobody is waited for: its maker is between making and writing it.
const NAMELESS: Duration = Duration::from_secs(2);
/// How long its maker waits for those who look at it, each of whom locks it for a moment.
const LOOKED_AT: Duration = Duration::from_secs(10);

impl Lock {
    /// Takes the lock, or says who holds it.
    pub fn take(dir: &Path, doing: &str) -> Result<Self> {
        let _owner = AsOwner::of(dir);
        let path = dir.join(NAME);
        let started = Instant::now();
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(file) => {
                    if let Some(lock) = Self::settle(file, &path, doing)? {
                        return Ok(lock);
                    }
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    if !remove_if_left_behind(&path, started)? {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                Err(e) => return Err(Error::io("make the lock", &path, &e)),
            }
        }
    }

    /// Locks the new file and writes who holds it; `None` if somebody took it away in between.
    fn settle(file: File, path: &Path, doing: &str) -> Result<Option<Self>> {
        let failed = |e| Error::io("write the lock", path, &e);
        let made = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Without the operating system's lock the file would pass for one that was left behind.
                Err(TryLockError::WouldBlock) if made.elapsed() < LOOKED_AT => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                // Only who has that lock takes the file away.
                Err(TryLockError::WouldBlock) => return Err(held(path, &Holder::default(), false, None)),
                // A file system without locks: the file alone has to do.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => break,
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        if !is_at(&file, path) {
            return Ok(None);
        }
        // From here on it is taken away again, whatever fails.
        let mut lock = Self { path: path.to_owned(), file };
        let holder = Holder {
            kind: KIND.to_owned(),
            machine: machine(),
            pid: pid(),
            doing: doing.to_owned(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        };
        let text = serde_json::to_string(&holder).map_err(|e| Error::new(ErrorCode::Other, e.to_string()))?;
        lock.file.write_all(format!("{text}\n").as_bytes()).map_err(failed)?;
        Ok(Some(lock))
    }
}

impl Lock {
    /// Gives a sign of life.
    pub fn touch(&self) {
        // Without it the file only looks older.
        let _ = self.file.set_modified(SystemTime::now());
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the operating system's lock is still held, so that nobody takes over a file that is about to go.
        if is_at(&self.file, &self.path)
            && let Err(e) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("the lock {} could not be taken away: {e}", self.path.display());
        }
    }
}

/// Takes away a lock whose holder is gone: `true`. A lock that is held, or may be, is an error that names the holder;
/// one that names nobody yet is worth another look: `false`.
fn remove_if_left_behind(path: &Path, started: Instant) -> Result<bool> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(Error::io("open the lock", path, &e)),
    };
    let lockable = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => false,
        Err(TryLockError::Error(e)) => return Err(Error::io("try the lock", path, &e)),
    };
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let holder: Option<Holder> = serde_json::from_str(&text).ok();
    let ours = holder.as_ref().is_some_and(|holder| holder.kind == "host" && holder.machine == machine());
    if holder.is_none() && started.elapsed() < NAMELESS {
        return Ok(false);
    }
    if lockable && (ours || holder.is_none()) {
        if !is_at(&file, path) {
            return Ok(true);
        }
        let holder = holder.unwrap_or_default();
        tracing::info!(
            pid = holder.pid,
            doing = holder.doing,
            "taking over the lock of a process that is gone"
        );
        std::fs::remove_file(path).map_err(|e| Error::io("take away the lock", path, &e))?;
        return Ok(true);
    }
    let alive = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let quiet = alive.and_then(|alive| SystemTime::now().duration_since(alive).ok());
    Err(held(path, &holder.unwrap_or_default(), ours, quiet))
}

/// `quiet` is how long ago the file was changed.
fn held(path: &Path, holder: &Holder, ours: bool, quiet: Option<Duration>) -> Error {
    let doing = if holder.doing.is_empty() { "something" } else { &holder.doing };
    let doing: String = doing.chars().filter(|c| !c.is_control()).take(80).collect();
    let machine: String = holder.machine.chars().filter(|c| !c.is_control()).take(80).collect();
    let who = format!("process {} on {machine:?}, which does {doing}", holder.pid);
    let message = if holder.kind == "component" {
        let quiet = quiet.map_or_else(|| "an unknown time".to_owned(), text::duration);
        format!(
            "the repository is locked by a component under another runtime, which does {doing} since {} UTC. It gave \
             its last sign of life {quiet} ago, and gives one every few seconds while it works: if it has given none \
             for minutes, and no such run is left, delete {}",
            text::time(holder.since),
            path.display()
        )
    } else if ours {
        format!("the repository is in use by {who}; wait for it, or stop it")
    } else {
        format!(
            "the repository is locked by {who}, and from here it cannot be seen whether that still runs; if it does \
             not, delete {}",
            path.display()
        )
    };
    Error::new(ErrorCode::Locked, message)
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// What this program is.
const KIND: &str = if cfg!(target_family = "wasm") { "component" } else { "host" };

/// The name of this machine, which a component does not know.
fn machine() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// The number of this process, which a component does not know.
fn pid() -> u32 {
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(taken: Result<Lock>) -> ErrorCode {
        taken.map(|_| ()).expect_err("it should be held").code()
    }

    #[test]
    fn a_lock_is_held_by_one_and_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path(), "backup").unwrap();
        let second = Lock::take(dir.path(), "backup").expect_err("it should be held");
        assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");
        drop(lock);
        assert!(!dir.path().join(NAME).exists());
        Lock::take(dir.path(), "backup").unwrap();
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder { kind: "host".into(), machine: machine(), pid: 1, ..Holder::default() };
        std::fs::write(dir.path().join(NAME), serde_json::to_string(&holder).unwrap()).unwrap();
        Lock::take(dir.path(), "backup").unwrap();
    }

    #[test]
    fn a_lock_of_a_component_or_of_another_machine_is_left_alone() {
        for (kind, machine) in [("component", machine()), ("host", "elsewhere".to_owned())] {
            let dir = tempfile::tempdir().unwrap();
            let holder = Holder { kind: kind.into(), machine, pid: 1, ..Holder::default() };
            std::fs::write(dir.path().join(NAME), serde_json::to_string(&holder).unwrap()).unwrap();
            assert_eq!(code(Lock::take(dir.path(), "backup")), ErrorCode::Locked);
            assert!(dir.path().join(NAME).exists());
        }
    }

    #[test]
    fn a_component_is_told_by_its_last_sign_of_life() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path(), "a backup").unwrap();
        let path = dir.path().join(NAME);
        let holder = Holder {
            kind: "component".into(),
            doing: "a backup".into(),
            since: 1_780_000_000,
            ..Holder::default()
        };
        std::fs::write(&path, serde_json::to_string(&holder).unwrap()).unwrap();
        let says = |seconds: u64, words: &str| {
            lock.file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
            let said = Lock::take(dir.path(), "a backup").expect_err("it should be held").to_string();
            assert!(said.contains(words) && said.contains("2026-05-28 20:26:40"), "{said}");
        };
        says(3720, "62 min 0 s ago");
        lock.touch();
        let said = Lock::take(dir.path(), "a backup").expect_err("it should be held").to_string();
        assert!(said.contains(" ms ago") || said.contains(" s ago"), "{said}");
    }

    #[test]
    fn an_empty_file_is_taken_over_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "").unwrap();
        Lock::take(dir.path(), "backup").unwrap();
    }

    #[test]
    fn a_new_lock_that_somebody_looks_at_is_held_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        // Another process tries whether it is locked, just before it is.
        let looks = File::open(&path).unwrap();
        looks.try_lock().unwrap();
        let lock = std::thread::scope(|scope| {
            let settles = scope.spawn(|| Lock::settle(file, &path, "a backup"));
            std::thread::sleep(Duration::from_millis(50));
            drop(looks);
            settles.join().unwrap().unwrap().unwrap()
        });
        assert_eq!(code(Lock::take(dir.path(), "a prune")), ErrorCode::Locked);
        drop(lock);
    }

    #[test]
    fn of_many_threads_one_at_a_time_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if let Ok(lock) = Lock::take(dir.path(), "test") {
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
    }
}

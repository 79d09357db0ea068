//! The repository's directory: the only one that the engine sees.

use std::cell::RefCell;
use std::path::{Component as Part, Path, PathBuf};
use std::time::{Duration, Instant};

use strongroom_core::directory::{self, Made};
use strongroom_core::{Lock, Locking, Result};
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use crate::Component;
use crate::bindings::exports::wasi::filesystem::preopens;

/// A directory that is granted to the engine.
struct Granted {
    path: PathBuf,
    writes: bool,
    made: Made,
    lock: Option<Lock>,
    alive: Instant,
}

thread_local! {
    static GRANTED: RefCell<Option<Granted>> = const { RefCell::new(None) };
}

/// Grants this directory; for a run that writes it is made if need be, and locked.
pub(crate) fn grant(path: &str, writing: Option<(String, Locking)>) -> Result<()> {
    let path = PathBuf::from(path);
    let granted = match writing {
        None => {
            directory::check(&path)?;
            Granted { path, writes: false, made: Made::Before, lock: None, alive: Instant::now() }
        }
        Some((doing, how)) => {
            let made = directory::prepare(&path, false)?;
            let lock = Lock::take(&path, &doing, &how, &|| false).inspect_err(|_| remove(&path, made))?;
            Granted { path, writes: true, made, lock: Some(lock), alive: Instant::now() }
        }
    };
    GRANTED.set(Some(granted));
    Ok(())
}

/// How often a run shows that it is alive.
const ALIVE: Duration = Duration::from_secs(3);

/// Gives a sign of life to whoever looks at the lock, if the last one was a while ago.
pub(crate) fn alive() {
    GRANTED.with_borrow_mut(|granted| {
        if let Some(Granted { lock: Some(lock), alive, .. }) = granted
            && alive.elapsed() >= ALIVE
        {
            lock.touch();
            *alive = Instant::now();
        }
    });
}

/// Whether the run may still change what others see: its lock is its own.
pub(crate) fn may_change() -> bool {
    GRANTED.with_borrow(|granted| match granted {
        Some(Granted { lock: Some(lock), .. }) => lock.is_own(),
        _ => true,
    })
}

/// Lets go of the lock, and of a directory that nothing was written to.
pub(crate) fn release(failed: bool) {
    let Some(mut granted) = GRANTED.take() else { return };
    granted.lock = None;
    if failed {
        remove(&granted.path, granted.made);
    }
}

fn remove(path: &Path, made: Made) {
    if made == Made::Now {
        // Only if nothing was written to it.
        let _ = std::fs::remove_dir(path);
    }
}

impl preopens::Guest for Component {
    /// What the engine sees. Without a command that grants a directory, as under `--invoke`, it is the first one that
    /// this run was given.
    fn get_directories() -> Vec<(Descriptor, String)> {
        let granted = GRANTED.with_borrow(|granted| granted.as_ref().map(|g| (g.path.clone(), g.writes)));
        let directory = match granted {
            Some((path, writes)) => open(&path, writes),
            None => {
                wasip2::filesystem::preopens::get_directories().into_iter().next().map(|(first, _)| first)
            }
        };
        directory.map(|directory| (directory, "/backups".to_owned())).into_iter().collect()
    }
}

/// The directory's own descriptor, from the one it is granted below.
fn open(path: &Path, writes: bool) -> Option<Descriptor> {
    let wanted = parts(path)?;
    let below = |(directory, name): (Descriptor, String)| {
        let name = parts(Path::new(&name))?;
        wanted.starts_with(&name).then_some((name.len(), directory))
    };
    let granted = wasip2::filesystem::preopens::get_directories().into_iter().filter_map(below);
    let (depth, directory) = granted.max_by_key(|(depth, _)| *depth)?;
    let rest = match wanted[depth..].join("/") {
        rest if rest.is_empty() => ".".to_owned(),
        rest => rest,
    };
    let mut flags = DescriptorFlags::READ;
    if writes {
        flags |= DescriptorFlags::MUTATE_DIRECTORY;
    }
    directory.open_at(PathFlags::SYMLINK_FOLLOW, &rest, OpenFlags::DIRECTORY, flags).ok()
}

/// The names on the way to a path; none if it leads up.
fn parts(path: &Path) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Part::Normal(name) => names.push(name.to_str()?.to_owned()),
            Part::CurDir | Part::RootDir => {}
            Part::ParentDir | Part::Prefix(_) => return None,
        }
    }
    Some(names)
}

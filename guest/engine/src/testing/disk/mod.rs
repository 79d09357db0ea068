//! A disk that can be cut off from its power, and that can fail.
//!
//! It promises as little as POSIX does. What a file holds is durable once the file was synced, a name in a folder (new,
//! changed or gone) once the folder was. Until then the disk may keep any of it, in any order, data in sectors of 512
//! bytes: see [`Survival`]. A sync that fails has lost what it should have kept: a later one that succeeds
//! does not bring it back, while readers go on seeing it until the power fails.
//!
//! What is stricter here than on the file systems that people use: syncing a file does not keep its name, syncing a
//! folder does not keep the name of that folder, and nothing orders two folders. What is not modelled: a name that goes
//! although its folder was synced, half a rename of which neither name is left, and a failed sync of a folder that loses
//! names (they stay unsynced): file systems keep names in a journal, and give up writing when it fails.

mod fault;
mod file;
mod power;
mod room;
mod state;
mod turns;
mod unreadable;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use fault::{Effect, Fault, How, Operation, Repeat};
pub use power::{Data, Names, Survival};
pub use unreadable::Unreadable;

use crate::error::{Code, Error, Result};
use crate::vault::{Vault, VaultFile};
use fault::{Asked, Verdict};
use file::DiskFile;
use state::{ROOT, State};

/// A simulated disk with one directory; clones share it.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    /// Which of several runs at the same time this handle is for.
    run: usize,
}

struct Shared {
    state: Mutex<State>,
    turn: Condvar,
}

impl Default for Disk {
    fn default() -> Self {
        Self::with(State::default())
    }
}

impl Disk {
    fn with(state: State) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::new(state), turn: Condvar::new() }), run: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A run that panicked has failed its test anyway.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of its own, with everything that is not yet durable.
    pub fn deep_clone(&self) -> Self {
        let mut state = self.state().clone();
        state.room.open.clear();
        Self::with(state)
    }

    /// Counts operations from 0 again, and lets this happen to them.
    pub fn begin(&self, fault: Option<Fault>) {
        self.state().faults.begin(fault);
    }

    /// Operations since [`begin`](Self::begin), and those among them that change something.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.faults.operations.len() as u64, state.faults.changes)
    }

    /// All operations since [`begin`](Self::begin).
    pub fn operations(&self) -> Vec<Operation> {
        self.state().faults.operations.clone()
    }

    /// What the fault has struck: the first operation, in words.
    pub fn struck(&self) -> Option<String> {
        self.state().faults.struck.clone()
    }

    /// All files as a reader sees them: paths and contents.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.state().files()
    }

    /// Equal for disks on which everything that follows is equal: in what readers see, and in what is durable.
    pub fn fingerprint(&self) -> u64 {
        self.state().fingerprint()
    }

    /// Puts a file there, durable, as if somebody had done so long ago.
    pub fn put(&self, path: &str, content: Vec<u8>) {
        self.state().put(path, content);
    }

    /// Takes a file away, durably.
    pub fn take(&self, path: &str) {
        self.state().take(path);
    }

    /// Makes everything durable.
    pub fn settle(&self) {
        self.state().settle();
    }

    /// One operation: what becomes of it, and the state to carry it out on.
    fn operation<T>(&self, asked: Asked<'_>, act: impl FnOnce(&mut State, How) -> Result<T>) -> Result<T> {
        let mut state = self.my_turn();
        let verdict = state.faults.judge(asked);
        let done = match verdict {
            Verdict::Do(how) => act(&mut state, how),
            Verdict::Fail(error, None) => Err(error),
            Verdict::Fail(error, Some(how)) => {
                // It fails all the same if it could not be done in the first place.
                act(&mut state, how).and(Err(error))
            }
        };
        self.pass_on(state);
        done
    }
}

impl Vault for Disk {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        let node = self.operation(Asked::change("create", path), |state, _| state.create(path))?;
        Ok(DiskFile::boxed(self.clone(), node, path))
    }

    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        let node = self.operation(Asked::look("open", path), |state, _| {
            state.may_open("open", path)?;
            state.file_at(path)
        })?;
        Ok(DiskFile::boxed(self.clone(), node, path))
    }

    fn len(&self, path: &str) -> Result<u64> {
        self.operation(Asked::look("look at", path), |state, _| {
            state.may_measure(path)?;
            let node = state.file_at(path)?;
            Ok(state.file(node).seen.len() as u64)
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.operation(Asked::change("rename", from), |state, _| {
            state.may_change("rename", from)?;
            state.may_change("replace", to)?;
            state.rename(from, to)
        })
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.operation(Asked::change("remove", path).frees(), |state, _| {
            state.may_change("remove", path)?;
            state.remove(path)
        })
    }

    fn make_dir(&self, path: &str) -> Result<()> {
        self.operation(Asked::change("make", path), |state, _| state.make_dir(path))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.operation(Asked::look("list", dir), |state, _| {
            state.may_open("list", dir)?;
            let node = if dir.is_empty() { ROOT } else { state.dir_at(dir)? };
            Ok(state.dir(node).seen.keys().map(|name| state.listed(dir, name)).collect())
        })
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.operation(Asked::change("sync", dir).syncs(), |state, how| {
            let node = if dir.is_empty() { ROOT } else { state.dir_at(dir)? };
            if how == How::Well {
                state.dir_mut(node).sync();
            }
            Ok(())
        })
    }
}

fn not_found(path: &str) -> Error {
    Error::new(Code::NotFound, format!("{path} is not there"))
}

//! A file as redb opens it for reading, that remembers which commit redb pinned.
//!
//! redb does not say which commit a read transaction sees. But a reader that shares a file with writers reads the
//! header under its lock and, before it lets go of that, locks the byte that stands for the commit's id. So the header
//! that was read last before that lock is the one whose commit is pinned.

use super::pages::{HEADER_LEN, Header, Slot};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The byte that stands for commit 0 (redb's `docs/design.md`, "Lock bytes").
const COMMITS: u64 = (1 << 62) + 1024;

/// The file, whose every call is redb's own.
#[derive(Debug)]
pub(super) struct Watched {
    file: Arc<FileBackend>,
    seen: Seen,
}

/// What was seen of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    header: Option<[u8; HEADER_LEN]>,
    /// The id of the commit that was pinned last, and the header at that time.
    pinned: Option<(u64, [u8; HEADER_LEN])>,
}

impl Watched {
    pub(super) fn new(file: Arc<FileBackend>) -> (Self, Seen) {
        let seen = Seen::default();
        (Self { file, seen: seen.clone() }, seen)
    }
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self, start: Bound<u64>) {
        let mut state = self.state();
        if let (Bound::Included(byte), Some(header)) = (start, state.header)
            && let Some(id) = byte.checked_sub(COMMITS)
        {
            state.pinned = Some((id, header));
        }
    }

    /// The commit that the last read transaction sees, of a file that is shared with writers.
    pub(super) fn shared(&self) -> Option<(Header, Slot)> {
        let (id, header) = self.state().pinned?;
        let header = Header::parse(&header)?;
        let slot = header.published(id)?;
        Some((header, slot))
    }

    /// The same of a file that nobody writes to.
    pub(super) fn exclusive(&self) -> Option<(Header, Slot)> {
        let header = Header::parse(&self.state().header?)?;
        let slot = header.settled()?;
        Some((header, slot))
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)?;
        if offset == 0
            && let Some(header) = out.first_chunk()
        {
            self.seen.state().header = Some(*header);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let locked = self.file.try_lock_shared_range(start, end)?;
        if locked {
            self.seen.locked(start);
        }
        Ok(locked)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)?;
        self.seen.locked(start);
        Ok(())
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

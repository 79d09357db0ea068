//! A file that nobody else uses yet, read and written in large pieces.
//!
//! redb reads and writes page by page, a system call each. While a restore fills a file, most pages that are written
//! one after another are neighbours, and so are those that the integrity check reads.

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many bytes wait before they are written.
const WAITING: usize = if cfg!(test) { 100 << 10 } else { 8 << 20 };
/// Neighbours are written together up to this size.
const RUN: usize = 1 << 20;
/// What is read ahead of a read that goes on where the one before ended.
const AHEAD: usize = 256 << 10;
/// Longer reads and writes gain nothing here.
const LONG: usize = 64 << 10;

/// The file, of which this is the only user. What waits is written before each sync, and order does not matter between
/// two of them.
#[derive(Debug)]
pub(super) struct Batched {
    file: FileBackend,
    state: Mutex<State>,
    failed: Failed,
}

/// The first error of a write or a sync. redb keeps to itself what goes wrong when a database is closed, and what it
/// leaves then needs a repair.
#[derive(Debug, Clone, Default)]
pub(super) struct Failed(Arc<Mutex<Option<io::Error>>>);

impl Failed {
    /// Takes it.
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|error| {
            let copy = io::Error::new(error.kind(), error.to_string());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(copy);
        })
    }
}

#[derive(Debug, Default)]
struct State {
    /// Written, but not to the file yet: offset and bytes, none of which overlap.
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: usize,
    /// Neighbours on their way to the file.
    run: Vec<u8>,
    /// Bytes of the file, from `ahead_at` on; none of them waits.
    ahead: Vec<u8>,
    ahead_at: u64,
    /// Where the last read ended.
    read_end: u64,
}

impl Batched {
    pub(super) fn new(file: FileBackend) -> Self {
        Self { file, state: Mutex::default(), failed: Failed::default() }
    }

    /// Tells of errors also when the database that had this is gone.
    pub(super) fn failed(&self) -> Failed {
        self.failed.clone()
    }

    fn write_now(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let state = &mut *self.state();
        state.forget_ahead(offset, data.len());
        match state.overlapping(offset, data.len()) {
            Some((at, bytes)) if at == offset && bytes.len() == data.len() => {
                state.waiting.insert(offset, data.to_vec());
                return Ok(());
            }
            Some(_) => state.flush(&self.file)?,
            None => {}
        }
        if data.len() >= LONG {
            return self.file.write(offset, data);
        }
        state.waiting.insert(offset, data.to_vec());
        state.waiting_bytes += data.len();
        if state.waiting_bytes >= WAITING { state.flush(&self.file) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What waits and has a byte in common with these.
    fn overlapping(&self, offset: u64, len: usize) -> Option<(u64, &Vec<u8>)> {
        let (&at, bytes) = self.waiting.range(..offset + len as u64).next_back()?;
        (at + bytes.len() as u64 > offset).then_some((at, bytes))
    }

    /// Writes all that waits. After an error it still does.
    fn flush(&mut self, file: &FileBackend) -> io::Result<()> {
        let mut start = 0;
        self.run.clear();
        for (&at, bytes) in &self.waiting {
            if self.run.len() + bytes.len() > RUN || at != start + self.run.len() as u64 {
                write(file, start, &self.run)?;
                self.run.clear();
                start = at;
            }
            self.run.extend_from_slice(bytes);
        }
        write(file, start, &self.run)?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }

    fn forget_ahead(&mut self, offset: u64, len: usize) {
        if offset < self.ahead_at + self.ahead.len() as u64 && self.ahead_at < offset + len as u64 {
            self.ahead.clear();
        }
    }

    fn read_ahead(&self, offset: u64, out: &mut [u8]) -> bool {
        let from = offset.checked_sub(self.ahead_at).and_then(|from| usize::try_from(from).ok());
        let found = from.and_then(|from| self.ahead.get(from..from.checked_add(out.len())?));
        found.inspect(|found| out.copy_from_slice(found)).is_some()
    }
}

fn write(file: &FileBackend, at: u64, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() { Ok(()) } else { file.write(at, bytes) }
}

impl StorageBackend for Batched {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = &mut *self.state();
        let goes_on = state.read_end == offset;
        state.read_end = offset + out.len() as u64;
        if let Some((at, bytes)) = state.overlapping(offset, out.len()) {
            if at == offset && bytes.len() == out.len() {
                out.copy_from_slice(bytes);
                return Ok(());
            }
            state.flush(&self.file)?;
        }
        if state.read_ahead(offset, out) {
            return Ok(());
        }
        if goes_on && out.len() < LONG {
            let left = self.file.len()?.saturating_sub(offset);
            // What waits would be missing from what is read ahead of it.
            let until = state.waiting.range(offset..).next().map_or(left, |(at, _)| at - offset);
            let len = usize::try_from(left.min(until)).map_or(AHEAD, |len| len.min(AHEAD));
            if len > out.len() {
                state.ahead_at = offset;
                state.ahead.resize(len, 0);
                if let Err(error) = self.file.read(offset, &mut state.ahead) {
                    state.ahead.clear();
                    return Err(error);
                }
                out.copy_from_slice(&state.ahead[..out.len()]);
                return Ok(());
            }
        }
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let state = &mut *self.state();
        self.failed.note(state.flush(&self.file))?;
        state.ahead.clear();
        self.failed.note(self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.failed.note(self.state().flush(&self.file))?;
        self.failed.note(self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failed.note(self.write_now(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        let flushed = self.failed.note(self.state().flush(&self.file));
        self.failed.note(self.file.close())?;
        flushed
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, usize, u8),
        Read(u64, usize),
        /// Reads one after another, as a scan does.
        Scan(u64, usize),
        Len(u64),
        Sync,
    }

    fn step() -> impl Strategy<Value = Step> {
        const PAGE: u64 = 512;
        let len = prop_oneof![8 => Just(PAGE as usize), 2 => 1usize..3000, 1 => Just(LONG)];
        let offset = prop_oneof![8 => (0..400u64).prop_map(|page| page * PAGE), 1 => 0..200_000u64];
        prop_oneof![
            20 => (offset.clone(), len.clone(), any::<u8>()).prop_map(|(at, len, byte)| Step::Write(at, len, byte)),
            10 => (offset.clone(), len).prop_map(|(at, len)| Step::Read(at, len)),
            3 => (offset, 1usize..100).prop_map(|(at, pages)| Step::Scan(at, pages)),
            1 => (0..300_000u64).prop_map(Step::Len),
            1 => Just(Step::Sync),
        ]
    }

    proptest! {
        #[test]
        fn it_reads_and_writes_as_a_plain_file_does(steps in prop::collection::vec(step(), 1..200)) {
            let file = tempfile::tempfile().unwrap();
            let backend = Batched::new(FileBackend::new(file.try_clone().unwrap()).unwrap());
            let mut model = vec![0; 300_000];
            backend.set_len(model.len() as u64).unwrap();
            let read = |model: &[u8], offset: u64, len: usize| {
                let mut out = vec![1; len];
                let range = offset as usize..offset as usize + len;
                match (backend.read(offset, &mut out), model.get(range)) {
                    (Ok(()), Some(bytes)) => assert!(out == bytes, "{len} bytes at {offset}"),
                    (found, expected) => assert!(found.is_err() && expected.is_none(), "{len} bytes at {offset}"),
                }
            };
            for step in steps {
                match step {
                    Step::Write(offset, len, byte) => {
                        let range = offset as usize..offset as usize + len;
                        // redb writes nothing past the end.
                        let Some(bytes) = model.get_mut(range) else { continue };
                        bytes.fill(byte);
                        backend.write(offset, bytes).unwrap();
                    }
                    Step::Read(offset, len) => read(&model, offset, len),
                    Step::Scan(offset, pages) => {
                        for page in 0..pages {
                            read(&model, offset + page as u64 * 512, 512);
                        }
                    }
                    Step::Len(len) => {
                        model.resize(len as usize, 0);
                        backend.set_len(len).unwrap();
                    }
                    Step::Sync => {
                        backend.sync_data().unwrap();
                        let mut found = vec![1; model.len()];
                        std::os::unix::fs::FileExt::read_exact_at(&file, &mut found, 0).unwrap();
                        prop_assert!(found == model);
                        prop_assert_eq!(file.metadata().unwrap().len(), model.len() as u64);
                    }
                }
            }
        }
    }
}

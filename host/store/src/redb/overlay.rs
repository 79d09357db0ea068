//! A file that seems to be written to: what is written lies in memory, and the file stays as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// What is written lies in blocks of this many bytes: a page of redb's.
const BLOCK: u64 = 4096;

/// A file, and what was written since. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Overlay(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: FileBackend,
    written: RwLock<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// How much of the file still shows: it was never shorter since.
    of_file: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
    /// How many blocks there may be.
    most: usize,
    /// More than that were wanted.
    over: bool,
}

impl Overlay {
    /// Over a file that is opened for reading. At most about `most` bytes of what is written are held; more is an error.
    pub(super) fn new(file: File, most: u64) -> io::Result<Self> {
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        let len = file.len()?;
        let most = usize::try_from(most / BLOCK).unwrap_or(usize::MAX);
        let written = Written { len, of_file: len, blocks: BTreeMap::new(), most, over: false };
        Ok(Self(Arc::new(Inner { file, written: RwLock::new(written) })))
    }

    fn reading(&self) -> RwLockReadGuard<'_, Written> {
        self.0.written.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Written> {
        self.0.written.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more was to be written than may be held.
    pub(super) fn is_over(&self) -> bool {
        self.reading().over
    }

    fn read_file(&self, of_file: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = of_file.saturating_sub(offset).min(out.len() as u64);
        let (from_file, beyond) = out.split_at_mut(usize::try_from(there).map_err(io::Error::other)?);
        beyond.fill(0);
        if from_file.is_empty() { Ok(()) } else { self.0.file.read(offset, from_file) }
    }
}

/// Which bytes of a block, and which of a stretch of the file, are the same ones.
fn common(block: u64, offset: u64, len: usize) -> io::Result<(Range<usize>, Range<usize>)> {
    let (begin, end) = (block * BLOCK, (block + 1) * BLOCK);
    let (first, last) = (begin.max(offset), end.min(offset + len as u64));
    let within = |from: u64| -> io::Result<Range<usize>> {
        let at = |byte: u64| usize::try_from(byte - from).map_err(io::Error::other);
        Ok(at(first)?..at(last)?)
    };
    Ok((within(begin)?, within(offset)?))
}

/// The blocks that a stretch of the file touches.
fn touched(offset: u64, len: usize) -> Range<u64> {
    offset / BLOCK..(offset + len as u64).div_ceil(BLOCK)
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.reading().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.reading();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(written.of_file, offset, out)?;
        for (number, block) in written.blocks.range(touched(offset, out.len())) {
            let (of_block, of_out) = common(*number, offset, out.len())?;
            out[of_out].copy_from_slice(&block[of_block]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.writing();
        if len < written.len {
            written.of_file = written.of_file.min(len);
            written.blocks.split_off(&len.div_ceil(BLOCK));
            let within = usize::try_from(len % BLOCK).map_err(io::Error::other)?;
            if let Some(last) = written.blocks.get_mut(&(len / BLOCK)) {
                last[within..].fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut guard = self.writing();
        let written = &mut *guard;
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for number in touched(offset, data.len()) {
            if !written.blocks.contains_key(&number) {
                if written.blocks.len() == written.most {
                    written.over = true;
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                let mut block = vec![0; BLOCK as usize].into_boxed_slice();
                self.read_file(written.of_file, number * BLOCK, &mut block)?;
                written.blocks.insert(number, block);
            }
            if let Some(block) = written.blocks.get_mut(&number) {
                let (of_block, of_data) = common(number, offset, data.len())?;
                block[of_block].copy_from_slice(&data[of_data]);
            }
        }
        Ok(())
    }

    // Nobody else sees what is here.

    fn try_lock_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _start: Bound<u64>, _end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

#[cfg(feature = "redb2")]
impl redb2::StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        StorageBackend::len(self)
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.reading().len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut out = vec![0; len];
        StorageBackend::read(self, offset, &mut out)?;
        Ok(out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        StorageBackend::set_len(self, len)
    }

    fn sync_data(&self, _eventual: bool) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        StorageBackend::write(self, offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write { at: u64, bytes: Vec<u8> },
        SetLen(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let write = (0..30_000_u64, 0..9000_usize, any::<u8>())
            .prop_map(|(at, len, byte)| Step::Write { at, bytes: vec![byte; len] });
        prop_oneof![4 => write, 1 => (0..40_000_u64).prop_map(Step::SetLen)]
    }

    proptest! {
        #[test]
        fn it_is_like_a_file_that_is_written_and_the_file_is_not(
            first in proptest::collection::vec(any::<u8>(), 0..20_000),
            steps in proptest::collection::vec(step(), 0..30),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            std::fs::write(&path, &first).unwrap();
            let overlay = Overlay::new(File::open(&path).unwrap(), 1 << 20).unwrap();
            let mut model = first.clone();
            for step in &steps {
                match step {
                    Step::Write { at, bytes } => {
                        let span = usize::try_from(*at).unwrap()..usize::try_from(*at).unwrap() + bytes.len();
                        let wrote = StorageBackend::write(&overlay, *at, bytes);
                        prop_assert_eq!(wrote.is_ok(), span.end <= model.len());
                        if wrote.is_ok() {
                            model[span].copy_from_slice(bytes);
                        }
                    }
                    Step::SetLen(len) => {
                        StorageBackend::set_len(&overlay, *len).unwrap();
                        model.resize(usize::try_from(*len).unwrap(), 0);
                    }
                }
                let mut all = vec![1; model.len()];
                StorageBackend::read(&overlay, 0, &mut all).unwrap();
                prop_assert!(all == model);
            }
            let mut one = [0];
            prop_assert!(StorageBackend::read(&overlay, model.len() as u64, &mut one).is_err());
            prop_assert!(std::fs::read(&path).unwrap() == first);
        }
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 100_000]).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap(), 2 * BLOCK).unwrap();
        StorageBackend::write(&overlay, 0, &[1; 8192]).unwrap();
        StorageBackend::write(&overlay, 100, &[2; 8000]).unwrap();
        assert!(!overlay.is_over());
        assert!(StorageBackend::write(&overlay, 8192, &[3]).is_err());
        assert!(overlay.is_over());
    }
}

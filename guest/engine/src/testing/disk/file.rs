//! An open file of the simulated disk.

use super::Disk;
use super::fault::{Asked, How};
use super::room::full;
use crate::error::Result;
use crate::vault::VaultFile;

pub(super) struct DiskFile {
    disk: Disk,
    node: usize,
    path: String,
}

impl DiskFile {
    pub(super) fn boxed(disk: Disk, node: usize, path: &str) -> Box<dyn VaultFile> {
        *disk.state().room.open.entry(node).or_default() += 1;
        Box::new(Self { disk, node, path: path.to_owned() })
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if let Some(open) = state.room.open.get_mut(&self.node) {
            *open -= 1;
        }
        state.room.open.retain(|_, open| *open > 0);
    }
}

impl VaultFile for DiskFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.disk.operation(Asked::change("write", &self.path), |state, how| {
            let bytes = match how {
                // As far as it came.
                How::Part(number) => &bytes[..(number % (bytes.len() as u64 + 1)) as usize],
                _ => bytes,
            };
            let fits = state.fit(self.node, offset, bytes.len());
            if fits > 0 {
                state.file_mut(self.node).write(offset, &bytes[..fits]);
            }
            if fits < bytes.len() { Err(full("write", &self.path)) } else { Ok(()) }
        })
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.disk.operation(Asked::look("read", &self.path).reads(), |state, how| {
            state.may_read(&self.path, offset..offset.saturating_add(len as u64))?;
            let content = &state.file(self.node).seen;
            let start = content.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
            let mut end = content.len().min(start.saturating_add(len));
            if let How::Part(number) = how {
                end = start + (number % (end - start).max(1) as u64) as usize;
            }
            Ok(content[start..end].to_vec())
        })
    }

    fn len(&self) -> Result<u64> {
        let asked = Asked::look("look at", &self.path);
        self.disk.operation(asked, |state, _| Ok(state.file(self.node).seen.len() as u64))
    }

    fn sync(&self) -> Result<()> {
        self.disk.operation(Asked::change("sync", &self.path).syncs(), |state, how| {
            if how != How::NotAtAll {
                state.file_mut(self.node).sync(how == How::Lost);
            }
            Ok(())
        })
    }
}

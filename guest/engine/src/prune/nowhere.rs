//! Where a dry run writes to.

use crate::error::{Code, Error, Result};
use crate::vault::{Vault, VaultFile};

/// A vault that takes everything and keeps nothing.
pub(crate) struct Nowhere;

struct NoFile;

fn nothing(path: &str) -> Error {
    Error::new(Code::NotFound, format!("{path} was not written: this is a dry run"))
}

impl Vault for Nowhere {
    fn create(&self, _path: &str) -> Result<Box<dyn VaultFile>> {
        Ok(Box::new(NoFile))
    }
    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        Err(nothing(path))
    }
    fn len(&self, path: &str) -> Result<u64> {
        Err(nothing(path))
    }
    fn rename(&self, _from: &str, _to: &str) -> Result<()> {
        Ok(())
    }
    fn remove(&self, _path: &str) -> Result<()> {
        Ok(())
    }
    fn make_dir(&self, _path: &str) -> Result<()> {
        Ok(())
    }
    fn list(&self, _dir: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn sync_dir(&self, _dir: &str) -> Result<()> {
        Ok(())
    }
}

impl VaultFile for NoFile {
    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
    fn read_at(&self, _offset: u64, _len: usize) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn len(&self) -> Result<u64> {
        Ok(0)
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

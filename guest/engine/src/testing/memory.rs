//! A directory in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::{Code, Error, Result};
use crate::vault::{Vault, VaultFile};

type Content = Rc<RefCell<Vec<u8>>>;

/// A vault that lives in memory; clones share it.
#[derive(Clone, Default)]
pub struct MemoryVault {
    files: Rc<RefCell<BTreeMap<String, Content>>>,
}

impl MemoryVault {
    /// The paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.files.borrow().keys().cloned().collect()
    }

    /// What a file holds.
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        Some(self.files.borrow().get(path)?.borrow().clone())
    }

    /// Puts a file there, or another in its place.
    pub fn put(&self, path: &str, content: Vec<u8>) {
        self.files.borrow_mut().insert(path.to_owned(), Rc::new(RefCell::new(content)));
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.borrow().values().map(|file| file.borrow().len() as u64).sum()
    }

    /// A copy of its own.
    pub fn deep_clone(&self) -> Self {
        let copy = Self::default();
        for (path, content) in &*self.files.borrow() {
            copy.put(path, content.borrow().clone());
        }
        copy
    }

    fn content(&self, path: &str) -> Result<Content> {
        let files = self.files.borrow();
        files.get(path).cloned().ok_or_else(|| Error::new(Code::NotFound, format!("{path} is not there")))
    }
}

impl Vault for MemoryVault {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        if self.files.borrow().contains_key(path) {
            return Err(Error::new(Code::Exists, format!("{path} is there already")));
        }
        self.put(path, Vec::new());
        self.open(path)
    }

    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        Ok(Box::new(MemoryFile(self.content(path)?)))
    }

    fn len(&self, path: &str) -> Result<u64> {
        Ok(self.content(path)?.borrow().len() as u64)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let content = self.content(from)?;
        let mut files = self.files.borrow_mut();
        files.remove(from);
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.content(path)?;
        self.files.borrow_mut().remove(path);
        Ok(())
    }

    fn make_dir(&self, _path: &str) -> Result<()> {
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let files = self.files.borrow();
        let below = files.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> =
            below.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect();
        names.dedup();
        Ok(names)
    }

    fn sync_dir(&self, _dir: &str) -> Result<()> {
        Ok(())
    }
}

struct MemoryFile(Content);

impl VaultFile for MemoryFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut content = self.0.borrow_mut();
        let end = offset as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let content = self.0.borrow();
        let start = content.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = content.len().min(start.saturating_add(len));
        Ok(content[start..end].to_vec())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.borrow().len() as u64)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

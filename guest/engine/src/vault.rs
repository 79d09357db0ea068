//! The directory that holds a repository, as the engine sees it.

use crate::error::{Code, Error, Result};
use crate::repository::{DIRS, UNFINISHED};

/// One directory with one level of folders in it. Paths are relative and use `/`.
///
/// Nothing is durable before it is synced: what a file holds by [`VaultFile::sync`], that a name is there, or gone, or
/// another's, by [`Vault::sync_dir`] of its folder (`""` is the directory itself).
pub trait Vault {
    /// Makes a new file, for writing and reading. [`Code::Exists`](crate::Code::Exists) if the name is taken.
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>>;
    /// Opens a file for reading. [`Code::NotFound`](crate::Code::NotFound) if it is not there.
    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>>;
    /// How long a file is, without opening it.
    fn len(&self, path: &str) -> Result<u64>;
    /// Gives a file another name in one step; a file that had that name is gone.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &str) -> Result<()>;
    /// Makes a folder; one that is there already is fine.
    fn make_dir(&self, path: &str) -> Result<()>;
    /// The names in a folder, without `.` and `..`, in no order. One that cannot be told, because it is not Unicode, is empty.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &str) -> Result<()>;
}

/// What there is to say of names in a folder that cannot be told.
pub(crate) fn nameless(names: &[String], dir: &str) -> Option<Error> {
    let count = names.iter().filter(|name| name.is_empty()).count();
    let message = || {
        format!(
            "{count} name(s) in the folder {dir} cannot be read, perhaps because they are not UTF-8 or the disk fails"
        )
    };
    (count > 0).then(|| Error::new(Code::Io, message()))
}

/// Something in this folder could not be read. Fails unless it is that alone: if nothing in it can be, the disk is away, or this
/// is the wrong user, and whoever writes must not take all of it for lost. A folder of one file says nothing by itself.
pub(crate) fn check_answers(vault: &dyn Vault, dir: &str, wrong: &Error) -> Result<()> {
    let readable = |path: &str| vault.len(path).and_then(|_| vault.open(path)?.read_at(0, 1)).is_ok();
    let look = |dir: &str| -> Result<(usize, bool)> {
        let mut names = vault.list(dir)?;
        names.retain(|name| !name.is_empty() && !name.starts_with(UNFINISHED));
        Ok((names.len(), names.iter().any(|name| readable(&format!("{dir}/{name}")))))
    };
    let answers = match look(dir)? {
        (_, true) => true,
        (2.., false) => false,
        _ => DIRS.iter().any(|other| *other != dir && look(other).is_ok_and(|(_, any)| any)),
    };
    if answers {
        return Ok(());
    }
    let message = format!(
        "{wrong}; nothing else in {dir} can be read either, so nothing was changed: is the disk there, and may this user read it?"
    );
    Err(Error::new(wrong.code, message))
}

/// Whether a file is there of which something cannot be read: its name is not given to another.
pub(crate) fn is_unreadable(vault: &dyn Vault, path: &str) -> bool {
    const CHUNK: usize = 1 << 20;
    let read_all = || -> Result<()> {
        let file = vault.open(path)?;
        let mut at = 0;
        loop {
            let read = file.read(at, CHUNK)?.len();
            at += read as u64;
            if read < CHUNK {
                return Ok(());
            }
        }
    };
    read_all().is_err_and(|e| e.is_unreadable())
}

/// A file of a vault.
#[expect(clippy::len_without_is_empty, reason = "a file's length is a question that may fail")]
pub trait VaultFile {
    /// Writes all of it at this place.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Reads up to `len` bytes from this place; fewer only where the file ends.
    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>>;
    /// How long the file is.
    fn len(&self) -> Result<u64>;
    /// Makes what it holds durable.
    fn sync(&self) -> Result<()>;
}

impl dyn VaultFile + '_ {
    /// Reads what `len` bytes from this place have, and asks again where fewer come than the file has: taken for the
    /// end of the file, they would look like damage, and damage is acted upon.
    pub(crate) fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = self.read_at(offset, len)?;
        while bytes.len() < len {
            let end = offset.saturating_add(bytes.len() as u64);
            let file = self.len()?;
            if end >= file {
                break;
            }
            let more = self.read_at(end, len - bytes.len())?;
            if more.is_empty() {
                return Err(Error::new(Code::Io, format!("reading ended at byte {end} of {file}")));
            }
            bytes.extend_from_slice(&more);
        }
        Ok(bytes)
    }
}

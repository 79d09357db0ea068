//! Files and folders that cannot be read, whoever asks and however often.

use std::ops::Range;

use super::Disk;
use super::state::State;
use crate::error::{Code, Error, Result};

/// Why a file or a folder cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Reading any of these bytes fails (EIO): bad sectors.
    Sectors(Range<u64>),
    /// It cannot be opened or listed, with an error of the device (EIO).
    Away,
    /// It cannot be opened or listed for want of permission (EACCES). Its length is known.
    Denied,
    /// A folder is in the place of the file, or a link that leads nowhere: it is listed, and that is all.
    NoFile,
    /// It is listed by a name that is not Unicode. It has no other.
    Nameless,
    /// Nothing can be found out about it (EIO), so that a host that lists the folder cannot tell its name either.
    Unknown,
}

impl Disk {
    /// From now on this path cannot be read. Faults of [`begin`](Self::begin) come on top.
    pub fn spoil(&self, path: &str, how: Unreadable) {
        self.state().unreadable.insert(path.to_owned(), how);
    }

    /// All can be read again.
    pub fn heal(&self) {
        self.state().unreadable.clear();
    }

    /// Changes that somebody tried to make to what cannot be read.
    pub fn touched(&self) -> Vec<String> {
        self.state().touched.clone()
    }
}

fn wrong(code: Code, doing: &str, path: &str, why: &str) -> Error {
    Error::new(code, format!("cannot {doing} {path}: {why}"))
}

impl State {
    /// Fails if this cannot be opened, or listed.
    pub(super) fn may_open(&self, doing: &str, path: &str) -> Result<()> {
        match self.unreadable.get(path) {
            Some(Unreadable::Away | Unreadable::Unknown) => Err(wrong(Code::Io, doing, path, "I/O error")),
            Some(Unreadable::Denied) => Err(wrong(Code::Denied, doing, path, "permission is missing")),
            Some(Unreadable::NoFile) => Err(wrong(Code::Io, doing, path, "it is a directory")),
            Some(Unreadable::Nameless) => Err(super::not_found(path)),
            _ => Ok(()),
        }
    }

    /// Fails if how long this is cannot be found out.
    pub(super) fn may_measure(&self, path: &str) -> Result<()> {
        match self.unreadable.get(path) {
            Some(Unreadable::NoFile | Unreadable::Nameless | Unreadable::Unknown) => {
                self.may_open("look at", path)
            }
            _ => Ok(()),
        }
    }

    /// Fails if a byte of these cannot be read.
    pub(super) fn may_read(&self, path: &str, range: Range<u64>) -> Result<()> {
        match self.unreadable.get(path) {
            Some(Unreadable::Sectors(bad)) if bad.start < range.end && range.start < bad.end => {
                Err(wrong(Code::Io, "read", path, "I/O error"))
            }
            _ => Ok(()),
        }
    }

    /// The name as it is listed.
    pub(super) fn listed(&self, dir: &str, name: &str) -> String {
        let path = crate::repository::join(dir, name);
        let nameless = matches!(self.unreadable.get(&path), Some(Unreadable::Nameless | Unreadable::Unknown));
        if nameless { String::new() } else { name.to_owned() }
    }

    /// Notes that somebody changes what cannot be read. A folder is neither removed nor replaced like that.
    pub(super) fn may_change(&mut self, doing: &str, path: &str) -> Result<()> {
        let Some(how) = self.unreadable.get(path).cloned() else { return Ok(()) };
        self.touched.push(format!("{doing} {path}"));
        match how {
            Unreadable::NoFile => Err(wrong(Code::Io, doing, path, "it is a directory")),
            _ => Ok(()),
        }
    }
}

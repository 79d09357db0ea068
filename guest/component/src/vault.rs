//! The repository's directory through WASI.
//!
//! Straight on the descriptors: one host call reads or writes at a place, where the standard library makes several.

use std::cell::Cell;

use strongroom_engine::{Code, Error, Level, Progress as _, Result, Vault, VaultFile};

use crate::bindings::strongroom::backup::progress;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

use crate::imports::Progress;

/// Names that cannot be told are counted in a folder up to here: a host may fail for ever.
const NAMELESS_MAX: usize = 10_000;
/// No host gives more at once.
const READ_MAX: usize = 64 << 10;
/// Nor should it be asked to take more.
const WRITE_MAX: usize = 4 << 20;
/// Room that is made at once for what is read.
const ROOM_MAX: usize = 2 << 20;
/// From this size on, a host is told that what was written may go to the disk at once.
const EARLY: usize = 1 << 20;

/// The one directory that this component was given.
pub(crate) struct WasiVault {
    root: Descriptor,
    /// That directories are not synced was said.
    told: Cell<bool>,
}

/// Said once.
const NOT_SYNCED: &str = "this file system cannot sync directories: after a loss of power the newest snapshots may be \
                          gone, or forgotten ones be back";

/// The vault of this instance, which lives as long as it.
pub(crate) fn vault() -> Result<&'static WasiVault> {
    thread_local! {
        static VAULT: std::cell::OnceCell<&'static WasiVault> = const { std::cell::OnceCell::new() };
    }
    VAULT.with(|vault| match vault.get() {
        Some(vault) => Ok(*vault),
        None => {
            let (root, _) = get_directories().into_iter().next().ok_or_else(|| {
                Error::new(Code::Denied, "no directory was granted; the engine needs the repository's")
            })?;
            let opened: &'static WasiVault = Box::leak(Box::new(WasiVault { root, told: Cell::new(false) }));
            Ok(*vault.get_or_init(|| opened))
        }
    })
}

fn error(path: &str, doing: &str, code: ErrorCode) -> Error {
    let path = if path.is_empty() { "the repository" } else { path };
    let (code, why) = in_words(code);
    Error::new(code, format!("cannot {doing} {path}: {why}"))
}

/// What a host says. Every code is here, so that none reaches people in the words of WASI's specification.
fn in_words(code: ErrorCode) -> (Code, &'static str) {
    match code {
        ErrorCode::NoEntry => (Code::NotFound, "it is not there"),
        ErrorCode::Exist => (Code::Exists, "it is there already"),
        ErrorCode::Access | ErrorCode::NotPermitted => (Code::Denied, "permission is missing"),
        ErrorCode::ReadOnly => (Code::Denied, "the directory is read-only"),
        ErrorCode::InsufficientSpace | ErrorCode::Quota => {
            (Code::Full, "no room is left; free some, or forget snapshots and prune, and run it again")
        }
        ErrorCode::FileTooLarge => (Code::Full, "the file system takes no larger file"),
        ErrorCode::IsDirectory => (Code::Io, "it is a directory"),
        ErrorCode::NotDirectory => (Code::Io, "it is no directory"),
        ErrorCode::NotEmpty => (Code::Io, "the directory is not empty"),
        ErrorCode::Io => (Code::Io, "the disk or the file system failed"),
        ErrorCode::NoDevice | ErrorCode::NoSuchDevice => (Code::Io, "the disk or its file system is gone"),
        ErrorCode::InsufficientMemory => (Code::Io, "the system has no memory left"),
        ErrorCode::Loop => (Code::Io, "it is a symbolic link, which is not followed"),
        ErrorCode::TooManyLinks => (Code::Io, "it has more links than the file system allows"),
        ErrorCode::NameTooLong => (Code::Io, "the name is too long for the file system"),
        ErrorCode::IllegalByteSequence => (Code::Io, "its name is not UTF-8"),
        ErrorCode::CrossDevice => (Code::Io, "it is on another file system than the repository"),
        ErrorCode::Busy | ErrorCode::TextFileBusy => (Code::Io, "something else is using it"),
        ErrorCode::WouldBlock | ErrorCode::Already | ErrorCode::InProgress => {
            (Code::Io, "the file system was not ready; run it again")
        }
        ErrorCode::Deadlock | ErrorCode::NoLock => (Code::Io, "the file system could not lock it"),
        ErrorCode::Interrupted => (Code::Io, "signals interrupted it again and again"),
        ErrorCode::Overflow => (Code::Io, "a number is larger than the file system can say"),
        ErrorCode::Pipe => (Code::Io, "it is a pipe that nobody reads"),
        ErrorCode::NoTty | ErrorCode::InvalidSeek => (Code::Io, "it is not a file"),
        ErrorCode::BadDescriptor => (Code::Io, "the file was closed"),
        ErrorCode::Invalid => (Code::Io, "the file system does not take this"),
        ErrorCode::Unsupported => (Code::Io, "the file system cannot do this"),
        ErrorCode::MessageSize | ErrorCode::NotRecoverable => {
            (Code::Io, "the file system is in a state from which it does not recover")
        }
    }
}

/// Asks the host, before what others see changes, whether the run still holds the repository: its lock may have been broken.
fn may_change() -> Result<()> {
    if progress::advance("", 0, 0) {
        return Ok(());
    }
    Err(Error::new(Code::Cancelled, "stopped: the lock of this run is no longer its own"))
}

/// Makes a call again that a signal interrupted; a host that never lets it through is not asked for ever.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    for _ in 0..100 {
        match call() {
            Err(ErrorCode::Interrupted) => {}
            done => return done,
        }
    }
    call()
}

impl WasiVault {
    fn open_with(&self, path: &str, open: OpenFlags, flags: DescriptorFlags, doing: &str) -> Result<File> {
        let descriptor = self.root.open_at(PathFlags::empty(), path, open, flags);
        let descriptor = descriptor.map_err(|code| error(path, doing, code))?;
        Ok(File { descriptor, path: path.to_owned() })
    }

    /// Does something with a folder.
    fn with_dir<T>(&self, dir: &str, act: impl FnOnce(&Descriptor) -> Result<T>) -> Result<T> {
        if dir.is_empty() {
            return act(&self.root);
        }
        act(&self.open_with(dir, OpenFlags::DIRECTORY, DescriptorFlags::READ, "open")?.descriptor)
    }
}

impl Vault for WasiVault {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let file = self.open_with(path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, flags, "create")?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        Ok(Box::new(self.open_with(path, OpenFlags::empty(), DescriptorFlags::READ, "open")?))
    }

    fn len(&self, path: &str) -> Result<u64> {
        let stat =
            self.root.stat_at(PathFlags::empty(), path).map_err(|code| error(path, "look at", code))?;
        match stat.type_ {
            DescriptorType::RegularFile | DescriptorType::Unknown => Ok(stat.size),
            DescriptorType::Directory => Err(error(path, "look at", ErrorCode::IsDirectory)),
            DescriptorType::SymbolicLink => Err(error(path, "look at", ErrorCode::Loop)),
            _ => Err(Error::new(Code::Io, format!("cannot look at {path}: it is no file"))),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        may_change()?;
        self.root.rename_at(from, &self.root, to).map_err(|code| error(from, "rename", code))
    }

    fn remove(&self, path: &str) -> Result<()> {
        may_change()?;
        self.root.unlink_file_at(path).map_err(|code| error(path, "remove", code))
    }

    fn make_dir(&self, path: &str) -> Result<()> {
        match self.root.create_directory_at(path) {
            Ok(()) | Err(ErrorCode::Exist) => Ok(()),
            Err(code) => Err(error(path, "make", code)),
        }
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let wrong = |code| error(dir, "list", code);
        self.with_dir(dir, |dir| {
            let entries = dir.read_directory().map_err(wrong)?;
            let mut names = Vec::new();
            let mut nameless = 0;
            loop {
                match entries.read_directory_entry() {
                    Ok(Some(entry)) => names.push(entry.name),
                    Ok(None) => return Ok(names),
                    // A host looks at each file after it has read the names; beside a writer, one may be gone by then.
                    Err(ErrorCode::NoEntry) => {}
                    // One that is not Unicode, or of which the host cannot find out what it is.
                    Err(_) if nameless < NAMELESS_MAX => {
                        nameless += 1;
                        names.push(String::new());
                    }
                    Err(code) => return Err(wrong(code)),
                }
            }
        })
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.with_dir(dir, |descriptor| match uninterrupted(|| descriptor.sync()) {
            // A file system that has no such thing says so at once; what it could not write it tells as `Io`.
            Err(ErrorCode::Invalid | ErrorCode::Unsupported) => {
                if !self.told.replace(true) {
                    Progress.log(Level::Warn, NOT_SYNCED);
                }
                Ok(())
            }
            synced => synced.map_err(|code| error(dir, "sync", code)),
        })
    }
}

struct File {
    descriptor: Descriptor,
    path: String,
}

impl VaultFile for File {
    fn write_at(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let piece = &bytes[..bytes.len().min(WRITE_MAX)];
            let written = uninterrupted(|| self.descriptor.write(piece, offset));
            let written = written.map_err(|code| error(&self.path, "write", code))?;
            if written == 0 {
                return Err(error(&self.path, "write", ErrorCode::InsufficientSpace));
            }
            // A host may do a part of it, and never more.
            let taken = usize::try_from(written).ok().filter(|taken| *taken <= piece.len());
            let taken = taken.ok_or_else(|| error(&self.path, "write", ErrorCode::Io))?;
            if taken >= EARLY {
                // To a host that heeds it: begin to write this out, for it is not read again soon. The sync that ends the
                // file then has little left to wait for. Whether it is heeded is of no account.
                let _ = self.descriptor.advise(offset, written, Advice::DontNeed);
            }
            offset += written;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let wanted = (len - bytes.len()).min(READ_MAX) as u64;
            let read = uninterrupted(|| self.descriptor.read(wanted, offset + bytes.len() as u64));
            // A directory can be opened like a file.
            let (read, end) = read.map_err(|code| match code {
                ErrorCode::BadDescriptor => error(&self.path, "read", ErrorCode::IsDirectory),
                code => error(&self.path, "read", code),
            })?;
            if read.is_empty() {
                break;
            }
            if bytes.is_empty() {
                bytes = read;
            } else {
                // Not by doubling it again and again; nor at once for whoever asks for more than there is.
                bytes.reserve((len - bytes.len()).min(ROOM_MAX).max(read.len()));
                bytes.extend_from_slice(&read);
            }
            if end {
                break;
            }
        }
        Ok(bytes)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.descriptor.stat().map_err(|code| error(&self.path, "look at", code))?.size)
    }

    fn sync(&self) -> Result<()> {
        uninterrupted(|| self.descriptor.sync()).map_err(|code| error(&self.path, "sync", code))
    }
}

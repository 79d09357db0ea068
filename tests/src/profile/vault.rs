//! A directory as the engine sees it where no sandbox is between them: the same system calls, and their time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use strongroom_engine::{Code, Error, Result, Vault, VaultFile};

use super::clock::{Call, timed};

/// As the component writes.
const WRITE_MAX: usize = 4 << 20;
const EARLY: usize = 1 << 20;

pub(super) struct Directory(PathBuf);

struct OpenFile {
    file: File,
    path: PathBuf,
}

fn error(path: &Path, e: &io::Error) -> Error {
    let code = match e.kind() {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::AlreadyExists => Code::Exists,
        _ => Code::Io,
    };
    Error::new(code, format!("{}: {e}", path.display()))
}

impl Directory {
    /// A new directory.
    pub(super) fn make(path: &Path) -> Result<Self> {
        fs::create_dir(path).map_err(|e| error(path, &e))?;
        Ok(Self(path.to_owned()))
    }

    fn on<T>(&self, call: Call, path: &str, work: impl FnOnce(&Path) -> io::Result<T>) -> Result<T> {
        let path = self.0.join(path);
        timed(call, || work(&path)).map_err(|e| error(&path, &e))
    }

    fn opened(&self, path: &str, options: &OpenOptions) -> Result<Box<dyn VaultFile>> {
        let file = self.on(Call::Files, path, |path| options.open(path))?;
        Ok(Box::new(OpenFile { file, path: self.0.join(path) }))
    }
}

impl Vault for Directory {
    fn create(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.opened(path, OpenOptions::new().read(true).write(true).create_new(true).mode(0o600))
    }

    fn open(&self, path: &str) -> Result<Box<dyn VaultFile>> {
        self.opened(path, OpenOptions::new().read(true))
    }

    fn len(&self, path: &str) -> Result<u64> {
        Ok(self.on(Call::Files, path, |path| fs::metadata(path))?.len())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.on(Call::Files, from, |from| fs::rename(from, self.0.join(to)))
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.on(Call::Files, path, |path| fs::remove_file(path))
    }

    fn make_dir(&self, path: &str) -> Result<()> {
        self.on(Call::Files, path, |path| match fs::create_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        })
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.on(Call::Files, dir, |dir| {
            fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        })
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.on(Call::Sync, dir, |dir| File::open(dir)?.sync_all())
    }
}

impl VaultFile for OpenFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = || -> io::Result<()> {
            let mut offset = offset;
            for piece in bytes.chunks(WRITE_MAX) {
                self.file.write_all_at(piece, offset)?;
                if piece.len() >= EARLY {
                    early(&self.file, offset, piece.len() as u64);
                }
                offset += piece.len() as u64;
            }
            Ok(())
        };
        timed(Call::Write, write).map_err(|e| error(&self.path, &e))
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let read = || -> io::Result<Vec<u8>> {
            let (mut bytes, mut filled) = (vec![0; len], 0);
            while filled < len {
                match self.file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                    0 => break,
                    read => filled += read,
                }
            }
            bytes.truncate(filled);
            Ok(bytes)
        };
        timed(Call::Files, read).map_err(|e| error(&self.path, &e))
    }

    fn len(&self) -> Result<u64> {
        let metadata = timed(Call::Files, || self.file.metadata()).map_err(|e| error(&self.path, &e))?;
        Ok(metadata.len())
    }

    fn sync(&self) -> Result<()> {
        timed(Call::Sync, || self.file.sync_all()).map_err(|e| error(&self.path, &e))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn early(file: &File, offset: u64, len: u64) {
    let _ = rustix::fs::fadvise(file, offset, std::num::NonZero::new(len), rustix::fs::Advice::DontNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn early(_file: &File, _offset: u64, _len: u64) {}

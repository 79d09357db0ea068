//! What the kernel knows by number: inodes of the directory behind, each held open by its path alone.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{Mode, OFlags, openat};

struct Node {
    /// Opened with `O_PATH`: it stays the same file, whatever its name becomes, and its number is not used again.
    file: File,
    /// From the mounted directory.
    path: PathBuf,
    lookups: u64,
}

/// All of them.
pub(crate) struct Nodes {
    root: u64,
    nodes: HashMap<u64, Node>,
}

impl Nodes {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(directory, flags, Mode::empty())?);
        let root = file.metadata()?.ino();
        let node = Node { file, path: PathBuf::new(), lookups: 1 };
        Ok(Self { root, nodes: HashMap::from([(root, node)]) })
    }

    fn behind(&self, number: INodeNo) -> u64 {
        if number == INodeNo::ROOT { self.root } else { number.0 }
    }

    fn node(&self, number: INodeNo) -> io::Result<&Node> {
        self.nodes.get(&self.behind(number)).ok_or_else(|| io::Error::from_raw_os_error(116)) // ESTALE
    }

    pub(crate) fn path(&self, number: INodeNo) -> PathBuf {
        self.node(number).map(|node| node.path.clone()).unwrap_or_default()
    }

    /// The file, opened by its path alone.
    pub(crate) fn file(&self, number: INodeNo) -> io::Result<&File> {
        Ok(&self.node(number)?.file)
    }

    /// A path that leads to the file whatever it is called now.
    pub(crate) fn magic(&self, number: INodeNo) -> io::Result<PathBuf> {
        Ok(format!("/proc/self/fd/{}", self.file(number)?.as_raw_fd()).into())
    }

    /// Finds a name, counts that the kernel knows it, and answers its attributes.
    pub(crate) fn look_up(&mut self, parent: INodeNo, name: &OsStr) -> io::Result<Metadata> {
        let above = self.node(parent)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&above.file, name, flags, Mode::empty())?);
        let path = above.path.join(name);
        let metadata = file.metadata()?;
        let node =
            self.nodes.entry(metadata.ino()).or_insert_with(|| Node { file, path: path.clone(), lookups: 0 });
        node.lookups += 1;
        node.path = path;
        Ok(metadata)
    }

    pub(crate) fn renamed(&mut self, from: &Path, to: &Path) {
        for node in self.nodes.values_mut() {
            if let Ok(below) = node.path.strip_prefix(from) {
                // Joined to nothing, a path would end with a slash.
                node.path = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            }
        }
    }

    pub(crate) fn forget(&mut self, number: INodeNo, lookups: u64) {
        let number = self.behind(number);
        if let Some(node) = self.nodes.get_mut(&number) {
            node.lookups = node.lookups.saturating_sub(lookups);
            if node.lookups == 0 && number != self.root {
                self.nodes.remove(&number);
            }
        }
    }

    /// What the kernel is told of a file.
    pub(crate) fn attributes(&self, metadata: &Metadata, mode: Option<u16>) -> FileAttr {
        let time = |seconds: i64, nanos: i64| {
            UNIX_EPOCH + Duration::new(seconds.try_into().unwrap_or(0), nanos.try_into().unwrap_or(0))
        };
        let ino = if metadata.ino() == self.root { INodeNo::ROOT } else { INodeNo(metadata.ino()) };
        FileAttr {
            ino,
            size: metadata.size(),
            blocks: metadata.blocks(),
            atime: time(metadata.atime(), metadata.atime_nsec()),
            mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime: time(metadata.ctime(), metadata.ctime_nsec()),
            crtime: UNIX_EPOCH,
            kind: kind(metadata.file_type()),
            perm: mode.unwrap_or((metadata.mode() & 0o7777) as u16),
            nlink: metadata.nlink() as u32,
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

pub(crate) fn kind(of: std::fs::FileType) -> FileType {
    match of {
        of if of.is_dir() => FileType::Directory,
        of if of.is_symlink() => FileType::Symlink,
        of if of.is_fifo() => FileType::NamedPipe,
        of if of.is_socket() => FileType::Socket,
        _ => FileType::RegularFile,
    }
}

//! The calls themselves: each looks for a rule, then does what was asked in the directory behind.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, openat};

use crate::nodes::{Nodes, kind};
use crate::op::Op;
use crate::rules::{Shared, locked};

/// Nothing is to be known without asking.
const NOW: Duration = Duration::ZERO;

struct Inner {
    nodes: Nodes,
    handles: HashMap<u64, Arc<File>>,
    next: u64,
}

impl Inner {
    fn keep(&mut self, file: File) -> FileHandle {
        self.next += 1;
        self.handles.insert(self.next, Arc::new(file));
        FileHandle(self.next)
    }
}

pub(crate) struct Files {
    inner: Mutex<Inner>,
    shared: Shared,
}

/// Answers a call, or with what made it fail.
macro_rules! answer {
    ($reply:ident, $result:expr, $value:pat => $with:expr) => {
        match (|| -> io::Result<_> { $result })() {
            Ok($value) => $with,
            Err(e) => $reply.error(errno(&e)),
        }
    };
}

fn errno(e: &io::Error) -> Errno {
    Errno::from_i32(e.raw_os_error().unwrap_or(5))
}

impl Files {
    pub(crate) fn new(directory: &Path, shared: Shared) -> io::Result<Self> {
        let inner = Inner { nodes: Nodes::new(directory)?, handles: HashMap::new(), next: 0 };
        Ok(Self { inner: Mutex::new(inner), shared })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(&self, op: Op, path: &Path, bytes: std::ops::Range<u64>) -> io::Result<()> {
        locked(&self.shared).ask(op, path, bytes)
    }

    fn may(&self, op: Op, number: INodeNo) -> io::Result<()> {
        let path = self.inner().nodes.path(number);
        self.rule(op, &path, 0..u64::MAX)
    }

    fn may_below(&self, op: Op, parent: INodeNo, name: &OsStr) -> io::Result<()> {
        let path = self.inner().nodes.path(parent).join(name);
        self.rule(op, &path, 0..u64::MAX)
    }

    fn handle(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        self.inner().handles.get(&handle.0).cloned().ok_or_else(|| io::Error::from_raw_os_error(9)) // EBADF
    }

    fn open_behind(&self, number: INodeNo, flags: i32) -> io::Result<FileHandle> {
        let mut inner = self.inner();
        let path = inner.nodes.magic(number)?;
        let access = flags & 3;
        let file = OpenOptions::new()
            .read(access != 1)
            .write(access != 0)
            .custom_flags(flags & OFlags::NONBLOCK.bits() as i32)
            .open(path)?;
        Ok(inner.keep(file))
    }

    /// What was made belongs to the one who asked for it, not to this process.
    fn made(&self, request: &Request, parent: INodeNo, name: &OsStr) -> io::Result<fuser::FileAttr> {
        let mut inner = self.inner();
        std::os::unix::fs::lchown(
            inner.nodes.magic(parent)?.join(name),
            Some(request.uid()),
            Some(request.gid()),
        )?;
        let metadata = inner.nodes.look_up(parent, name)?;
        let mode = locked(&self.shared).mode;
        Ok(inner.nodes.attributes(&metadata, mode))
    }

    fn attributes(&self, number: INodeNo) -> io::Result<fuser::FileAttr> {
        let inner = self.inner();
        let metadata = inner.nodes.file(number)?.metadata()?;
        let mode = locked(&self.shared).mode;
        Ok(inner.nodes.attributes(&metadata, mode))
    }
}

impl Filesystem for Files {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Without it the kernel answers for locks itself.
        config.add_capabilities(InitFlags::FUSE_FLOCK_LOCKS).map_err(|_| io::Error::from_raw_os_error(95))
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer!(reply, {
            self.may_below(Op::Stat, parent, name)?;
            let mut inner = self.inner();
            let metadata = inner.nodes.look_up(parent, name)?;
            let mode = locked(&self.shared).mode;
            Ok(inner.nodes.attributes(&metadata, mode))
        }, attr => reply.entry(&NOW, &attr, Generation(0)));
    }

    fn forget(&self, _: &Request, ino: INodeNo, nlookup: u64) {
        self.inner().nodes.forget(ino, nlookup);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, {
            self.may(Op::Stat, ino)?;
            self.attributes(ino)
        }, attr => reply.attr(&NOW, &attr));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        answer!(reply, {
            let path = self.inner().nodes.magic(ino)?;
            if let Some(mode) = mode {
                self.may(Op::Mode, ino)?;
                if locked(&self.shared).mode.is_none() {
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode & 0o7777))?;
                }
            }
            if uid.is_some() || gid.is_some() {
                self.may(Op::Owner, ino)?;
                std::os::unix::fs::chown(&path, uid, gid)?;
            }
            if let Some(size) = size {
                self.may(Op::Truncate, ino)?;
                OpenOptions::new().write(true).open(&path)?.set_len(size)?;
            }
            if atime.is_some() || mtime.is_some() {
                self.may(Op::Times, ino)?;
                let time = |time: Option<TimeOrNow>| match time {
                    Some(TimeOrNow::SpecificTime(time)) => time,
                    _ => SystemTime::now(),
                };
                let times = std::fs::FileTimes::new().set_accessed(time(atime)).set_modified(time(mtime));
                File::open(&path)?.set_times(times)?;
            }
            self.attributes(ino)
        }, attr => reply.attr(&NOW, &attr));
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        answer!(reply, {
            Ok(rustix::fs::readlinkat(self.inner().nodes.file(ino)?, "", Vec::new())?)
        }, target => reply.data(target.to_bytes()));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        answer!(reply, {
            self.may_below(Op::MakeDir, parent, name)?;
            rustix::fs::mkdirat(self.inner().nodes.file(parent)?, name, Mode::from_raw_mode(mode))?;
            self.made(request, parent, name)
        }, attr => reply.entry(&NOW, &attr, Generation(0)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, {
            self.may_below(Op::Remove, parent, name)?;
            Ok(rustix::fs::unlinkat(self.inner().nodes.file(parent)?, name, AtFlags::empty())?)
        }, () => reply.ok());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer!(reply, {
            self.may_below(Op::Remove, parent, name)?;
            Ok(rustix::fs::unlinkat(self.inner().nodes.file(parent)?, name, AtFlags::REMOVEDIR)?)
        }, () => reply.ok());
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        answer!(reply, {
            self.may_below(Op::Link, parent, name)?;
            rustix::fs::symlinkat(target, self.inner().nodes.file(parent)?, name)?;
            self.made(request, parent, name)
        }, attr => reply.entry(&NOW, &attr, Generation(0)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        answer!(reply, {
            self.may_below(Op::Rename, parent, name)?;
            let mut inner = self.inner();
            let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
            let [from, to] = [parent, newparent].map(|number| inner.nodes.file(number));
            rustix::fs::renameat_with(from?, name, to?, newname, flags)?;
            let [from, to] = [(parent, name), (newparent, newname)].map(|(p, n)| inner.nodes.path(p).join(n));
            inner.nodes.renamed(&from, &to);
            Ok(())
        }, () => reply.ok());
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        answer!(reply, {
            self.may_below(Op::Link, newparent, newname)?;
            let mut inner = self.inner();
            let old = inner.nodes.magic(ino)?;
            let above = inner.nodes.file(newparent)?;
            rustix::fs::linkat(rustix::fs::CWD, old, above, newname, AtFlags::SYMLINK_FOLLOW)?;
            let metadata = inner.nodes.look_up(newparent, newname)?;
            let mode = locked(&self.shared).mode;
            Ok(inner.nodes.attributes(&metadata, mode))
        }, attr => reply.entry(&NOW, &attr, Generation(0)));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        answer!(reply, {
            self.may_below(Op::Create, parent, name)?;
            let exclusive = OFlags::from_bits_retain(flags as u32) & OFlags::EXCL;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | exclusive;
            let mode = Mode::from_raw_mode(mode);
            let file = openat(self.inner().nodes.file(parent)?, name, flags, mode)?;
            let attr = self.made(request, parent, name)?;
            Ok((attr, self.inner().keep(File::from(file))))
        }, (attr, handle) => reply.created(&NOW, &attr, Generation(0), handle, FopenFlags::FOPEN_DIRECT_IO));
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        answer!(reply, {
            self.may(Op::Open, ino)?;
            self.open_behind(ino, flags.0)
        }, handle => reply.opened(handle, FopenFlags::FOPEN_DIRECT_IO));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        answer!(reply, {
            let path = self.inner().nodes.path(ino);
            self.rule(Op::Read, &path, offset..offset + u64::from(size))?;
            let mut bytes = vec![0; size as usize];
            let read = self.handle(fh)?.read_at(&mut bytes, offset)?;
            bytes.truncate(read);
            Ok(bytes)
        }, bytes => reply.data(&bytes));
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        answer!(reply, {
            let path = self.inner().nodes.path(ino);
            self.rule(Op::Write, &path, offset..offset + data.len() as u64)?;
            self.handle(fh)?.write_at(data, offset)
        }, written => reply.written(written as u32));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        fh: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.inner().handles.remove(&fh.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, fh: FileHandle, _: bool, reply: ReplyEmpty) {
        answer!(reply, {
            self.may(Op::Sync, ino)?;
            self.handle(fh)?.sync_all()
        }, () => reply.ok());
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        answer!(reply, {
            self.may(Op::OpenDir, ino)?;
            self.open_behind(ino, 0)
        }, handle => reply.opened(handle, FopenFlags::empty()));
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        answer!(reply, {
            self.may(Op::ReadDir, ino)?;
            let path = self.inner().nodes.magic(ino)?;
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                entries.push((entry.metadata()?.ino(), kind(entry.file_type()?), entry.file_name()));
            }
            // In the same order whenever the rest is asked for.
            entries.sort_by(|a, b| a.2.as_bytes().cmp(b.2.as_bytes()));
            Ok(entries)
        }, entries => {
            for (next, (number, kind, name)) in (1..).zip(entries).skip(offset as usize) {
                if reply.add(INodeNo(number), next, kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn releasedir(&self, _: &Request, _: INodeNo, fh: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.inner().handles.remove(&fh.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, fh: FileHandle, _: bool, reply: ReplyEmpty) {
        answer!(reply, {
            self.may(Op::SyncDir, ino)?;
            self.handle(fh)?.sync_all()
        }, () => reply.ok());
    }

    fn statfs(&self, _: &Request, ino: INodeNo, reply: ReplyStatfs) {
        answer!(reply, Ok(rustix::fs::fstatvfs(self.inner().nodes.file(ino)?)?), of => reply.statfs(
            of.f_blocks, of.f_bfree, of.f_bavail, of.f_files, of.f_ffree, of.f_bsize as u32, 255, of.f_frsize as u32,
        ));
    }

    fn setlk(
        &self,
        _: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _: LockOwner,
        _: u64,
        _: u64,
        typ: i32,
        _: u32,
        sleep: bool,
        reply: ReplyEmpty,
    ) {
        let take = || -> io::Result<_> {
            self.may(Op::Lock, ino)?;
            self.handle(fh)
        };
        let operation = match (typ, sleep) {
            (0, false) => FlockOperation::NonBlockingLockShared,
            (0, true) => FlockOperation::LockShared,
            (1, false) => FlockOperation::NonBlockingLockExclusive,
            (1, true) => FlockOperation::LockExclusive,
            _ => FlockOperation::Unlock,
        };
        match take() {
            // It may be waited for, meanwhile other calls are answered.
            Ok(file) => drop(std::thread::spawn(move || match rustix::fs::flock(&*file, operation) {
                Ok(()) => reply.ok(),
                Err(e) => reply.error(Errno::from_i32(e.raw_os_error())),
            })),
            Err(e) => reply.error(errno(&e)),
        }
    }
}

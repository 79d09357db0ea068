//! Where a lock is looked at: which machine this is, and what its file system knows of locks.

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

/// What a program is that holds the operating system's lock too.
pub(super) const HOST: &str = "host";
/// What one is that cannot.
pub(super) const COMPONENT: &str = "component";

/// What the operating system says of its lock on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum System {
    /// Another process has it.
    Held,
    /// Nobody had it; now this process has it.
    Free,
    /// There is none here, and why.
    Unsupported(String),
}

/// All that decides over a lock besides the file itself. Tests put another one in its place.
pub(super) struct Place {
    pub(super) kind: &'static str,
    /// The name of this machine, which a component does not know.
    pub(super) machine: String,
    /// Which boot of it this is.
    pub(super) boot: Option<String>,
    /// The number of this process, which a component does not know.
    pub(super) pid: u32,
    pub(super) nameless: Duration,
    pub(super) try_lock: fn(&File) -> io::Result<System>,
    /// Whether every process that may hold the file is one of this machine.
    pub(super) is_local: fn(&File) -> bool,
}

impl Place {
    pub(super) fn here() -> Self {
        let is_component = cfg!(target_family = "wasm");
        Self {
            kind: if is_component { COMPONENT } else { HOST },
            machine: machine(),
            boot: boot(),
            pid: if is_component { 0 } else { std::process::id() },
            nameless: super::NAMELESS,
            try_lock,
            is_local,
        }
    }
}

fn try_lock(file: &File) -> io::Result<System> {
    match file.try_lock() {
        Ok(()) => Ok(System::Free),
        Err(TryLockError::WouldBlock) => Ok(System::Held),
        Err(TryLockError::Error(e)) if is_unsupported(&e) => Ok(System::Unsupported(e.to_string())),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// What file systems say that have no locks, or whose server has none.
pub(super) fn is_unsupported(e: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let none = [Errno::NOLCK, Errno::INVAL, Errno::BADF, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS];
        if none.iter().any(|errno| e.raw_os_error() == Some(errno.raw_os_error())) {
            return true;
        }
    }
    e.kind() == io::ErrorKind::Unsupported
}

/// The numbers of file systems that no other machine has a hand in (`statfs(2)`): ext2 to 4, XFS, Btrfs, ZFS, tmpfs, ramfs,
/// overlayfs, F2FS, bcachefs, JFS, ReiserFS, NILFS, FAT, exFAT, NTFS, HFS+, UBIFS, JFFS2.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LOCAL: [u64; 18] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x2fc1_2fc1,
    0x0102_1994,
    0x8584_58f6,
    0x794c_7630,
    0xf2f5_2010,
    0xca45_1a4e,
    0x3153_464a,
    0x5265_4973,
    0x3434,
    0x4d44,
    0x2011_bab0,
    0x7366_746e,
    0x482b,
    0x2405_1905,
    0x72b6,
];

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(clippy::unnecessary_cast, reason = "the type is another on other machines")]
fn is_local(file: &File) -> bool {
    // A negative one is of 32 bits, too.
    rustix::fs::fstatfs(file).is_ok_and(|of| LOCAL.contains(&u64::from(of.f_type as u32)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_local(_file: &File) -> bool {
    false
}

fn machine() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

fn boot() -> Option<String> {
    if cfg!(target_os = "linux") {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        return Some(id.trim().to_owned()).filter(|id| !id.is_empty());
    }
    // Elsewhere its name has to do.
    Some(machine()).filter(|name| !name.is_empty())
}

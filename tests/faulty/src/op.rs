/// What a program asks of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Looks at a file or directory: `stat`, and the first look before an `open`.
    Stat,
    /// Opens a file that is there.
    Open,
    /// Opens a directory to list or sync it.
    OpenDir,
    /// Lists a directory.
    ReadDir,
    /// Makes a file.
    Create,
    /// Makes a directory.
    MakeDir,
    /// Reads bytes.
    Read,
    /// Writes bytes.
    Write,
    /// Sets the length.
    Truncate,
    /// Syncs a file.
    Sync,
    /// Syncs a directory.
    SyncDir,
    /// Takes or leaves the system's lock of a whole file.
    Lock,
    /// Sets mode bits.
    Mode,
    /// Sets owner or group.
    Owner,
    /// Sets times.
    Times,
    /// Renames; the path is the old one.
    Rename,
    /// Removes a file or directory.
    Remove,
    /// Makes a link.
    Link,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Stat,
        Self::Open,
        Self::OpenDir,
        Self::ReadDir,
        Self::Create,
        Self::MakeDir,
        Self::Read,
        Self::Write,
        Self::Truncate,
        Self::Sync,
        Self::SyncDir,
        Self::Lock,
        Self::Mode,
        Self::Owner,
        Self::Times,
        Self::Rename,
        Self::Remove,
        Self::Link,
    ];
}

//! `kv-store`: the granted database.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use strongroom_store as kv;
use strongroom_store::Store as _;
use strongroom_store::redb::RedbStore;

use crate::Component;
use crate::bindings::exports::strongroom::kv::kv_store::{self as wit, Error, ErrorCode};

type Result<T, E = Error> = std::result::Result<T, E>;

/// A database file at one moment.
pub(crate) struct Database {
    store: RedbStore,
    path: PathBuf,
    header: Vec<u8>,
}

/// Both commit slots of redb, and which of them counts.
const HEADER: usize = 320;

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut header = Vec::with_capacity(HEADER);
    std::fs::File::open(path)?.take(HEADER as u64).read_to_end(&mut header)?;
    Ok(header)
}

impl Database {
    pub(crate) fn open(path: &str) -> kv::Result<Self> {
        let path = PathBuf::from(path);
        // Before redb reads it. What cannot be read is for redb to explain.
        let header = header(&path).unwrap_or_default();
        let store = RedbStore::open(&path)?;
        let database = Self { store, path, header };
        database.unchanged()?;
        Ok(database)
    }

    pub(crate) fn position(&self, at: &str) -> kv::Result<u64> {
        let position = self.store.position(at).map_err(|e| e.about(Some(&self.path)))?;
        self.unchanged()?;
        Ok(position)
    }

    /// Fails if anybody has committed to the database since it was opened.
    ///
    /// There are no locks here by which a writer would know of this reader, so it may use pages again that are still to
    /// be read. But not before it has written a commit slot: until then the file must be able to come back to the
    /// commit before. So what was read while the slots stayed as they were is one moment.
    fn unchanged(&self) -> kv::Result<()> {
        if header(&self.path).is_ok_and(|now| now == self.header) {
            return Ok(());
        }
        let message = format!(
            "{} was written to while it was being read, and this runtime has no locks to prevent that; nothing was \
             published. Stop the application that has it open, or run the native strongroom command, which reads \
             beside a writer",
            self.path.display()
        );
        Err(kv::Error::new(kv::ErrorCode::Busy, message))
    }

    /// Passes on what was read, if it was all of one moment.
    fn read<T>(&self, read: kv::Result<T>) -> Result<T> {
        self.unchanged()?;
        Ok(read.map_err(|e| e.about(Some(&self.path)))?)
    }
}

thread_local! {
    static GRANTED: RefCell<Option<Rc<Database>>> = const { RefCell::new(None) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Grants this database, under whatever name.
pub(crate) fn grant(database: Database) {
    GRANTED.set(Some(Rc::new(database)));
}

pub(crate) fn granted() -> kv::Result<Rc<Database>> {
    GRANTED
        .with_borrow(Clone::clone)
        .ok_or_else(|| kv::Error::new(kv::ErrorCode::Denied, "this run was granted no store to read"))
}

/// A store that the engine has opened.
pub(crate) struct Opened(Rc<Database>);

/// Bytes that the engine reads.
pub(crate) struct Bytes {
    of: Rc<Database>,
    source: RefCell<Source>,
}

enum Source {
    Entries(Box<dyn kv::Entries>),
    Whole { bytes: Vec<u8>, at: usize },
}

/// What changed in a table.
pub(crate) struct Changes {
    of: Rc<Database>,
    changes: RefCell<Box<dyn kv::Changes>>,
}

const READ_MAX: u32 = 16 << 20;

impl From<kv::Error> for Error {
    fn from(e: kv::Error) -> Self {
        use kv::ErrorCode as K;
        let code = match e.code {
            K::NotFound => ErrorCode::NotFound,
            K::Exists => ErrorCode::Exists,
            K::Denied => ErrorCode::Denied,
            K::Busy => ErrorCode::Busy,
            K::Unsupported => ErrorCode::Unsupported,
            K::Corrupt => ErrorCode::Corrupt,
            K::Io => ErrorCode::Io,
            K::Full => ErrorCode::Full,
            K::Cancelled => ErrorCode::Cancelled,
            _ => ErrorCode::Other,
        };
        FAILED.set(true);
        Self { code, message: e.message }
    }
}

/// Whether the engine was told of an error of the store or the sink.
pub(crate) fn has_failed() -> bool {
    FAILED.get()
}

impl wit::Guest for Component {
    type Store = Opened;
    type Changes = Changes;
    type Bytes = Bytes;

    fn open(name: String) -> Result<wit::Store> {
        // One store is granted, so it has any name.
        let _ = name;
        Ok(wit::Store::new(Opened(granted()?)))
    }
}

impl Opened {
    fn bytes(&self, source: Source) -> wit::Bytes {
        wit::Bytes::new(Bytes { of: Rc::clone(&self.0), source: RefCell::new(source) })
    }
}

impl wit::GuestStore for Opened {
    fn tables(&self) -> Result<Vec<wit::Table>> {
        let table = |table: kv::Table| wit::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        Ok(self.0.read(self.0.store.tables())?.into_iter().map(table).collect())
    }

    fn template(&self) -> Result<wit::Bytes> {
        let bytes = self.0.read(self.0.store.template())?;
        Ok(self.bytes(Source::Whole { bytes, at: 0 }))
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        self.0.read(self.0.store.notes())
    }

    fn position(&self, at: String) -> Result<u64> {
        Ok(self.0.position(&at)?)
    }

    fn split(&self, table: String, parts: u32) -> Result<Vec<Vec<u8>>> {
        self.0.read(self.0.store.split(&table, parts.min(4096)))
    }

    fn scan(&self, table: String, from: Option<Vec<u8>>, to: Option<Vec<u8>>) -> Result<wit::Bytes> {
        let entries = self.0.store.scan(&table, from.as_deref(), to.as_deref());
        Ok(self.bytes(Source::Entries(self.0.read(entries)?)))
    }

    fn stamp(&self, table: String) -> Result<Option<Vec<u8>>> {
        self.0.read(self.0.store.stamp(&table))
    }

    fn baseline(&self, table: String) -> Result<Option<wit::Bytes>> {
        let entries = self.0.read(self.0.store.baseline(&table))?;
        Ok(entries.map(|entries| self.bytes(Source::Entries(entries))))
    }

    fn changes(&self, table: String, stamp: Vec<u8>) -> Result<Option<wit::Changes>> {
        let changes = self.0.read(self.0.store.changes(&table, &stamp))?;
        let of = Rc::clone(&self.0);
        Ok(changes.map(|changes| wit::Changes::new(Changes { of, changes: RefCell::new(changes) })))
    }
}

impl wit::GuestBytes for Bytes {
    fn read(&self, max: u32) -> Result<Vec<u8>> {
        let max = size(max)?;
        match &mut *self.source.borrow_mut() {
            Source::Whole { bytes, at } => {
                let end = bytes.len().min(at.saturating_add(max));
                let read = bytes[*at..end].to_vec();
                *at = end;
                Ok(read)
            }
            Source::Entries(entries) => {
                let mut out = Vec::with_capacity(max.min(1 << 20));
                let read = entries.read(max, &mut out);
                // Looked at when it failed, which a writer may be the reason of, and at the end.
                if read.is_err() || out.is_empty() {
                    self.of.unchanged()?;
                }
                read.map_err(|e| e.about(Some(&self.of.path)))?;
                Ok(out)
            }
        }
    }
}

/// How much is asked for.
fn size(max: u32) -> Result<usize> {
    if max == 0 || max > READ_MAX {
        let message = format!("read takes 1 to {READ_MAX} bytes at once, not {max}");
        return Err(Error { code: ErrorCode::Unsupported, message });
    }
    Ok(max as usize)
}

impl wit::GuestChanges for Changes {
    fn offer(&self, baseline: Vec<u8>) -> Result<()> {
        self.of.read(self.changes.borrow_mut().offer(&baseline))
    }

    fn entries(&self, max: u32) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let told = self.changes.borrow_mut().entries(size(max)?, &mut out);
        self.of.read(told)?;
        Ok(out)
    }

    fn baseline(&self, max: u32) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let told = self.changes.borrow_mut().baseline(size(max)?, &mut out);
        self.of.read(told)?;
        Ok(out)
    }
}

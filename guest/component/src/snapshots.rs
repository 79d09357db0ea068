//! Snapshots as stores.

use std::cell::RefCell;

use strongroom_engine::{self as engine, Code, Opened, Store as _};

use crate::Component;
use crate::bindings::exports::strongroom::kv::kv_store as wit;
use crate::latest::meant;
use crate::vault::vault;

type Result<T> = std::result::Result<T, wit::Error>;

impl From<engine::Error> for wit::Error {
    fn from(e: engine::Error) -> Self {
        use wit::ErrorCode as E;
        let code = match e.code {
            Code::NotFound | Code::NoRepository => E::NotFound,
            Code::Exists => E::Exists,
            Code::Denied => E::Denied,
            Code::Locked => E::Busy,
            Code::Unsupported | Code::NewerFormat => E::Unsupported,
            Code::Damaged => E::Corrupt,
            Code::Io => E::Io,
            Code::Full => E::Full,
            Code::Cancelled => E::Cancelled,
            Code::Invalid | Code::Other => E::Other,
        };
        Self { code, message: e.message }
    }
}

/// A snapshot that is open.
pub(crate) struct Snapshot(Opened<'static>);

/// Bytes of one.
pub(crate) struct Bytes(RefCell<Box<dyn engine::Bytes>>);

/// A snapshot does not tell what changed since another.
pub(crate) enum Changes {}

/// No more is read at once.
const READ_MAX: u32 = 16 << 20;

impl wit::Guest for Component {
    type Store = Snapshot;
    type Changes = Changes;
    type Bytes = Bytes;

    fn open(name: String) -> Result<wit::Store> {
        Ok(wit::Store::new(Snapshot(engine::open(vault()?, &meant(name)?)?)))
    }
}

impl wit::GuestStore for Snapshot {
    fn tables(&self) -> Result<Vec<wit::Table>> {
        let table = |table: engine::Table| wit::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        Ok(engine::Store::tables(&self.0)?.into_iter().map(table).collect())
    }

    fn template(&self) -> Result<wit::Bytes> {
        Ok(wit::Bytes::new(Bytes(RefCell::new(Box::new(self.0.template_bytes()?)))))
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(self.0.notes()?)
    }

    fn position(&self, at: String) -> Result<u64> {
        Ok(self.0.position(&at)?)
    }

    fn split(&self, table: String, parts: u32) -> Result<Vec<Vec<u8>>> {
        Ok(self.0.split(&table, parts)?)
    }

    fn scan(&self, table: String, from: Option<Vec<u8>>, to: Option<Vec<u8>>) -> Result<wit::Bytes> {
        let entries = self.0.entries_between(&table, from.as_deref(), to.as_deref())?;
        Ok(wit::Bytes::new(Bytes(RefCell::new(Box::new(entries)))))
    }

    fn stamp(&self, _table: String) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn baseline(&self, _table: String) -> Result<Option<wit::Bytes>> {
        Ok(None)
    }

    fn changes(&self, _table: String, _stamp: Vec<u8>) -> Result<Option<wit::Changes>> {
        Ok(None)
    }
}

impl wit::GuestBytes for Bytes {
    fn read(&self, max: u32) -> Result<Vec<u8>> {
        Ok(self.0.borrow_mut().read(max.clamp(1, READ_MAX))?)
    }
}

impl wit::GuestChanges for Changes {
    fn offer(&self, _baseline: Vec<u8>) -> Result<()> {
        match *self {}
    }

    fn entries(&self, _max: u32) -> Result<Vec<u8>> {
        match *self {}
    }

    fn baseline(&self, _max: u32) -> Result<Vec<u8>> {
        match *self {}
    }
}

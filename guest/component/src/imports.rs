//! What the host gives: a store, a sink, and somebody who listens.

use strongroom_engine::{self as engine, Code, Error, Result};

use crate::bindings::strongroom::backup::progress;
use crate::bindings::strongroom::kv::{kv_sink, kv_store};

fn error(e: kv_store::Error) -> Error {
    use kv_store::ErrorCode as E;
    let code = match e.code {
        E::NotFound => Code::NotFound,
        E::Exists => Code::Exists,
        E::Denied => Code::Denied,
        E::Busy => Code::Locked,
        E::Unsupported => Code::Unsupported,
        E::Corrupt => Code::Damaged,
        E::Io => Code::Io,
        E::Full => Code::Full,
        E::Cancelled => Code::Cancelled,
        E::Other => Code::Other,
    };
    Error::new(code, e.message)
}

/// The host's store.
pub(crate) struct Store(kv_store::Store);

impl Store {
    pub(crate) fn open(name: &str) -> Result<Self> {
        kv_store::open(name).map(Self).map_err(error)
    }
}

struct Bytes(kv_store::Bytes);

impl engine::Bytes for Bytes {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        self.0.read(max).map_err(error)
    }
}

impl engine::Store for Store {
    fn tables(&self) -> Result<Vec<engine::Table>> {
        let tables = self.0.tables().map_err(error)?;
        let table = |table: kv_store::Table| engine::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        Ok(tables.into_iter().map(table).collect())
    }

    fn template(&self) -> Result<Box<dyn engine::Bytes + '_>> {
        Ok(Box::new(Bytes(self.0.template().map_err(error)?)))
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        self.0.notes().map_err(error)
    }

    fn position(&self, at: &str) -> Result<u64> {
        self.0.position(at).map_err(error)
    }

    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        self.0.split(table, parts).map_err(error)
    }

    fn scan(
        &self,
        table: &str,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
    ) -> Result<Box<dyn engine::Bytes + '_>> {
        Ok(Box::new(Bytes(self.0.scan(table, from, to).map_err(error)?)))
    }

    fn stamp(&self, table: &str) -> Result<Option<Vec<u8>>> {
        self.0.stamp(table).map_err(error)
    }

    fn baseline(&self, table: &str) -> Result<Option<Box<dyn engine::Bytes + '_>>> {
        let baseline = self.0.baseline(table).map_err(error)?;
        Ok(baseline.map(|bytes| Box::new(Bytes(bytes)) as Box<dyn engine::Bytes>))
    }

    fn changes(&self, table: &str, stamp: &[u8]) -> Result<Option<Box<dyn engine::Changes + '_>>> {
        let changes = self.0.changes(table, stamp).map_err(error)?;
        Ok(changes.map(|changes| Box::new(Changes(changes)) as Box<dyn engine::Changes>))
    }
}

struct Changes(kv_store::Changes);

impl engine::Changes for Changes {
    fn offer(&mut self, baseline: &[u8]) -> Result<()> {
        self.0.offer(baseline).map_err(error)
    }

    fn entries(&mut self, max: u32) -> Result<Vec<u8>> {
        self.0.entries(max).map_err(error)
    }

    fn baseline(&mut self, max: u32) -> Result<Vec<u8>> {
        self.0.baseline(max).map_err(error)
    }
}

/// The host's sink.
pub(crate) struct Sink {
    /// The table at hand. It goes before the sink that it is a part of.
    writer: Option<kv_sink::Writer>,
    sink: kv_sink::Sink,
}

impl Sink {
    pub(crate) fn create(name: &str, template: &[u8]) -> Result<Self> {
        let sink = kv_sink::create(name, template).map_err(error)?;
        Ok(Self { writer: None, sink })
    }
}

fn no_table() -> Error {
    Error::new(Code::Other, "no table is being written")
}

impl engine::Sink for Sink {
    fn table(&mut self, table: &engine::Table) -> Result<()> {
        let table = kv_store::Table {
            name: table.name.clone(),
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type.clone(),
            value_type: table.value_type.clone(),
            identity: table.identity.clone(),
        };
        self.writer = Some(self.sink.table(&table).map_err(error)?);
        Ok(())
    }

    fn append(&mut self, entries: &[u8]) -> Result<()> {
        self.writer.as_ref().ok_or_else(no_table)?.append(entries).map_err(error)
    }

    fn finish_table(&mut self) -> Result<u64> {
        kv_sink::Writer::finish(self.writer.take().ok_or_else(no_table)?).map_err(error)
    }

    fn abandon_table(&mut self) {
        self.writer = None;
    }

    fn finish(self: Box<Self>) -> Result<()> {
        kv_sink::Sink::finish(self.sink).map_err(error)
    }
}

/// The host's listener.
pub(crate) struct Progress;

impl engine::Progress for Progress {
    fn advance(&self, phase: &str, bytes: u64, entries: u64) -> bool {
        progress::advance(phase, bytes, entries)
    }

    fn log(&self, level: engine::Level, message: &str) {
        let level = match level {
            engine::Level::Debug => progress::Level::Debug,
            engine::Level::Info => progress::Level::Info,
            engine::Level::Warn => progress::Level::Warn,
        };
        progress::log(level, message);
    }
}

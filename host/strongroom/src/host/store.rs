//! `kv-store`: the granted store.
#![allow(unreachable_pub)] // The bindings name these types in public.

use std::sync::Arc;

use strongroom_store as kv;
use wasmtime::component::Resource;

use crate::sandbox::wit_kv::kv_store::{self as wit, Error, ErrorCode};
use crate::sandbox::{Exceeded, State};

/// A store that the engine has opened.
pub struct OpenStore(Arc<dyn kv::Store>);

/// Bytes that the engine reads.
pub struct OpenBytes(Source);

enum Source {
    Entries(Box<dyn kv::Entries>),
    Whole { bytes: Vec<u8>, at: usize },
}

/// What changed in a table, as the engine asks for it.
pub struct OpenChanges(Box<dyn kv::Changes>);

/// No more is read at once; more than this is not asked for by a component that keeps the contract.
const READ_MAX: u32 = 16 << 20;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

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
        Self { code, message: e.message }
    }
}

/// About how many bytes the description of a table has.
fn size_of_table(table: &kv::Table) -> usize {
    let texts = table.name.len() + table.key_type.len() + table.value_type.len();
    size_of::<kv::Table>() + texts + table.identity.len()
}

impl State {
    fn cancelled(&self) -> Option<Error> {
        let message = || "stopped on request; nothing was published".to_owned();
        self.grants.meter.is_over().then(|| Error { code: ErrorCode::Cancelled, message: message() })
    }

    /// Ends the run if so many bytes are more than one answer may have.
    fn reply(&self, bytes: usize) -> wasmtime::Result<()> {
        if bytes > self.budgets.reply_bytes { Err(Exceeded::ReplyBytes.into()) } else { Ok(()) }
    }

    /// How much is given to a caller that asks for so much, unless the run is over.
    fn size(&self, max: u32) -> Result<usize, Error> {
        if max == 0 || max > READ_MAX {
            let message = format!("read takes 1 to {READ_MAX} bytes at once, not {max}");
            return Err(Error { code: ErrorCode::Unsupported, message });
        }
        if let Some(e) = self.cancelled() {
            return Err(e);
        }
        Ok((max as usize).min(self.budgets.reply_bytes.max(1)))
    }

    fn opened(&self, store: &Resource<OpenStore>) -> wasmtime::Result<Arc<dyn kv::Store>> {
        Ok(Arc::clone(&self.table.get(store)?.0))
    }
}

impl wit::Host for State {
    fn open(&mut self, name: String) -> Answer<Resource<OpenStore>> {
        // A host that grants one store takes any name.
        let _ = name;
        let Some(store) = &self.grants.store else {
            let message = "this run was granted no store to read".to_owned();
            return Ok(Err(Error { code: ErrorCode::Denied, message }));
        };
        let store = OpenStore(Arc::clone(store));
        Ok(Ok(self.table.push(store)?))
    }
}

impl wit::HostStore for State {
    fn tables(&mut self, store: Resource<OpenStore>) -> Answer<Vec<wit::Table>> {
        let table = |table: kv::Table| wit::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        let tables = self.opened(&store)?.tables();
        if let Ok(tables) = &tables {
            self.reply(tables.iter().map(size_of_table).sum())?;
        }
        Ok(tables.map(|tables| tables.into_iter().map(table).collect()).map_err(|e| self.grants.outside(e)))
    }

    fn template(&mut self, store: Resource<OpenStore>) -> Answer<Resource<OpenBytes>> {
        match self.opened(&store)?.template() {
            // It is held in full until it is read.
            Ok(bytes) => {
                self.reply(bytes.len())?;
                Ok(Ok(self.table.push(OpenBytes(Source::Whole { bytes, at: 0 }))?))
            }
            Err(e) => Ok(Err(self.grants.outside(e))),
        }
    }

    fn notes(&mut self, store: Resource<OpenStore>) -> Answer<Vec<(String, String)>> {
        Ok(self.opened(&store)?.notes().map_err(|e| self.grants.outside(e)))
    }

    fn position(&mut self, store: Resource<OpenStore>, at: String) -> Answer<u64> {
        Ok(self.opened(&store)?.position(&at).map_err(|e| self.grants.outside(e)))
    }

    fn split(&mut self, store: Resource<OpenStore>, table: String, parts: u32) -> Answer<Vec<Vec<u8>>> {
        Ok(self.opened(&store)?.split(&table, parts.min(4096)).map_err(|e| self.grants.outside(e)))
    }

    fn scan(
        &mut self,
        store: Resource<OpenStore>,
        table: String,
        from: Option<Vec<u8>>,
        to: Option<Vec<u8>>,
    ) -> Answer<Resource<OpenBytes>> {
        match self.opened(&store)?.scan(&table, from.as_deref(), to.as_deref()) {
            Ok(entries) => Ok(Ok(self.table.push(OpenBytes(Source::Entries(entries)))?)),
            Err(e) => Ok(Err(self.grants.outside(e))),
        }
    }

    fn stamp(&mut self, store: Resource<OpenStore>, table: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.opened(&store)?.stamp(&table).map_err(|e| self.grants.outside(e)))
    }

    fn baseline(&mut self, store: Resource<OpenStore>, table: String) -> Answer<Option<Resource<OpenBytes>>> {
        match self.opened(&store)?.baseline(&table) {
            Ok(Some(entries)) => Ok(Ok(Some(self.table.push(OpenBytes(Source::Entries(entries)))?))),
            Ok(None) => Ok(Ok(None)),
            Err(e) => Ok(Err(self.grants.outside(e))),
        }
    }

    fn changes(
        &mut self,
        store: Resource<OpenStore>,
        table: String,
        stamp: Vec<u8>,
    ) -> Answer<Option<Resource<OpenChanges>>> {
        match self.opened(&store)?.changes(&table, &stamp) {
            Ok(Some(changes)) => Ok(Ok(Some(self.table.push(OpenChanges(changes))?))),
            Ok(None) => Ok(Ok(None)),
            Err(e) => Ok(Err(self.grants.outside(e))),
        }
    }

    fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl wit::HostBytes for State {
    fn read(&mut self, bytes: Resource<OpenBytes>, max: u32) -> Answer<Vec<u8>> {
        let max = match self.size(max) {
            Ok(max) => max,
            Err(e) => return Ok(Err(e)),
        };
        Ok(match &mut self.table.get_mut(&bytes)?.0 {
            Source::Whole { bytes, at } => {
                let end = bytes.len().min(*at + max);
                let read = bytes[*at..end].to_vec();
                *at = end;
                Ok(read)
            }
            Source::Entries(entries) => {
                let mut out = Vec::with_capacity(max.min(1 << 20));
                entries.read(max, &mut out).map(|()| out).map_err(|e| self.grants.outside(e))
            }
        })
    }

    fn drop(&mut self, bytes: Resource<OpenBytes>) -> wasmtime::Result<()> {
        self.table.delete(bytes)?;
        Ok(())
    }
}

impl wit::HostChanges for State {
    fn offer(&mut self, changes: Resource<OpenChanges>, baseline: Vec<u8>) -> Answer<()> {
        if let Some(e) = self.cancelled() {
            return Ok(Err(e));
        }
        let offered = self.table.get_mut(&changes)?.0.offer(&baseline);
        Ok(offered.map_err(|e| self.grants.outside(e)))
    }

    fn entries(&mut self, changes: Resource<OpenChanges>, max: u32) -> Answer<Vec<u8>> {
        let max = match self.size(max) {
            Ok(max) => max,
            Err(e) => return Ok(Err(e)),
        };
        let mut out = Vec::new();
        let told = self.table.get_mut(&changes)?.0.entries(max, &mut out);
        Ok(told.map(|()| out).map_err(|e| self.grants.outside(e)))
    }

    fn baseline(&mut self, changes: Resource<OpenChanges>, max: u32) -> Answer<Vec<u8>> {
        let max = match self.size(max) {
            Ok(max) => max,
            Err(e) => return Ok(Err(e)),
        };
        let mut out = Vec::new();
        let told = self.table.get_mut(&changes)?.0.baseline(max, &mut out);
        Ok(told.map(|()| out).map_err(|e| self.grants.outside(e)))
    }

    fn drop(&mut self, changes: Resource<OpenChanges>) -> wasmtime::Result<()> {
        self.table.delete(changes)?;
        Ok(())
    }
}

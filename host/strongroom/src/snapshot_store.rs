//! A snapshot is a store: whatever reads a database reads a backup of it as well.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use strongroom_store::{self as kv, ErrorCode as KvCode};
use wasmtime::component::ResourceAny;

use crate::host::Grants;
use crate::read::answer;
use crate::repository::Repository;
use crate::sandbox::{Access, Instance, Memory, Walls, on_lasting_thread, panicked};
use crate::{Entries, Store};
use crate::{Error, ErrorCode, Result};
use strongroom_core::directory;

impl Repository {
    /// A snapshot as a store, which can be read like a database: backed up elsewhere, or given to a
    /// [`Plugin`](crate::Plugin). It lives in an instance of the engine of its own, for as long as it is held.
    pub fn store(&self, snapshot: &str) -> Result<Arc<dyn Store>> {
        directory::check(self.dir())?;
        // The engine says exactly what is wrong with a repository, for which a store has no codes.
        let snapshot = self.find(snapshot)?.name;
        let (calls, inbox) = channel::<Call>();
        let (opened, told) = channel();
        let repository = self.clone();
        let walls: Walls = self.sandbox().walls(self.dir(), Access::Read);
        let thread = on_lasting_thread("snapshot", walls, move || {
            let memory = Memory::new(repository.sandbox().budgets().memory);
            let grants = Arc::new(Grants::new(repository.meter()));
            let ready =
                Instance::new(repository.sandbox(), Some((repository.dir(), Access::Read)), &grants, &memory)
                    .and_then(|mut engine| {
                        let open = engine
                            .with_snapshots(|stores, store| stores.call_open(&mut *store, &snapshot))?;
                        Ok((engine, answer(open)?))
                    });
            match ready {
                Ok((engine, open)) => {
                    let _ = opened.send(Ok(()));
                    serve(engine, open, &inbox);
                }
                Err(e) => {
                    let _ = opened.send(Err(e));
                }
            }
            Ok(())
        })?;
        let store = SnapshotStore { calls: Mutex::new(Some(calls)), thread: Mutex::new(Some(thread)) };
        match told.recv() {
            Ok(opened) => opened.map(|()| Arc::new(store) as Arc<dyn Store>),
            Err(_) => Err(store.ended()),
        }
    }
}

/// What the thread of the store is asked to do with the engine and the open snapshot.
type Call = Box<dyn FnOnce(&mut Instance, ResourceAny) + Send>;

fn serve(mut engine: Instance, open: ResourceAny, inbox: &Receiver<Call>) {
    while let Ok(call) = inbox.recv() {
        call(&mut engine, open);
    }
}

/// A snapshot, read by a thread of its own.
struct SnapshotStore {
    calls: Mutex<Option<Sender<Call>>>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl SnapshotStore {
    fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Instance, ResourceAny) -> Result<T> + Send + 'static,
    ) -> kv::Result<T> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ask(calls.as_ref(), call).map_err(|e| e.unwrap_or_else(|| for_store(&self.ended())))
    }

    /// Why the thread has ended.
    fn ended(&self) -> Error {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).take();
        match self.thread.lock().unwrap_or_else(PoisonError::into_inner).take().map(JoinHandle::join) {
            Some(Err(panic)) => panicked(panic.as_ref()),
            Some(Ok(Err(e))) => e,
            Some(Ok(Ok(()))) | None => Error::new(ErrorCode::Other, "the reader of the snapshot has ended"),
        }
    }
}

/// Has the thread do something. `None` for an error: it has ended.
fn ask<T: Send + 'static>(
    calls: Option<&Sender<Call>>,
    call: impl FnOnce(&mut Instance, ResourceAny) -> Result<T> + Send + 'static,
) -> std::result::Result<T, Option<kv::Error>> {
    let (answer, answered) = channel();
    let call: Call = Box::new(move |engine, open| {
        let _ = answer.send(call(engine, open));
    });
    let asked = calls.and_then(|calls| calls.send(call).ok());
    asked.and_then(|()| answered.recv().ok()).ok_or(None)?.map_err(|e| Some(for_store(&e)))
}

impl Drop for SnapshotStore {
    fn drop(&mut self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Entries may still be read; then the thread ends with the last of them.
    }
}

impl Store for SnapshotStore {
    fn tables(&self) -> kv::Result<Vec<kv::Table>> {
        self.ask(|engine, open| {
            let tables =
                engine.with_snapshots(|stores, store| stores.store().call_tables(&mut *store, open))?;
            let table = |table: crate::sandbox::SnapshotTable| kv::Table {
                name: table.name,
                multimap: table.multimap,
                entries: table.entries,
                bytes_about: table.bytes_about,
                key_type: table.key_type,
                value_type: table.value_type,
                identity: table.identity,
            };
            Ok(answer(tables)?.into_iter().map(table).collect())
        })
    }

    fn template(&self) -> kv::Result<Vec<u8>> {
        self.ask(|engine, open| {
            let bytes =
                engine.with_snapshots(|stores, store| stores.store().call_template(&mut *store, open))?;
            let bytes = answer(bytes)?;
            let mut template = Vec::new();
            loop {
                let piece = read(engine, bytes, PIECE)?;
                if piece.is_empty() {
                    close(engine, bytes)?;
                    return Ok(template);
                }
                template.extend_from_slice(&piece);
            }
        })
    }

    fn notes(&self) -> kv::Result<Vec<(String, String)>> {
        self.ask(|engine, open| {
            answer(engine.with_snapshots(|stores, store| stores.store().call_notes(&mut *store, open))?)
        })
    }

    fn position(&self, at: &str) -> kv::Result<u64> {
        let at = at.to_owned();
        self.ask(move |engine, open| {
            let call = |stores: &crate::sandbox::SnapshotStores, store: &mut _| {
                stores.store().call_position(store, open, &at)
            };
            answer(engine.with_snapshots(call)?)
        })
    }

    fn split(&self, table: &str, parts: u32) -> kv::Result<Vec<Vec<u8>>> {
        let table = table.to_owned();
        self.ask(move |engine, open| {
            let call = |stores: &crate::sandbox::SnapshotStores, store: &mut _| {
                stores.store().call_split(store, open, &table, parts)
            };
            answer(engine.with_snapshots(call)?)
        })
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> kv::Result<Box<dyn Entries>> {
        let (table, from, to) = (table.to_owned(), from.map(<[u8]>::to_vec), to.map(<[u8]>::to_vec));
        let bytes = self.ask(move |engine, open| {
            let call = |stores: &crate::sandbox::SnapshotStores, store: &mut _| {
                stores.store().call_scan(store, open, &table, from.as_deref(), to.as_deref())
            };
            answer(engine.with_snapshots(call)?)
        })?;
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let calls = calls.ok_or_else(gone)?;
        Ok(Box::new(SnapshotEntries { calls, bytes }))
    }

    /// None: the thread that reads the repository has its own walls.
    fn directories(&self) -> Option<Vec<std::path::PathBuf>> {
        Some(Vec::new())
    }
}

/// No store is asked for more at once.
const PIECE: u32 = 4 << 20;

/// The error in a store's words.
fn for_store(e: &Error) -> kv::Error {
    let code = match e.code() {
        ErrorCode::NotFound => KvCode::NotFound,
        ErrorCode::Exists => KvCode::Exists,
        ErrorCode::Locked => KvCode::Busy,
        ErrorCode::Damaged => KvCode::Corrupt,
        ErrorCode::Denied => KvCode::Denied,
        ErrorCode::Full => KvCode::Full,
        ErrorCode::Io => KvCode::Io,
        ErrorCode::Unsupported => KvCode::Unsupported,
        ErrorCode::Cancelled => KvCode::Cancelled,
        _ => KvCode::Other,
    };
    kv::Error::new(code, e.to_string())
}

fn gone() -> kv::Error {
    kv::Error::new(KvCode::Other, "the reader of the snapshot has ended")
}

fn read(engine: &mut Instance, bytes: ResourceAny, max: u32) -> Result<Vec<u8>> {
    answer(engine.with_snapshots(|stores, store| stores.bytes().call_read(&mut *store, bytes, max))?)
}

fn close(engine: &mut Instance, bytes: ResourceAny) -> Result<()> {
    engine.with_snapshots(|_, store| bytes.resource_drop(&mut *store))
}

/// The entries of a table of a snapshot.
struct SnapshotEntries {
    calls: Sender<Call>,
    bytes: ResourceAny,
}

impl Entries for SnapshotEntries {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> kv::Result<()> {
        let (bytes, max) = (self.bytes, u32::try_from(max).unwrap_or(PIECE).clamp(1, PIECE));
        let piece = ask(Some(&self.calls), move |engine, _| read(engine, bytes, max));
        out.extend_from_slice(&piece.map_err(|e| e.unwrap_or_else(gone))?);
        Ok(())
    }
}

impl Drop for SnapshotEntries {
    fn drop(&mut self) {
        let bytes = self.bytes;
        let _ = ask(Some(&self.calls), move |engine, _| close(engine, bytes));
    }
}

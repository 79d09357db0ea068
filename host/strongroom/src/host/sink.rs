//! `kv-sink`: the granted sink.
#![allow(unreachable_pub)] // The bindings name these types in public.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_store as kv;
use wasmtime::component::Resource;

use crate::sandbox::State;
use crate::sandbox::wit_kv::kv_sink::{self as wit, Error};
use crate::sandbox::wit_kv::kv_store::{ErrorCode, Table};

/// A new database that the engine fills.
pub struct OpenSink(Shared);

/// A table of it.
pub struct OpenWriter(Shared);

/// The sink, and whether a table of it is being written. A writer that is dropped after its sink finds nothing.
#[derive(Clone)]
struct Shared(Arc<Mutex<Filling>>);

struct Filling {
    sink: Option<Box<dyn kv::Sink>>,
    writing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Filling> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn error(code: ErrorCode, message: &str) -> Error {
    Error { code, message: message.to_owned() }
}

fn gone() -> Error {
    error(ErrorCode::Other, "the new database was finished or dropped before")
}

impl wit::Host for State {
    fn create(&mut self, name: String, template: Vec<u8>) -> Answer<Resource<OpenSink>> {
        // A host that grants one sink takes any name.
        let _ = name;
        let granted = self.grants.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut sink) = granted else {
            return Ok(Err(error(
                ErrorCode::Denied,
                "this run was granted no database to make, or has made it already",
            )));
        };
        if let Err(e) = sink.create(&template) {
            return Ok(Err(self.grants.outside(e)));
        }
        let filling = Filling { sink: Some(sink), writing: false };
        Ok(Ok(self.table.push(OpenSink(Shared(Arc::new(Mutex::new(filling)))))?))
    }
}

impl wit::HostSink for State {
    fn table(&mut self, sink: Resource<OpenSink>, table: Table) -> Answer<Resource<OpenWriter>> {
        let shared = self.table.get(&sink)?.0.clone();
        let table = kv::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        {
            let mut filling = shared.lock();
            if filling.writing {
                return Ok(Err(error(
                    ErrorCode::Other,
                    "one table is written at a time; finish the one before",
                )));
            }
            let Some(sink) = &mut filling.sink else { return Ok(Err(gone())) };
            if let Err(e) = sink.table(&table) {
                return Ok(Err(self.grants.outside(e)));
            }
            filling.writing = true;
        }
        Ok(Ok(self.table.push(OpenWriter(shared))?))
    }

    fn finish(&mut self, this: Resource<OpenSink>) -> Answer<()> {
        let shared = self.table.delete(this)?.0;
        let mut filling = shared.lock();
        if filling.writing {
            return Ok(Err(error(ErrorCode::Other, "a table is still being written")));
        }
        let Some(mut sink) = filling.sink.take() else { return Ok(Err(gone())) };
        match sink.finish() {
            Ok(()) => {
                *self.grants.finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
                Ok(Ok(()))
            }
            Err(e) => Ok(Err(self.grants.outside(e))),
        }
    }

    fn drop(&mut self, sink: Resource<OpenSink>) -> wasmtime::Result<()> {
        let shared = self.table.delete(sink)?.0;
        shared.lock().sink = None;
        Ok(())
    }
}

impl wit::HostWriter for State {
    fn append(&mut self, writer: Resource<OpenWriter>, entries: Vec<u8>) -> Answer<()> {
        if self.grants.meter.is_over() {
            return Ok(Err(error(ErrorCode::Cancelled, "stopped on request; the target is as it was")));
        }
        let shared = self.table.get(&writer)?.0.clone();
        let mut filling = shared.lock();
        let Some(sink) = &mut filling.sink else { return Ok(Err(gone())) };
        Ok(sink.append(&entries).map_err(|e| self.grants.outside(e)))
    }

    fn finish(&mut self, this: Resource<OpenWriter>) -> Answer<u64> {
        let shared = self.table.delete(this)?.0;
        let mut filling = shared.lock();
        filling.writing = false;
        let Some(sink) = &mut filling.sink else { return Ok(Err(gone())) };
        Ok(sink.finish_table().map_err(|e| self.grants.outside(e)))
    }

    fn drop(&mut self, writer: Resource<OpenWriter>) -> wasmtime::Result<()> {
        let shared = self.table.delete(writer)?.0;
        let mut filling = shared.lock();
        filling.writing = false;
        if let Some(sink) = &mut filling.sink
            && sink.abandon_table().is_err()
        {
            filling.sink = None;
        }
        Ok(())
    }
}

//! One instance of the engine, and what it may touch. All grants are decided here.

use std::path::Path;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker, ResourceAny};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::bindings::strongroom::backup::progress;
use super::bindings::strongroom::kv::{kv_sink, kv_store};
use super::exceeded::failure;
use super::limits::Budgets;
use super::output::Printed;
use super::state::{State, store};
use super::{Backup, Memory, Sandbox, wasi, wit};
use crate::host::Grants;
use crate::{Error, ErrorCode, Result};
use strongroom_core::{AsOwner, readable};

/// How an instance gets at the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Links what an engine may import: the store, the sink, whoever listens, and of WASI one directory and what the
/// standard library of its language wants to have there. No sockets.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    kv_store::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    kv_sink::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    progress::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// What messages call it, and what they say of the repository after it failed.
pub(crate) const ENGINE: &str = "the engine";
pub(crate) const UNHARMED: &str = "nothing was published, earlier snapshots are as they were";

/// A fresh instance, used by the thread that made it.
pub(crate) struct Instance {
    store: Store<State>,
    engine: Backup,
    stderr: Printed,
    budgets: Budgets,
    _owner: Option<AsOwner>,
}

impl Instance {
    /// An instance that sees this directory, if any, and what it was granted. `memory` is shared with the other instances of
    /// the run.
    pub(crate) fn new(
        sandbox: &Sandbox,
        dir: Option<(&Path, Access)>,
        grants: &Arc<Grants>,
        memory: &Memory,
    ) -> Result<Self> {
        let owner = dir.filter(|(_, access)| *access == Access::Write).map(|(dir, _)| AsOwner::of(dir));
        let inner = sandbox.inner();
        let budgets = &inner.budgets;
        let stderr = Printed::kept(budgets.log_bytes);
        let mut wasi = WasiCtxBuilder::new();
        // Before the directory, which takes a copy of it.
        wasi.allow_blocking_current_thread(true);
        wasi.stderr(stderr.clone());
        if let Some((dir, access)) = dir {
            let permissions = match access {
                Access::Read => FsPerms::ReadOnly,
                Access::Write => FsPerms::ReadWrite,
            };
            wasi.preopened_dir(dir, "/backups", permissions)
                .map_err(|e| Error::new(ErrorCode::Io, format!("cannot open {}: {e:#}", dir.display())))?;
        }
        let mut store = store(&inner.engine, inner.interrupts, &mut wasi, grants, budgets, memory);
        match inner.pre.instantiate(&mut store) {
            Ok(engine) => Ok(Self { store, engine, stderr, budgets: budgets.clone(), _owner: owner }),
            Err(e) => Err(failure(&e, ENGINE, &stderr.contents(), budgets, UNHARMED)),
        }
    }

    /// Calls into the engine.
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Guest, &mut Store<State>) -> wasmtime::Result<std::result::Result<T, wit::Error>>,
    ) -> Result<T> {
        match call(self.engine.strongroom_backup_engine(), &mut self.store) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(e.into()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Calls what the engine exports as a store.
    pub(crate) fn with_snapshots<T>(
        &mut self,
        call: impl FnOnce(&Snapshots, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T> {
        call(self.engine.strongroom_kv_kv_store(), &mut self.store).map_err(|e| self.failed(&e))
    }

    /// Calls what the engine exports of archives.
    pub(crate) fn with_archives<T>(
        &mut self,
        call: impl FnOnce(&Archives, &mut Store<State>) -> wasmtime::Result<std::result::Result<T, wit::Error>>,
    ) -> Result<T> {
        match call(self.engine.strongroom_backup_archive(), &mut self.store) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(e.into()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Calls what the engine exports of differences.
    pub(crate) fn with_diffs<T>(
        &mut self,
        call: impl FnOnce(&Diffs, &mut Store<State>) -> wasmtime::Result<std::result::Result<T, wit::Error>>,
    ) -> Result<T> {
        match call(self.engine.strongroom_backup_diff(), &mut self.store) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(e.into()),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Lets the engine clear away what it holds for the host.
    pub(crate) fn drop_resource(&mut self, resource: ResourceAny) {
        // After a trap it cannot; then the next run does.
        let _ = resource.resource_drop(&mut self.store);
    }

    fn failed(&self, e: &wasmtime::Error) -> Error {
        failure(e, ENGINE, &self.stderr.contents(), &self.budgets, UNHARMED)
    }
}

pub(crate) use super::bindings::exports::strongroom::backup::archive::Guest as Archives;
pub(crate) use super::bindings::exports::strongroom::backup::diff::Guest as Diffs;
pub(crate) use super::bindings::exports::strongroom::kv::kv_store::Guest as Snapshots;

impl Drop for Instance {
    fn drop(&mut self) {
        let printed = readable(&self.stderr.contents());
        if !printed.is_empty() {
            let before = match self.stderr.dropped() {
                0 => String::new(),
                dropped => format!("({dropped} bytes before this were dropped) "),
            };
            tracing::warn!(component = "engine", "{before}{printed}");
        }
    }
}

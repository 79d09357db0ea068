//! One instance of the engine, and what it may touch. All grants are decided here.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{HasData, HasSelf, Linker, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::bindings::strongroom::backup::progress;
use super::bindings::strongroom::kv::{kv_sink, kv_store};
use super::limits::Limiter;
use super::{Backup, Memory, Sandbox, TICK, wit};
use crate::host::Grants;
use crate::{Error, ErrorCode, Result};
use strongroom_core::readable;

/// How an instance gets at the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What belongs to one instance.
pub(crate) struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    limiter: Limiter,
    pub(crate) grants: Arc<Grants>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Links what an engine may import: the store, the sink, whoever listens, and of WASI one directory and what the
/// standard library of its language wants to have there. No sockets.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_wasi(linker)?;
    kv_store::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    kv_sink::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    progress::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

fn link_wasi(l: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
    use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
    use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sync};
    use wasmtime_wasi::random::WasiRandom;

    struct Io;
    impl HasData for Io {
        type Data<'a> = &'a mut ResourceTable;
    }
    io::error::add_to_linker::<_, Io>(l, |state| &mut state.table)?;
    sync::io::poll::add_to_linker::<_, Io>(l, |state| &mut state.table)?;
    sync::io::streams::add_to_linker::<_, Io>(l, |state| &mut state.table)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)
}

/// A fresh instance, used by the thread that made it.
pub(crate) struct Instance {
    store: Store<State>,
    engine: Backup,
    stderr: MemoryOutputPipe,
    memory: Memory,
    sandbox: Sandbox,
}

impl Instance {
    /// An instance that sees this directory and what it was granted. `memory` is shared with the other instances of
    /// the run.
    pub(crate) fn new(
        sandbox: &Sandbox,
        dir: &Path,
        access: Access,
        grants: &Arc<Grants>,
        memory: &Memory,
    ) -> Result<Self> {
        let inner = sandbox.inner();
        let budgets = &inner.budgets;
        let stderr = MemoryOutputPipe::new(budgets.log_bytes);
        let permissions = match access {
            Access::Read => FsPerms::ReadOnly,
            Access::Write => FsPerms::ReadWrite,
        };
        let mut wasi = WasiCtxBuilder::new();
        // Before the directory, which takes a copy of it.
        wasi.allow_blocking_current_thread(true);
        wasi.stderr(stderr.clone());
        wasi.preopened_dir(dir, "/backups", permissions)
            .map_err(|e| Error::new(ErrorCode::Io, format!("cannot open {}: {e:#}", dir.display())))?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(budgets.handles);
        let state = State {
            wasi: wasi.build(),
            table,
            limiter: Limiter::new(memory.clone(), budgets),
            grants: Arc::clone(grants),
        };
        let mut store = Store::new(&inner.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(budgets.call_bytes);
        store.set_max_component_handles(budgets.handles);
        if inner.interrupts {
            let ticks = grants.deadline().map_or(u64::MAX / 2, |deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                u64::try_from(left.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX / 2) + 1
            });
            store.set_epoch_deadline(ticks);
        }
        let (memory, sandbox) = (memory.clone(), sandbox.clone());
        match inner.pre.instantiate(&mut store) {
            Ok(engine) => Ok(Self { store, engine, stderr, memory, sandbox }),
            Err(e) => Err(failure(&e, &stderr, &memory, &sandbox)),
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

    fn failed(&self, e: &wasmtime::Error) -> Error {
        failure(e, &self.stderr, &self.memory, &self.sandbox)
    }
}

pub(crate) use super::bindings::exports::strongroom::kv::kv_store::Guest as Snapshots;

impl Drop for Instance {
    fn drop(&mut self) {
        let printed = readable(&self.stderr.contents());
        if !printed.is_empty() {
            tracing::warn!(component = "engine", "{printed}");
        }
    }
}

/// What a run that was ended from outside says: the budget and what raises it, or the component's own last words.
fn failure(e: &wasmtime::Error, stderr: &MemoryOutputPipe, memory: &Memory, sandbox: &Sandbox) -> Error {
    let budgets = sandbox.budgets();
    let unharmed = "nothing was published, earlier snapshots are as they were";
    if memory.was_refused() {
        let mib = budgets.memory >> 20;
        let message = format!(
            "the engine wanted more memory than its budget of {mib} MiB; {unharmed}. Raise it with --memory or \
             Budgets::memory"
        );
        return Error::new(ErrorCode::Budget, message);
    }
    if e.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        let seconds = budgets.time.map_or(0, |time| time.as_secs());
        let message = format!(
            "the engine took longer than its budget of {seconds} s; {unharmed}. Raise it with --timeout or Budgets::time"
        );
        return Error::new(ErrorCode::Budget, message);
    }
    let printed = readable(&stderr.contents());
    let last_words = if printed.is_empty() { String::new() } else { format!("\nIt said: {printed}") };
    Error::new(ErrorCode::Other, format!("the engine failed: {:#}; {unharmed}.{last_words}", root_cause(e)))
}

/// Without the lines of the backtrace.
pub(crate) fn root_cause(e: &wasmtime::Error) -> String {
    let causes: Vec<String> = e.chain().map(ToString::to_string).collect();
    let causes = causes.iter().filter(|cause| !cause.starts_with("error while executing"));
    let text = causes.map(String::as_str).collect::<Vec<_>>().join(": ");
    if text.is_empty() { e.to_string() } else { text }
}

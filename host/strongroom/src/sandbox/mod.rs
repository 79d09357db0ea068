//! The sandbox: the engine, compiled once, and the limits within which each run of it stays.

mod bindings;
mod clock;
mod compiled;
mod confine;
mod exceeded;
mod instance;
mod job;
mod limits;
mod output;
mod state;
mod wasi;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, ProfilingStrategy};

pub(crate) use bindings::exports::strongroom::backup::diff as wit_diff;
pub(crate) use bindings::exports::strongroom::backup::engine as wit;
pub(crate) use bindings::exports::strongroom::kv::kv_store::{
    Error as SnapshotError, ErrorCode as SnapshotErrorCode, Guest as SnapshotStores, Table as SnapshotTable,
};
pub(crate) use bindings::strongroom::backup as wit_backup;
pub(crate) use bindings::strongroom::kv as wit_kv;
pub(crate) use bindings::{Backup, BackupPre};
pub(crate) use confine::Walls;
pub use confine::{Landlock, confine};
pub(crate) use exceeded::{Exceeded, advice, failure, is_refusal, root_cause};
pub(crate) use instance::{Access, ENGINE, Instance, UNHARMED};
pub(crate) use job::{on_confined_thread, on_lasting_thread, on_own_thread, panicked};
pub use limits::Budgets;
pub(crate) use limits::{Limiter, Memory};
pub(crate) use output::Printed;
pub(crate) use state::{State, store};
pub(crate) use strongroom_core::readable;
pub(crate) use wasi::{INTERFACES, link as link_wasi};

use crate::{Error, ErrorCode, Result};
use strongroom_core::excerpt;

/// The engine as it runs: compiled, with its budgets. Clones are cheap and share the compiled code.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) pre: BackupPre<State>,
    pub(crate) budgets: Budgets,
    /// Loops that call nothing are interrupted too.
    pub(crate) interrupts: bool,
    pub(crate) is_built_in: bool,
    landlock: bool,
}

/// Makes a [`Sandbox`].
pub struct SandboxBuilder {
    component: Option<Vec<u8>>,
    budgets: Budgets,
    cache: CacheDir,
    interrupts: Option<bool>,
    landlock: bool,
    perf_map: bool,
}

/// Where compiled code is kept.
pub(crate) enum CacheDir {
    Default,
    None,
    At(PathBuf),
}

impl CacheDir {
    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::At(dir) => Some(dir.clone()),
            Self::Default => Some(user_cache()?.join("strongroom")),
        }
    }
}

/// How often running code looks whether its time is over, where it does.
const TICK: Duration = Duration::from_millis(10);

impl Sandbox {
    /// The sandbox with the built-in engine and default budgets, compiled when it is first asked for and then shared
    /// by the whole process.
    pub fn shared() -> Result<Self> {
        static SHARED: OnceLock<Sandbox> = OnceLock::new();
        if let Some(shared) = SHARED.get() {
            return Ok(shared.clone());
        }
        let made = Self::builder().build()?;
        Ok(SHARED.get_or_init(|| made).clone())
    }

    /// A sandbox with other settings.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            component: None,
            budgets: Budgets::default(),
            cache: CacheDir::Default,
            interrupts: None,
            landlock: true,
            perf_map: false,
        }
    }

    /// The budgets of each run.
    pub fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    /// Whether it runs the engine that was built with this library, and nobody else's.
    pub(crate) fn is_built_in(&self) -> bool {
        self.0.is_built_in
    }

    /// The walls of a job that has this directory.
    pub(crate) fn walls(&self, dir: &Path, access: Access) -> Walls {
        match access {
            _ if !self.0.landlock => Walls::none(),
            Access::Read => Walls::closed().reading(dir),
            Access::Write => Walls::closed().writing(dir),
        }
    }

    /// The walls of a job that has no directory.
    pub(crate) fn no_doors(&self) -> Walls {
        if self.0.landlock { Walls::closed() } else { Walls::none() }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl SandboxBuilder {
    /// Runs this component instead of the built-in engine. It must be one of the world `strongroom:backup/backup`.
    #[must_use]
    pub fn component(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.component = Some(bytes.into());
        self
    }

    /// Other budgets.
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// Where compiled code is kept for the next process; without this, below the user's cache directory. Whoever can
    /// write there decides what runs: never a directory that a component can reach.
    #[must_use]
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache = CacheDir::At(dir.into());
        self
    }

    /// Keeps no compiled code.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.cache = CacheDir::None;
        self
    }

    /// Whether the time budget also ends loops that call nothing. It costs the engine a fifth of its speed, so by
    /// default that is so only for components from outside; the built-in one is checked whenever it calls the host.
    #[must_use]
    pub fn interrupts(mut self, interrupts: bool) -> Self {
        self.interrupts = Some(interrupts);
        self
    }

    /// Whether each job's thread is also confined by the kernel to the repository and to what the store or the sink
    /// says that it needs (Linux, see [`Landlock`]). It is, unless this says no.
    ///
    /// What an application has called on these threads is confined too: a function that is told of progress, or a
    /// subscriber of `tracing`, must not open files there that are elsewhere.
    #[must_use]
    pub fn landlock(mut self, yes: bool) -> Self {
        self.landlock = yes;
        self
    }

    /// Whether the names of the compiled functions are written to `/tmp/perf-PID.map`, where `perf report` looks for them.
    /// For measuring only.
    #[must_use]
    pub fn perf_map(mut self, yes: bool) -> Self {
        self.perf_map = yes;
        self
    }

    /// Compiles the engine, or takes it from the cache.
    pub fn build(self) -> Result<Sandbox> {
        let interrupts = self.interrupts.unwrap_or(self.component.is_some());
        let engine = engine_with(interrupts, &self.cache, self.perf_map)?;
        let component = match &self.component {
            Some(bytes) => compile(&engine, "the engine", bytes, &self.budgets)?,
            None => built_in(&engine, &self.cache).map_err(|e| not_set_up(&e))?,
        };
        let mut linker = Linker::new(&engine);
        instance::link(&mut linker).map_err(|e| not_set_up(&e))?;
        let pre = linker.instantiate_pre(&component).and_then(BackupPre::new).map_err(|e| {
            Error::new(
                ErrorCode::Invalid,
                format!("the component is not an engine of this version (strongroom:backup@0.1.0), or wants more than is granted: {e:#}"),
            )
        })?;
        let (budgets, landlock, is_built_in) = (self.budgets, self.landlock, self.component.is_none());
        Ok(Sandbox(Arc::new(Inner { engine, pre, budgets, interrupts, is_built_in, landlock })))
    }
}

fn built_in(engine: &Engine, cache: &CacheDir) -> wasmtime::Result<Component> {
    match cache.path() {
        Some(dir) => compiled::load(engine, strongroom_artifacts::ENGINE, &dir),
        None => {
            if matches!(cache, CacheDir::Default) {
                compiled::not_kept("there is no home directory");
            }
            Component::from_binary(engine, strongroom_artifacts::ENGINE)
        }
    }
}

/// What compiles and runs components. With `interrupts`, its clock runs from now on.
pub(crate) fn engine(interrupts: bool, cache_dir: &CacheDir) -> Result<Engine> {
    engine_with(interrupts, cache_dir, false)
}

fn engine_with(interrupts: bool, cache_dir: &CacheDir, perf_map: bool) -> Result<Engine> {
    let mut config = Config::new();
    if perf_map {
        config.profiler(ProfilingStrategy::PerfMap);
    }
    config.concurrency_support(false).epoch_interruption(interrupts);
    config.parallel_compilation(threads_are_free());
    if let Some(cache) = cache(cache_dir) {
        config.cache(Some(cache));
    }
    let engine = Engine::new(&config).map_err(|e| not_set_up(&e))?;
    if interrupts {
        tick(&engine)?;
    }
    Ok(engine)
}

/// Compiles a component from outside, or takes it from the cache. Whatever else these bytes are is refused, code that
/// was compiled before too: that would run unchecked.
pub(crate) fn compile(engine: &Engine, name: &str, bytes: &[u8], budgets: &Budgets) -> Result<Component> {
    if bytes.len() > budgets.component_bytes {
        return Err(Exceeded::ComponentBytes.explain(name, budgets, "it was not run"));
    }
    let not_one = |why: &str| {
        Error::new(
            ErrorCode::Invalid,
            format!("{name} is not a WebAssembly component that can be run: {why}"),
        )
    };
    if !bytes.starts_with(b"\0asm") {
        return Err(not_one("it does not begin like one"));
    }
    if bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err(not_one("it is a core module; build it as a component (in Rust, for wasm32-wasip2)"));
    }
    Component::from_binary(engine, bytes).map_err(|e| not_one(&excerpt(&format!("{e:#}"), 2 << 10)))
}

pub(crate) fn not_set_up(e: &wasmtime::Error) -> Error {
    Error::new(ErrorCode::Other, format!("the sandbox cannot be set up: {e:#}{}", exceeded::advice(e)))
}

/// The cache of compiled code; none if it cannot be had, which only costs time.
pub(crate) fn cache(dir: &CacheDir) -> Option<Cache> {
    let dir = dir.path().filter(|_| threads_are_free())?;
    let mut config = CacheConfig::new();
    config.with_directory(&dir);
    Cache::new(config)
        .inspect_err(|e| compiled::not_kept(&format!("{} cannot be used: {e:#}", dir.display())))
        .ok()
}

fn user_cache() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

/// Moves the clock of running code until the engine is gone. Without it a loop would never be interrupted.
fn tick(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let ticker = std::thread::Builder::new().name("strongroom-clock".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    ticker.map(drop).map_err(|e| job::no_thread("the clock of the sandbox", &e))
}

/// Whether the compiler gets a thread for each processor, and the cache of its code and a job one each: the first two panic
/// where they do not.
pub(crate) fn threads_are_free() -> bool {
    static FREE: OnceLock<bool> = OnceLock::new();
    *FREE.get_or_init(|| {
        let wanted = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + 2;
        let gate = Mutex::new(());
        std::thread::scope(|scope| {
            // All of them are there at once: each ends when it has passed the gate.
            let closed = gate.lock();
            let start = || std::thread::Builder::new().spawn_scoped(scope, || drop(gate.lock())).is_ok();
            let started = (0..wanted).all(|_| start());
            drop(closed);
            started
        })
    })
}

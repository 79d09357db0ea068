//! The sandbox: the engine, compiled once, and the limits within which each run of it stays.

mod bindings;
mod instance;
mod job;
mod limits;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};

pub(crate) use bindings::exports::strongroom::backup::engine as wit;
pub(crate) use bindings::exports::strongroom::kv::kv_store::{
    Error as SnapshotError, ErrorCode as SnapshotErrorCode,
};
pub(crate) use bindings::strongroom::backup as wit_backup;
pub(crate) use bindings::strongroom::kv as wit_kv;
pub(crate) use bindings::{Backup, BackupPre};
pub(crate) use instance::{Access, Instance, State, root_cause};
pub(crate) use job::on_own_thread;
pub use limits::Budgets;
pub(crate) use limits::{Limiter, Memory};
pub(crate) use strongroom_core::readable;

use crate::{Error, ErrorCode, Result};

/// The engine as it runs: compiled, with its budgets. Clones are cheap and share the compiled code.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) pre: BackupPre<State>,
    pub(crate) budgets: Budgets,
    /// Loops that call nothing are interrupted too.
    pub(crate) interrupts: bool,
}

/// Makes a [`Sandbox`].
pub struct SandboxBuilder {
    component: Option<Vec<u8>>,
    budgets: Budgets,
    cache: CacheDir,
    interrupts: Option<bool>,
}

/// Where compiled code is kept.
pub(crate) enum CacheDir {
    Default,
    None,
    At(PathBuf),
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
        }
    }

    /// The budgets of each run.
    pub fn budgets(&self) -> &Budgets {
        &self.0.budgets
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

    /// Compiles the engine, or takes it from the cache.
    pub fn build(self) -> Result<Sandbox> {
        let interrupts = self.interrupts.unwrap_or(self.component.is_some());
        let mut config = Config::new();
        config.concurrency_support(false).epoch_interruption(interrupts);
        if let Some(cache) = cache(&self.cache) {
            config.cache(Some(cache));
        }
        let wrong =
            |e: wasmtime::Error| Error::new(ErrorCode::Other, format!("the sandbox cannot be set up: {e:#}"));
        let engine = Engine::new(&config).map_err(wrong)?;
        let bytes = self.component.as_deref().unwrap_or(strongroom_artifacts::ENGINE);
        let component = Component::from_binary(&engine, bytes).map_err(|e| {
            Error::new(
                ErrorCode::Invalid,
                format!("this is not a WebAssembly component that can be run: {e:#}"),
            )
        })?;
        let mut linker = Linker::new(&engine);
        instance::link(&mut linker).map_err(wrong)?;
        let pre = linker.instantiate_pre(&component).and_then(BackupPre::new).map_err(|e| {
            Error::new(
                ErrorCode::Invalid,
                format!("the component is not an engine of this version (strongroom:backup@0.1.0), or wants more than is granted: {e:#}"),
            )
        })?;
        if interrupts {
            tick(&engine);
        }
        Ok(Sandbox(Arc::new(Inner { engine, pre, budgets: self.budgets, interrupts })))
    }
}

/// The cache of compiled code; none if it cannot be had, which only costs time.
pub(crate) fn cache(dir: &CacheDir) -> Option<Cache> {
    let dir = match dir {
        CacheDir::None => return None,
        CacheDir::At(dir) => dir.clone(),
        CacheDir::Default => user_cache()?.join("strongroom"),
    };
    let mut config = CacheConfig::new();
    config.with_directory(&dir);
    Cache::new(config)
        .inspect_err(|e| tracing::debug!(dir = %dir.display(), "compiled code is not kept: {e:#}"))
        .ok()
}

fn user_cache() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

/// Moves the clock of running code until the engine is gone.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    let ticker = std::thread::Builder::new().name("strongroom-clock".into()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    if let Err(e) = ticker {
        tracing::warn!("no thread for the clock of the sandbox, so loops are not interrupted: {e}");
    }
}

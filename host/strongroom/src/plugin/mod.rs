//! Plugins: components of anybody's that read a database and do with it what they like, within what they are granted.

mod contract;
mod network;
mod run;

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::sync::CommandPre;

pub use run::Run;

use crate::sandbox::wit_kv::kv_store;
use crate::sandbox::{Budgets, CacheDir, State, Walls, compile, engine, link_wasi, not_set_up};
use crate::{Error, ErrorCode, Result};
use strongroom_core::excerpt;

/// A component that reads a store: it imports `strongroom:kv/kv-store` and exports `wasi:cli/run`. Compiled once; each
/// run has an instance of its own. Clones are cheap and share the compiled code.
///
/// A plugin sees the store at one moment, the directories and arguments of its [`Run`], and nothing else: no network,
/// no environment, no other file. It cannot write to the store.
///
/// ```no_run
/// use strongroom::{Plugin, Run};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let db = redb::Database::open("app.redb")?;
/// let plugin = Plugin::builder("to-jsonl", std::fs::read("to_jsonl.wasm")?).build()?;
/// let exit_code = plugin.run(&db, Run::new().dir("exports", "/out").arg("/out/app.jsonl"))?;
/// assert_eq!(exit_code, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    name: String,
    engine: Engine,
    pre: CommandPre<State>,
    budgets: Budgets,
    landlock: bool,
}

/// Makes a [`Plugin`].
pub struct PluginBuilder {
    name: String,
    component: Vec<u8>,
    budgets: Budgets,
    cache: CacheDir,
    landlock: bool,
}

impl Plugin {
    /// A plugin in the making: its name, for messages and as its first argument, and the bytes of the component.
    pub fn builder(name: impl Into<String>, component: impl Into<Vec<u8>>) -> PluginBuilder {
        PluginBuilder {
            name: name.into(),
            component: component.into(),
            budgets: Budgets::plugin(),
            cache: CacheDir::Default,
            landlock: true,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The budgets of each run.
    pub fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    fn walls(&self) -> Walls {
        if self.0.landlock { Walls::closed() } else { Walls::none() }
    }
}

/// What messages call a plugin.
fn called(name: &str) -> String {
    format!("plugin {:?}", excerpt(name, 200))
}

impl PluginBuilder {
    /// Other budgets than those of [`Budgets::plugin`].
    #[must_use]
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// Where compiled code is kept for the next process; without this, below the user's cache directory. Whoever can
    /// write there decides what runs: never a directory that a plugin is granted.
    #[must_use]
    pub fn cache_dir(mut self, dir: impl Into<std::path::PathBuf>) -> Self {
        self.cache = CacheDir::At(dir.into());
        self
    }

    /// Keeps no compiled code.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.cache = CacheDir::None;
        self
    }

    /// Whether the thread of each run is also confined by the kernel to the granted directories, where it can
    /// ([`Landlock`](crate::Landlock)). It is, unless this says no.
    #[must_use]
    pub fn landlock(mut self, yes: bool) -> Self {
        self.landlock = yes;
        self
    }

    /// Compiles the component, or takes it from the cache. A large one (of Python, say) takes half a minute the first
    /// time.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`] for what is no component, or exports no `wasi:cli/run`, or imports more than a plugin
    /// can be granted; the message names what.
    pub fn build(self) -> Result<Plugin> {
        let called = called(&self.name);
        let engine = engine(true, &self.cache)?;
        let component = compile(&engine, &called, &self.component, &self.budgets)?;
        let types = component.component_type();
        contract::check(&called, &types, &engine)?;
        let mut linker = Linker::new(&engine);
        link_wasi(&mut linker)
            .and_then(|()| kv_store::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state))
            .and_then(|()| network::deny(&mut linker, &types, &engine))
            .map_err(|e| not_set_up(&e))?;
        let pre = linker.instantiate_pre(&component).and_then(CommandPre::new).map_err(|e| {
            let message = format!(
                "{called} was made for another shape of an interface than this version knows: {}",
                excerpt(&format!("{e:#}"), 2 << 10)
            );
            Error::new(ErrorCode::Invalid, message)
        })?;
        let Self { name, budgets, landlock, .. } = self;
        Ok(Plugin(Arc::new(Inner { name, engine, pre, budgets, landlock })))
    }
}

//! A policy's component: what it exports, and that it imports nothing.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, OperatorCost};

use strongroom_core::text::size;

use super::bindings::{admitter, retainer, selector};
use super::budgets::PolicyBudgets;
use crate::sandbox::{CacheDir, Limiter, cache, readable, threads_are_free};
use crate::{Error, ErrorCode, Result};

/// The package of the interfaces, and the versions of it that this library knows.
const PACKAGE: &str = "strongroom:policy/";
const KNOWN: [&str; 1] = ["0.1"];
/// Components of fewer bytes are compiled in no time.
const SMALL: usize = 1 << 20;
/// Only what takes longer is told of: to find a large component compiled takes a while too.
const SOON: Duration = Duration::from_secs(3);

/// Is told that a component of this name is being compiled, if that takes a while.
pub(crate) type OnCompiling = dyn Fn(&str) + Send + Sync;

/// One decision that a policy can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Decision {
    /// Which tables to back up.
    Select,
    /// Whether a new snapshot may be published.
    Admit,
    /// Which snapshots to keep.
    Retain,
}

impl Decision {
    /// All of them.
    pub const ALL: [Decision; 3] = [Decision::Select, Decision::Admit, Decision::Retain];

    /// The name of the interface, and of its function.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Select => "select",
            Decision::Admit => "admit",
            Decision::Retain => "retain",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A policy, compiled.
pub(crate) struct Compiled {
    pub(crate) engine: Engine,
    pub(crate) selector: Option<selector::SelectorPre<Limiter>>,
    pub(crate) admitter: Option<admitter::AdmitterPre<Limiter>>,
    pub(crate) retainer: Option<retainer::RetainerPre<Limiter>>,
    /// The names of the policy interfaces that it exports, with their versions.
    pub(crate) exports: Vec<String>,
    pub(crate) len: usize,
}

/// Compiles a component, or takes it from the cache.
pub(crate) fn compile(
    name: &str,
    bytes: &[u8],
    budgets: &PolicyBudgets,
    cache_dir: &CacheDir,
    on_compiling: Option<&OnCompiling>,
) -> Result<Compiled> {
    let invalid = |what: String| Error::new(ErrorCode::Invalid, format!("policy {name}: {what}"));
    check_size(name, bytes, bytes.len() as u64, budgets.component_bytes)?;
    let mut config = Config::new();
    // The same answer everywhere: time is counted in instructions, and every NaN has the same bits.
    config.concurrency_support(false).consume_fuel(true).operator_cost(costs());
    config.cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    config.cache(cache(cache_dir)).parallel_compilation(threads_are_free());
    let setup = |e: wasmtime::Error| {
        Error::new(ErrorCode::Other, format!("the sandbox of policies cannot be set up: {e:#}"))
    };
    let engine = Engine::new(&config).map_err(setup)?;
    let tell = on_compiling.filter(|_| bytes.len() > SMALL);
    let component = telling(name, tell, || Component::from_binary(&engine, bytes));
    let component = component.map_err(|e| {
        invalid(format!("it is not a component that can be run: {}", readable(format!("{e:#}").as_bytes())))
    })?;
    check_imports(&engine, &component).map_err(invalid)?;
    let exports = exports(&engine, &component);
    check_exports(&exports).map_err(invalid)?;
    // Nothing is linked: what a policy may call is what it brings along.
    let linker: Linker<Limiter> = Linker::new(&engine);
    let pre =
        linker.instantiate_pre(&component).map_err(|e| invalid(format!("it cannot be linked: {e:#}")))?;
    let typed = Typed { pre, exports: &exports };
    Ok(Compiled {
        selector: typed.find(Decision::Select, selector::SelectorPre::new).map_err(invalid)?,
        admitter: typed.find(Decision::Admit, admitter::AdmitterPre::new).map_err(invalid)?,
        retainer: typed.find(Decision::Retain, retainer::RetainerPre::new).map_err(invalid)?,
        exports,
        len: bytes.len(),
        engine,
    })
}

/// Says what is wrong with a component that begins with these bytes and has so many.
pub(crate) fn check_size(name: &str, begin: &[u8], len: u64, most: u64) -> Result<()> {
    check_header(begin).map_err(|what| Error::new(ErrorCode::Invalid, format!("policy {name}: {what}")))?;
    if len > most {
        let message = format!(
            "policy {name}: the component has {} and its budget is {}; raise it with PolicyBudgets::component_bytes",
            size(len),
            size(most)
        );
        return Err(Error::new(ErrorCode::Budget, message));
    }
    Ok(())
}

/// What instructions cost in fuel: one unit each, and one more for each byte that is copied. Asking for memory costs more,
/// because it takes a call to the host, which is granted or not.
fn costs() -> OperatorCost {
    let mut costs = OperatorCost::new();
    (costs.MemoryGrow, costs.TableGrow) = (u8::MAX, u8::MAX);
    costs
}

/// Tells of work that takes a while, once it has taken a while.
fn telling<T>(name: &str, tell: Option<&OnCompiling>, work: impl FnOnce() -> T) -> T {
    let Some(tell) = tell else { return work() };
    std::thread::scope(|scope| {
        let (done, wait) = channel::<()>();
        let tells = move || {
            if wait.recv_timeout(SOON) == Err(RecvTimeoutError::Timeout) {
                tell(name);
            }
        };
        // Without a thread nobody is told.
        let _ = std::thread::Builder::new().spawn_scoped(scope, tells);
        let result = work();
        drop(done);
        result
    })
}

/// Says what a file is that is no component, in words that help.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(
            "it is a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it with \
             `wasm-tools component new`"
                .to_owned(),
        ),
        Some([0, b'a', b's', b'm', ..]) => {
            Err("it is a WebAssembly component of another version of that format".to_owned())
        }
        _ => Err("it is not a WebAssembly component".to_owned()),
    }
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), String> {
    let types = component.component_type();
    let imports: Vec<String> = types.imports(engine).map(|(import, _)| shown(import)).collect();
    if imports.is_empty() {
        return Ok(());
    }
    let more = if imports.len() > 5 { format!(" and {} more", imports.len() - 5) } else { String::new() };
    let named = imports.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(format!(
        "it imports {named}{more}, and a policy may import nothing. docs/policies.md says how to build without \
         imports: Rust with no_std, JavaScript with all features disabled, Python with --stub-wasi"
    ))
}

/// The policy interfaces that it exports.
fn exports(engine: &Engine, component: &Component) -> Vec<String> {
    let types = component.component_type();
    let instances =
        types.exports(engine).filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentInstance(_)));
    let ours = instances.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(PACKAGE));
    ours.collect()
}

fn check_exports(exports: &[String]) -> Result<(), String> {
    let is_known = |export: &String| {
        let (interface, version) = parts(export);
        Decision::ALL.iter().any(|decision| decision.as_str() == interface)
            && KNOWN.iter().any(|known| version.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
    };
    let known = || {
        let names = Decision::ALL.map(|decision| format!("{PACKAGE}{decision}@{}.x", KNOWN.join(".x or @")));
        names.join(", ")
    };
    if exports.is_empty() {
        return Err(format!("it exports no policy interface; those that are known: {}", known()));
    }
    match exports.iter().find(|export| !is_known(export)) {
        Some(other) => Err(format!(
            "it exports {}, which this version of Strongroom does not know; it knows {}. Build the policy against these, \
             or use a version of Strongroom that knows it",
            shown(other),
            known()
        )),
        None => Ok(()),
    }
}

/// The interface and the version in the name of an export.
fn parts(export: &str) -> (&str, &str) {
    let rest = export.strip_prefix(PACKAGE).unwrap_or(export);
    rest.split_once('@').unwrap_or((rest, ""))
}

struct Typed<'c> {
    pre: InstancePre<Limiter>,
    exports: &'c [String],
}

impl Typed<'_> {
    /// The typed function, if the component exports its interface.
    fn find<T>(
        &self,
        decision: Decision,
        typed: impl FnOnce(InstancePre<Limiter>) -> wasmtime::Result<T>,
    ) -> Result<Option<T>, String> {
        if !self.exports.iter().any(|export| parts(export).0 == decision.as_str()) {
            return Ok(None);
        }
        typed(self.pre.clone()).map(Some).map_err(|e| {
            format!(
                "what it exports as {decision} is not what {PACKAGE}{decision}@0.1.0 says: {}",
                readable(format!("{e:#}").as_bytes())
            )
        })
    }
}

/// What a component says its parts are called, for people.
fn shown(name: &str) -> String {
    let text: String = readable(name.as_bytes()).chars().take(100).collect();
    text.replace(['\n', '\t'], " ")
}

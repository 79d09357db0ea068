//! Policies: components that decide what to back up, what to accept and what to keep.
//!
//! A policy imports nothing. It is asked in a fresh instance each time, with everything it must know as arguments, and
//! only answers; what it says is carried out here. One that fails in any way decides nothing: all tables are taken, the
//! new snapshot is accepted, every snapshot is kept, and the failure is reported.

mod bindings;
mod budgets;
mod call;
mod check;
mod component;
mod decide;
mod facts;
mod picture;
mod retention;
mod simulate;
mod zone;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use budgets::PolicyBudgets;
pub use call::Cost;
pub use check::{PolicyReport, Trial};
pub use component::Decision;
pub use retention::{Judged, PolicyFailure, Retention};
pub use simulate::{Simulation, Timeline};
pub use zone::TimeZone;

use crate::sandbox::{CacheDir, on_own_thread, readable};
use crate::{Error, Result};
use component::{Compiled, OnCompiling, compile};

/// A policy with its settings and time zone. Clones are cheap and share the compiled component.
///
/// ```no_run
/// # use std::time::SystemTime;
/// # use strongroom::{Policy, Repository, Result, TimeZone};
/// # fn main() -> Result<()> {
/// let policy = Policy::built_in()?
///     .setting("keep-daily", "7")
///     .setting("keep-monthly", "12")
///     .time_zone(TimeZone::named("Europe/Berlin")?);
/// let repository = Repository::at("backups")?;
/// for judged in repository.retention(&policy, SystemTime::now())?.snapshots {
///     println!("{} {}: {}", judged.snapshot.name, judged.keep, judged.reason);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Policy {
    name: Arc<str>,
    compiled: Arc<Compiled>,
    settings: Arc<[(String, String)]>,
    zone: TimeZone,
    budgets: PolicyBudgets,
}

impl Policy {
    /// The built-in rules, compiled when they are first asked for and then shared by the whole process. Without settings
    /// they take all tables, refuse what looks like an accident, and keep every snapshot; their settings are listed in
    /// `docs/policies.md`.
    pub fn built_in() -> Result<Self> {
        static SHARED: OnceLock<Policy> = OnceLock::new();
        if let Some(shared) = SHARED.get() {
            return Ok(shared.clone());
        }
        let made = Self::builder().built_in()?;
        Ok(SHARED.get_or_init(|| made).clone())
    }

    /// The policy in this file, with default budgets.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().load(path)
    }

    /// A policy with other budgets, or compiled elsewhere.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { budgets: PolicyBudgets::default(), cache: CacheDir::Default, on_compiling: None }
    }

    /// Gives it one more setting. Settings reach the policy in the order in which they are given, and a name may come
    /// more than once.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let more = (name.into(), value.into());
        self.settings = self.settings.iter().cloned().chain([more]).collect();
        self
    }

    /// The time zone whose calendar it is shown; UTC without this, so that the answer is the same on every machine.
    #[must_use]
    pub fn time_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// What it is called in messages: the name of its file, or `built-in`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The settings that it is given.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Whether it takes this decision. If not, the default holds.
    pub fn decides(&self, decision: Decision) -> bool {
        match decision {
            Decision::Select => self.compiled.selector.is_some(),
            Decision::Admit => self.compiled.admitter.is_some(),
            Decision::Retain => self.compiled.retainer.is_some(),
        }
    }

    /// Its budgets.
    pub fn budgets(&self) -> &PolicyBudgets {
        &self.budgets
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Policy`].
pub struct PolicyBuilder {
    budgets: PolicyBudgets,
    cache: CacheDir,
    on_compiling: Option<Box<OnCompiling>>,
}

impl PolicyBuilder {
    /// Other budgets.
    #[must_use]
    pub fn budgets(mut self, budgets: PolicyBudgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// Where compiled code is kept for the next process; without this, below the user's cache directory. Whoever can
    /// write there decides what runs.
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

    /// Calls this with the policy's name if compiling it takes a while, as it does once with the 12 to 18 MB that
    /// JavaScript and Python bring along.
    #[must_use]
    pub fn on_compiling(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_compiling = Some(Box::new(tell));
        self
    }

    /// The policy in this file.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Invalid`](crate::ErrorCode::Invalid) if it is no component, exports no policy interface or one of a version that is not known,
    /// or imports anything.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Policy> {
        let path = path.as_ref();
        let wrong = |e: std::io::Error| Error::io("read the policy", path, &e);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = readable(name.as_bytes()).replace('\n', "\\n");
        // No more is read than it takes to say that it is too much, or no component at all.
        let most = self.budgets.component_bytes;
        let file = std::fs::File::open(path).map_err(wrong)?;
        let len = file.metadata().map_err(wrong)?.len();
        let mut bytes = Vec::new();
        let wanted = if len > most { 8 } else { most.saturating_add(1) };
        std::io::Read::read_to_end(&mut std::io::Read::take(file, wanted), &mut bytes).map_err(wrong)?;
        component::check_size(&name, &bytes, len.max(bytes.len() as u64), most)?;
        self.bytes(&name, &bytes)
    }

    /// The built-in rules.
    pub fn built_in(self) -> Result<Policy> {
        self.bytes("built-in", strongroom_artifacts::POLICY)
    }

    /// The policy in these bytes, called so in messages.
    ///
    /// # Errors
    ///
    /// As [`PolicyBuilder::load`].
    pub fn bytes(self, name: &str, bytes: &[u8]) -> Result<Policy> {
        let Self { budgets, cache, on_compiling } = self;
        // A thread of its own, because a compiler that is given nonsense may end it.
        let compiled =
            on_own_thread("compile", || compile(name, bytes, &budgets, &cache, on_compiling.as_deref()))?;
        Ok(Policy {
            name: name.into(),
            compiled: Arc::new(compiled),
            settings: Arc::new([]),
            zone: TimeZone::utc(),
            budgets,
        })
    }
}

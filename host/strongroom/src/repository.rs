//! A repository, and what every verb on it shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::host::progress::{Cancel, OnProgress};
use crate::host::{Grants, Meter};
use crate::model::{Damage, Depth, Progress, Snapshot, Snapshots, Table, Verified, checked};
use crate::sandbox::{Access, Instance, Memory, Sandbox, Walls, on_confined_thread, wit};
use crate::{Error, ErrorCode, Result};
use strongroom_core::{Checks, Lock, Locking, checks, directory};

/// A directory of snapshots.
///
/// Every verb blocks until it is done, does its work on threads of its own, and may be called from anywhere, also from
/// inside an asynchronous task (which it then blocks). Any number of readers and one writer may be at work at once.
#[derive(Clone)]
pub struct Repository {
    dir: PathBuf,
    sandbox: Sandbox,
    on_progress: Option<OnProgress>,
    on_warning: Option<OnWarning>,
    cancel: Cancel,
    remembers: bool,
    locking: Locking,
}

/// Is told, once for each, what a caller should know of a verb that went well.
type OnWarning = Arc<dyn Fn(&str) + Send + Sync>;

impl Repository {
    /// The repository in this directory, which need not exist yet: the first backup makes it.
    pub fn at(dir: impl AsRef<Path>) -> Result<Self> {
        Self::with_sandbox(dir, Sandbox::shared()?)
    }

    /// The same, with an engine or budgets of one's own.
    pub fn with_sandbox(dir: impl AsRef<Path>, sandbox: Sandbox) -> Result<Self> {
        let dir = dir.as_ref();
        directory::check_local(dir)?;
        let absolute = std::path::absolute(dir).map_err(|e| Error::io("find", dir, &e))?;
        Ok(Self {
            dir: absolute,
            sandbox,
            on_progress: None,
            on_warning: None,
            cancel: Cancel::new(),
            remembers: true,
            locking: Locking::default(),
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells this function how far each verb is.
    #[must_use]
    pub fn on_progress(mut self, tell: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(tell));
        self
    }

    /// Tells this function what the caller of a verb that went well should know: that a policy failed, and so was not
    /// heeded. It is logged too.
    #[must_use]
    pub fn on_warning(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_warning = Some(Arc::new(tell));
        self
    }

    /// Lets whoever holds this token stop the verbs.
    #[must_use]
    pub fn cancel_with(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Leaves no trace of what [`verify`](Self::verify) and [`drill`](Self::drill) find; otherwise [`checks`](Self::checks)
    /// knows it afterwards. What another engine than the built-in one says is never remembered.
    #[must_use]
    pub fn without_memory(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// Lets verbs that write wait so long for a lock that another run holds; [`cancel_with`](Self::cancel_with) ends the
    /// wait. Without this they fail at once with [`ErrorCode::Locked`].
    #[must_use]
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.locking.wait = wait;
        self
    }

    /// Lets verbs that write take away a lock of which cannot be seen whether its holder still works: one that another
    /// machine or a component has left on a network file system, say. A lock whose holder is seen to be at work stays. A run
    /// that was at work all the same stops before its next change.
    #[must_use]
    pub fn break_lock(mut self, yes: bool) -> Self {
        self.locking.break_lock = yes;
        self
    }

    /// Takes the lock for a verb that writes.
    pub(crate) fn lock(&self, doing: &str) -> Result<Arc<Lock>> {
        let lock = Lock::take(&self.dir, doing, &self.locking, &|| self.cancel.is_cancelled())?;
        if let Some(weaker) = lock.weaker() {
            self.warn(weaker);
        }
        Ok(Arc::new(lock))
    }

    /// When this repository was last verified and drilled, by whatever program, and what was found.
    pub fn checks(&self) -> Checks {
        Checks::read(&self.dir)
    }

    /// Makes a repository without snapshots, as the first backup would; `false` if it is one already, which stays as it is.
    pub fn init(&self) -> Result<bool> {
        let made = directory::prepare(&self.dir, false)?;
        let done = self.lock("an init").and_then(|lock| {
            self.run("init", Access::Write, Grants::locked(self.meter(), Some(lock)), |engine, _| {
                engine.call(|engine, store| engine.call_init(store))
            })
        });
        if done.is_err() && made == directory::Made::Now {
            // Only if nothing was written to it.
            let _ = std::fs::remove_dir(&self.dir);
        }
        done
    }

    /// All snapshots.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let (snapshots, damage) =
            self.read("snapshots", |engine| engine.call(|engine, store| engine.call_snapshots(store)))?;
        let mut all = Snapshots::default();
        all.snapshots = snapshots.into_iter().map(checked).collect::<Result<_>>()?;
        all.damage = damage.into_iter().map(Damage::from).collect();
        Ok(all)
    }

    /// The one snapshot that is meant: a name, the beginning of an id (the newest that has it), or `latest`.
    pub fn find(&self, which: &str) -> Result<Snapshot> {
        let found =
            self.read("find", |engine| engine.call(|engine, store| engine.call_find(store, which)))?;
        checked(found)
    }

    /// The tables of a snapshot, sorted by name.
    pub fn tables(&self, snapshot: &str) -> Result<Vec<Table>> {
        let tables =
            self.read("tables", |engine| engine.call(|engine, store| engine.call_tables(store, snapshot)))?;
        Ok(tables.into_iter().map(Table::from).collect())
    }

    /// Looks whether all is there that the snapshots need, or what one of them needs. [`checks`](Self::checks) knows
    /// afterwards what was found.
    pub fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified> {
        let how = match depth {
            Depth::Structure => wit::Depth::Structure,
            Depth::Data => wit::Depth::Data,
            Depth::Sample { permille, number } => wit::Depth::Sample((permille, number)),
            _ => return Err(Error::new(ErrorCode::Unsupported, "this depth is not known here")),
        };
        let verified = self
            .read("verify", |engine| engine.call(|engine, store| engine.call_verify(store, snapshot, how)))?;
        let verified = verified.into();
        if self.remembers() {
            checks::note_verified(&self.dir, snapshot, depth, &verified);
        }
        Ok(verified)
    }

    /// Whether what is found is to be remembered.
    pub(crate) fn remembers(&self) -> bool {
        self.remembers && self.sandbox.is_built_in()
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(crate) fn warn(&self, message: &str) {
        tracing::warn!("{message}");
        if let Some(tell) = &self.on_warning {
            tell(message);
        }
    }

    pub(crate) fn meter(&self) -> Meter {
        Meter::new(self.on_progress.clone(), self.cancel.clone(), self.sandbox.budgets().time)
    }

    /// Runs a verb that only reads.
    fn read<T: Send>(&self, verb: &str, act: impl FnOnce(&mut Instance) -> Result<T> + Send) -> Result<T> {
        self.run(verb, Access::Read, Grants::new(self.meter()), |engine, _| act(engine))
    }

    /// Runs a verb in one instance.
    pub(crate) fn run<T: Send>(
        &self,
        verb: &str,
        access: Access,
        grants: Grants,
        act: impl FnOnce(&mut Instance, &Arc<Grants>) -> Result<T> + Send,
    ) -> Result<T> {
        directory::check(&self.dir)?;
        let walls = self.sandbox.walls(&self.dir, access);
        let (done, grants) = self.run_in(Some((&self.dir, access)), walls, verb, grants, act);
        done.map_err(|e| self.named(e, &grants))
    }

    /// Runs a verb in one instance that has no directory at all.
    pub(crate) fn run_without_repository<T: Send>(
        &self,
        verb: &str,
        grants: Grants,
        act: impl FnOnce(&mut Instance, &Arc<Grants>) -> Result<T> + Send,
    ) -> Result<T> {
        self.run_in(None, self.sandbox.no_doors(), verb, grants, act).0
    }

    fn run_in<T: Send>(
        &self,
        dir: Option<(&Path, Access)>,
        walls: Walls,
        verb: &str,
        grants: Grants,
        act: impl FnOnce(&mut Instance, &Arc<Grants>) -> Result<T> + Send,
    ) -> (Result<T>, Arc<Grants>) {
        let repository = dir.map(|(dir, _)| tracing::field::display(dir.display()));
        let span = tracing::info_span!("strongroom", verb, repository);
        let grants = Arc::new(grants);
        let memory = Memory::new(self.sandbox.budgets().memory);
        let walls = grants.doors(walls);
        let done = on_confined_thread(verb, &walls, || {
            let _in = span.enter();
            let mut engine = Instance::new(&self.sandbox, dir, &grants, &memory)?;
            act(&mut engine, &grants)
        });
        (done.map_err(|e| grants.with_database(grants.explain(e))), grants)
    }

    /// An error says which repository it is about, unless it is about the database.
    pub(crate) fn named(&self, e: Error, grants: &Grants) -> Error {
        match grants.database() {
            _ if grants.is_outside(&e) => grants.with_database(e),
            // What the engine found wrong with what it was given.
            Some(file) if e.to_string().contains("the store ") => e.at(file.display()),
            _ => e.in_repository(&self.dir),
        }
    }
}

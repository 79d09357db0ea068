//! Backing up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_store::Store;

use crate::host::Grants;
use crate::model::{Snapshot, checked};
use crate::origin::{self, Identity};
use crate::policy::Policy;
use crate::repository::Repository;
use crate::sandbox::{Access, Instance, Memory, on_confined_thread, on_own_thread, wit};
use crate::source::Source;
use crate::{Error, ErrorCode, Result};
use strongroom_core::directory::{self, Made};

/// How to back up: what the snapshot is called, and what goes into it.
///
/// ```
/// # use strongroom::Backup;
/// let backup = Backup::new().name("{source}-{position:07}").source("ledger").position("meta/height");
/// ```
#[derive(Debug, Clone)]
pub struct Backup {
    name: String,
    source: Option<String>,
    tables: Option<Vec<String>>,
    position: Option<String>,
    threads: Option<usize>,
    override_permissions: bool,
    time: Option<SystemTime>,
    policy: Option<Policy>,
    accept: bool,
    full_scan: bool,
    full_scan_after: Option<(u32, u32)>,
    compression: Compression,
}

/// How a backup stores what is new. It can be another each time: what is stored already is used as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// With Snappy, where that saves at least an eighth.
    #[default]
    Snappy,
    /// As it is: for data that is compressed or encrypted already, and where a quick backup is worth more than its size.
    None,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            name: "{source}-{time}".to_owned(),
            source: None,
            tables: None,
            position: None,
            threads: None,
            override_permissions: false,
            time: None,
            policy: None,
            accept: false,
            full_scan: false,
            full_scan_after: None,
            compression: Compression::default(),
        }
    }
}

/// Threads that copy, unless the caller says otherwise: one more than there are processors, so that while one waits for
/// the disk the others go on, and no more than this, which would only take memory from each other.
const THREADS_MAX: usize = 4;
/// Parts for each thread, so that none waits long for another at the end.
const PARTS_PER_THREAD: usize = 3;

impl Backup {
    /// All tables, named by source and time.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of the snapshot, or a template for it: `{source}`, `{time}` (UTC), `{position}` and `{seq}` are filled
    /// in, numbers with leading zeros as in `{position:07}`. A name that is taken is refused.
    #[must_use]
    pub fn name(mut self, template: impl Into<String>) -> Self {
        self.name = template.into();
        self
    }

    /// Which database this is among those that share the repository: the snapshots of one source are one history. Without
    /// this, the name of the database's file, [without its ending](Source::name). A [`redb::Database`] alone does not know
    /// its file; without a source it is refused once the repository holds another.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Only tables whose names match one of these globs (`*`, `?`).
    #[must_use]
    pub fn tables(mut self, globs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tables = Some(globs.into_iter().map(Into::into).collect());
        self
    }

    /// Where the database says how far it is, for redb `TABLE/KEY`. If nothing is there, nothing is backed up.
    #[must_use]
    pub fn position(mut self, at: impl Into<String>) -> Self {
        self.position = Some(at.into());
        self
    }

    /// How many threads copy at once. Without this, one more than there are processors, up to 4.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Takes the directory away from group and others instead of refusing one that they can see.
    #[must_use]
    pub fn override_permissions(mut self, yes: bool) -> Self {
        self.override_permissions = yes;
        self
    }

    /// The time that the snapshot bears, instead of now.
    #[must_use]
    pub fn time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Lets a policy decide which tables to take and whether the new snapshot may be published; a snapshot that it
    /// refuses is [`ErrorCode::Refused`]. Without this, all is taken and accepted. [`Policy::built_in`] refuses what looks
    /// like an accident: a table gone, more than half of the entries gone, the position going back.
    #[must_use]
    pub fn policy(mut self, policy: &Policy) -> Self {
        self.policy = Some(policy.clone());
        self
    }

    /// Publishes the snapshot also if the policy refuses it, or if the file that the source was made of before is still
    /// there beside this one.
    #[must_use]
    pub fn accept(mut self, yes: bool) -> Self {
        self.accept = yes;
        self
    }

    /// Reads all tables in full instead of asking the store what changed.
    #[must_use]
    pub fn full_scan(mut self, yes: bool) -> Self {
        self.full_scan = yes;
        self
    }

    /// When all tables are read in full without being asked for: after so many snapshots of what the store says has
    /// changed, and after so many days. Without this, 100 and 7. A database compares by checksums that are made against
    /// accidents, not against somebody who chooses what is stored in it.
    #[must_use]
    pub fn full_scan_after(mut self, snapshots: u32, days: u32) -> Self {
        self.full_scan_after = Some((snapshots, days));
        self
    }

    /// How what is new is stored.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    pub(crate) fn asks(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    pub(crate) fn accepts(&self) -> bool {
        self.accept
    }

    pub(crate) fn given_source(&self) -> Option<String> {
        self.source.clone()
    }

    fn job(&self, identity: &Identity, threads: usize, leave_out: Vec<String>) -> wit::Job {
        let time = self.time.unwrap_or_else(SystemTime::now);
        wit::Job {
            store: "store".to_owned(),
            name: self.name.clone(),
            source: identity.source.clone(),
            origin: identity.origin.clone(),
            tables: self.tables.clone(),
            leave_out,
            position: self.position.clone(),
            time: time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            full_scan: self.full_scan,
            parts: if threads == 1 { 1 } else { (threads * PARTS_PER_THREAD) as u32 },
            options: self.options(identity.is_nameless),
        }
    }

    fn options(&self, is_nameless: bool) -> Vec<(String, String)> {
        let mut options = Vec::new();
        if is_nameless {
            options.push(("only-source".to_owned(), "yes".to_owned()));
        }
        if let Some((snapshots, days)) = self.full_scan_after {
            options.push(("full-scan-snapshots".to_owned(), snapshots.to_string()));
            options.push(("full-scan-days".to_owned(), days.to_string()));
        }
        if self.compression == Compression::None {
            options.push(("compression".to_owned(), "none".to_owned()));
        }
        options
    }
}

impl Repository {
    /// Backs up a database as it is at this moment, beside its writers.
    ///
    /// When this returns, the snapshot is durable. When it fails, or the process ends in between, earlier snapshots are
    /// as they were, and the next backup goes on with what was already written.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Exists`] for a name that is taken, [`ErrorCode::Locked`] if another run writes to the repository,
    /// [`ErrorCode::NotFound`] if there is no position where one was asked for or no table that matches,
    /// [`ErrorCode::Refused`] if a policy does not accept it, or if the source was made of another file that is still there, [`ErrorCode::Full`] if there is no room, and others, each with a message that says what to do.
    pub fn backup<S: Source + ?Sized>(&self, source: &S, backup: &Backup) -> Result<Snapshot> {
        let identity = Identity::of(source, backup);
        let store = source.store()?;
        if let Some(at) = &backup.position {
            // Nothing is made for a backup that cannot be named.
            on_own_thread("position", || Ok(store.position(at).map_err(|e| e.about((*store).file()))?))?;
        }
        let made = directory::prepare(self.dir(), backup.override_permissions)?;
        let done = self.backup_locked(&identity, store, backup);
        if done.is_err() && made == Made::Now {
            // Only if nothing was written to it.
            let _ = std::fs::remove_dir(self.dir());
        }
        done
    }

    fn backup_locked(&self, identity: &Identity, store: Arc<dyn Store>, backup: &Backup) -> Result<Snapshot> {
        let lock = self.lock("a backup")?;
        let span = tracing::info_span!("strongroom", verb = "backup", repository = %self.dir().display());
        let threads = backup.threads.unwrap_or_else(|| {
            let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            (processors + 1).min(THREADS_MAX)
        });
        let grants = Arc::new(Grants { store: Some(store), ..Grants::locked(self.meter(), Some(lock)) });
        let memory = Memory::new(self.sandbox().budgets().memory);
        let walls = grants.doors(self.sandbox().walls(self.dir(), Access::Write));
        let done = on_confined_thread("backup", &walls, || {
            let _in = span.enter();
            let leave_out = self.left_out(backup, &identity.source, &grants)?;
            let mut engine =
                Instance::new(self.sandbox(), Some((self.dir(), Access::Write)), &grants, &memory)?;
            let job = backup.job(identity, threads, leave_out);
            let plan = engine.call(|engine, store| engine.call_prepare(store, &job))?;
            origin::check(identity, plan.moved_from.as_deref(), backup, |message| self.warn(message))?;
            if plan.parts > job.parts {
                let message =
                    format!("the engine planned {} parts where at most {} make sense", plan.parts, job.parts);
                return Err(Error::new(ErrorCode::Invalid, message));
            }
            tracing::info!(
                backup = %self.dir().join("snapshots").join(format!("{}.json", plan.name)).display(),
                entries = plan.entries,
                bytes = plan.bytes_about,
                parts = plan.parts,
                "Writing backup database."
            );
            grants.meter.set_total(plan.bytes_about, plan.entries);
            let parts = Parts::new(&plan);
            let mut engine = self.renewed(engine, &plan, &grants, &memory)?;
            std::thread::scope(|scope| {
                for number in 1..threads.min(plan.parts as usize) {
                    let (parts, grants, memory, span) = (&parts, &grants, &memory, &span);
                    let copy = move || {
                        // Behind the walls of this thread.
                        let copied = on_own_thread(&format!("copy-{number}"), || {
                            let _in = span.enter();
                            let mut engine = Instance::new(
                                self.sandbox(),
                                Some((self.dir(), Access::Write)),
                                grants,
                                memory,
                            )?;
                            parts.copy(&mut engine, grants)
                        });
                        parts.note(copied, grants);
                    };
                    // Where there is no thread to be had, those that there are do its share.
                    if let Err(e) = std::thread::Builder::new().spawn_scoped(scope, copy) {
                        tracing::info!("copying with {number} of {threads} threads: {e}");
                        break;
                    }
                }
                parts.note(parts.copy(&mut engine, &grants), &grants);
            });
            let receipts = parts.receipts()?;
            let mut engine = self.renewed(engine, &plan, &grants, &memory)?;
            let draft = engine.call(|engine, store| engine.call_seal(store, &plan, &receipts))?;
            grants.meter.complete("seal", draft.snapshot.bytes, draft.snapshot.entries);
            if grants.meter.is_over() {
                return Err(Error::new(ErrorCode::Cancelled, "stopped on request; nothing was published"));
            }
            self.admit(backup, &mut engine, &draft)?;
            let published = engine.call(|engine, store| engine.call_publish(store, &draft))?;
            let snapshot = checked(published)?;
            tracing::info!(
                snapshot = snapshot.name,
                id = snapshot.id,
                added = snapshot.bytes_added,
                "published"
            );
            Ok(snapshot)
        });
        done.map_err(|e| self.named(grants.explain(e), &grants))
    }
}

/// From so many bytes of a plan on, each step begins in a fresh instance: memory that one has had it never gives back.
const LARGE_PLAN: usize = 4 << 20;

impl Repository {
    fn renewed(
        &self,
        engine: Instance,
        plan: &wit::Plan,
        grants: &Arc<Grants>,
        memory: &Memory,
    ) -> Result<Instance> {
        if plan.state.len() < LARGE_PLAN {
            return Ok(engine);
        }
        drop(engine);
        Instance::new(self.sandbox(), Some((self.dir(), Access::Write)), grants, memory)
    }
}

/// Stops the other threads of a run when the one that holds this panics.
struct StopOnPanic<'g>(&'g Grants);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.meter.fail();
        }
    }
}

/// The parts of a plan, taken one by one by whoever is free.
struct Parts<'p> {
    plan: &'p wit::Plan,
    next: AtomicU32,
    receipts: Mutex<Vec<Option<Vec<u8>>>>,
    error: Mutex<Option<Error>>,
}

impl<'p> Parts<'p> {
    fn new(plan: &'p wit::Plan) -> Self {
        Self {
            plan,
            next: AtomicU32::new(0),
            receipts: Mutex::new(vec![None; plan.parts as usize]),
            error: Mutex::new(None),
        }
    }

    /// Copies parts until there is none left. The others stop too if a store panics under it.
    fn copy(&self, engine: &mut Instance, grants: &Grants) -> Result<()> {
        let _stop = StopOnPanic(grants);
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= self.plan.parts || grants.meter.is_over() {
                return Ok(());
            }
            tracing::debug!(part, of = self.plan.parts, "copying");
            let receipt = engine.call(|engine, store| engine.call_copy(store, self.plan, part))?;
            let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
            receipts[part as usize] = Some(receipt);
        }
    }

    /// The first error counts; the others only stopped because of it. One that panicked stops them before its error is
    /// here.
    fn note(&self, copied: Result<()>, grants: &Grants) {
        if let Err(e) = copied {
            let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|first| first.code() == ErrorCode::Cancelled) {
                *first = Some(e);
            }
            drop(first);
            // Only now: the others must not come first with what this makes of them.
            grants.meter.fail();
        }
    }

    fn receipts(self) -> Result<Vec<Vec<u8>>> {
        if let Some(e) = self.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(e);
        }
        let receipts = self.receipts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let receipts: Option<Vec<Vec<u8>>> = receipts.into_iter().collect();
        receipts.ok_or_else(|| Error::new(ErrorCode::Cancelled, "stopped on request; nothing was published"))
    }
}

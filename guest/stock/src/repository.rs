//! The verbs on a repository, done by the engine that is imported, within what the provider is told.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_command::host::{self, Each, Incoming};
use strongroom_core::{
    Archived, Bar, Comparison, Damage, Depth, Error, ErrorCode, Locking, Progress, Pruned, Repaired,
    Restored, Result, Snapshot, Snapshots, Table, Verified, archive, checks, readable,
};
use strongroom_store::frame::Decoder;

use crate::bindings::strongroom::backup::{archive as archives, diff as differences, engine};
use crate::bindings::strongroom::kv::kv_store;
use crate::bindings::strongroom::provider::control;

strongroom_core::from_wit!(crate::bindings::strongroom::backup::engine);
strongroom_core::diff_from_wit!(crate::bindings::strongroom::backup::diff);

/// Bytes that are asked of a snapshot at once.
const CHUNK: u32 = 1 << 20;

impl From<control::Error> for Error {
    fn from(e: control::Error) -> Self {
        Error::new(e.code.parse().unwrap_or(ErrorCode::Other), e.message)
    }
}

impl From<kv_store::Error> for Error {
    fn from(e: kv_store::Error) -> Self {
        use kv_store::ErrorCode as K;
        let code = match e.code {
            K::NotFound => ErrorCode::NotFound,
            K::Exists => ErrorCode::Exists,
            K::Denied => ErrorCode::Denied,
            K::Busy => ErrorCode::Locked,
            K::Unsupported => ErrorCode::Unsupported,
            K::Corrupt => ErrorCode::Damaged,
            K::Io => ErrorCode::Io,
            K::Full => ErrorCode::Full,
            K::Cancelled => ErrorCode::Cancelled,
            K::Other => ErrorCode::Other,
        };
        Error::new(code, readable(e.message.as_bytes()))
    }
}

/// A repository in a directory that this run was granted.
pub(crate) struct Repository {
    dir: PathBuf,
    bar: Bar,
    /// What a verify finds is to be remembered.
    remembers: bool,
    locking: Locking,
}

impl Repository {
    pub(crate) fn new(dir: &Path, bar: &Bar, locking: Locking) -> Self {
        Self { dir: dir.to_owned(), bar: bar.clone(), remembers: true, locking }
    }

    /// Leaves no trace of what a verify finds.
    pub(crate) fn without_memory(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// Lets the engine at the directory for as long as `act` takes.
    fn run<T>(&self, doing: Option<&str>, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let writing = doing.map(|doing| control::Writing {
            doing: doing.to_owned(),
            wait: u64::try_from(self.locking.wait.as_millis()).unwrap_or(u64::MAX),
            break_lock: self.locking.break_lock,
        });
        control::grant_directory(&self.dir.to_string_lossy(), writing.as_ref())?;
        let done = act().map_err(|e| match e.code() {
            // Nothing else stops a run here but the end of the runtime.
            ErrorCode::Cancelled if doing.is_some() => {
                Error::new(ErrorCode::Locked, strongroom_core::LOCK_LOST)
            }
            _ => e,
        });
        let outside = self.over(&done);
        // What is wrong with an archive is not wrong with the repository.
        let outside = outside || done.as_ref().is_err_and(archive::is_about);
        done.map_err(|e| if outside { e } else { e.in_repository(&self.dir) })
    }

    /// Notes how far it came and lets go; whether it was the database that failed.
    fn over<T>(&self, done: &Result<T>) -> bool {
        let mut progress = Progress::default();
        progress.entries = control::clear(false);
        self.bar.show(progress);
        control::release(done.is_err())
    }

    fn read<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        self.run(None, act)
    }
}

/// Moves an archive into the engine; how many bytes it had.
fn pump(from: &mut dyn Read, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let mut chunk = vec![0; CHUNK as usize];
    let mut bytes = 0;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(read) => {
                take(&chunk[..read])?;
                bytes += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(archive::not_read(&e)),
        }
    }
}

fn globs(tables: &[String]) -> Option<Vec<String>> {
    (!tables.is_empty()).then(|| tables.to_vec())
}

impl Repository {
    fn back_up(&self, backup: &host::Backup<'_>) -> Result<Snapshot> {
        control::grant_store(&backup.database.to_string_lossy())?;
        if let Some(at) = backup.position {
            // Nothing is made for a backup that cannot be named.
            control::position(at)?;
        }
        let job = engine::Job {
            store: "store".to_owned(),
            name: backup.name.to_owned(),
            source: backup.source.to_owned(),
            origin: None,
            tables: globs(backup.tables),
            position: backup.position.map(str::to_owned),
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            leave_out: Vec::new(),
            full_scan: backup.full_scan,
            parts: 1,
            options: match backup.compression {
                host::Compression::Snappy => Vec::new(),
                host::Compression::None => vec![("compression".to_owned(), "none".to_owned())],
            },
        };
        self.run(Some("a backup"), || {
            let plan = engine::prepare(&job)?;
            control::expect(plan.bytes_about, plan.entries);
            let receipts: Result<Vec<Vec<u8>>> =
                (0..plan.parts).map(|part| Ok(engine::copy(&plan, part)?)).collect();
            let draft = engine::seal(&plan, &receipts?)?;
            Ok(engine::publish(&draft)?.into())
        })
    }
}

impl host::Repository for Repository {
    fn backup(&self, backup: &host::Backup<'_>) -> anyhow::Result<Snapshot> {
        Ok(self.back_up(backup)?)
    }

    fn init(&self) -> Result<bool> {
        self.run(Some("an init"), || Ok(engine::init()?))
    }

    fn snapshots(&self) -> Result<Snapshots> {
        self.read(|| {
            let (snapshots, damage) = engine::snapshots()?;
            let mut all = Snapshots::default();
            all.snapshots = snapshots.into_iter().map(Into::into).collect();
            all.damage = damage.into_iter().map(Into::into).collect();
            Ok(all)
        })
    }

    fn find(&self, which: &str) -> Result<Snapshot> {
        self.read(|| Ok(engine::find(which)?.into()))
    }

    fn tables(&self, snapshot: &str) -> Result<Vec<Table>> {
        self.read(|| Ok(engine::tables(snapshot)?.into_iter().map(Into::into).collect()))
    }

    fn restore(&self, restore: &host::Restore<'_>) -> Result<Restored> {
        self.read(|| {
            let snapshot: Snapshot = engine::find(restore.snapshot)?.into();
            control::grant_sink(&restore.to.to_string_lossy(), restore.overwrite)?;
            control::expect(snapshot.bytes + 8 * snapshot.entries, snapshot.entries);
            let tables = globs(restore.tables);
            let damage = engine::restore(&snapshot.name, tables.as_deref(), "sink", restore.skip_damaged)?;
            // The engine has confirmed every entry: now the new database gets its name.
            control::publish_sink()?;
            Ok(Restored::new(snapshot, damage.into_iter().map(Damage::from).collect()))
        })
    }

    fn restore_archive(&self, archive: Incoming<'_>, restore: &host::Restore<'_>) -> Result<Restored> {
        control::grant_sink(&restore.to.to_string_lossy(), restore.overwrite)?;
        control::expect(archive.bytes, 0);
        let done = archives::begin_restore(globs(restore.tables).as_deref(), "sink")
            .map_err(Error::from)
            .and_then(|restoring| {
                pump(archive.from, |bytes| Ok(restoring.take(bytes)?))?;
                let snapshot = archives::Restoring::finish(restoring)?.into();
                // The engine has confirmed every entry: now the new database gets its name.
                control::publish_sink()?;
                Ok(Restored::new(snapshot, Vec::new()))
            });
        self.over(&done);
        done
    }

    fn export(&self, snapshot: &str, to: &mut (dyn Write + Send), _dir: Option<&Path>) -> Result<Archived> {
        self.read(|| {
            let outgoing = archives::begin_export(snapshot)?;
            let snapshot: Snapshot = outgoing.snapshot().into();
            control::expect(snapshot.bytes, snapshot.entries);
            let bytes = archive::write_all(to, || Ok(outgoing.read(CHUNK)?))?;
            Ok(Archived::new(snapshot, bytes))
        })
    }

    fn import(
        &self,
        archive: Incoming<'_>,
        name: Option<&str>,
        source: Option<&str>,
        _override_permissions: bool,
    ) -> Result<Archived> {
        self.run(Some("an import"), || {
            control::expect(archive.bytes, 0);
            let incoming = archives::begin_import(name, source)?;
            let bytes = pump(archive.from, |bytes| Ok(incoming.take(bytes)?))?;
            Ok(Archived::new(archives::Incoming::finish(incoming)?.into(), bytes))
        })
    }

    fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified> {
        let how = match depth {
            Depth::Structure => engine::Depth::Structure,
            Depth::Data => engine::Depth::Data,
            Depth::Sample { permille, number } => engine::Depth::Sample((permille, number)),
            _ => return Err(Error::new(ErrorCode::Unsupported, "this depth is not known here")),
        };
        let verified = self.read(|| Ok(engine::verify(snapshot, how)?.into()))?;
        if self.remembers {
            checks::note_verified(&self.dir, snapshot, depth, &verified);
        }
        Ok(verified)
    }

    fn forget(&self, names: &[String], dry_run: bool, allow_empty: bool) -> Result<()> {
        self.run((!dry_run).then_some("a forget"), || {
            let (there, _) = engine::snapshots()?;
            // A dry run of the engine says which of them are not there.
            engine::forget(names, true)?;
            let left = there.iter().any(|snapshot| !names.contains(&snapshot.name));
            if !left && !allow_empty {
                return Err(Error::new(ErrorCode::Invalid, strongroom_core::NOTHING_LEFT));
            }
            if dry_run { Ok(()) } else { Ok(engine::forget(names, false)?) }
        })
    }

    fn prune(&self, max_unused: u32, dry_run: bool, allow_empty: bool) -> Result<Pruned> {
        let doing = (!dry_run).then_some("a prune");
        self.run(doing, || Ok(engine::prune(max_unused, dry_run, allow_empty)?.into()))
    }

    fn repair(&self, dry_run: bool) -> Result<Repaired> {
        self.run((!dry_run).then_some("a repair"), || Ok(engine::repair(dry_run)?.into()))
    }

    fn compare(&self, snapshot: &str, database: &Path) -> Result<Comparison> {
        control::grant_store(&database.to_string_lossy())?;
        self.read(|| {
            let snapshot: Snapshot = engine::find(snapshot)?.into();
            let tables: Vec<Table> = engine::tables(&snapshot.name)?.into_iter().map(Into::into).collect();
            control::expect(snapshot.bytes, snapshot.entries);
            let only: Option<Vec<String>> = (snapshot.tables_left_out > 0)
                .then(|| tables.iter().map(|table| table.name.clone()).collect());
            let digested = engine::digest("store", only.as_deref())?;
            let of_database = digested.tables.into_iter().map(Into::into).collect();
            Ok(Comparison::new(snapshot, tables, digested.id, of_database))
        })
    }

    fn diff(
        &self,
        wanted: &host::Diff<'_>,
        tell: &mut host::Tell<'_>,
    ) -> Result<(Snapshot, Option<Snapshot>)> {
        let other = match wanted.after {
            host::After::Snapshot(after) => differences::Other::Snapshot(after.to_owned()),
            host::After::Database(database) => {
                control::grant_store(&database.to_string_lossy())?;
                differences::Other::Store("store".to_owned())
            }
        };
        self.read(|| {
            let tables = globs(wanted.tables);
            let found = differences::begin(wanted.before, &other, tables.as_deref(), wanted.keys)?;
            let (before, after) = found.snapshots();
            let compared = (before.into(), after.map(Into::into));
            loop {
                let told = found.next()?;
                if told.is_empty() {
                    return Ok(compared);
                }
                for told in told {
                    if tell(told.into())?.is_break() {
                        return Ok(compared);
                    }
                }
            }
        })
    }

    fn scan(&self, snapshot: &str, table: &str, each: &mut Each<'_>) -> Result<()> {
        // What is printed and the bar would stand in each other's way.
        control::clear(true);
        self.read(|| {
            let snapshot = engine::find(snapshot)?.name;
            let entries = kv_store::open(&snapshot)?.scan(table, None, None)?;
            let mut decoder = Decoder::new();
            loop {
                let chunk = entries.read(CHUNK)?;
                if chunk.is_empty() {
                    return Ok(decoder.finish()?);
                }
                let mut stopped = None;
                let decoded = decoder.decode(&chunk, |key, value| match each(key, value) {
                    Ok(ControlFlow::Continue(())) => Ok(()),
                    other => {
                        stopped = Some(other.map(|_| ()));
                        Err(strongroom_store::Error::new(strongroom_store::ErrorCode::Cancelled, "enough"))
                    }
                });
                match stopped {
                    Some(stopped) => return stopped,
                    None => decoded?,
                }
            }
        })
    }
}

//! Snapshots as one file.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use strongroom_core::archive;
use strongroom_core::directory::{self, Made};
use strongroom_store::Sink;
use strongroom_store::redb::RedbSink;

use crate::host::Grants;
use crate::model::{Archived, Restored, checked};
use crate::repository::Repository;
use crate::restore::{Restore, publish};
use crate::sandbox::{Access, Instance};
use crate::{Error, ErrorCode, Result};

/// Bytes that pass to or from the engine at once.
const CHUNK: u32 = 1 << 20;

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct Import {
    name: Option<String>,
    source: Option<String>,
    bytes: u64,
    override_permissions: bool,
}

impl Import {
    /// Under the name and source that the archive brings along.
    pub fn new() -> Self {
        Self::default()
    }

    /// Under this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As a snapshot of this source: where another database has the one that the archive brings along.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How many bytes the archive has, if that is known; for those who watch.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Takes the repository's directory away from others instead of refusing one that they can look into.
    #[must_use]
    pub fn override_permissions(mut self, yes: bool) -> Self {
        self.override_permissions = yes;
        self
    }
}

impl Repository {
    /// Writes a snapshot as one archive: to a file, a pipe, a socket. Nobody seeks in it.
    ///
    /// `to` is called on the thread of the job, which is confined to the repository: what it writes to is open already.
    /// After an error, what was written is no archive, and whoever reads it finds that out.
    pub fn export(&self, snapshot: &str, mut to: impl Write + Send) -> Result<Archived> {
        self.run("export", Access::Read, Grants::new(self.meter()), |engine, grants| {
            let outgoing =
                engine.with_archives(|archives, store| archives.call_begin_export(store, snapshot))?;
            let snapshot = engine.with_archives(|archives, store| {
                archives.outgoing().call_snapshot(store, outgoing).map(Ok)
            })?;
            let snapshot = checked(snapshot)?;
            grants.meter.set_total(snapshot.bytes, snapshot.entries);
            let bytes = archive::write_all(&mut to, || {
                engine.with_archives(|archives, store| archives.outgoing().call_read(store, outgoing, CHUNK))
            });
            let bytes = bytes.map_err(|e| in_archive(e, grants))?;
            Ok(Archived::new(snapshot, bytes))
        })
    }

    /// Takes an archive into the repository, which is made if there is none. What the repository has already is not
    /// written again.
    ///
    /// When this returns, the snapshot is durable. When it fails, or the process ends in between, the repository is as
    /// it was, and the next import of the same archive makes use of what was written.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Exists`] for a name that is taken, and for the number of another snapshot of its source with other data,
    /// [`ErrorCode::Damaged`] for an archive that is not what was
    /// written, with the place, [`ErrorCode::NewerFormat`] for one of a later version, [`ErrorCode::Invalid`] for a name
    /// that no snapshot can have, [`ErrorCode::Locked`] if another run writes to the repository.
    pub fn import(&self, from: impl Read + Send, import: &Import) -> Result<Archived> {
        let made = directory::prepare(self.dir(), import.override_permissions)?;
        let done = self.import_locked(from, import);
        if done.is_err() && made == Made::Now {
            // Only if nothing was written to it.
            let _ = std::fs::remove_dir(self.dir());
        }
        done
    }

    fn import_locked(&self, mut from: impl Read + Send, import: &Import) -> Result<Archived> {
        let lock = self.lock("an import")?;
        let grants = Grants::locked(self.meter(), Some(lock));
        grants.meter.set_total(import.bytes, 0);
        let archived = self.run("import", Access::Write, grants, |engine, grants| {
            let (name, source) = (import.name.as_deref(), import.source.as_deref());
            let incoming =
                engine.with_archives(|archives, store| archives.call_begin_import(store, name, source))?;
            let taken = pump(&mut from, engine, grants, |engine, chunk| {
                engine.with_archives(|archives, store| archives.incoming().call_take(store, incoming, chunk))
            });
            let bytes = taken.map_err(|e| {
                engine.drop_resource(incoming);
                in_archive(e, grants)
            })?;
            let finished =
                engine.with_archives(|archives, store| archives.incoming().call_finish(store, incoming));
            let snapshot = finished.map_err(|e| in_archive(e, grants))?;
            Ok(Archived::new(checked(snapshot)?, bytes))
        })?;
        tracing::info!(snapshot = archived.snapshot.name, bytes = archived.bytes, "imported");
        Ok(archived)
    }

    /// Restores an archive to a new redb database, as [`Repository::restore`] does a snapshot. `bytes` is how many the
    /// archive has, or 0, for those who watch.
    ///
    /// The directory of this repository is not looked at and need not be there.
    pub fn restore_archive(
        &self,
        archive: impl Read + Send,
        bytes: u64,
        to: impl AsRef<Path>,
        restore: &Restore,
    ) -> Result<Restored> {
        let sink = Box::new(RedbSink::new(to.as_ref(), restore.overwrites())?);
        self.restore_archive_into(archive, bytes, sink, restore)
    }

    /// Restores an archive into any sink, as [`Repository::restore_into`] does a snapshot.
    pub fn restore_archive_into(
        &self,
        mut archive: impl Read + Send,
        bytes: u64,
        sink: Box<dyn Sink>,
        restore: &Restore,
    ) -> Result<Restored> {
        if restore.skips_damaged() {
            let message = "of a damaged archive nothing is restored; of what cannot be sought in, the rest is not found";
            return Err(Error::new(ErrorCode::Unsupported, message));
        }
        let grants = Grants { sink: Mutex::new(Some(sink)), ..Grants::new(self.meter()) };
        grants.meter.set_total(bytes, 0);
        self.run_without_repository("restore", grants, |engine, grants| {
            let tables = restore.chosen_tables();
            let restoring =
                engine.with_archives(|archives, store| archives.call_begin_restore(store, tables, "sink"))?;
            let taken = pump(&mut archive, engine, grants, |engine, chunk| {
                engine
                    .with_archives(|archives, store| archives.restoring().call_take(store, restoring, chunk))
            });
            taken.inspect_err(|_| engine.drop_resource(restoring))?;
            let snapshot =
                engine.with_archives(|archives, store| archives.restoring().call_finish(store, restoring))?;
            let snapshot = checked(snapshot)?;
            // The engine has confirmed every entry: now the new database gets its name.
            let finished = grants.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
            let finished = finished.ok_or_else(|| {
                let message = "the engine said that it was done without finishing the new database";
                Error::new(ErrorCode::Other, message)
            })?;
            publish(finished, &snapshot)?;
            Ok(Restored::new(snapshot, Vec::new()))
        })
    }
}

/// What is wrong with the archive is not wrong with the repository.
fn in_archive(e: Error, grants: &Grants) -> Error {
    if archive::is_about(&e) {
        grants.note_outside(&e.to_string());
    }
    e
}

/// Moves an archive into the engine; how many bytes it had.
fn pump(
    from: &mut impl Read,
    engine: &mut Instance,
    grants: &Grants,
    mut take: impl FnMut(&mut Instance, &[u8]) -> Result<()>,
) -> Result<u64> {
    let mut chunk = vec![0; CHUNK as usize];
    let mut bytes = 0;
    loop {
        let read = match from.read(&mut chunk) {
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted && !grants.meter.is_over() => continue,
            Err(e) => return Err(archive::not_read(&e)),
        };
        // Whoever is stopped with this one ends the archive early.
        if grants.meter.is_over() {
            return Err(Error::new(ErrorCode::Cancelled, "stopped on request; nothing was published"));
        }
        if read == 0 {
            return Ok(bytes);
        }
        take(engine, &chunk[..read])?;
        bytes += read as u64;
    }
}

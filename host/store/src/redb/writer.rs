//! What fills the database of a [`RedbSink`](super::RedbSink). redb's tables and cursors borrow from their transaction,
//! so one stack frame owns them all, and is told what to do.

use super::batched::{Batched, Failed};
use super::check::check;
use super::contain::contain;
use super::fault::{fault, io_fault};
use super::order;
use super::schema::Schema;
use super::slots::WriteLease;
use super::typed::{self, Fill};
use crate::{Error, ErrorCode, Result, frame};
use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, TableDefinition, WriteTransaction};
use std::fs::File;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

/// The larger, the fewer pages are written twice; the rest of a restore's memory is bounded by one entry.
const CACHE: usize = 96 << 20;

/// After so many bytes what came is committed, though not yet durably: redb computes its checksums when it commits,
/// and pages that are still in its cache then need not be read again. The file counts only when it is published, so
/// that it is written in several transactions shows nowhere.
const COMMIT: usize = 32 << 20;

/// Where the answer to a job goes. Nobody waits for it any more if sending fails.
pub(super) type Reply<T> = SyncSender<Result<T>>;

/// What is to be done.
pub(super) enum Job {
    /// The table to begin. `sorted`: its keys must come in the order of their bytes.
    Table {
        schema: Schema,
        sorted: bool,
        reply: Reply<()>,
    },
    Entries(Vec<u8>),
    FinishTable(Reply<u64>),
    AbandonTable(Reply<()>),
    Finish(Reply<()>),
}

/// Where jobs come from.
pub(super) trait Jobs {
    /// The next one, when there is one.
    fn next(&self) -> Next;

    /// Whether bytes can be waited for in the middle of a value.
    fn waits(&self) -> bool;
}

pub(super) enum Next {
    Job(Job),
    /// There is none now.
    Later,
    /// There will be none.
    Gone,
}

/// What is wrong with the entries of the table at hand; the caller finds it at its next call.
pub(super) type Fault = Arc<Mutex<Option<Error>>>;

/// A database that is being filled.
pub(super) struct Writer {
    // In this order they are let go of: the lease of a table, the transaction, the database.
    table: Option<Open>,
    batch: Option<Batch>,
    database: Database,
    failed: Failed,
}

/// How far [`Writer::work`] came.
pub(super) enum Worked {
    /// No more jobs now; it goes on with the same writer.
    Later(Box<Writer>),
    /// Finished, or given up because the caller is gone.
    Over,
}

impl Writer {
    /// Begins a database in an empty file.
    pub(super) fn create(file: File) -> Result<Box<Self>> {
        let what = "creating the restored database";
        contain("writing the restored database", || {
            let backend = FileBackend::new(file).map_err(|error| fault(what, error))?;
            let backend = Batched::new(backend);
            let failed = backend.failed();
            let database = Builder::new()
                .set_cache_size(CACHE)
                .create_with_backend(backend)
                .map_err(|error| fault(what, error))?;
            Ok(Box::new(Self { table: None, batch: Some(Batch::begin(&database)?), database, failed }))
        })
    }

    /// Does what is to be done. An error ends all.
    pub(super) fn work(mut self: Box<Self>, jobs: &dyn Jobs, wrong: &Fault) -> Result<Worked> {
        contain("writing the restored database", || {
            loop {
                if let Some(table) = self.table.take() {
                    self.table = self.fill(table, jobs, wrong)?;
                    if self.table.is_some() {
                        return Ok(Worked::Later(self));
                    }
                }
                match jobs.next() {
                    Next::Job(Job::Table { schema, sorted, reply }) => {
                        let large = if jobs.waits() { LARGE } else { usize::MAX };
                        self.table = Some(Open::new(schema, sorted, reply, large)?);
                    }
                    Next::Job(Job::Finish(reply)) => {
                        let Self { batch, mut database, failed, .. } = *self;
                        if let Some(batch) = batch {
                            let committing = "committing the restored database";
                            batch.txn.commit().map_err(|error| fault(committing, error))?;
                        }
                        check(&mut database)?;
                        drop(database);
                        if let Some(error) = failed.take() {
                            return Err(io_fault("closing the restored database", &error));
                        }
                        let _ = reply.send(Ok(()));
                        return Ok(Worked::Over);
                    }
                    Next::Job(Job::Entries(_) | Job::FinishTable(_) | Job::AbandonTable(_)) => {
                        return Err(Error::new(ErrorCode::Other, "entries came without a table"));
                    }
                    Next::Later => return Ok(Worked::Later(self)),
                    Next::Gone => return Ok(Worked::Over),
                }
            }
        })
    }
}

/// What is written between two commits.
struct Batch {
    txn: WriteTransaction,
    bytes: usize,
}

impl Batch {
    fn begin(database: &Database) -> Result<Self> {
        let txn = database.begin_write().map_err(|error| fault("writing the restored database", error))?;
        Ok(Self { txn, bytes: 0 })
    }

    /// Commits, not yet durably: the last commit makes all of it so.
    fn next(mut self, database: &Database) -> Result<Self> {
        let committing = "committing the restored database";
        self.txn.set_durability(Durability::None).map_err(|error| fault(committing, error))?;
        self.txn.commit().map_err(|error| fault(committing, error))?;
        Self::begin(database)
    }
}

/// A value of more bytes is written straight to its place in the database, as it comes.
const LARGE: usize = 1 << 20;

/// How the filling of a table ended.
enum End {
    /// The batch is full; the table goes on.
    Full,
    /// There is nothing to fill it with now.
    Later,
    Finished(Reply<u64>),
    Abandoned(Reply<()>),
    CallerGone,
}

/// A table that is being filled.
struct Open {
    schema: Schema,
    lease: WriteLease,
    filling: Filling,
}

/// How far that is.
struct Filling {
    /// Answered when the table is there.
    begun: Option<Reply<()>>,
    decoder: frame::Decoder,
    /// What came and is not yet looked at.
    left: Vec<u8>,
    /// The key of the entry before: redb notices that a key comes twice, but not where it only makes room for a value.
    last: Option<Vec<u8>>,
    /// Keys must come in the order of their bytes: nobody has put them into redb's order before.
    sorted: bool,
    count: u64,
    /// Values of more bytes are not held.
    large: usize,
    /// Bytes since the last commit.
    batch: usize,
    end: Option<End>,
}

/// The work on it, with what is sent.
struct Filler<'a> {
    table: &'a mut Filling,
    jobs: &'a dyn Jobs,
    wrong: &'a Fault,
}

impl Open {
    fn new(schema: Schema, sorted: bool, begun: Reply<()>, large: usize) -> Result<Self> {
        let lease = WriteLease::take(&schema.types)?;
        let filling = Filling {
            // redb has no way to make room for a value of a multimap.
            large: if schema.multimap { usize::MAX } else { large },
            begun: Some(begun),
            decoder: frame::Decoder::new(),
            left: Vec::new(),
            last: None,
            sorted,
            count: 0,
            batch: 0,
            end: None,
        };
        Ok(Self { schema, lease, filling })
    }
}

impl Writer {
    /// Fills a table until it is finished: none; or until there is nothing to fill it with now: the table.
    fn fill(&mut self, mut open: Open, jobs: &dyn Jobs, wrong: &Fault) -> Result<Option<Open>> {
        let Open { schema, lease, filling: table } = &mut open;
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None => Batch::begin(&self.database)?,
        };
        table.batch = batch.bytes;
        let over = loop {
            lease.typed().fill(&batch.txn, schema.place(), &mut Filler { table, jobs, wrong })?;
            order::append_nothing();
            batch.bytes = table.batch;
            match table.end.take() {
                None | Some(End::Full) => {
                    batch = batch.next(&self.database)?;
                    table.batch = 0;
                }
                Some(End::Later) => break false,
                // Only now has redb taken all of it.
                Some(End::Finished(reply)) => {
                    let _ = reply.send(Ok(table.count));
                    break true;
                }
                Some(End::Abandoned(reply)) => {
                    let name = &schema.name;
                    let deleted = if schema.multimap {
                        batch.txn.delete_multimap_table(redb::MultimapTableDefinition::<u8, u8>::new(name))
                    } else {
                        batch.txn.delete_table(TableDefinition::<u8, u8>::new(name))
                    };
                    deleted.map_err(|error| fault("giving up the table", error))?;
                    let _ = reply.send(Ok(()));
                    break true;
                }
                Some(End::CallerGone) => break true,
            }
        };
        self.batch = Some(batch);
        Ok(if over { None } else { Some(open) })
    }
}

impl Filler<'_> {
    /// Waits for more entries; `false`: there are none now, and `end` says why.
    fn receive(&mut self) -> Result<bool> {
        while self.table.end.is_none() {
            match self.jobs.next() {
                Next::Job(Job::Entries(bytes)) => {
                    if is_wrong(self.wrong).is_none() {
                        self.table.batch += bytes.len();
                        self.table.left = bytes;
                        return Ok(true);
                    }
                }
                Next::Job(Job::FinishTable(reply)) => match is_wrong(self.wrong) {
                    Some(error) => drop(reply.send(Err(error))),
                    None => self.table.end = Some(End::Finished(reply)),
                },
                Next::Job(Job::AbandonTable(reply)) => {
                    self.note(None);
                    self.table.end = Some(End::Abandoned(reply));
                }
                Next::Job(Job::Table { .. } | Job::Finish(_)) => {
                    return Err(Error::new(ErrorCode::Other, "the table before was not finished"));
                }
                Next::Later => self.table.end = Some(End::Later),
                Next::Gone => self.table.end = Some(End::CallerGone),
            }
        }
        Ok(false)
    }

    fn note(&self, wrong: Option<Error>) {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    /// The caller says that the table is finished, but its last entry is not.
    fn cut_off(&mut self, error: Error) {
        match self.table.end.take() {
            Some(End::Finished(reply)) => {
                let _ = reply.send(Err(error.clone()));
                self.note(Some(error));
            }
            other => self.table.end = other,
        }
    }
}

impl typed::Work for Filler<'_> {
    fn some(&mut self, fill: &mut dyn Fill) -> Result<Option<(Vec<u8>, usize)>> {
        if let Some(begun) = self.table.begun.take() {
            let _ = begun.send(Ok(()));
        }
        loop {
            if self.table.left.is_empty() {
                if self.table.batch >= COMMIT && self.table.end.is_none() {
                    self.table.end = Some(End::Full);
                }
                if !self.receive()? {
                    match self.table.decoder.finish() {
                        Err(error) if matches!(self.table.end, Some(End::Finished(_))) => self.cut_off(error),
                        _ => return Ok(None),
                    }
                    continue;
                }
            }
            let bytes = std::mem::take(&mut self.table.left);
            let (count, last, sorted) = (&mut self.table.count, &mut self.table.last, self.table.sorted);
            let decoded = self.table.decoder.decode_up_to(self.table.large, &bytes, |key, value| {
                if sorted {
                    follows(last.as_deref(), key)?;
                }
                fill.append(key, value)?;
                *count += 1;
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
                Ok(())
            });
            match decoded {
                Ok(None) => {}
                Ok(Some(large)) if sorted && follows(self.table.last.as_deref(), &large.key).is_err() => {
                    self.note(follows(self.table.last.as_deref(), &large.key).err());
                }
                Ok(Some(large)) if self.table.last.as_ref() == Some(&large.key) => {
                    self.note(Some(Error::new(ErrorCode::Corrupt, "the same key comes twice")));
                }
                Ok(Some(large)) => {
                    self.table.left = large.rest.to_vec();
                    self.table.last = Some(large.key.clone());
                    return Ok(Some((large.key, large.len)));
                }
                // The entries are at fault, so the table can be given up and begun again.
                Err(error) if matches!(error.code, ErrorCode::Corrupt | ErrorCode::Unsupported) => {
                    self.note(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn value(&mut self, value: &mut [u8]) -> Result<()> {
        let mut at = 0;
        while at < value.len() {
            if self.table.left.is_empty() && !self.receive()? {
                let wanted = value.len();
                self.cut_off(Error::new(
                    ErrorCode::Corrupt,
                    format!("the last entry was cut off: only {at} bytes of its {wanted} are there"),
                ));
                return Ok(());
            }
            let taken = self.table.left.len().min(value.len() - at);
            value[at..at + taken].copy_from_slice(&self.table.left[..taken]);
            at += taken;
            self.table.left.drain(..taken);
        }
        self.table.count += 1;
        Ok(())
    }
}

/// Whether a key comes where redb has it in a table of bytes.
fn follows(last: Option<&[u8]>, key: &[u8]) -> Result<()> {
    match last {
        Some(last) if last >= key => Err(Error::new(ErrorCode::Corrupt, UNSORTED)),
        _ => Ok(()),
    }
}

const UNSORTED: &str = "the keys do not come in the order of their bytes, each once, as those of a table of bytes must: \
                        the store that was backed up gave them in another order";

pub(super) fn is_wrong(wrong: &Fault) -> Option<Error> {
    wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

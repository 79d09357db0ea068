//! The thread of a [`RedbSink`](super::RedbSink). redb's tables and cursors borrow from their transaction, so one stack
//! frame owns them all, and is told what to do; besides, redb inserts while the caller decodes.

use super::contain::contain;
use super::fault::fault;
use super::order;
use super::schema::Schema;
use super::slots::WriteLease;
use super::typed::Fill;
use crate::{Error, ErrorCode, Result, frame};
use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, TableDefinition, WriteTransaction};
use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

/// The larger, the fewer pages are written twice; the rest of a restore's memory is bounded by one entry.
const CACHE: usize = 96 << 20;

/// After so many bytes what came is committed, though not yet durably: redb computes its checksums when it commits,
/// and pages that are still in its cache then need not be read again. The file counts only when it is published, so
/// that it is written in several transactions shows nowhere.
const COMMIT: usize = 32 << 20;

/// Where the answer to a job goes. Nobody waits for it any more if sending fails.
pub(super) type Reply<T> = SyncSender<Result<T>>;

/// What the thread is told.
pub(super) enum Job {
    Table(Schema, Reply<()>),
    Entries(Vec<u8>),
    FinishTable(Reply<u64>),
    AbandonTable(Reply<()>),
    Finish(Reply<()>),
}

/// What is wrong with the entries of the table at hand; the caller finds it at its next call.
pub(super) type Fault = Arc<Mutex<Option<Error>>>;

/// Fills a database until it is finished, or the caller is gone. An error ends all.
pub(super) fn run(file: File, jobs: &Receiver<Job>, wrong: &Fault) -> Result<()> {
    contain("writing the restored database", || {
        let what = "creating the restored database";
        let backend = FileBackend::new(file).map_err(|error| fault(what, error))?;
        let mut database = Builder::new()
            .set_cache_size(CACHE)
            .create_with_backend(backend)
            .map_err(|error| fault(what, error))?;
        let mut batch = Batch::begin(&database)?;
        loop {
            match jobs.recv() {
                Ok(Job::Table(schema, reply)) => {
                    batch = table(&database, batch, &schema, reply, jobs, wrong)?;
                }
                Ok(Job::Finish(reply)) => {
                    batch.txn.commit().map_err(|error| fault("committing the restored database", error))?;
                    check(&mut database)?;
                    drop(database);
                    let _ = reply.send(Ok(()));
                    return Ok(());
                }
                Ok(Job::Entries(_) | Job::FinishTable(_) | Job::AbandonTable(_)) => {
                    return Err(Error::new(ErrorCode::Other, "entries came without a table"));
                }
                Err(_) => return Ok(()),
            }
        }
    })
}

fn check(database: &mut Database) -> Result<()> {
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::new(ErrorCode::Corrupt, "the restored database failed redb's integrity check"))
        }
        Err(error) => Err(fault("checking the restored database", error)),
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

/// How the filling of a table ended.
enum End {
    /// The batch is full; the table goes on.
    Full,
    Finished(Reply<u64>),
    Abandoned(Reply<()>),
    CallerGone,
}

/// A table as far as it has come.
#[derive(Default)]
struct Taken {
    decoder: frame::Decoder,
    count: u64,
}

fn table(
    database: &Database,
    mut batch: Batch,
    schema: &Schema,
    begun: Reply<()>,
    jobs: &Receiver<Job>,
    wrong: &Fault,
) -> Result<Batch> {
    let lease = WriteLease::take(&schema.types)?;
    let (mut taken, mut begun) = (Taken::default(), Some(begun));
    loop {
        let mut end = End::CallerGone;
        let bytes = &mut batch.bytes;
        lease.typed().fill(&batch.txn, schema.place(), &mut |fill| {
            if let Some(begun) = begun.take() {
                let _ = begun.send(Ok(()));
            }
            end = entries(fill, jobs, wrong, &mut taken, bytes)?;
            Ok(())
        })?;
        order::append_nothing();
        match end {
            End::Full => {
                batch = batch.next(database)?;
                continue;
            }
            // Only now has redb taken all of it.
            End::Finished(reply) => drop(reply.send(Ok(taken.count))),
            End::Abandoned(reply) => {
                let deleted = if schema.multimap {
                    let any = redb::MultimapTableDefinition::<u8, u8>::new(&schema.name);
                    batch.txn.delete_multimap_table(any)
                } else {
                    batch.txn.delete_table(TableDefinition::<u8, u8>::new(&schema.name))
                };
                deleted.map_err(|error| fault("giving up the table", error))?;
                let _ = reply.send(Ok(()));
            }
            End::CallerGone => {}
        }
        return Ok(batch);
    }
}

fn entries(
    fill: &mut dyn Fill,
    jobs: &Receiver<Job>,
    wrong: &Fault,
    taken: &mut Taken,
    batch: &mut usize,
) -> Result<End> {
    while *batch < COMMIT {
        match jobs.recv() {
            Ok(Job::Entries(bytes)) => {
                if is_wrong(wrong).is_some() {
                    continue;
                }
                *batch += bytes.len();
                let decoded = taken.decoder.decode(&bytes, |key, value| {
                    fill.append(key, value)?;
                    taken.count += 1;
                    Ok(())
                });
                match decoded {
                    Ok(()) => {}
                    // The entries are at fault, so the table can be given up and begun again.
                    Err(error) if matches!(error.code, ErrorCode::Corrupt | ErrorCode::Unsupported) => {
                        *wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Job::FinishTable(reply)) => {
                match is_wrong(wrong).map_or_else(|| taken.decoder.finish(), Err) {
                    Ok(()) => return Ok(End::Finished(reply)),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Ok(Job::AbandonTable(reply)) => {
                *wrong.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return Ok(End::Abandoned(reply));
            }
            Ok(Job::Table(..) | Job::Finish(_)) => {
                return Err(Error::new(ErrorCode::Other, "the table before was not finished"));
            }
            Err(_) => return Ok(End::CallerGone),
        }
    }
    Ok(End::Full)
}

pub(super) fn is_wrong(wrong: &Fault) -> Option<Error> {
    wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

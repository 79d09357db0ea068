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
use redb::{Builder, Database, TableDefinition, WriteTransaction};
use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

/// The larger, the fewer pages are written twice; the rest of a restore's memory is bounded by one entry.
const CACHE: usize = 96 << 20;

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
        let txn = database.begin_write().map_err(|error| fault(what, error))?;
        loop {
            match jobs.recv() {
                Ok(Job::Table(schema, reply)) => table(&txn, &schema, reply, jobs, wrong)?,
                Ok(Job::Finish(reply)) => {
                    txn.commit().map_err(|error| fault("committing the restored database", error))?;
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

/// How the filling of a table ended.
enum End {
    Finished(u64, Reply<u64>),
    Abandoned(Reply<()>),
    CallerGone,
}

fn table(
    txn: &WriteTransaction,
    schema: &Schema,
    begun: Reply<()>,
    jobs: &Receiver<Job>,
    wrong: &Fault,
) -> Result<()> {
    let lease = WriteLease::take(&schema.types)?;
    let mut end = End::CallerGone;
    lease.typed().fill(txn, schema.place(), &mut |fill| {
        let _ = begun.send(Ok(()));
        end = entries(fill, jobs, wrong)?;
        Ok(())
    })?;
    order::append_nothing();
    match end {
        // Only now has redb taken all of it.
        End::Finished(count, reply) => drop(reply.send(Ok(count))),
        End::Abandoned(reply) => {
            let any = TableDefinition::<u8, u8>::new(&schema.name);
            let deleted = if schema.multimap {
                txn.delete_multimap_table(redb::MultimapTableDefinition::<u8, u8>::new(&schema.name))
            } else {
                txn.delete_table(any)
            };
            deleted.map_err(|error| fault("giving up the table", error))?;
            let _ = reply.send(Ok(()));
        }
        End::CallerGone => {}
    }
    Ok(())
}

fn entries(fill: &mut dyn Fill, jobs: &Receiver<Job>, wrong: &Fault) -> Result<End> {
    let mut decoder = frame::Decoder::new();
    let mut count = 0;
    loop {
        match jobs.recv() {
            Ok(Job::Entries(bytes)) => {
                if is_wrong(wrong).is_some() {
                    continue;
                }
                let taken = decoder.decode(&bytes, |key, value| {
                    fill.append(key, value)?;
                    count += 1;
                    Ok(())
                });
                match taken {
                    Ok(()) => {}
                    // The entries are at fault, so the table can be given up and begun again.
                    Err(error) if matches!(error.code, ErrorCode::Corrupt | ErrorCode::Unsupported) => {
                        *wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Job::FinishTable(reply)) => match is_wrong(wrong).map_or_else(|| decoder.finish(), Err) {
                Ok(()) => return Ok(End::Finished(count, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
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
}

pub(super) fn is_wrong(wrong: &Fault) -> Option<Error> {
    wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

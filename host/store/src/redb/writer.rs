//! The thread of a [`RedbSink`](super::RedbSink). redb's tables and cursors borrow from their transaction, so one stack
//! frame owns them all, and is told what to do; besides, redb inserts while the caller decodes.

use super::batched::Batched;
use super::contain::contain;
use super::fault::{fault, io_fault};
use super::order;
use super::schema::Schema;
use super::slots::WriteLease;
use super::typed::{Fill, Work};
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
        let backend = Batched::new(FileBackend::new(file).map_err(|error| fault(what, error))?);
        let failed = backend.failed();
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
                    if let Some(error) = failed.take() {
                        return Err(io_fault("closing the restored database", &error));
                    }
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

/// A value of more bytes is written straight to its place in the database, as it comes.
const LARGE: usize = 1 << 20;

/// How the filling of a table ended.
enum End {
    /// The batch is full; the table goes on.
    Full,
    Finished(Reply<u64>),
    Abandoned(Reply<()>),
    CallerGone,
}

/// A table that is being filled with what is sent.
struct Filling<'a> {
    jobs: &'a Receiver<Job>,
    wrong: &'a Fault,
    /// Answered when the table is there.
    begun: Option<Reply<()>>,
    decoder: frame::Decoder,
    /// What came and is not yet looked at.
    left: Vec<u8>,
    /// The key of the entry before: redb notices that a key comes twice, but not where it only makes room for a value.
    last: Option<Vec<u8>>,
    count: u64,
    /// Values of more bytes are not held.
    large: usize,
    /// Bytes since the last commit.
    batch: usize,
    end: Option<End>,
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
    let mut filling = Filling {
        jobs,
        wrong,
        begun: Some(begun),
        decoder: frame::Decoder::new(),
        left: Vec::new(),
        last: None,
        count: 0,
        // redb has no way to make room for a value of a multimap.
        large: if schema.multimap { usize::MAX } else { LARGE },
        batch: batch.bytes,
        end: None,
    };
    loop {
        lease.typed().fill(&batch.txn, schema.place(), &mut filling)?;
        order::append_nothing();
        batch.bytes = filling.batch;
        match filling.end.take() {
            None | Some(End::Full) => {
                batch = batch.next(database)?;
                filling.batch = 0;
                continue;
            }
            // Only now has redb taken all of it.
            Some(End::Finished(reply)) => drop(reply.send(Ok(filling.count))),
            Some(End::Abandoned(reply)) => {
                let deleted = if schema.multimap {
                    let any = redb::MultimapTableDefinition::<u8, u8>::new(&schema.name);
                    batch.txn.delete_multimap_table(any)
                } else {
                    batch.txn.delete_table(TableDefinition::<u8, u8>::new(&schema.name))
                };
                deleted.map_err(|error| fault("giving up the table", error))?;
                let _ = reply.send(Ok(()));
            }
            Some(End::CallerGone) => {}
        }
        return Ok(batch);
    }
}

impl Filling<'_> {
    /// Waits for more entries; `false`: there are none now, and `end` says why.
    fn receive(&mut self) -> Result<bool> {
        while self.end.is_none() {
            match self.jobs.recv() {
                Ok(Job::Entries(bytes)) => {
                    if is_wrong(self.wrong).is_none() {
                        self.batch += bytes.len();
                        self.left = bytes;
                        return Ok(true);
                    }
                }
                Ok(Job::FinishTable(reply)) => match is_wrong(self.wrong) {
                    Some(error) => drop(reply.send(Err(error))),
                    None => self.end = Some(End::Finished(reply)),
                },
                Ok(Job::AbandonTable(reply)) => {
                    self.note(None);
                    self.end = Some(End::Abandoned(reply));
                }
                Ok(Job::Table(..) | Job::Finish(_)) => {
                    return Err(Error::new(ErrorCode::Other, "the table before was not finished"));
                }
                Err(_) => self.end = Some(End::CallerGone),
            }
        }
        Ok(false)
    }

    fn note(&self, wrong: Option<Error>) {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    /// The caller says that the table is finished, but its last entry is not.
    fn cut_off(&mut self, error: Error) {
        match self.end.take() {
            Some(End::Finished(reply)) => {
                let _ = reply.send(Err(error.clone()));
                self.note(Some(error));
            }
            other => self.end = other,
        }
    }
}

impl Work for Filling<'_> {
    fn some(&mut self, fill: &mut dyn Fill) -> Result<Option<(Vec<u8>, usize)>> {
        if let Some(begun) = self.begun.take() {
            let _ = begun.send(Ok(()));
        }
        loop {
            if self.left.is_empty() {
                if self.batch >= COMMIT && self.end.is_none() {
                    self.end = Some(End::Full);
                }
                if !self.receive()? {
                    match self.decoder.finish() {
                        Err(error) if matches!(self.end, Some(End::Finished(_))) => self.cut_off(error),
                        _ => return Ok(None),
                    }
                    continue;
                }
            }
            let bytes = std::mem::take(&mut self.left);
            let (count, last) = (&mut self.count, &mut self.last);
            let decoded = self.decoder.decode_up_to(self.large, &bytes, |key, value| {
                fill.append(key, value)?;
                *count += 1;
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
                Ok(())
            });
            match decoded {
                Ok(None) => {}
                Ok(Some(large)) if self.last.as_ref() == Some(&large.key) => {
                    self.note(Some(Error::new(ErrorCode::Corrupt, "the same key comes twice")));
                }
                Ok(Some(large)) => {
                    self.left = large.rest.to_vec();
                    self.last = Some(large.key.clone());
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
            if self.left.is_empty() && !self.receive()? {
                let wanted = value.len();
                self.cut_off(Error::new(
                    ErrorCode::Corrupt,
                    format!("the last entry was cut off: only {at} bytes of its {wanted} are there"),
                ));
                return Ok(());
            }
            let taken = self.left.len().min(value.len() - at);
            value[at..at + taken].copy_from_slice(&self.left[..taken]);
            at += taken;
            self.left.drain(..taken);
        }
        self.count += 1;
        Ok(())
    }
}

pub(super) fn is_wrong(wrong: &Fault) -> Option<Error> {
    wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

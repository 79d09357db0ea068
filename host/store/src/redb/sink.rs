//! A new redb database, as a [`Sink`].

use super::fault::io_fault;
use super::publish::Partial;
use super::schema::Schema;
use super::template;
use super::writer::{self, Fault, Job, Reply, is_wrong};
use crate::{Error, ErrorCode, Result, Sink, Table};
use std::fs::File;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Entries go to the thread in batches of about this many bytes.
const BATCH: usize = 512 << 10;
/// This many batches may wait.
const BATCHES: usize = 6;

/// A redb database in the making, beside its final name as `NAME.partial`.
///
/// All tables are written in one transaction, in the order in which their entries come, which must be that of the
/// store they came from.
pub struct RedbSink {
    state: State,
    schemas: Vec<Schema>,
    /// What is not yet sent.
    batch: Vec<u8>,
    table: Option<String>,
    wrong: Fault,
    // After `state`: the thread must be gone before its file is removed.
    partial: Partial,
}

enum State {
    New(File),
    Open(Thread),
    Finished,
    Failed(Error),
}

/// The thread that owns the database. Dropping it makes the thread give up.
struct Thread {
    jobs: Option<SyncSender<Job>>,
    handle: Option<JoinHandle<Result<()>>>,
}

impl Thread {
    /// Waits for the thread and says why it ended.
    fn end(&mut self) -> Result<()> {
        self.jobs = None;
        match self.handle.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            // A panic that was not contained.
            Some(Err(_)) => Err(Error::new(ErrorCode::Other, "the thread that writes the database panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Whatever it failed at is given up with it.
        let _ = self.end();
    }
}

impl RedbSink {
    /// Begins a database that will be published as `target`. An existing file is refused, unless it may be overwritten;
    /// even then it stays whole until the new one is.
    pub fn new(target: &Path, overwrite: bool) -> Result<Self> {
        let (partial, file) = Partial::create(target, overwrite)?;
        Ok(Self {
            state: State::New(file),
            schemas: Vec::new(),
            batch: Vec::new(),
            table: None,
            wrong: Fault::default(),
            partial,
        })
    }

    fn jobs(&self) -> Result<&SyncSender<Job>> {
        match &self.state {
            State::Open(Thread { jobs: Some(jobs), .. }) => Ok(jobs),
            State::Failed(error) => Err(error.clone()),
            State::New(_) => Err(misuse("the database is not created yet")),
            State::Open(_) | State::Finished => Err(misuse("the database is finished")),
        }
    }

    /// Takes the thread's own error for the loss of its channel.
    fn lost(&mut self) -> Error {
        let error = match mem::replace(&mut self.state, State::Finished) {
            State::Open(mut thread) => {
                thread.end().err().unwrap_or_else(|| misuse("the thread that writes the database is gone"))
            }
            State::Failed(error) => error,
            State::New(_) | State::Finished => misuse("there is no database"),
        };
        let shown = self.partial.path().display();
        let error = match &self.table {
            Some(table) => Error::new(error.code, format!("{shown}, table {table:?}: {}", error.message)),
            None => Error::new(error.code, format!("{shown}: {}", error.message)),
        };
        self.state = State::Failed(error.clone());
        error
    }

    fn send(&mut self, job: Job) -> Result<()> {
        match self.jobs()?.send(job) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.lost()),
        }
    }

    /// Sends a job and waits for its answer.
    fn ask<T>(&mut self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        self.send(job(reply))?;
        answer.recv().unwrap_or_else(|_| Err(self.lost()))
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.send(Job::Entries(batch))
    }

    fn in_table(&self) -> Result<&str> {
        self.table.as_deref().ok_or_else(|| misuse("no table is begun"))
    }

    fn of_table(&self, error: Error) -> Error {
        match &self.table {
            Some(table) => Error::new(error.code, format!("restoring table {table:?}: {}", error.message)),
            None => error,
        }
    }
}

fn misuse(what: &str) -> Error {
    Error::new(ErrorCode::Other, format!("a sink was used out of order: {what}"))
}

impl Sink for RedbSink {
    fn create(&mut self, template: &[u8]) -> Result<()> {
        if !matches!(self.state, State::New(_)) {
            self.jobs()?;
            return Err(misuse("the database is created already"));
        }
        self.schemas = template::read(template)?;
        let State::New(file) = mem::replace(&mut self.state, State::Finished) else {
            return Err(misuse("the database is created already"));
        };
        let (jobs, taken) = sync_channel(BATCHES);
        let wrong = Fault::clone(&self.wrong);
        let thread = std::thread::Builder::new().name("strongroom-sink".to_owned());
        let handle = thread
            .spawn(move || writer::run(file, &taken, &wrong))
            .map_err(|error| io_fault("starting the thread that writes the database", &error))?;
        self.state = State::Open(Thread { jobs: Some(jobs), handle: Some(handle) });
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<()> {
        self.jobs()?;
        if let Some(open) = &self.table {
            return Err(misuse(&format!("table {open:?} is not finished")));
        }
        let name = &table.name;
        let schema = self.schemas.iter().find(|schema| schema.name == *name).cloned().ok_or_else(|| {
            Error::new(ErrorCode::Corrupt, format!("the template of the database has no table {name:?}"))
        })?;
        if schema.multimap != table.multimap || schema.identity() != table.identity {
            let why =
                format!("table {name:?} has other types in the template of the database than in its backup");
            return Err(Error::new(ErrorCode::Corrupt, why));
        }
        self.ask(|reply| Job::Table(schema, reply))?;
        self.table = Some(name.clone());
        Ok(())
    }

    fn append(&mut self, mut entries: &[u8]) -> Result<()> {
        self.jobs()?;
        self.in_table()?;
        if let Some(error) = is_wrong(&self.wrong) {
            return Err(self.of_table(error));
        }
        while !entries.is_empty() {
            let taken = entries.len().min(BATCH - self.batch.len());
            self.batch.extend_from_slice(&entries[..taken]);
            entries = &entries[taken..];
            if self.batch.len() == BATCH {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn finish_table(&mut self) -> Result<u64> {
        self.jobs()?;
        self.in_table()?;
        self.flush()?;
        match self.ask(Job::FinishTable) {
            Ok(count) => {
                self.table = None;
                Ok(count)
            }
            Err(error) if matches!(self.state, State::Failed(_)) => Err(error),
            Err(error) => Err(self.of_table(error)),
        }
    }

    fn abandon_table(&mut self) -> Result<()> {
        self.jobs()?;
        self.in_table()?;
        self.batch.clear();
        self.ask(Job::AbandonTable)?;
        self.table = None;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.jobs()?;
        if let Some(open) = &self.table {
            return Err(misuse(&format!("table {open:?} is not finished")));
        }
        self.ask(Job::Finish)?;
        self.partial.sync()?;
        // The thread has closed the database; an error of closing it would be told here.
        if let State::Open(mut thread) = mem::replace(&mut self.state, State::Finished) {
            thread.end()?;
        }
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<()> {
        match &self.state {
            State::Finished => self.partial.publish(),
            State::Failed(error) => Err(error.clone()),
            State::New(_) | State::Open(_) => Err(misuse("the database is not finished")),
        }
    }
    /// The one that the new database is made in.
    fn directories(&self) -> Option<Vec<PathBuf>> {
        self.partial.directory().map(|dir| vec![dir])
    }
}

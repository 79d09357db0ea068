//! A new redb database, as a [`Sink`].

use super::driver::Driver;
use super::publish::Partial;
use super::schema::{self, Schema};
use super::template;
use super::writer::{Fault, Job, Reply, is_wrong};
use crate::{Error, ErrorCode, Result, Sink, Table, bytes};
use std::fs::File;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

/// Entries are sent on in batches of about this many bytes.
const BATCH: usize = 512 << 10;

/// A redb database in the making, beside its final name as `NAME.strongroom-partial`.
///
/// Takes the tables of a redb database, and tables of bytes (see [`bytes`]) of any store. All of it becomes visible at
/// once, in the order in which the entries come, which must be that of the store they came from.
pub struct RedbSink {
    state: State,
    /// The tables of the template; `None`: every table is one of bytes.
    schemas: Option<Vec<Schema>>,
    /// What is not yet sent.
    batch: Vec<u8>,
    table: Option<String>,
    wrong: Fault,
    threads: bool,
    // After `state`: the database must be closed before its file is removed.
    partial: Partial,
}

enum State {
    New(File),
    Open(Driver),
    Finished,
    Failed(Error),
}

impl RedbSink {
    /// Begins a database that will be published as `target`. An existing file is refused, unless it may be overwritten;
    /// even then it stays whole until the new one is.
    pub fn new(target: &Path, overwrite: bool) -> Result<Self> {
        let (partial, file) = Partial::create(target, overwrite)?;
        Ok(Self {
            state: State::New(file),
            schemas: Some(Vec::new()),
            batch: Vec::new(),
            table: None,
            wrong: Fault::default(),
            threads: cfg!(not(target_family = "wasm")),
            partial,
        })
    }

    /// Writes on the thread of whoever calls instead of on one of its own: slower, for where there are no threads.
    #[must_use]
    pub fn on_this_thread(mut self) -> Self {
        self.threads = false;
        self
    }

    fn open(&mut self) -> Result<&mut Driver> {
        match &mut self.state {
            State::Open(driver) => Ok(driver),
            State::Failed(error) => Err(error.clone()),
            State::New(_) => Err(misuse("the database is not created yet")),
            State::Finished => Err(misuse("the database is finished")),
        }
    }

    /// Says why there is nobody any more to take jobs.
    fn lost(&mut self) -> Error {
        let error = match mem::replace(&mut self.state, State::Finished) {
            State::Open(driver) => {
                driver.end().err().unwrap_or_else(|| misuse("nobody writes the database any more"))
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
        if self.open()?.send(job) { Ok(()) } else { Err(self.lost()) }
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
        // Of a small table there is no more to come.
        let room = if self.batch.len() == BATCH { BATCH } else { 0 };
        let batch = mem::replace(&mut self.batch, Vec::with_capacity(room));
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
            self.open()?;
            return Err(misuse("the database is created already"));
        }
        self.schemas = if template == bytes::TEMPLATE { None } else { Some(template::read(template)?) };
        let State::New(file) = mem::replace(&mut self.state, State::Finished) else {
            return Err(misuse("the database is created already"));
        };
        let driver = Driver::start(file, Fault::clone(&self.wrong), self.threads)?;
        self.state = State::Open(driver);
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<()> {
        self.open()?;
        if let Some(open) = &self.table {
            return Err(misuse(&format!("table {open:?} is not finished")));
        }
        let name = &table.name;
        let schema = match &self.schemas {
            None => schema::of_bytes(name),
            Some(schemas) => {
                // Sorted by name.
                let at = schemas.binary_search_by(|schema| schema.name.cmp(name)).map_err(|_| {
                    Error::new(
                        ErrorCode::Corrupt,
                        format!("the template of the database has no table {name:?}"),
                    )
                })?;
                schemas[at].clone()
            }
        };
        let sorted = self.schemas.is_none();
        if sorted && name.is_empty() {
            return Err(Error::new(ErrorCode::Unsupported, "redb has no table without a name"));
        }
        if schema.multimap != table.multimap || schema.identity() != table.identity {
            let why =
                format!("table {name:?} has other types in the template of the database than in its backup");
            return Err(Error::new(ErrorCode::Corrupt, why));
        }
        self.ask(|reply| Job::Table { schema, sorted, reply })?;
        self.table = Some(name.clone());
        Ok(())
    }

    fn append(&mut self, mut entries: &[u8]) -> Result<()> {
        self.open()?;
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
        self.open()?;
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
        self.open()?;
        self.in_table()?;
        self.batch.clear();
        self.ask(Job::AbandonTable)?;
        self.table = None;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.open()?;
        if let Some(open) = &self.table {
            return Err(misuse(&format!("table {open:?} is not finished")));
        }
        self.ask(Job::Finish)?;
        self.partial.sync()?;
        // The database is closed; an error of closing it would be told here.
        if let State::Open(driver) = mem::replace(&mut self.state, State::Finished) {
            driver.end()?;
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

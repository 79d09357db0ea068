//! Who does the jobs of a [`RedbSink`](super::RedbSink): a thread, so that redb inserts while the caller decodes; or,
//! where there are no threads, the caller.

use super::fault::io_fault;
use super::writer::{Fault, Job, Jobs, Next, Worked, Writer};
use crate::{Error, ErrorCode, Result};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// This many batches may wait for the thread.
const BATCHES: usize = 6;
/// So many bytes wait for the caller to do them: for each such stretch, redb descends to the table's end.
const STRETCH: usize = 8 << 20;

/// Dropping it gives the database up.
pub(super) enum Driver {
    Thread(Thread),
    Caller(Box<Caller>),
}

pub(super) struct Thread {
    jobs: Option<SyncSender<Job>>,
    handle: Option<JoinHandle<Result<()>>>,
}

pub(super) struct Caller {
    /// Gone once it is over.
    writer: Option<Box<Writer>>,
    jobs: Waiting,
    wrong: Fault,
    failed: Option<Error>,
}

/// Jobs that wait for the caller.
#[derive(Default)]
struct Waiting {
    jobs: RefCell<VecDeque<Job>>,
    bytes: usize,
}

impl Driver {
    /// Begins a database in an empty file.
    pub(super) fn start(file: File, wrong: Fault, threads: bool) -> Result<Self> {
        if !threads {
            let writer = Some(Writer::create(file)?);
            return Ok(Self::Caller(Box::new(Caller {
                writer,
                jobs: Waiting::default(),
                wrong,
                failed: None,
            })));
        }
        let (jobs, taken) = sync_channel(BATCHES);
        let thread = std::thread::Builder::new().name("strongroom-sink".to_owned());
        let handle = thread
            .spawn(move || Writer::create(file)?.work(&Sent(taken), &wrong).map(drop))
            .map_err(|error| io_fault("starting the thread that writes the database", &error))?;
        Ok(Self::Thread(Thread { jobs: Some(jobs), handle: Some(handle) }))
    }

    /// Gives a job; `false`: there is nobody any more who would do it.
    pub(super) fn send(&mut self, job: Job) -> bool {
        match self {
            Self::Thread(thread) => thread.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()),
            Self::Caller(caller) => caller.send(job),
        }
    }

    /// Waits until all is done and says why it ended.
    pub(super) fn end(self) -> Result<()> {
        match self {
            Self::Thread(mut thread) => thread.end(),
            Self::Caller(caller) => caller.failed.map_or(Ok(()), Err),
        }
    }
}

impl Thread {
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

impl Caller {
    fn send(&mut self, job: Job) -> bool {
        let now = match &job {
            Job::Entries(bytes) => {
                self.jobs.bytes += bytes.len();
                self.jobs.bytes >= STRETCH
            }
            _ => true,
        };
        self.jobs.jobs.get_mut().push_back(job);
        if now {
            self.jobs.bytes = 0;
            match self.writer.take().map(|writer| writer.work(&self.jobs, &self.wrong)) {
                Some(Ok(Worked::Later(writer))) => self.writer = Some(writer),
                Some(Ok(Worked::Over)) => return true,
                Some(Err(error)) => self.failed = Some(error),
                None => {}
            }
        }
        self.writer.is_some()
    }
}

/// What is sent to the thread.
struct Sent(Receiver<Job>);

impl Jobs for Sent {
    fn next(&self) -> Next {
        self.0.recv().map_or(Next::Gone, Next::Job)
    }

    fn waits(&self) -> bool {
        true
    }
}

impl Jobs for Waiting {
    fn next(&self) -> Next {
        self.jobs.borrow_mut().pop_front().map_or(Next::Later, Next::Job)
    }

    fn waits(&self) -> bool {
        false
    }
}

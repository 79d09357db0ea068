//! Where what a component prints goes: as far as its budget, and no further.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::exceeded::Exceeded;
use strongroom_core::Filter;

/// Bytes that a component may hand over at once.
const PIECE: usize = 64 << 10;

/// A stream that a component prints to. Clones go to the same place.
#[derive(Clone)]
pub(crate) struct Printed(Arc<Mutex<Inner>>);

struct Inner {
    to: Option<Box<dyn Write + Send>>,
    filter: Option<Filter>,
    /// The last of what was printed, for error messages.
    kept: Vec<u8>,
    keep: usize,
    left: u64,
    budget: Exceeded,
    /// Nobody reads any more.
    gone: bool,
}

impl Printed {
    /// Keeps all of it. Going past the budget is the end of the run.
    pub(crate) fn kept(max: usize) -> Self {
        Self::new(None, None, max, max as u64, Exceeded::LogBytes)
    }

    /// Passes it on, made readable, and keeps the last of it.
    pub(crate) fn readable(to: Box<dyn Write + Send>, max: usize) -> Self {
        Self::new(Some(to), Some(Filter::default()), 4 << 10, max as u64, Exceeded::LogBytes)
    }

    /// Passes it on; for a terminal it is made readable.
    pub(crate) fn passed_on(to: Box<dyn Write + Send>, terminal: bool, max: u64) -> Self {
        Self::new(Some(to), terminal.then(Filter::default), 0, max, Exceeded::OutputBytes)
    }

    fn new(
        to: Option<Box<dyn Write + Send>>,
        filter: Option<Filter>,
        keep: usize,
        left: u64,
        budget: Exceeded,
    ) -> Self {
        Self(Arc::new(Mutex::new(Inner { to, filter, kept: Vec::new(), keep, left, budget, gone: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last of what was printed.
    pub(crate) fn contents(&self) -> Vec<u8> {
        self.lock().kept.clone()
    }

    /// Nobody reads it any more.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Everything has arrived.
    pub(crate) fn flush(&self) -> std::io::Result<()> {
        let mut inner = self.lock();
        let flushed = inner.to.as_mut().map_or(Ok(()), |to| to.flush());
        inner.gone |= flushed.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe);
        flushed
    }
}

impl Inner {
    fn print(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let printed = self.pass_on(bytes);
        self.gone |= printed.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe);
        printed
    }

    fn pass_on(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.keep > 0 {
            self.kept.extend_from_slice(bytes);
            if self.kept.len() > 2 * self.keep {
                self.kept.drain(..self.kept.len() - self.keep);
            }
        }
        match (&mut self.to, &mut self.filter) {
            (Some(to), Some(filter)) => to.write_all(filter.push(bytes).as_bytes()),
            (Some(to), None) => to.write_all(bytes),
            (None, _) => Ok(()),
        }
    }
}

/// A reader that has gone is for the component to know; another failure too.
fn failed(e: std::io::Error) -> StreamError {
    if e.kind() == ErrorKind::BrokenPipe {
        StreamError::Closed
    } else {
        StreamError::LastOperationFailed(e.into())
    }
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut inner = self.lock();
        let fits = bytes.len().min(usize::try_from(inner.left).unwrap_or(usize::MAX));
        inner.left -= fits as u64;
        inner.print(&bytes[..fits]).map_err(failed)?;
        if fits < bytes.len() {
            return Err(StreamError::Trap(inner.budget.into()));
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Printed::flush(self).map_err(failed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    // Only WASI 0.3 asks for it, which is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(MemoryOutputPipe::new(0))
    }
}

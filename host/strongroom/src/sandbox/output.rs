//! Where what a component prints goes: as far as its budget, and no further. Past it, data ends the run, because a part of
//! it would pass for all of it; what is for people is dropped and counted.

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
    /// What is past the budget ends the run.
    ends: Option<Exceeded>,
    dropped: u64,
    /// Nobody reads any more.
    gone: bool,
}

impl Printed {
    /// Keeps the last of it.
    pub(crate) fn kept(max: usize) -> Self {
        Self::new(None, None, max, max as u64, None)
    }

    /// Passes it on, made readable, as far as the budget goes, and keeps the last of it.
    pub(crate) fn readable(to: Box<dyn Write + Send>, max: usize) -> Self {
        Self::new(Some(to), Some(Filter::default()), 4 << 10, max as u64, None)
    }

    /// Passes it on; for a terminal it is made readable. Going past the budget is the end of the run.
    pub(crate) fn passed_on(to: Box<dyn Write + Send>, terminal: bool, max: u64) -> Self {
        Self::new(Some(to), terminal.then(Filter::default), 0, max, Some(Exceeded::OutputBytes))
    }

    fn new(
        to: Option<Box<dyn Write + Send>>,
        filter: Option<Filter>,
        keep: usize,
        left: u64,
        ends: Option<Exceeded>,
    ) -> Self {
        let (kept, dropped, gone) = (Vec::new(), 0, false);
        Self(Arc::new(Mutex::new(Inner { to, filter, kept, keep, left, ends, dropped, gone })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last of what was printed.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let inner = self.lock();
        inner.kept[inner.kept.len().saturating_sub(inner.keep)..].to_vec()
    }

    /// Bytes that were past the budget and went nowhere.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Says behind it all that something was dropped.
    pub(crate) fn say_dropped(&self, called: &str) -> std::io::Result<()> {
        let mut inner = self.lock();
        let dropped = inner.dropped;
        match &mut inner.to {
            Some(to) if dropped > 0 => {
                writeln!(to, "\n{called}: {dropped} more bytes on stderr were dropped")
            }
            _ => Ok(()),
        }
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
        self.keep(bytes);
        let printed = self.pass_on(bytes);
        self.gone |= printed.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe);
        printed
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.keep > 0 {
            self.kept.extend_from_slice(bytes);
            if self.kept.len() > 2 * self.keep {
                self.kept.drain(..self.kept.len() - self.keep);
            }
        }
    }

    fn pass_on(&mut self, bytes: &[u8]) -> std::io::Result<()> {
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
        let more = &bytes[fits..];
        match inner.ends {
            Some(budget) if !more.is_empty() => return Err(StreamError::Trap(budget.into())),
            _ => {}
        }
        inner.keep(more);
        inner.dropped += more.len() as u64;
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

//! Where the engine says how far it is, and hears that it should stop.

use crate::error::{Code, Error, Result};

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For those who look for something.
    Debug,
    /// What a person who watches wants to know.
    Info,
    /// What a person should look into.
    Warn,
}

/// Whoever listens.
pub trait Progress {
    /// So much was done since the last call. `false` asks to stop.
    fn advance(&self, phase: &str, bytes: u64, entries: u64) -> bool;
    /// Something to tell.
    fn log(&self, level: Level, message: &str);
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {
    fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
        true
    }
    fn log(&self, _level: Level, _message: &str) {}
}

/// Reports, and ends the run if that is what the listener wants.
pub(crate) fn advance(progress: &dyn Progress, phase: &str, bytes: u64, entries: u64) -> Result<()> {
    if progress.advance(phase, bytes, entries) {
        Ok(())
    } else {
        Err(Error::new(Code::Cancelled, "stopped on request; nothing was published"))
    }
}

/// Warnings of which there may be one for every table or file: the first few are passed on, the others counted.
pub(crate) struct Few<'p> {
    progress: &'p dyn Progress,
    number: u64,
}

/// So many are passed on.
const FEW: u64 = 5;

impl<'p> Few<'p> {
    pub(crate) fn new(progress: &'p dyn Progress) -> Self {
        Self { progress, number: 0 }
    }

    /// One more.
    pub(crate) fn warn(&mut self, message: &str) {
        self.number += 1;
        let level = if self.number <= FEW { Level::Warn } else { Level::Debug };
        self.progress.log(level, message);
    }

    /// That was all of them: says how many were not passed on, and what they are about.
    pub(crate) fn end(self, what: &str) {
        if self.number > FEW {
            let more = self.number - FEW;
            self.progress.log(Level::Warn, &format!("and {more} more: {what} ({} in all)", self.number));
        }
    }
}

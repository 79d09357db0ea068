//! What the engine's imports do: the granted store, the granted sink, and whoever listens.

mod log;
pub(crate) mod progress;
pub(crate) mod sink;
pub(crate) mod store;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_store as kv;

use strongroom_core::Lock;

use crate::Error;
use crate::sandbox::wit_kv::kv_store;
use crate::sandbox::{Walls, readable};

pub(crate) use log::Log;
pub(crate) use progress::Meter;

/// So many bytes of a message tell it from others.
const NOTED: usize = 200;

/// What one run may touch besides its directory, shared by its instances. Everything that is not here is denied.
pub(crate) struct Grants {
    /// The store to read, under any name.
    pub(crate) store: Option<Arc<dyn kv::Store>>,
    /// The sink to fill, once.
    pub(crate) sink: Mutex<Option<Box<dyn kv::Sink>>>,
    /// The sink when the engine has finished it: what is left is to publish it.
    pub(crate) finished: Mutex<Option<Box<dyn kv::Sink>>>,
    pub(crate) meter: Meter,
    pub(crate) log: Log,
    /// The lock that must be the run's own whenever it changes what others see.
    pub(crate) lock: Option<Arc<Lock>>,
    /// What the store, the sink or an archive failed with last: an error that says this is about them, not about the
    /// repository.
    pub(crate) failed_outside: Mutex<Option<Outside>>,
}

/// What something other than the repository failed with.
pub(crate) struct Outside {
    /// How it begins.
    message: String,
    of_database: bool,
}

impl Grants {
    /// Nothing but somebody who listens.
    pub(crate) fn new(meter: Meter) -> Self {
        Self {
            store: None,
            sink: Mutex::new(None),
            finished: Mutex::new(None),
            meter,
            log: Log::default(),
            lock: None,
            failed_outside: Mutex::new(None),
        }
    }

    /// The same for a run that writes, with its lock.
    pub(crate) fn locked(meter: Meter, lock: Option<Arc<Lock>>) -> Self {
        Self { lock, ..Self::new(meter) }
    }

    /// Whether the run may still change what others see.
    pub(crate) fn may_change(&self) -> bool {
        let may = self.lock.as_ref().is_none_or(|lock| lock.is_own());
        if !may {
            self.meter.lose_lock();
        }
        may
    }

    /// Why a run ended.
    pub(crate) fn explain(&self, e: Error) -> Error {
        self.may_change();
        self.meter.explain(e)
    }

    /// Passes an error of the store or the sink on to a component, which need not know which file it is about.
    fn outside(&self, e: kv::Error) -> kv_store::Error {
        self.of_database(e).into()
    }

    /// The same error, which is known from now on to be about the database.
    pub(crate) fn of_database(&self, e: kv::Error) -> kv::Error {
        self.note(&e.message, true);
        e
    }

    /// Notes what an archive failed with.
    pub(crate) fn note_outside(&self, message: &str) {
        self.note(message, false);
    }

    fn note(&self, message: &str, of_database: bool) {
        let message = readable(&message.as_bytes()[..message.floor_char_boundary(NOTED)]);
        *self.failed_outside.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Outside { message, of_database });
    }

    /// Whether an error is about something other than the repository.
    pub(crate) fn is_outside(&self, e: &Error) -> bool {
        let noted = self.failed_outside.lock().unwrap_or_else(PoisonError::into_inner);
        noted.as_ref().is_some_and(|noted| e.to_string().contains(&noted.message))
    }

    /// The error with the file of the database, if that is what it is about.
    pub(crate) fn with_database(&self, e: Error) -> Error {
        let noted = self.failed_outside.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_it = |noted: &Outside| noted.of_database && e.to_string().contains(&noted.message);
        match self.database().filter(|_| noted.as_ref().is_some_and(is_of_it)) {
            Some(file) => e.at(file.display()),
            None => e,
        }
    }

    /// The file that the store reads.
    pub(crate) fn database(&self) -> Option<&Path> {
        self.store.as_ref()?.file()
    }

    /// These walls, with doors to what the store and the sink need.
    pub(crate) fn doors(&self, walls: Walls) -> Walls {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        walls.for_store(self.store.as_deref()).for_sink(sink.as_deref())
    }
}

//! What the command tells before it calls the engine.

use std::path::Path;
use std::time::Duration;

use strongroom_core::{Error, Locking};
use strongroom_store::redb::RedbSink;

use crate::bindings::exports::strongroom::provider::control as wit;
use crate::store::{self, Database};
use crate::{Component, directory, listener, panics, sink};

impl From<Error> for wit::Error {
    fn from(e: Error) -> Self {
        Self { code: e.code().as_str().to_owned(), message: e.to_string() }
    }
}

impl From<strongroom_store::Error> for wit::Error {
    fn from(e: strongroom_store::Error) -> Self {
        Error::from(e).into()
    }
}

type Result<T> = std::result::Result<T, wit::Error>;

impl wit::Guest for Component {
    fn speak(voice: wit::Voice) {
        panics::listen();
        listener::speak(voice.bar, voice.json, voice.verbosity);
    }

    fn grant_store(path: String) -> Result<()> {
        store::grant(Database::open(&path)?);
        Ok(())
    }

    fn position(at: String) -> Result<u64> {
        Ok(store::granted()?.position(&at)?)
    }

    fn grant_sink(path: String, overwrite: bool) -> Result<()> {
        sink::grant(RedbSink::new(Path::new(&path), overwrite)?);
        Ok(())
    }

    fn publish_sink() -> Result<()> {
        Ok(sink::publish()?)
    }

    fn grant_directory(path: String, writing: Option<wit::Writing>) -> Result<()> {
        let writing = writing.map(|wit::Writing { doing, wait, break_lock }| {
            (doing, Locking { wait: Duration::from_millis(wait), break_lock })
        });
        Ok(directory::grant(&path, writing)?)
    }

    fn release(failed: bool) -> bool {
        sink::drop_unpublished();
        directory::release(failed);
        store::has_failed()
    }

    fn expect(bytes: u64, entries: u64) {
        listener::expect(bytes, entries);
    }

    fn clear(for_good: bool) -> u64 {
        listener::clear(for_good)
    }
}

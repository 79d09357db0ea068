//! Snapshots as one file, in pieces that the caller moves.

use std::cell::RefCell;

use strongroom_engine::{self as engine, Bytes as _};

use crate::Component;
use crate::bindings::exports::strongroom::backup::archive as wit;
use crate::imports::{Progress, Sink};
use crate::latest::meant;
use crate::vault::vault;

type Result<T> = std::result::Result<T, wit::Error>;

/// No more is read at once.
const READ_MAX: u32 = 16 << 20;

pub(crate) struct Outgoing(RefCell<engine::Export<'static>>);
pub(crate) struct Incoming(RefCell<engine::Import<'static>>);
pub(crate) struct Restoring(RefCell<engine::RestoreArchive<'static>>);

impl wit::Guest for Component {
    type Outgoing = Outgoing;
    type Incoming = Incoming;
    type Restoring = Restoring;

    fn begin_export(snapshot: String) -> Result<wit::Outgoing> {
        let export = engine::export(vault()?, &meant(snapshot)?, &Progress)?;
        Ok(wit::Outgoing::new(Outgoing(RefCell::new(export))))
    }

    fn begin_import(name: Option<String>, source: Option<String>) -> Result<wit::Incoming> {
        let import = engine::Import::new(vault()?, name.as_deref(), source.as_deref(), &Progress)?;
        Ok(wit::Incoming::new(Incoming(RefCell::new(import))))
    }

    fn begin_restore(tables: Option<Vec<String>>, sink: String) -> Result<wit::Restoring> {
        let create =
            move |template: &[u8]| Ok(Box::new(Sink::create(&sink, template)?) as Box<dyn engine::Sink>);
        let restore = engine::RestoreArchive::new(tables.as_deref(), &Progress, create);
        Ok(wit::Restoring::new(Restoring(RefCell::new(restore))))
    }
}

impl wit::GuestOutgoing for Outgoing {
    fn snapshot(&self) -> wit::Snapshot {
        self.0.borrow().snapshot().clone().into()
    }

    fn read(&self, max: u32) -> Result<Vec<u8>> {
        Ok(self.0.borrow_mut().read(max.clamp(1, READ_MAX))?)
    }
}

impl wit::GuestIncoming for Incoming {
    fn take(&self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.0.borrow_mut().take(&bytes)?)
    }

    fn finish(this: wit::Incoming) -> Result<wit::Snapshot> {
        let this: Incoming = this.into_inner();
        Ok(this.0.into_inner().finish()?.into())
    }
}

impl wit::GuestRestoring for Restoring {
    fn take(&self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.0.borrow_mut().take(&bytes)?)
    }

    fn finish(this: wit::Restoring) -> Result<wit::Snapshot> {
        let this: Restoring = this.into_inner();
        Ok(this.0.into_inner().finish()?.into())
    }
}

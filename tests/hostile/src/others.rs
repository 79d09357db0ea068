//! What else an engine exports. There is no attack here that the rest has not.

use crate::bindings::exports::strongroom::backup::{archive, diff};
use crate::{Hostile, Result, error, wit};

/// There is none.
pub(crate) enum Never {}

impl archive::Guest for Hostile {
    type Outgoing = Never;
    type Incoming = Never;
    type Restoring = Never;

    fn begin_export(_snapshot: String) -> Result<archive::Outgoing> {
        Err(error("no archives here"))
    }

    fn begin_import(_name: Option<String>, _source: Option<String>) -> Result<archive::Incoming> {
        Err(error("no archives here"))
    }

    fn begin_restore(_tables: Option<Vec<String>>, _sink: String) -> Result<archive::Restoring> {
        Err(error("no archives here"))
    }
}

impl archive::GuestOutgoing for Never {
    fn snapshot(&self) -> wit::Snapshot {
        match *self {}
    }

    fn read(&self, _max: u32) -> Result<Vec<u8>> {
        match *self {}
    }
}

impl archive::GuestIncoming for Never {
    fn take(&self, _bytes: Vec<u8>) -> Result<()> {
        match *self {}
    }

    fn finish(_this: archive::Incoming) -> Result<wit::Snapshot> {
        Err(error("no archives here"))
    }
}

impl archive::GuestRestoring for Never {
    fn take(&self, _bytes: Vec<u8>) -> Result<()> {
        match *self {}
    }

    fn finish(_this: archive::Restoring) -> Result<wit::Snapshot> {
        Err(error("no archives here"))
    }
}

impl diff::Guest for Hostile {
    type Differences = Never;

    fn begin(
        _snapshot: String,
        _other: diff::Other,
        _tables: Option<Vec<String>>,
        _keys: bool,
    ) -> Result<diff::Differences> {
        Err(error("no differences here"))
    }
}

impl diff::GuestDifferences for Never {
    fn snapshots(&self) -> (wit::Snapshot, Option<wit::Snapshot>) {
        match *self {}
    }

    fn next(&self) -> Result<Vec<diff::Told>> {
        match *self {}
    }
}

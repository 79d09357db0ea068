//! What differs between two moments.

use std::cell::RefCell;

use strongroom_engine as engine;

use crate::Component;
use crate::bindings::exports::strongroom::backup::diff as wit;
use crate::imports::{Progress, Store};
use crate::latest::meant;
use crate::vault::vault;

type Result<T> = std::result::Result<T, wit::Error>;

/// So much is told at once, at most: things, and bytes of keys.
const THINGS: usize = 1000;
const KEY_BYTES: usize = 1 << 20;

pub(crate) struct Differences(RefCell<engine::Diff<'static>>);

impl From<engine::Side> for wit::Side {
    fn from(side: engine::Side) -> Self {
        let (key_type, value_type) = side.types;
        Self { multimap: side.multimap, entries: side.entries, key_type, value_type }
    }
}

impl From<engine::TableDiff> for wit::TableDifference {
    fn from(table: engine::TableDiff) -> Self {
        let engine::TableDiff { name, before, after, added, removed, changed } = table;
        let (before, after) = (before.map(Into::into), after.map(Into::into));
        Self { name, before, after, added, removed, changed }
    }
}

impl From<engine::Told> for wit::Told {
    fn from(told: engine::Told) -> Self {
        match told {
            engine::Told::Entry(engine::EntryDiff { what, key, key_len, before, after }) => {
                let what = match what {
                    engine::What::Added => wit::What::Added,
                    engine::What::Removed => wit::What::Removed,
                    engine::What::Changed => wit::What::Changed,
                };
                wit::Told::Entry(wit::EntryDifference { what, key, key_bytes: key_len, before, after })
            }
            engine::Told::Begin(table) => wit::Told::Begin(table.into()),
            engine::Told::Table(table) => wit::Told::Table(table.into()),
        }
    }
}

impl wit::Guest for Component {
    type Differences = Differences;

    fn begin(
        snapshot: String,
        other: wit::Other,
        tables: Option<Vec<String>>,
        keys: bool,
    ) -> Result<wit::Differences> {
        let snapshot = meant(snapshot)?;
        let other = match other {
            wit::Other::Snapshot(which) => wit::Other::Snapshot(meant(which)?),
            store => store,
        };
        let other = match &other {
            wit::Other::Snapshot(which) => engine::Other::Snapshot(which),
            // It lives as long as this instance, which makes one comparison.
            wit::Other::Store(name) => engine::Other::Store(Box::leak(Box::new(Store::open(name)?))),
        };
        let diff = engine::diff(vault()?, &snapshot, other, tables.as_deref(), keys, &Progress)?;
        Ok(wit::Differences::new(Differences(RefCell::new(diff))))
    }
}

impl wit::GuestDifferences for Differences {
    fn snapshots(&self) -> (wit::Snapshot, Option<wit::Snapshot>) {
        let diff = self.0.borrow();
        let (first, second) = diff.snapshots();
        (first.clone().into(), second.cloned().map(Into::into))
    }

    fn next(&self) -> Result<Vec<wit::Told>> {
        let mut diff = self.0.borrow_mut();
        let (mut told, mut bytes) = (Vec::new(), 0);
        while told.len() < THINGS && bytes < KEY_BYTES {
            let Some(next) = diff.tell()? else { break };
            bytes += match &next {
                engine::Told::Entry(entry) => entry.key.len(),
                engine::Told::Begin(table) | engine::Told::Table(table) => table.name.len(),
            };
            told.push(next.into());
        }
        Ok(told)
    }
}

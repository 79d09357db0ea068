//! The database as both engines read it: through the same store, with the time that its entries take.

use std::path::PathBuf;
use std::sync::Arc;

use strongroom::store::{Entries, Result, Store, Table};
use strongroom_engine as engine;

use super::clock::{Call, timed};

/// A store whose time is taken.
pub(super) struct Timed(pub(super) Arc<dyn Store>);

struct TimedEntries(Box<dyn Entries>);

impl Entries for TimedEntries {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        timed(Call::Read, || self.0.read(max, out))
    }
}

fn timed_entries(entries: Box<dyn Entries>) -> Box<dyn Entries> {
    Box::new(TimedEntries(entries))
}

impl Store for Timed {
    fn tables(&self) -> Result<Vec<Table>> {
        timed(Call::Read, || self.0.tables())
    }

    fn template(&self) -> Result<Vec<u8>> {
        timed(Call::Read, || self.0.template())
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        self.0.notes()
    }

    fn position(&self, at: &str) -> Result<u64> {
        self.0.position(at)
    }

    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        timed(Call::Read, || self.0.split(table, parts))
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>> {
        timed(Call::Read, || self.0.scan(table, from, to)).map(timed_entries)
    }

    fn stamp(&self, table: &str) -> Result<Option<Vec<u8>>> {
        timed(Call::Read, || self.0.stamp(table))
    }

    fn baseline(&self, table: &str) -> Result<Option<Box<dyn Entries>>> {
        Ok(timed(Call::Read, || self.0.baseline(table))?.map(timed_entries))
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        self.0.directories()
    }
}

/// The same store as the engine itself sees it, where no component is between them.
pub(super) struct Direct<'s>(pub(super) &'s dyn Store);

struct Packed(Box<dyn Entries>);

struct Whole(Vec<u8>);

fn error(e: strongroom::store::Error) -> engine::Error {
    engine::Error::new(engine::Code::Other, e.message)
}

impl engine::Bytes for Packed {
    fn read(&mut self, max: u32) -> engine::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(max as usize);
        self.0.read(max as usize, &mut out).map_err(error)?;
        Ok(out)
    }
}

impl engine::Bytes for Whole {
    fn read(&mut self, max: u32) -> engine::Result<Vec<u8>> {
        let rest = self.0.split_off(self.0.len().min(max as usize));
        Ok(std::mem::replace(&mut self.0, rest))
    }
}

impl engine::Store for Direct<'_> {
    fn tables(&self) -> engine::Result<Vec<engine::Table>> {
        let table = |table: Table| engine::Table {
            name: table.name,
            multimap: table.multimap,
            entries: table.entries,
            bytes_about: table.bytes_about,
            key_type: table.key_type,
            value_type: table.value_type,
            identity: table.identity,
        };
        Ok(self.0.tables().map_err(error)?.into_iter().map(table).collect())
    }

    fn template(&self) -> engine::Result<Box<dyn engine::Bytes + '_>> {
        Ok(Box::new(Whole(self.0.template().map_err(error)?)))
    }

    fn notes(&self) -> engine::Result<Vec<(String, String)>> {
        self.0.notes().map_err(error)
    }

    fn position(&self, at: &str) -> engine::Result<u64> {
        self.0.position(at).map_err(error)
    }

    fn split(&self, table: &str, parts: u32) -> engine::Result<Vec<Vec<u8>>> {
        self.0.split(table, parts).map_err(error)
    }

    fn scan(
        &self,
        table: &str,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
    ) -> engine::Result<Box<dyn engine::Bytes + '_>> {
        Ok(Box::new(Packed(self.0.scan(table, from, to).map_err(error)?)))
    }

    fn stamp(&self, table: &str) -> engine::Result<Option<Vec<u8>>> {
        self.0.stamp(table).map_err(error)
    }

    fn baseline(&self, table: &str) -> engine::Result<Option<Box<dyn engine::Bytes + '_>>> {
        let baseline = self.0.baseline(table).map_err(error)?;
        Ok(baseline.map(|entries| Box::new(Packed(entries)) as Box<dyn engine::Bytes>))
    }
}

//! A store that is no redb: sorted maps in memory, and a sink that fills them again.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use strongroom::store::{self, Error, ErrorCode, Result, frame};
use strongroom::{Entries, Sink, Store};

pub type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Tables by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maps(pub BTreeMap<String, Map>);

impl Maps {
    /// Tables of this many entries, whose values have this many bytes: others in every table, always the same.
    pub fn filled(tables: &[(&str, u64, usize)]) -> Self {
        let table = |(name, entries, len): &(&str, u64, usize)| {
            let seed = name.bytes().fold(0, |seed, byte| super::mix(seed ^ u64::from(byte)));
            let entry = |i| (format!("key {i:08}").into_bytes(), super::noise(seed ^ i, *len));
            ((*name).to_owned(), (0..*entries).map(entry).collect())
        };
        Self(tables.iter().map(table).collect())
    }

    fn table(&self, name: &str) -> Result<&Map> {
        self.0.get(name).ok_or_else(|| Error::new(ErrorCode::NotFound, format!("no map {name:?}")))
    }
}

const TEMPLATE: &[u8] = b"maps";

impl Store for Maps {
    fn tables(&self) -> Result<Vec<store::Table>> {
        let table = |(name, map): (&String, &Map)| store::Table {
            name: name.clone(),
            multimap: false,
            entries: map.len() as u64,
            bytes_about: map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum(),
            key_type: "bytes".to_owned(),
            value_type: "bytes".to_owned(),
            identity: b"map of bytes".to_vec(),
        };
        Ok(self.0.iter().map(table).collect())
    }

    fn template(&self) -> Result<Vec<u8>> {
        Ok(TEMPLATE.to_vec())
    }

    fn position(&self, at: &str) -> Result<u64> {
        Err(Error::new(ErrorCode::NotFound, format!("maps have no position {at:?}")))
    }

    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        let map = self.table(table)?;
        let step = map.len().div_ceil(parts.max(1) as usize).max(1);
        Ok(map.keys().step_by(step).skip(1).cloned().collect())
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Entries>> {
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        let mut packed = Vec::new();
        for (key, value) in self.table(table)?.range::<[u8], _>((from, to)) {
            frame::push(&mut packed, key, value)?;
        }
        Ok(Box::new(Packed { packed, at: 0 }))
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        Some(Vec::new())
    }
}

/// Packed entries that are all there.
pub struct Packed {
    pub packed: Vec<u8>,
    pub at: usize,
}

impl Entries for Packed {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        let end = self.packed.len().min(self.at + max);
        out.extend_from_slice(&self.packed[self.at..end]);
        self.at = end;
        Ok(())
    }
}

/// Fills maps, and hands them over when they are published.
#[derive(Default)]
pub struct MapSink {
    filling: Maps,
    table: Option<(String, frame::Decoder)>,
    finished: bool,
    published: Arc<Mutex<Option<Maps>>>,
}

impl MapSink {
    /// A sink, and where the maps are once they are published.
    pub fn new() -> (Self, Arc<Mutex<Option<Maps>>>) {
        let this = Self::default();
        let published = Arc::clone(&this.published);
        (this, published)
    }
}

impl Sink for MapSink {
    fn create(&mut self, template: &[u8]) -> Result<()> {
        assert_eq!(template, TEMPLATE, "the template comes back as it was");
        Ok(())
    }

    fn table(&mut self, table: &store::Table) -> Result<()> {
        assert!(self.table.is_none(), "one table at a time");
        self.filling.0.insert(table.name.clone(), Map::new());
        self.table = Some((table.name.clone(), frame::Decoder::new()));
        Ok(())
    }

    fn append(&mut self, entries: &[u8]) -> Result<()> {
        let (name, decoder) = self.table.as_mut().expect("a table was begun");
        let map = self.filling.0.get_mut(name).expect("it was inserted");
        decoder.decode(entries, |key, value| {
            map.insert(key.to_vec(), value.to_vec());
            Ok(())
        })
    }

    fn finish_table(&mut self) -> Result<u64> {
        let (name, decoder) = self.table.take().expect("a table was begun");
        decoder.finish()?;
        Ok(self.filling.0[&name].len() as u64)
    }

    fn abandon_table(&mut self) -> Result<()> {
        if let Some((name, _)) = self.table.take() {
            self.filling.0.remove(&name);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.finished = true;
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<()> {
        assert!(self.finished, "published before it was finished");
        *self.published.lock().unwrap() = Some(self.filling);
        Ok(())
    }

    fn directories(&self) -> Option<Vec<PathBuf>> {
        Some(Vec::new())
    }
}

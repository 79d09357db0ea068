//! A snapshot, opened: a store to read from.

use std::rc::Rc;

use crate::catalog::{self, Table};
use crate::error::{Code, Error, Place, Result};
use crate::id::Kind;
use crate::objects::Objects;
use crate::repository;
use crate::snapshot::{self, Snapshot};
use crate::store::{self, Bytes, Store};
use crate::tree::item::{Field, Item, Items};
use crate::tree::walk::Walk;
use crate::vault::Vault;

/// A table is cut into at most this many stretches.
const PARTS_MAX: u32 = 1 << 16;

/// A snapshot as a store.
pub struct Opened<'a> {
    snapshot: Snapshot,
    objects: Rc<Objects<'a>>,
    tables: Vec<Table>,
}

/// Opens the snapshot that is meant: a name, the beginning of an id, or `latest`.
pub fn open<'a>(vault: &'a dyn Vault, which: &str) -> Result<Opened<'a>> {
    repository::check(vault)?;
    let snapshot = snapshot::find(vault, which)?;
    let objects = Rc::new(Objects::open(vault)?);
    let tables = catalog::read(&objects, &snapshot)?;
    Ok(Opened { snapshot, objects, tables })
}

impl<'a> Opened<'a> {
    /// What its file says.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Its tables, sorted by name.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub(crate) fn schema(&self) -> Result<catalog::Schema> {
        catalog::read_schema(&self.objects, &self.snapshot, self.tables.len())
    }

    /// What the store that it was made from needs to make its tables again.
    pub fn template_bytes(&self) -> Result<Whole> {
        Ok(Whole(self.schema()?.template, 0))
    }

    /// The entries of a table from one mark up to, and without, another; marks are those of [`Store::split`].
    pub fn entries_between(
        &self,
        table: &str,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
    ) -> Result<Entries<'a>> {
        let ordinal = |mark: &[u8]| {
            let bytes = mark.try_into().map_err(|_| Error::invalid("this mark is not one of a snapshot"))?;
            Ok(u64::from_le_bytes(bytes))
        };
        self.entries(table, from.map_or(Ok(0), ordinal)?, to.map_or(Ok(u64::MAX), ordinal)?)
    }

    fn table(&self, name: &str) -> Result<&Table> {
        let at = self.tables.binary_search_by(|table| table.name.as_str().cmp(name));
        at.map(|at| &self.tables[at]).map_err(|_| {
            Error::new(Code::NotFound, format!("snapshot {:?} has no table {name:?}", self.snapshot.name))
        })
    }

    /// The entries of a table from one to, and without, another, counted from 0.
    pub fn entries(&self, table: &str, from: u64, to: u64) -> Result<Entries<'a>> {
        let table = self.table(table)?;
        let to = to.min(table.entries);
        let from = from.min(to);
        let place = || format!("table {:?} of snapshot {:?}", table.name, self.snapshot.name);
        let walk = Walk::from_entry(table.root, from, self.objects.as_ref()).place(place())?;
        Ok(Entries {
            objects: Rc::clone(&self.objects),
            walk,
            left: to - from,
            ready: Vec::new(),
            at: 0,
            large: None,
            place: place(),
        })
    }
}

/// Packed entries of a snapshot's table.
pub struct Entries<'a> {
    objects: Rc<Objects<'a>>,
    walk: Walk,
    /// Entries that are still to come from further leaves.
    left: u64,
    /// A leaf, or what of it goes out as it is.
    ready: Vec<u8>,
    at: usize,
    large: Option<Large>,
    place: String,
}

/// A leaf with entries whose keys or values lie in blobs.
struct Large {
    leaf: Vec<u8>,
    /// Where the next item begins.
    at: usize,
    /// Items that are wanted.
    items: u64,
    /// Pieces of the item at hand, the next one last.
    pieces: Vec<Piece>,
}

enum Piece {
    Here(Vec<u8>),
    Blob(crate::id::Id, usize),
}

impl Entries<'_> {
    /// Makes the next bytes ready; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        self.ready.clear();
        self.at = 0;
        loop {
            if let Some(large) = &mut self.large {
                if let Some(piece) = large.pieces.pop() {
                    match piece {
                        Piece::Here(bytes) => self.ready = bytes,
                        Piece::Blob(id, len) => {
                            self.ready = self.objects.read(Kind::Blob, id)?;
                            if self.ready.len() != len {
                                return Err(Error::damaged(format!(
                                    "piece {id} has another length than its entry says"
                                )));
                            }
                        }
                    }
                    if self.ready.is_empty() {
                        continue;
                    }
                    return Ok(true);
                }
                if large.items == 0 {
                    self.large = None;
                    continue;
                }
                large.next_item()?;
                continue;
            }
            if self.left == 0 {
                return Ok(false);
            }
            let Some((leaf, content)) = self.walk.next(self.objects.as_ref())? else {
                return Err(Error::damaged("there are fewer entries than the tree says"));
            };
            let skip = self.walk.take_skip();
            let wanted = leaf.entries.saturating_sub(skip).min(self.left);
            self.left -= wanted;
            let (start, end, spilled) = span(&content, leaf.entries, skip, wanted)?;
            if spilled {
                self.large = Some(Large { leaf: content, at: start, items: wanted, pieces: Vec::new() });
            } else {
                self.ready = content;
                self.ready.truncate(end);
                self.at = start;
                if start < end {
                    return Ok(true);
                }
            }
        }
    }
}

/// Where in a leaf of so many entries these begin and end, and whether one of them lies in blobs.
fn span(content: &[u8], entries: u64, skip: u64, wanted: u64) -> Result<(usize, usize, bool)> {
    let (mut start, mut end, mut spilled) = (0, 0, false);
    let mut at = 0;
    let mut count = 0;
    for item in Items::new(content) {
        let item = item?;
        at += item.raw.len();
        count += 1;
        if count <= skip {
            start = at;
        } else if count <= skip + wanted {
            spilled |= item.is_spilled();
        }
        if count <= skip + wanted {
            end = at;
        }
    }
    if count != entries {
        return Err(Error::damaged(format!("a leaf has {count} entries instead of {entries}")));
    }
    Ok((start, end, spilled))
}

impl Large {
    /// Takes the next item apart.
    fn next_item(&mut self) -> Result<()> {
        let item = Items::new(&self.leaf[self.at..]).next();
        let item: Item<'_> = item.ok_or_else(|| Error::damaged("a leaf ends early"))??;
        self.at += item.raw.len();
        self.items -= 1;
        for field in [item.value, item.key] {
            match field {
                Field::Here(bytes) => self.pieces.push(Piece::Here(bytes.to_vec())),
                Field::Pieces(..) => {
                    let first = self.pieces.len();
                    self.pieces.extend(field.pieces().map(|(id, len)| Piece::Blob(id, len)));
                    self.pieces[first..].reverse();
                }
            }
        }
        let lengths = [item.key.len(), item.value.len()];
        self.pieces.push(Piece::Here(lengths.iter().flat_map(|len| len.to_le_bytes()).collect()));
        Ok(())
    }
}

impl Bytes for Entries<'_> {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let max = max as usize;
        let mut out = Vec::with_capacity(max.min(1 << 20));
        while out.len() < max {
            if self.at == self.ready.len() && !self.fill().place(&self.place)? {
                break;
            }
            let rest = &self.ready[self.at..];
            let take = rest.len().min(max - out.len());
            out.extend_from_slice(&rest[..take]);
            self.at += take;
        }
        Ok(out)
    }
}

/// Bytes that are all there.
pub struct Whole(Vec<u8>, usize);

impl Bytes for Whole {
    fn read(&mut self, max: u32) -> Result<Vec<u8>> {
        let end = self.0.len().min(self.1.saturating_add(max as usize));
        let bytes = self.0[self.1..end].to_vec();
        self.1 = end;
        Ok(bytes)
    }
}

impl Store for Opened<'_> {
    fn tables(&self) -> Result<Vec<store::Table>> {
        Ok(self.tables.iter().map(Table::to_store).collect())
    }

    fn template(&self) -> Result<Box<dyn Bytes + '_>> {
        Ok(Box::new(self.template_bytes()?))
    }

    fn notes(&self) -> Result<Vec<(String, String)>> {
        Ok(self.snapshot.labels.clone())
    }

    fn position(&self, _at: &str) -> Result<u64> {
        self.snapshot.position.ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("snapshot {:?} was made without a position", self.snapshot.name),
            )
        })
    }

    /// Marks are ordinals of entries.
    fn split(&self, table: &str, parts: u32) -> Result<Vec<Vec<u8>>> {
        let entries = self.table(table)?.entries;
        let parts = u64::from(parts.clamp(1, PARTS_MAX));
        let at = |part: u64| (u128::from(entries) * u128::from(part) / u128::from(parts)) as u64;
        let mut marks: Vec<u64> = (1..parts.min(entries.max(1))).map(at).collect();
        marks.dedup();
        marks.retain(|mark| *mark > 0);
        Ok(marks.into_iter().map(|mark| mark.to_le_bytes().to_vec()).collect())
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<Box<dyn Bytes + '_>> {
        Ok(Box::new(self.entries_between(table, from, to)?))
    }
}

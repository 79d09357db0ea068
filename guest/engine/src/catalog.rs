//! The tree of tables, and what stands beside it.

use crate::bytes::{Cursor, pack};
use crate::error::{Code, Error, Place, Result};
use crate::id::{Id, Kind, Tree};
use crate::objects::Objects;
use crate::snapshot::Snapshot;
use crate::store;
use crate::tree::Put;
use crate::tree::item::{Field, Item, Items};
use crate::tree::leaves::{LeafSink, Leaves};
use crate::tree::node::{Ref, Root};
use crate::tree::spine::Spine;
use crate::tree::walk::{Get, Walk};

/// Names and identities of tables are at most this long.
const NAME_MAX: usize = 64 << 10;
/// What is beside the tree is stored in pieces of this many bytes, and has at most this many.
const SCHEMA_PIECE: usize = 256 << 10;
pub(crate) const SCHEMA_MAX: usize = 64 << 20;

/// A table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries; in a multimap, how many pairs.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// How the store names the type of the keys, for people.
    pub key_type: String,
    /// How the store names the type of the values, for people.
    pub value_type: String,
    /// The canonical spelling of what the table is.
    pub identity: Vec<u8>,
    /// Where its tree begins; `None`: it has no entries.
    pub(crate) root: Option<Root>,
}

impl Table {
    /// Equal ids, equal entries in equal order.
    pub fn id(&self) -> Id {
        id_of_table(self.root)
    }

    /// As a store would list it.
    pub(crate) fn to_store(&self) -> store::Table {
        store::Table {
            name: self.name.clone(),
            multimap: self.multimap,
            entries: self.entries,
            bytes_about: self.bytes,
            key_type: self.key_type.clone(),
            value_type: self.value_type.clone(),
            identity: self.identity.clone(),
        }
    }
}

/// What is beside the tree of tables, because it may differ between equal databases.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// What the store gave.
    pub(crate) template: Vec<u8>,
    /// For every table, in the order of the tree, how people call the types of its keys and values.
    pub(crate) types: Vec<(String, String)>,
}

/// Fails if a store's tables cannot stand in a catalog.
pub(crate) fn check(tables: &[store::Table]) -> Result<()> {
    for table in tables {
        if table.name.len() > NAME_MAX || table.identity.len() > NAME_MAX {
            let message = "the name or the type of a table is longer than 64 KiB, which cannot be stored";
            return Err(Error::new(Code::Unsupported, message));
        }
    }
    if !tables.is_sorted_by(|a, b| a.name < b.name) {
        return Err(Error::new(Code::Other, "the store does not list its tables in order, each once"));
    }
    Ok(())
}

struct CatalogSink<'p> {
    put: &'p mut dyn Put,
    spine: Spine,
}

impl LeafSink for CatalogSink<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        self.put.put(kind, content)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.spine.leaf(leaf, self.put)
    }
}

/// A table as it stands in the tree of tables.
pub(crate) fn entry(table: &Table) -> Vec<u8> {
    let mut value = Vec::new();
    value.push(u8::from(table.multimap) | u8::from(table.root.is_some()) << 1);
    value.extend_from_slice(&(table.identity.len() as u32).to_le_bytes());
    value.extend_from_slice(&table.identity);
    value.extend_from_slice(&table.entries.to_le_bytes());
    value.extend_from_slice(&table.bytes.to_le_bytes());
    if let Some(root) = table.root {
        root.encode(&mut value);
    }
    pack(table.name.as_bytes(), &value)
}

/// Writes the tree of tables; `None` if there are none.
pub(crate) fn write(tables: &[Table], put: &mut dyn Put) -> Result<Option<Root>> {
    let mut sink = CatalogSink { put, spine: Spine::above(Tree::Catalog, 0) };
    let mut leaves = Leaves::of(Tree::Catalog);
    tables.iter().try_for_each(|table| leaves.push(&entry(table), &mut sink))?;
    leaves.end(&mut sink)?;
    let CatalogSink { put, spine } = sink;
    spine.finish(put)
}

/// The id of the tree of tables.
pub(crate) fn id(root: Option<Root>) -> Id {
    root.map_or_else(|| Kind::Catalog { level: 0 }.id_of(&[]), |root| root.node.id)
}

/// The id of a table with this tree.
pub(crate) fn id_of_table(root: Option<Root>) -> Id {
    root.map_or_else(|| Kind::Node { level: 0 }.id_of(&[]), |root| root.node.id)
}

/// The table of an entry in the tree of tables.
pub(crate) fn table(item: &Item<'_>) -> Result<Table> {
    let table = match (item.key, item.value) {
        (Field::Here(name), Field::Here(value)) => decode(name, value),
        _ => None,
    };
    table.ok_or_else(|| Error::damaged("an entry is not one of a table"))
}

fn decode(name: &[u8], value: &[u8]) -> Option<Table> {
    let mut cursor = Cursor(value);
    let flags = cursor.u8().filter(|flags| *flags < 4)?;
    let identity_len = cursor.u32()? as usize;
    let table = Table {
        name: String::from_utf8(name.to_vec()).ok()?,
        multimap: flags & 1 == 1,
        identity: cursor.take(identity_len)?.to_vec(),
        entries: cursor.u64()?,
        bytes: cursor.u64()?,
        root: if flags & 2 == 2 { Some(Root::decode(&mut cursor)?) } else { None },
        key_type: String::new(),
        value_type: String::new(),
    };
    let counted = table.root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
    (cursor.0.is_empty() && counted == (table.entries, table.bytes)).then_some(table)
}

/// Reads the tables of a snapshot, without what people call their types.
pub(crate) fn read_tree(objects: &dyn Get, snapshot: &Snapshot) -> Result<Vec<Table>> {
    let place = || format!("the tables of snapshot {:?}", snapshot.name);
    if id(snapshot.root) != snapshot.id {
        return Err(Error::damaged("the id is not that of the tree").at(place()));
    }
    let mut walk = Walk::of(Tree::Catalog, snapshot.root);
    let mut tables = Vec::new();
    while let Some((leaf, content)) = walk.next(objects).place(place())? {
        let items = Items::new(&content).collect::<Result<Vec<_>>>().place(place())?;
        leaf.check_leaf(&items).place(place())?;
        for item in items {
            let table = table(&item).place(place())?;
            if tables.last().is_some_and(|last: &Table| last.name >= table.name) {
                return Err(Error::damaged("they are not in order, each once").at(place()));
            }
            tables.push(table);
        }
    }
    Ok(tables)
}

/// Reads the tables of a snapshot.
pub(crate) fn read(objects: &Objects<'_>, snapshot: &Snapshot) -> Result<Vec<Table>> {
    let mut tables = read_tree(objects, snapshot)?;
    let schema = read_schema(objects, snapshot, tables.len())?;
    for (table, (key, value)) in tables.iter_mut().zip(schema.types) {
        (table.key_type, table.value_type) = (key, value);
    }
    Ok(tables)
}

impl Schema {
    /// The template, then for each table the types of its keys and values; each with its length in front.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut field = |field: &[u8]| {
            bytes.extend_from_slice(&(field.len() as u32).to_le_bytes());
            bytes.extend_from_slice(field);
        };
        field(&self.template);
        for (key, value) in &self.types {
            field(key.as_bytes());
            field(value.as_bytes());
        }
        bytes
    }

    /// What these bytes say of so many tables.
    pub(crate) fn decode(bytes: &[u8], tables: usize) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let field = |cursor: &mut Cursor<'_>| {
            let len = cursor.u32()? as usize;
            Some(cursor.take(len)?.to_vec())
        };
        let text = |cursor: &mut Cursor<'_>| String::from_utf8(field(cursor)?).ok();
        let template = field(&mut cursor)?;
        let types = (0..tables).map(|_| Some((text(&mut cursor)?, text(&mut cursor)?)));
        let types = types.collect::<Option<_>>()?;
        cursor.0.is_empty().then_some(Self { template, types })
    }
}

/// Writes what is beside the tree; the ids of its pieces.
pub(crate) fn write_schema(schema: &Schema, put: &mut dyn Put) -> Result<Vec<Id>> {
    let bytes = schema.encode();
    if bytes.len() > SCHEMA_MAX {
        let message = "what the store needs to make its tables again has over 64 MiB, which cannot be stored";
        return Err(Error::new(Code::Unsupported, message));
    }
    bytes.chunks(SCHEMA_PIECE).map(|piece| put.put(Kind::Schema, piece)).collect()
}

/// Reads what is beside the tree of so many tables.
pub(crate) fn read_schema(objects: &Objects<'_>, snapshot: &Snapshot, tables: usize) -> Result<Schema> {
    let place = || format!("the schema of snapshot {:?}", snapshot.name);
    let mut bytes = Vec::new();
    for id in &snapshot.schema {
        bytes.extend_from_slice(&objects.read(Kind::Schema, *id).place(place())?);
        if bytes.len() > SCHEMA_MAX {
            return Err(Error::damaged("it has over 64 MiB").at(place()));
        }
    }
    Schema::decode(&bytes, tables).ok_or_else(|| Error::damaged("it is not that of the tables").at(place()))
}

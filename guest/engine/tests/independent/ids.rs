//! Making ids: sections 3 to 5.

use xxhash_rust::xxh3::xxh3_64;

use super::*;

pub(super) const PIECE: usize = 262_144;
const CEILING: usize = 262_144;

/// Section 4.
pub(crate) fn rank(identity: &[u8], length: u64) -> u8 {
    let h = u128::from(xxh3_64(identity));
    let t = |k: u32| (1u128 << 50) * u128::from(length.min(16_384)) / 256u128.pow(k);
    (0..6).filter(|k| t(*k) > h).count() as u8
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) id: Id,
    pub(crate) items: u32,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) rank: u8,
}

impl Reference {
    fn write(&self) -> Vec<u8> {
        let numbers =
            [&self.items.to_le_bytes()[..], &self.entries.to_le_bytes(), &self.bytes.to_le_bytes()].concat();
        [&self.id[..], &numbers, &[self.rank]].concat()
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            id: fields.id(),
            items: fields.u32(),
            entries: fields.u64(),
            bytes: fields.u64(),
            rank: fields.u8(),
        }
    }
}

fn field(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() <= PIECE {
        return bytes.to_vec();
    }
    bytes.chunks(PIECE).flat_map(|piece| keyed(LABELS[3], 0, piece)).collect()
}

/// An item, and the rank of its entry.
fn item((key, value): &Entry, multimap: bool) -> (Vec<u8>, u8) {
    let lengths = [(key.len() as u32).to_le_bytes(), (value.len() as u32).to_le_bytes()].concat();
    let (key_field, value_field) = (field(key), field(value));
    let mut item = [&lengths[..], &key_field, &value_field].concat();
    if key.len() > PIECE || value.len() > PIECE {
        item = [&[255; 4], &(item.len() as u32).to_le_bytes(), &item[..]].concat();
    }
    let identity = if multimap { &item } else { &key_field };
    let rank = rank(identity, 8 + key.len() as u64 + value.len() as u64);
    (item, rank)
}

/// One level: items with what is below each (items do not count here), cut into nodes.
fn cut(items: Vec<(Vec<u8>, u64, u64, u8)>, label: &str, level: u8) -> Vec<Reference> {
    let (mut nodes, mut open) = (Vec::new(), Vec::new());
    let count = items.len();
    let (mut number, mut entries, mut bytes) = (0, 0, 0);
    for (at, (item, entries_below, bytes_below, rank)) in items.into_iter().enumerate() {
        open.extend(item);
        number += 1;
        entries += entries_below;
        bytes += bytes_below;
        if rank > level || open.len() >= CEILING || at + 1 == count {
            nodes.push(Reference { id: keyed(label, level, &open), items: number, entries, bytes, rank });
            open.clear();
            (number, entries, bytes) = (0, 0, 0);
        }
    }
    nodes
}

/// The level and the reference of the root.
pub(crate) fn root_of(entries: &[Entry], multimap: bool, kind: u8) -> Option<(u8, Reference)> {
    let label = LABELS[usize::from(kind)];
    let items = entries.iter().map(|entry| {
        let (item, rank) = item(entry, multimap);
        (item, 1, (entry.0.len() + entry.1.len()) as u64, rank)
    });
    let mut nodes = cut(items.collect(), label, 0);
    let mut level = 0;
    while nodes.len() > 1 {
        level += 1;
        let items = nodes.iter().map(|node| (node.write(), node.entries, node.bytes, node.rank));
        nodes = cut(items.collect(), label, level);
    }
    Some((level, nodes.pop()?))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) multimap: bool,
    pub(crate) identity: Vec<u8>,
    pub(crate) types: (String, String),
    pub(crate) entries: Vec<Entry>,
}

/// The id of a snapshot of these tables, and the level of each table's root.
pub(crate) fn id_of_tables(tables: &[Table]) -> (Id, Vec<Option<u8>>) {
    let (mut catalog, mut levels) = (Vec::new(), Vec::new());
    for table in tables {
        let root = root_of(&table.entries, table.multimap, NODE);
        let bytes: usize = table.entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        let mut value = vec![u8::from(table.multimap) + 2 * u8::from(root.is_some())];
        value.extend((table.identity.len() as u32).to_le_bytes());
        value.extend(&table.identity);
        value.extend((table.entries.len() as u64).to_le_bytes());
        value.extend((bytes as u64).to_le_bytes());
        if let Some((level, root)) = &root {
            value.push(*level);
            value.extend(root.write());
        }
        levels.push(root.map(|(level, _)| level));
        catalog.push((table.name.clone().into_bytes(), value));
    }
    let id = root_of(&catalog, false, CATALOG).map_or_else(|| keyed(LABELS[2], 0, &[]), |(_, root)| root.id);
    (id, levels)
}

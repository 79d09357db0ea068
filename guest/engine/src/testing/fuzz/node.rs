//! What nodes hold: items of leaves, references, entries of the tree of tables.

use crate::bytes::Cursor;
use crate::catalog;
use crate::error::{Code, Result};
use crate::tree::item::{Field, Items};
use crate::tree::node::{LEVEL_MAX, Root, refs};

/// Bytes as content of a node of any kind.
pub fn node(data: &[u8]) {
    leaf(data);
    match refs(data) {
        Err(e) => assert_eq!(e.code, Code::Damaged),
        Ok(refs) => {
            let mut again = Vec::new();
            refs.for_each(|node| node.encode(&mut again));
            assert_eq!(again, data);
        }
    }
    if let Some(root) = Root::decode(&mut Cursor(data)) {
        let mut again = Vec::new();
        root.encode(&mut again);
        assert!(root.level <= LEVEL_MAX && data.starts_with(&again));
    }
    // As the entry of a table of some name.
    let table = [&2u32.to_le_bytes(), &(data.len() as u32).to_le_bytes(), &b"ab"[..], data].concat();
    leaf(&table);
}

fn leaf(content: &[u8]) {
    match Items::new(content).collect::<Result<Vec<_>>>() {
        Err(e) => assert_eq!(e.code, Code::Damaged),
        Ok(items) => {
            let raw: Vec<u8> = items.iter().flat_map(|item| item.raw).copied().collect();
            assert_eq!(raw, content, "items fill their leaf");
            for item in &items {
                for field in [item.key, item.value] {
                    let pieces: usize = field.pieces().map(|(_, len)| len).sum();
                    let here = if let Field::Here(bytes) = field { bytes.len() } else { 0 };
                    assert_eq!(here + pieces, field.len() as usize);
                }
                if let Ok(table) = catalog::table(item) {
                    assert!(table.root.is_some() || table.entries == 0);
                }
            }
        }
    }
}

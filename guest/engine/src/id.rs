//! Ids: BLAKE3 of plain content, keyed by what the content is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a piece of content is. Kinds have ids of their own: nothing that a user stores can pass for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A node of a table's tree; at level 0 its items are entries, above references to nodes one level below.
    Node {
        /// How far above the entries.
        level: u8,
    },
    /// A node of the tree of tables, whose entries are `table name -> what the table is and where its tree begins`.
    Catalog {
        /// How far above the entries.
        level: u8,
    },
    /// A piece of a large key or value.
    Blob,
    /// A piece of what the store needs to make its tables again, and of what people call its types.
    Schema,
    /// A node of the tree of what the next backup wants to know of each table.
    Tracking {
        /// How far above the entries.
        level: u8,
    },
    /// A node of a tree over what a store wants to be told of an earlier moment of a table.
    Baseline {
        /// How far above the entries.
        level: u8,
    },
}

impl Kind {
    /// Of a node that refers to others: what those are.
    pub(crate) fn below(self) -> Option<Kind> {
        let level = |level: u8| level.checked_sub(1);
        match self {
            Kind::Node { level: l } => level(l).map(|level| Kind::Node { level }),
            Kind::Catalog { level: l } => level(l).map(|level| Kind::Catalog { level }),
            Kind::Tracking { level: l } => level(l).map(|level| Kind::Tracking { level }),
            Kind::Baseline { level: l } => level(l).map(|level| Kind::Baseline { level }),
            Kind::Blob | Kind::Schema => None,
        }
    }
}

/// What a tree is made of: it gives the kind of its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    Table,
    Catalog,
    Tracking,
    Baseline,
}

impl Tree {
    pub(crate) fn kind(self, level: u8) -> Kind {
        match self {
            Tree::Table => Kind::Node { level },
            Tree::Catalog => Kind::Catalog { level },
            Tree::Tracking => Kind::Tracking { level },
            Tree::Baseline => Kind::Baseline { level },
        }
    }
}

impl Kind {
    /// The byte that names it in stored objects, and the level.
    pub(crate) fn to_bytes(self) -> [u8; 2] {
        match self {
            Kind::Node { level } => [1, level],
            Kind::Catalog { level } => [2, level],
            Kind::Blob => [3, 0],
            Kind::Schema => [4, 0],
            Kind::Tracking { level } => [5, level],
            Kind::Baseline { level } => [6, level],
        }
    }

    /// The kind of these two bytes, if there is one.
    pub(crate) fn from_bytes(bytes: [u8; 2]) -> Option<Self> {
        match bytes {
            [1, level] => Some(Kind::Node { level }),
            [2, level] => Some(Kind::Catalog { level }),
            [3, 0] => Some(Kind::Blob),
            [4, 0] => Some(Kind::Schema),
            [5, level] => Some(Kind::Tracking { level }),
            [6, level] => Some(Kind::Baseline { level }),
            _ => None,
        }
    }

    /// The key for BLAKE3: a label, padded with zeros, the last byte of which is the level.
    fn key(self) -> [u8; 32] {
        let label: &[u8] = match self {
            Kind::Node { .. } => b"strongroom 1 node",
            Kind::Catalog { .. } => b"strongroom 1 catalog",
            Kind::Blob => b"strongroom 1 blob",
            Kind::Schema => b"strongroom 1 schema",
            Kind::Tracking { .. } => b"strongroom 1 tracking",
            Kind::Baseline { .. } => b"strongroom 1 baseline",
        };
        let mut key = [0; 32];
        key[..label.len()].copy_from_slice(label);
        key[31] = self.to_bytes()[1];
        key
    }

    /// The id of content of this kind.
    pub fn id_of(self, content: &[u8]) -> Id {
        Id(*blake3::keyed_hash(&self.key(), content).as_bytes())
    }
}

/// The id of some content. Equal ids, equal content of equal kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(pub [u8; 32]);

impl Id {
    /// Its 64 hex digits.
    pub fn hex(&self) -> String {
        use fmt::Write;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes everything");
            hex
        })
    }

    /// The id that these 64 hex digits spell.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut id = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        for (byte, digits) in id.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(id))
    }

    /// Its first eight bytes as a number, by which sorted ids are about evenly spread.
    pub(crate) fn prefix(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight bytes"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({}..)", &self.hex()[..8])
    }
}

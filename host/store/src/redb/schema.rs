//! What a table stores, as redb wrote it down, and how that is spelled for ids and for people.

use super::fault::fault;
use super::slots::{ProbeSlots, ReadLease, StoredType, Types};
use super::typed::Place;
use crate::{Error, ErrorCode, Result};
use redb::{ReadTransaction, TableError, TypeName, Value};

/// A width that no stored type has: widths are 32 bits in the file.
const NO_WIDTH: usize = usize::MAX - 1;

/// A table with its types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) multimap: bool,
    pub(super) types: Types,
}

/// redb's own distinction between types of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// Built-in; before redb 4.2 also every composite.
    Internal,
    /// Made by a user; since redb 4.2 also every composite of such a type.
    UserDefined,
    /// A tuple of variable width as redb 3.0 to 4.1 wrote it.
    Internal2,
    /// A composite of built-in types, since redb 4.2.
    Internal3,
    /// None that is known here; redb's word for it.
    Other(String),
}

impl Class {
    pub(super) fn of(name: &TypeName) -> Self {
        if TypeName::new(name.name()) == *name {
            return Self::UserDefined;
        }
        // The class is private to redb, but for this.
        let debug = format!("{name:?}");
        let class = debug.strip_prefix("TypeName { classification: ").and_then(|rest| rest.split_once(','));
        match class.map(|(class, _)| class) {
            Some("Internal") => Self::Internal,
            Some("Internal2") => Self::Internal2,
            Some("Internal3") => Self::Internal3,
            Some(other) => Self::Other(other.to_owned()),
            None => Self::Other(debug),
        }
    }
}

impl Schema {
    /// Reads the types of a table out of the errors of three opens that are meant to fail: the first names the stored
    /// types, the other two the stored widths.
    pub(super) fn read(txn: &ReadTransaction, name: &str, multimap: bool) -> Result<Self> {
        if name.is_empty() {
            return Err(Error::new(ErrorCode::Corrupt, "a table without a name"));
        }
        let slots = ProbeSlots::take();
        let mut types = {
            let nobodys = StoredType { name: TypeName::new("\u{1}strongroom: no such type"), width: None };
            Types { key: nobodys.clone(), value: nobodys }
        };
        let place = Place { name, multimap };
        // Each attempt corrects one thing; the last one opens.
        for _ in 0..4 {
            match slots.open(&types, txn, place) {
                Ok(()) => return Ok(Self { name: name.to_owned(), multimap, types }),
                Err(TableError::TableTypeMismatch { key, value, .. }) => {
                    types.key = StoredType { name: key, width: Some(NO_WIDTH) };
                    types.value = StoredType { name: value, width: Some(NO_WIDTH) };
                }
                Err(TableError::TypeDefinitionChanged { width, alignment: 1, .. }) => {
                    let side =
                        if types.key.width == Some(NO_WIDTH) { &mut types.key } else { &mut types.value };
                    side.width = width;
                }
                Err(error) => return Err(fault(&format!("reading the types of table {name:?}"), error)),
            }
        }
        Err(Error::new(
            ErrorCode::Unsupported,
            format!("table {name:?} is stored in a way that this version does not know"),
        ))
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { name: &self.name, multimap: self.multimap }
    }

    pub(super) fn lease(&self) -> Result<ReadLease> {
        ReadLease::take(&self.types)
    }

    /// The canonical spelling of the types: a version byte, then of key and value each a class, a width and a name.
    ///
    /// The class is one byte: `i`, `u`, `2` or `3` for redb's classes 1 to 4. One that is not known here is `?`, then
    /// the length of redb's word for it as u32 LE, then the word. The width is `0`, or `1` and the width as u64 LE. The
    /// name is its length as u32 LE, then UTF-8.
    pub(super) fn identity(&self) -> Vec<u8> {
        fn text(out: &mut Vec<u8>, text: &str) {
            // redb stores the length of a type name in 32 bits.
            let len = u32::try_from(text.len()).expect("redb stores names with 32-bit lengths");
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        let mut out = vec![1];
        for stored in [&self.types.key, &self.types.value] {
            match Class::of(&stored.name) {
                Class::Internal => out.push(b'i'),
                Class::UserDefined => out.push(b'u'),
                Class::Internal2 => out.push(b'2'),
                Class::Internal3 => out.push(b'3'),
                Class::Other(word) => {
                    out.push(b'?');
                    text(&mut out, &word);
                }
            }
            match stored.width {
                None => out.push(0),
                Some(width) => {
                    out.push(1);
                    out.extend_from_slice(&(width as u64).to_le_bytes());
                }
            }
            text(&mut out, stored.name.name());
        }
        out
    }
}

/// A table of byte strings, as an application declares it with `TableDefinition<&[u8], &[u8]>`.
pub(super) fn of_bytes(name: &str) -> Schema {
    let bytes = StoredType { name: <&[u8]>::type_name(), width: None };
    Schema { name: name.to_owned(), multimap: false, types: Types { key: bytes.clone(), value: bytes } }
}

/// How a stored type is named for people, and for [`super::key_from_text`] and [`super::to_text`].
///
/// A built-in type is named as redb names it: `u64`, `&str`, `(u32,&str)`. A user's type may have borrowed such a name,
/// so it is `user:NAME`. `old:NAME` is a tuple of variable width in the encoding from before redb 3.0.
pub(super) fn for_people(stored: &StoredType) -> String {
    let name = stored.name.name();
    match Class::of(&stored.name) {
        Class::UserDefined => format!("user:{name}"),
        Class::Internal if stored.width.is_none() && name.contains('(') => format!("old:{name}"),
        Class::Internal | Class::Internal2 | Class::Internal3 => name.to_owned(),
        Class::Other(word) => format!("{word}:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_bytes_is_spelled_as_redb_spells_it() {
        assert_eq!(of_bytes("t").identity(), crate::bytes::IDENTITY);
    }

    #[test]
    fn classes_are_told_apart() {
        assert_eq!(Class::of(&u32::type_name()), Class::Internal);
        assert_eq!(Class::of(&TypeName::new("u32")), Class::UserDefined);
        assert_eq!(Class::of(&TypeName::new("x, classification: Internal")), Class::UserDefined);
        assert_eq!(Class::of(&<(u32, &str)>::type_name()), Class::Internal3);
        assert_eq!(Class::of(&<Option<u32>>::type_name()), Class::Internal3);
    }
}

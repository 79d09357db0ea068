//! Tables of bytes: what a [`Store`](crate::Store) that is no redb says of its tables, so that its backups restore into
//! redb as well.
//!
//! Such a store gives [`TEMPLATE`], has tables as [`table`] makes them, and gives their entries in the order of the
//! bytes of their keys, each key once. What comes back is a redb database of `TableDefinition<&[u8], &[u8]>`; a
//! snapshot of that has the same id. This holds in every language: the constants are the contract.

use crate::Table;

/// The template of a store all of whose tables are of bytes.
pub const TEMPLATE: &[u8] = b"strongroom tables of bytes\x01";

/// What a table of bytes is, as redb's own are spelled: a version, then of key and value each a class, that the width
/// varies, and the length and the text of a name.
pub const IDENTITY: &[u8] = b"\x01i\x00\x05\x00\x00\x00&[u8]i\x00\x05\x00\x00\x00&[u8]";

/// A table of bytes with this many entries of about so many bytes.
pub fn table(name: impl Into<String>, entries: u64, bytes_about: u64) -> Table {
    Table {
        name: name.into(),
        multimap: false,
        entries,
        bytes_about,
        key_type: "&[u8]".to_owned(),
        value_type: "&[u8]".to_owned(),
        identity: IDENTITY.to_vec(),
    }
}

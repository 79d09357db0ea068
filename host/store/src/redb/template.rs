//! The tables of a database, empty: a small redb database in memory.
//!
//! Nothing else carries a stored type exactly, because redb makes a type name of any class only from a database.

use super::contain::{contain, quiet};
use super::fault::fault;
#[cfg(feature = "redb2")]
use super::schema::Class;
use super::schema::Schema;
use super::slots::WriteLease;
#[cfg(feature = "redb2")]
use super::slots::{StoredType, Types};
use super::typed::Nothing;
use crate::{Error, ErrorCode, Result};
use redb::{Builder, MultimapTableHandle, ReadTransaction, ReadableDatabase, StorageBackend, TableHandle};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a template begins with; the last byte is the version of this envelope. The length of the image as u64 LE comes
/// next, then each block of it that is not all zeroes, after its number as u32 LE.
const MAGIC: &[u8] = b"strongroom redb template\x01";
/// An image of a hundred thousand tables is smaller.
const MAX_IMAGE: u64 = 256 << 20;

/// Most of an image is zeroes.
const BLOCK: usize = 256;

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn span(offset: u64, len: usize, file: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok().filter(|start| *start <= file);
    let end = start.and_then(|start| start.checked_add(len)).filter(|end| *end <= file);
    match (start, end) {
        (Some(start), Some(end)) => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        out.copy_from_slice(&bytes[span(offset, out.len(), bytes.len())?]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > MAX_IMAGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes().resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes();
        let span = span(offset, data.len(), bytes.len())?;
        bytes[span].copy_from_slice(data);
        Ok(())
    }
}

/// Makes the template of these tables. Equal schemas give equal bytes.
pub(super) fn make(schemas: &[Schema]) -> Result<Vec<u8>> {
    let what = "making the template";
    let memory = Memory::default();
    let database = Builder::new()
        .set_cache_size(8 << 20)
        .create_with_backend(memory.clone())
        .map_err(|error| fault(what, error))?;
    let txn = database.begin_write().map_err(|error| fault(what, error))?;
    for schema in schemas {
        WriteLease::take(&schema.types)?.typed().fill(&txn, schema.place(), &mut Nothing)?;
    }
    txn.commit().map_err(|error| fault(what, error))?;
    drop(database);
    let image = memory.bytes();
    let mut template = MAGIC.to_vec();
    template.extend_from_slice(&(image.len() as u64).to_le_bytes());
    for (number, block) in (0u32..).zip(image.chunks(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            template.extend_from_slice(&number.to_le_bytes());
            template.extend_from_slice(block);
        }
    }
    Ok(template)
}

/// The name of a composite of built-in types, as redb 4 stores it: redb makes one only for Rust types, or reads it.
///
/// So a database is made with a table of a user's type of that name, and then says that it is none.
#[cfg(feature = "redb2")]
pub(super) fn composite(name: &str) -> Result<redb::TypeName> {
    let what = "naming a type";
    let stored = StoredType { name: redb::TypeName::new(name), width: None };
    let types = Types { key: stored.clone(), value: stored };
    let template = make(&[Schema { name: "t".to_owned(), multimap: false, types }])?;
    // The class stands before the name: a 2 for the user's own, a 4 for composites of what is built in.
    let [user, composite] = [2, 4].map(|class| [&[class], name.as_bytes()].concat());
    let (head, blocks) = template.split_at(MAGIC.len() + 8);
    let len = <[u8; 8]>::try_from(&head[MAGIC.len()..]).map(u64::from_le_bytes).unwrap_or_default();
    let mut image = image(len, blocks)?;
    let mut at = 0;
    while let Some(found) = image[at..].windows(user.len()).position(|bytes| bytes == user) {
        at += found;
        image[at..at + user.len()].copy_from_slice(&composite);
        at += user.len();
    }
    let read = contain(what, || tables_of(Memory(Arc::new(Mutex::new(image)))))?;
    let named = read.into_iter().next().map(|schema| schema.types.key.name);
    named.filter(|named| Class::of(named) == Class::Internal3 && named.name() == name).ok_or_else(|| {
        Error::new(ErrorCode::Other, format!("{what}: redb does not read {name:?} as it was meant"))
    })
}

/// Reads the tables out of a template.
pub(super) fn read(template: &[u8]) -> Result<Vec<Schema>> {
    let foreign = || {
        Error::new(
            ErrorCode::Unsupported,
            "the template is not one of redb, or of a newer version of Strongroom",
        )
    };
    let (len, blocks) =
        template.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<8>()).ok_or_else(foreign)?;
    let memory = Memory(Arc::new(Mutex::new(image(u64::from_le_bytes(*len), blocks)?)));
    quiet();
    contain("reading the template", || tables_of(memory))
}

fn tables_of(memory: Memory) -> Result<Vec<Schema>> {
    let database = Builder::new()
        .set_cache_size(8 << 20)
        .open_read_only_with_backend(memory)
        .map_err(|error| fault("reading the template", error))?;
    let txn = database.begin_read().map_err(|error| fault("reading the template", error))?;
    schemas(&txn)
}

fn image(len: u64, blocks: &[u8]) -> Result<Vec<u8>> {
    let damaged = || Error::new(ErrorCode::Corrupt, "the template contradicts its own length");
    let len = usize::try_from(len).ok().filter(|len| *len as u64 <= MAX_IMAGE).ok_or_else(damaged)?;
    let mut image = vec![0; len];
    for numbered in blocks.chunks(4 + BLOCK) {
        let (number, block) = numbered.split_first_chunk::<4>().ok_or_else(damaged)?;
        let start = u64::from(u32::from_le_bytes(*number)) * BLOCK as u64;
        let span = span(start, block.len(), len).map_err(|_| damaged())?;
        image[span].copy_from_slice(block);
    }
    Ok(image)
}

/// The tables that a transaction sees, sorted by the bytes of their names.
pub(super) fn schemas(txn: &ReadTransaction) -> Result<Vec<Schema>> {
    let what = "listing the tables";
    let mut names = Vec::new();
    for handle in txn.list_tables().map_err(|error| fault(what, error))? {
        names.push((handle.name().to_owned(), false));
    }
    for handle in txn.list_multimap_tables().map_err(|error| fault(what, error))? {
        names.push((handle.name().to_owned(), true));
    }
    names.sort();
    names.iter().map(|(name, multimap)| Schema::read(txn, name, *multimap)).collect()
}

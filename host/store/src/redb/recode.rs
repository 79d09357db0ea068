//! Tuples of variable width as redb 2 stored them, told as redb 4 stores them: it opens no others.
//!
//! Their parts are the same bytes, and in the same order they compare the same; only what stands before them about their
//! lengths is another. So keys stay in order, and each entry stays one entry.

use super::schema::{Class, Schema};
use super::slots::StoredType;
use super::store::in_table;
use super::template;
use super::value::{self, Type};
use crate::frame::{self, Decoder};
use crate::{Entries, Error, ErrorCode, Result};

/// How the entries of a table are told in another encoding; each side may stay as it is.
#[derive(Debug, Clone)]
pub(super) struct Recoding {
    table: String,
    key: Option<Type>,
    value: Option<Type>,
}

/// What a table's types become, and how its entries do; `None` for a table that stays as it is.
pub(super) fn of(stored: &Schema) -> Result<Option<(Schema, Recoding)>> {
    let (key, value) = (old(&stored.types.key), old(&stored.types.value));
    if key.is_none() && value.is_none() {
        return Ok(None);
    }
    let mut told = stored.clone();
    for (side, changes) in [(&mut told.types.key, &key), (&mut told.types.value, &value)] {
        if changes.is_some() {
            side.name = template::composite(side.name.name())?;
        }
    }
    Ok(Some((told, Recoding { table: stored.name.clone(), key, value })))
}

/// The type, if it has an old tuple in it and all of it is known.
fn old(stored: &StoredType) -> Option<Type> {
    if stored.width.is_some() || Class::of(&stored.name) != Class::Internal {
        return None;
    }
    Type::parse_old(stored.name.name()).filter(Type::has_old_tuple)
}

impl Recoding {
    /// The same entries, recoded.
    pub(super) fn entries(&self, of: Box<dyn Entries>) -> Box<dyn Entries> {
        let recoding = self.clone();
        Box::new(Recoded {
            of,
            recoding,
            decoder: Decoder::new(),
            read: Vec::new(),
            ready: Vec::new(),
            given: 0,
        })
    }

    fn push(&self, key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let side = |kind: &Option<Type>, bytes: &[u8]| match kind {
            None => Some(bytes.to_vec()),
            Some(kind) => {
                let mut new = Vec::with_capacity(bytes.len());
                recode(kind, bytes, &mut new)?;
                Some(new)
            }
        };
        let (Some(key), Some(value)) = (side(&self.key, key), side(&self.value, value)) else {
            let message = "an entry is not what the table's types say in the encoding of redb 2, so it cannot be told in that \
                           of redb 4. Leave the table out with --table, or copy it with redb 3.1 and its `Legacy` type";
            return Err(in_table(&self.table, Error::new(ErrorCode::Unsupported, message)));
        };
        frame::push(out, &key, &value)
    }
}

struct Recoded {
    of: Box<dyn Entries>,
    recoding: Recoding,
    decoder: Decoder,
    read: Vec<u8>,
    ready: Vec<u8>,
    /// How much of what is ready was handed over.
    given: usize,
}

impl Entries for Recoded {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> Result<()> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            self.read.clear();
            self.of.read(max.clamp(1 << 16, 1 << 20), &mut self.read)?;
            if self.read.is_empty() {
                return self.decoder.finish();
            }
            let (recoding, ready) = (&self.recoding, &mut self.ready);
            self.decoder.decode(&self.read, |key, value| recoding.push(key, value, ready))?;
        }
        let piece = &self.ready[self.given..];
        let piece = &piece[..piece.len().min(max)];
        out.extend_from_slice(piece);
        self.given += piece.len();
        Ok(())
    }
}

/// Appends a stored value in the encoding of redb 4; none if it is not one of this type in that of redb 2.
fn recode(kind: &Type, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if !kind.has_old_tuple() {
        out.extend_from_slice(bytes);
        return Some(());
    }
    let recoded = |parts: Vec<(&Type, &[u8])>| -> Option<Vec<Vec<u8>>> {
        let one = |(kind, bytes): (&Type, &[u8])| {
            let mut new = Vec::with_capacity(bytes.len());
            recode(kind, bytes, &mut new)?;
            Some(new)
        };
        parts.into_iter().map(one).collect()
    };
    match kind {
        Type::Tuple { parts: kinds, .. } => {
            let parts = recoded(value::tuple(kinds, true, bytes)?)?;
            for (kind, part) in kinds.iter().zip(&parts).take(kinds.len().checked_sub(1)?) {
                if kind.width().is_none() {
                    value::push_len(part.len(), out)?;
                }
            }
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
        Type::Vec(inner) => {
            let parts = recoded(value::list(inner, bytes)?)?;
            value::push_len(parts.len(), out)?;
            for part in &parts {
                value::push_len(part.len(), out)?;
                out.extend_from_slice(part);
            }
        }
        Type::Array(inner, len) => {
            let parts = recoded(value::array(inner, *len, bytes)?)?;
            let mut end = len.checked_mul(4)?;
            for part in &parts {
                end = end.checked_add(part.len())?;
                out.extend_from_slice(&u32::try_from(end).ok()?.to_le_bytes());
            }
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
        Type::Option { inner, niche: false } => match bytes.split_first()? {
            (1, some) => {
                out.push(1);
                recode(inner, some, out)?;
            }
            (0, []) => out.push(0),
            _ => return None,
        },
        _ => return None,
    }
    Some(())
}

//! Items of leaves: entries as they travel, and large ones by the ids of their pieces.

use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::id::Id;

/// A key or a value of more bytes than this lies in blobs of this many bytes each, the last one of fewer.
pub(crate) const PIECE: usize = 256 << 10;

/// The key length that marks an item whose key or value lies in blobs.
pub(crate) const SPILLED: u32 = u32::MAX;

/// A key or a value in a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// The bytes themselves.
    Here(&'a [u8]),
    /// The ids of its pieces, 32 bytes each, and how many bytes they have together.
    Pieces(&'a [u8], u32),
}

impl<'a> Field<'a> {
    pub(crate) fn len(&self) -> u32 {
        match self {
            Field::Here(bytes) => u32::try_from(bytes.len()).expect("it was cut by a u32"),
            Field::Pieces(_, len) => *len,
        }
    }

    fn read(cursor: &mut Cursor<'a>, len: u32) -> Option<Self> {
        if len as usize > PIECE {
            Some(Field::Pieces(cursor.take(pieces(len) * 32)?, len))
        } else {
            Some(Field::Here(cursor.take(len as usize)?))
        }
    }

    /// The pieces, with how long each must be.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (Id, usize)> + use<'a> {
        let (ids, len) = match self {
            Field::Here(_) => (&[][..], 0),
            Field::Pieces(ids, len) => (ids, len as usize),
        };
        ids.chunks_exact(32)
            .enumerate()
            .map(move |(i, id)| (Id(id.try_into().expect("a chunk of 32")), (len - i * PIECE).min(PIECE)))
    }
}

/// How many pieces so many bytes make.
pub(crate) fn pieces(len: u32) -> usize {
    (len as usize).div_ceil(PIECE)
}

/// An entry in a leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) key: Field<'a>,
    pub(crate) value: Field<'a>,
    /// The item as it lies in the leaf.
    pub(crate) raw: &'a [u8],
}

impl Item<'_> {
    pub(crate) fn is_spilled(&self) -> bool {
        matches!(self.key, Field::Pieces(..)) || matches!(self.value, Field::Pieces(..))
    }
}

/// Goes through the items of a leaf's content.
pub(crate) struct Items<'a>(Cursor<'a>);

impl<'a> Items<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self(Cursor(content))
    }

    fn item(&mut self) -> Option<Item<'a>> {
        let whole = self.0.0;
        let (mut key_len, mut value_len) = (self.0.u32()?, self.0.u32()?);
        if key_len == SPILLED {
            let mut body = Cursor(self.0.take(value_len as usize)?);
            (key_len, value_len) = (body.u32()?, body.u32()?);
            let key = Field::read(&mut body, key_len)?;
            let value = Field::read(&mut body, value_len)?;
            let raw = &whole[..whole.len() - self.0.0.len()];
            let item = Item { key, value, raw };
            return (body.0.is_empty() && item.is_spilled()).then_some(item);
        }
        let key = Field::Here(self.0.take(key_len as usize)?);
        let value = Field::Here(self.0.take(value_len as usize)?);
        Some(Item { key, value, raw: &whole[..whole.len() - self.0.0.len()] })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let item = self.item();
        if item.is_none() {
            self.0 = Cursor(&[]);
        }
        Some(item.ok_or_else(|| Error::damaged("an entry is cut off or contradicts itself")))
    }
}

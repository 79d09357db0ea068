//! Objects: content as it is stored.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::bytes::Cursor;
use crate::codec::{self, Encoding};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};

/// What every object begins with.
pub(crate) const MAGIC: [u8; 4] = *b"SRo1";

/// The bytes before the payload: magic, kind, level, encoding, zero, two lengths, id, checksum.
pub(crate) const HEADER: usize = 56;

/// No content has more bytes: a leaf or a node at its ceiling and one largest item.
pub(crate) const CONTENT_MAX: usize = 2 << 20;

/// Makes objects, one after another.
#[derive(Default)]
pub(crate) struct Encoder {
    codec: codec::Encoder,
    read_back: Vec<u8>,
}

impl Encoder {
    /// Appends content as an object, and says its id.
    ///
    /// The codec is not trusted: the id is that of what comes back from the bytes that were appended, and what comes
    /// back must be the content. After an error `out` is as it was.
    pub(crate) fn encode(&mut self, kind: Kind, content: &[u8], out: &mut Vec<u8>) -> Result<Id> {
        debug_assert!(content.len() <= CONTENT_MAX);
        let start = out.len();
        out.resize(start + HEADER, 0);
        let encoding = self.codec.encode(content, out);
        let (header, payload) = out[start..].split_at_mut(HEADER);
        let decoded = codec::decode(encoding, payload, content.len(), &mut self.read_back);
        if decoded.is_err() || !equal(&self.read_back, content) {
            out.truncate(start);
            return Err(Error::new(crate::Code::Other, "an object did not come back from its stored form"));
        }
        let id = kind.id_of(&self.read_back);
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&kind.to_bytes());
        header[6] = encoding.to_byte();
        header[8..12].copy_from_slice(&(content.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[16..48].copy_from_slice(&id.0);
        let checksum = xxh3_64_with_seed(payload, xxh3_64(&header[..48]));
        header[48..].copy_from_slice(&checksum.to_le_bytes());
        Ok(id)
    }
}

/// Whether both have the same bytes. `==` calls `memcmp`, which goes byte by byte in a component and took a sixth of a
/// first backup.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<64>(), b.as_chunks::<64>());
    let word = |bytes: &[u8; 64], at: usize| {
        u64::from_le_bytes(*bytes[8 * at..].first_chunk().expect("the chunk has eight words"))
    };
    let same =
        |(a, b): (&[u8; 64], &[u8; 64])| (0..8).fold(0, |odd, at| odd | (word(a, at) ^ word(b, at))) == 0;
    a.len() == b.len() && a_rest == b_rest && a.iter().zip(b).all(same)
}

/// Gives back the content of an object that fills `stored`, which must be of this kind and have this id.
pub(crate) fn decode(kind: Kind, id: Id, stored: &[u8]) -> Result<Vec<u8>> {
    let (found, found_id, content) = open(stored)?;
    if found_id != id || found != kind {
        return Err(Error::damaged(format!("another object stands where {id} should be")));
    }
    if kind.id_of(&content) != id {
        return Err(Error::damaged(format!("the content of object {id} is not what was written")));
    }
    Ok(content)
}

/// The id of the object that these bytes begin with, and how many of them it takes, if all of it is what was written.
pub(crate) fn sound(bytes: &[u8]) -> Option<(Id, usize)> {
    let payload_len = u32::from_le_bytes(bytes.strip_prefix(&MAGIC)?.get(8..12)?.try_into().ok()?) as usize;
    let stored = bytes.get(..HEADER.checked_add(payload_len)?)?;
    let (kind, id, content) = open(stored).ok()?;
    (kind.id_of(&content) == id).then_some((id, stored.len()))
}

/// What an object says that it is, and its content, checked but for the id.
fn open(stored: &[u8]) -> Result<(Kind, Id, Vec<u8>)> {
    let cut = || Error::damaged("an object is cut off");
    let (header, payload) = stored.split_at_checked(HEADER).ok_or_else(cut)?;
    let mut fields = Cursor(header);
    if fields.array::<4>() != Some(MAGIC) {
        return Err(Error::damaged("no object begins here"));
    }
    let kind = fields.array::<2>().ok_or_else(cut)?;
    let encoding = fields.u8().ok_or_else(cut)?;
    let zero = fields.u8().ok_or_else(cut)?;
    let content_len = fields.u32().ok_or_else(cut)? as usize;
    let payload_len = fields.u32().ok_or_else(cut)? as usize;
    let id = Id(fields.array().ok_or_else(cut)?);
    let checksum = fields.u64().ok_or_else(cut)?;
    if payload_len != payload.len() {
        return Err(Error::damaged("an object has another length than its header says"));
    }
    if xxh3_64_with_seed(payload, xxh3_64(&header[..48])) != checksum {
        return Err(Error::damaged("the checksum of an object does not fit its bytes"));
    }
    let kind = Kind::from_bytes(kind).filter(|_| zero == 0);
    let kind = kind.ok_or_else(|| {
        Error::new(crate::Code::NewerFormat, "an object is of a kind that this version does not know")
    })?;
    if content_len > CONTENT_MAX {
        return Err(Error::damaged(format!("an object claims {content_len} bytes of content")));
    }
    let mut content = Vec::new();
    codec::decode(Encoding::from_byte(encoding)?, payload, content_len, &mut content)?;
    Ok((kind, id, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_is_what_equality_is(a in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
            prop_assert!(equal(&a, &a.clone()));
            prop_assert!(!equal(&a, &[&a[..], &[0]].concat()));
            let mut b = a.clone();
            if let Some(byte) = (!b.is_empty()).then(|| at.index(b.len())) {
                b[byte] ^= 1;
                prop_assert!(!equal(&a, &b));
            }
        }

        #[test]
        fn an_object_gives_its_content_back(content in prop::collection::vec(any::<u8>(), 0..2000), level in any::<u8>()) {
            let kind = Kind::Node { level };
            let id = kind.id_of(&content);
            let mut stored = Vec::new();
            prop_assert_eq!(Encoder::default().encode(kind, &content, &mut stored).unwrap(), id);
            prop_assert_eq!(decode(kind, id, &stored).unwrap(), content);
            for other in [Kind::Catalog { level }, Kind::Node { level: level.wrapping_add(1) }] {
                prop_assert!(decode(other, id, &stored).is_err());
            }
        }

        #[test]
        fn a_flipped_bit_is_found(len in 0usize..300, bit in any::<prop::sample::Index>()) {
            let content = vec![3; len];
            let id = Kind::Blob.id_of(&content);
            let mut stored = Vec::new();
            prop_assert_eq!(Encoder::default().encode(Kind::Blob, &content, &mut stored).unwrap(), id);
            let bit = bit.index(stored.len() * 8);
            stored[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(Kind::Blob, id, &stored).is_err());
        }

        #[test]
        fn garbage_never_panics(stored in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(Kind::Blob, Id([0; 32]), &stored).is_err());
        }
    }
}

//! Objects: content as it is stored.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::bytes::Cursor;
use crate::codec::{self, Compression, Encoding};
use crate::delta::{self, Base, DEPTH_MAX, Mark};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};

/// What every object begins with.
pub(crate) const MAGIC: [u8; 4] = *b"SRo1";

/// The bytes before the payload: magic, kind, level, encoding, depth, two lengths, id, checksum.
pub(crate) const HEADER: usize = 56;

/// No content has more bytes: a leaf or a node at its ceiling and one largest item.
pub(crate) const CONTENT_MAX: usize = 2 << 20;

/// In the encoding: the payload is the id of a base and an edit script, which is encoded as the rest says.
pub(crate) const DELTA: u8 = 2;

/// Makes objects, one after another.
#[derive(Default)]
pub(crate) struct Encoder {
    codec: codec::Encoder,
    read_back: Vec<u8>,
    delta: Vec<u8>,
}

impl Encoder {
    /// Makes objects of content that is compressed like this.
    pub(crate) fn new(compression: Compression) -> Self {
        Self { codec: codec::Encoder::new(compression), ..Self::default() }
    }

    /// Appends content as an object, and says its id and how it is stored: as a delta of the base where that is small,
    /// or else whole.
    ///
    /// The codec is not trusted: the id is that of what comes back from the bytes that were appended, and what comes
    /// back must be the content. After an error `out` is as it was.
    pub(crate) fn encode(
        &mut self,
        kind: Kind,
        content: &[u8],
        base: Option<&Base>,
        out: &mut Vec<u8>,
    ) -> Result<(Id, Mark)> {
        debug_assert!(content.len() <= CONTENT_MAX);
        let start = out.len();
        out.resize(start + HEADER, 0);
        let target = base.filter(|base| base.kind == kind).and_then(Base::target);
        let as_delta = match target {
            Some((id, old, depth)) => self.try_delta(kind, content, id, old, depth, out)?,
            None => None,
        };
        let (encoding, mark, comes_back) = match as_delta {
            Some(as_delta) => as_delta,
            None => {
                let encoding = self.codec.encode(content, out);
                let payload = &out[start + HEADER..];
                let decoded = codec::decode(encoding, payload, content.len(), &mut self.read_back);
                (encoding.to_byte(), Mark::WHOLE, decoded.is_ok())
            }
        };
        if !comes_back || !equal(&self.read_back, content) {
            out.truncate(start);
            return Err(Error::new(crate::Code::Other, "an object did not come back from its stored form"));
        }
        let id = kind.id_of(&self.read_back);
        let (header, payload) = out[start..].split_at_mut(HEADER);
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&kind.to_bytes());
        header[6] = encoding;
        header[7] = mark.depth();
        header[8..12].copy_from_slice(&(content.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[16..48].copy_from_slice(&id.0);
        let checksum = xxh3_64_with_seed(payload, xxh3_64(&header[..48]));
        header[48..].copy_from_slice(&checksum.to_le_bytes());
        Ok((id, mark))
    }

    /// Appends the payload of a delta if it is small beside that of the whole content, which is otherwise not there yet;
    /// whether it comes back.
    fn try_delta(
        &mut self,
        kind: Kind,
        content: &[u8],
        base: Id,
        old: &[u8],
        depth: u8,
        out: &mut Vec<u8>,
    ) -> Result<Option<(u8, Mark, bool)>> {
        let script = delta::diff(kind, old, content);
        self.delta.clear();
        self.delta.extend_from_slice(&base.0);
        let encoding = self.codec.encode(&script, &mut self.delta);
        let least = self.delta.len() * delta::SHARE;
        // Whatever the codec makes of the whole, it cannot be smaller than this.
        if least > content.len() / codec::RATIO_MAX {
            let start = out.len();
            self.codec.encode(content, out);
            let whole = out.len() - start;
            out.truncate(start);
            if least > whole {
                return Ok(None);
            }
        }
        out.extend_from_slice(&self.delta);
        let mut read_back = Vec::new();
        let decoded = codec::decode(encoding, &self.delta[32..], script.len(), &mut read_back);
        let applied = decoded.and_then(|()| delta::apply(&read_back, old, content.len()));
        let comes_back = applied.map(|content| self.read_back = content).is_ok();
        Ok(Some((DELTA | encoding.to_byte(), Mark::new(&base, depth), comes_back)))
    }
}

/// Whether both have the same bytes. `==` calls `memcmp`, which goes byte by byte in a component and took a sixth of a
/// first backup.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((chunks, rest), (others, other_rest)) = (a.as_chunks::<64>(), b.as_chunks::<64>());
    let word = |bytes: &[u8; 64], at: usize| {
        u64::from_le_bytes(*bytes[8 * at..].first_chunk().expect("the chunk has eight words"))
    };
    let same =
        |(a, b): (&[u8; 64], &[u8; 64])| (0..8).fold(0, |odd, at| odd | (word(a, at) ^ word(b, at))) == 0;
    if !chunks.iter().zip(others).all(same) {
        return false;
    }
    match (a.last_chunk::<64>(), b.last_chunk::<64>()) {
        // Some of it a second time.
        (Some(a), Some(b)) => rest.is_empty() || same((a, b)),
        _ => rest == other_rest,
    }
}

/// An object whose checksum is right; its id is what it claims.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    pub(crate) mark: Mark,
    /// What it is a delta of, if it is one.
    pub(crate) base: Option<Id>,
    /// Of the content.
    len: usize,
    encoding: Encoding,
    /// The content, or the script.
    body: &'a [u8],
}

impl<'a> Stored<'a> {
    /// What fills these bytes.
    pub(crate) fn parse(stored: &'a [u8]) -> Result<Self> {
        let cut = || Error::damaged("an object is cut off");
        let (header, payload) = stored.split_at_checked(HEADER).ok_or_else(cut)?;
        let mut fields = Cursor(header);
        if fields.array::<4>() != Some(MAGIC) {
            return Err(Error::damaged("no object begins here"));
        }
        let kind = fields.array::<2>().ok_or_else(cut)?;
        let encoding = fields.u8().ok_or_else(cut)?;
        let depth = fields.u8().ok_or_else(cut)?;
        let len = fields.u32().ok_or_else(cut)? as usize;
        let payload_len = fields.u32().ok_or_else(cut)? as usize;
        let id = Id(fields.array().ok_or_else(cut)?);
        let checksum = fields.u64().ok_or_else(cut)?;
        if payload_len != payload.len() {
            return Err(Error::damaged("an object has another length than its header says"));
        }
        if xxh3_64_with_seed(payload, xxh3_64(&header[..48])) != checksum {
            return Err(Error::damaged("the checksum of an object does not fit its bytes"));
        }
        let kind = Kind::from_bytes(kind).ok_or_else(|| {
            Error::new(crate::Code::NewerFormat, "an object is of a kind that this version does not know")
        })?;
        let is_delta = encoding & DELTA != 0;
        let encoding = Encoding::from_byte(encoding & !DELTA)?;
        let depth_fits = if is_delta { (1..=DEPTH_MAX).contains(&depth) } else { depth == 0 };
        if !depth_fits || len > CONTENT_MAX {
            return Err(Error::damaged(format!(
                "an object claims {len} bytes of content and {depth} objects that it rests on"
            )));
        }
        if !is_delta {
            return Ok(Self { kind, id, mark: Mark::WHOLE, base: None, len, encoding, body: payload });
        }
        let (base, body) = payload.split_first_chunk::<32>().ok_or_else(cut)?;
        let base = Id(*base);
        Ok(Self { kind, id, mark: Mark::new(&base, depth), base: Some(base), len, encoding, body })
    }

    /// The content, of an object that is stored whole, or the script of a delta. Nothing is checked against the id.
    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        let len = match (self.base, self.encoding) {
            (Some(_), Encoding::Raw) => self.body.len(),
            (Some(_), Encoding::Snappy) => codec::len_of(self.body)
                .filter(|len| *len <= CONTENT_MAX)
                .ok_or_else(|| Error::damaged("an edit script claims more bytes than any content has"))?,
            (None, _) => self.len,
        };
        let mut body = Vec::new();
        codec::decode(self.encoding, self.body, len, &mut body)?;
        Ok(body)
    }

    /// How many bytes the content has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Gives back the content of an object that fills `stored`, which must be of this kind, have this id, and be stored whole.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn decode(kind: Kind, id: Id, stored: &[u8]) -> Result<Vec<u8>> {
    let stored = Stored::parse(stored)?;
    if stored.id != id || stored.kind != kind || stored.base.is_some() {
        return Err(Error::damaged(format!("another object stands where {id} should be")));
    }
    let content = stored.body()?;
    check(kind, id, &content)?;
    Ok(content)
}

/// Fails unless this is the content that has this id.
pub(crate) fn check(kind: Kind, id: Id, content: &[u8]) -> Result<()> {
    if kind.id_of(content) == id {
        return Ok(());
    }
    Err(Error::damaged(format!("the content of object {id} is not what was written")))
}

/// Whether these bytes begin with an object that was written so, and that only a later version can read.
pub(crate) fn is_newer(bytes: &[u8]) -> bool {
    let stored = bytes.strip_prefix(&MAGIC).and_then(|rest| {
        let payload_len = u32::from_le_bytes(rest.get(8..12)?.try_into().ok()?) as usize;
        bytes.get(..HEADER.checked_add(payload_len)?)
    });
    // The checksum is looked at first, so damage does not pass for this.
    stored.is_some_and(|stored| matches!(Stored::parse(stored), Err(e) if e.code == crate::Code::NewerFormat))
}

/// How many bytes the object takes that these bytes begin with, once its header is there.
pub(crate) fn len_of(bytes: &[u8]) -> Result<Option<usize>> {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(Error::damaged("no object begins here"));
    }
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let mut fields = Cursor(&header[12..]);
    let payload = fields.u32().unwrap_or_default() as usize;
    if payload > CONTENT_MAX {
        return Err(Error::damaged(format!("an object claims {payload} bytes")));
    }
    Ok(Some(HEADER + payload))
}

/// The object that these bytes begin with, and how many of them it takes, if all of it is what was written. Of a delta
/// that is known by its checksum alone; what it gives depends on its base.
pub(crate) fn sound(bytes: &[u8]) -> Option<(Stored<'_>, usize)> {
    let payload_len = u32::from_le_bytes(bytes.strip_prefix(&MAGIC)?.get(8..12)?.try_into().ok()?) as usize;
    let bytes = bytes.get(..HEADER.checked_add(payload_len)?)?;
    let stored = Stored::parse(bytes).ok()?;
    let body = stored.body().ok()?;
    let whole = stored.base.is_some() || check(stored.kind, stored.id, &body).is_ok();
    whole.then_some((stored, bytes.len()))
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
            prop_assert_eq!(Encoder::default().encode(kind, &content, None, &mut stored).unwrap(), (id, Mark::WHOLE));
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
            prop_assert_eq!(Encoder::default().encode(Kind::Blob, &content, None, &mut stored).unwrap(), (id, Mark::WHOLE));
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

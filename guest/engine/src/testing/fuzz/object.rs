//! Objects: what comes off a disk, and what is put there.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::input::Input;
use crate::codec::{self, Encoding};
use crate::delta::{DEPTH_MAX, Mark};
use crate::error::Code;
use crate::id::{Id, Kind};
use crate::object::{CONTENT_MAX, DELTA, Encoder, HEADER, MAGIC, decode, sound};

/// Bytes as a stored object: as they are, with lengths, checksum and id put right, and as content.
pub fn object(data: &[u8]) {
    read(data);
    if let Some(mended) = mended(data) {
        read(&mended);
    }
    let mut input = Input(data);
    let kind = kind(&mut input);
    come_back(kind, input.rest());
}

fn kind(input: &mut Input<'_>) -> Kind {
    let level = input.u8();
    match input.below(4) {
        0 => Kind::Node { level },
        1 => Kind::Catalog { level },
        2 => Kind::Blob,
        _ => Kind::Schema,
    }
}

/// The same kind, encoding and payload; the rest of the header says the truth where it can.
fn mended(data: &[u8]) -> Option<Vec<u8>> {
    let mut stored = data.to_vec();
    let (header, payload) = stored.split_at_mut_checked(HEADER)?;
    header[..4].copy_from_slice(&MAGIC);
    let is_delta = header[6] & DELTA != 0;
    header[7] = if is_delta { 1 + header[7] % DEPTH_MAX } else { 0 };
    header[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    let len = u32::from_le_bytes(header[8..12].try_into().ok()?) as usize;
    let mut content = Vec::new();
    if !is_delta
        && let (Some(kind), Ok(encoding)) =
            (Kind::from_bytes([header[4], header[5]]), Encoding::from_byte(header[6]))
        && len <= CONTENT_MAX
        && codec::decode(encoding, payload, len, &mut content).is_ok()
    {
        header[16..48].copy_from_slice(&kind.id_of(&content).0);
    }
    let checksum = xxh3_64_with_seed(payload, xxh3_64(&header[..48]));
    header[48..].copy_from_slice(&checksum.to_le_bytes());
    Some(stored)
}

/// Whatever is sound is what it says; whatever is not is not read.
fn read(stored: &[u8]) {
    let Some((found, len)) = sound(stored) else {
        let id = stored.get(16..48).map_or(Id([0; 32]), |id| Id(id.try_into().expect("32 bytes")));
        let kind = stored.get(4..6).and_then(|kind| Kind::from_bytes([kind[0], kind[1]]));
        let error =
            decode(kind.unwrap_or(Kind::Blob), id, stored).expect_err("what is not sound is not read");
        assert!(matches!(error.code, Code::Damaged | Code::NewerFormat), "{error:?}");
        return;
    };
    let (kind, id) = (found.kind, found.id);
    let stored = &stored[..len];
    if let Some(base) = found.base {
        // What it gives depends on another.
        assert!((1..=DEPTH_MAX).contains(&found.mark.depth()) && base.0.starts_with(&found.mark.base()));
        assert!(decode(kind, id, stored).is_err());
        return;
    }
    assert_eq!(found.mark, Mark::WHOLE);
    let content = decode(kind, id, stored).expect("what is sound is read");
    assert!(content.len() <= CONTENT_MAX && kind.id_of(&content) == id);
    assert!(decode(kind, Id([7; 32]), stored).is_err(), "it passes for another");
    assert!(decode(other(kind), id, stored).is_err(), "it passes for another kind");
    come_back(kind, &content);
}

fn other(kind: Kind) -> Kind {
    if kind == Kind::Blob { Kind::Schema } else { Kind::Blob }
}

/// What is stored gives the content back, and nothing of it may be missing.
fn come_back(kind: Kind, content: &[u8]) {
    let mut stored = vec![0xaa; 3];
    let (id, mark) =
        Encoder::default().encode(kind, content, None, &mut stored).expect("content of any bytes is stored");
    let stored = &stored[3..];
    assert_eq!((id, mark), (kind.id_of(content), Mark::WHOLE));
    assert_eq!(decode(kind, id, stored).expect("what was stored is read"), content);
    let more = [stored, b"more"].concat();
    assert!(sound(&more).is_some_and(|(found, len)| (found.id, len) == (id, stored.len())));
    assert!(sound(&stored[..stored.len() - 1]).is_none());
}

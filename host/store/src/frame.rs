//! How entries travel: `key-len: u32 LE, value-len: u32 LE, key, value`, end to end, and cut anywhere.
//!
//! The key length `0xffff_ffff` is never used, so a stream that holds it is damaged.

use crate::{Error, ErrorCode, Result};

/// How many bytes stand before a key.
pub const HEADER: usize = 8;

/// The key length that no entry has.
pub const NEVER: u32 = u32::MAX;

/// The bytes before an entry's key. An entry whose key or value does not fit the framing is
/// [`ErrorCode::Unsupported`].
pub fn header(key: usize, value: usize) -> Result<[u8; HEADER]> {
    let too_long = |what: &str, len: usize| {
        Error::new(
            ErrorCode::Unsupported,
            format!("a {what} of {len} bytes is longer than an entry can carry"),
        )
    };
    let key_len = u32::try_from(key).ok().filter(|len| *len != NEVER).ok_or_else(|| too_long("key", key))?;
    let value_len = u32::try_from(value).map_err(|_| too_long("value", value))?;
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&key_len.to_le_bytes());
    header[4..].copy_from_slice(&value_len.to_le_bytes());
    Ok(header)
}

/// Appends one entry.
pub fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) -> Result<()> {
    let header = header(key.len(), value.len())?;
    out.reserve(HEADER + key.len() + value.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    Ok(())
}

/// The lengths of the key and the value of the entry that `bytes` begins with, if all of its header is there.
fn lengths(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some((key, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let Some((value, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let key = u32::from_le_bytes(*key);
    if key == NEVER {
        return Err(Error::new(
            ErrorCode::Corrupt,
            "the entries are damaged: a key length that is never used",
        ));
    }
    let too_big = |_| Error::new(ErrorCode::Unsupported, "an entry is too big for this machine");
    let key = usize::try_from(key).map_err(too_big)?;
    Ok(Some((key, usize::try_from(u32::from_le_bytes(*value)).map_err(too_big)?)))
}

/// Takes a stream of entries apart that arrives in pieces, cut anywhere.
///
/// Whole entries are handed on from the piece they arrived in. Only an entry that was cut is copied, and memory grows
/// with the bytes that arrived of it, never with the length that it claims.
#[derive(Debug, Default)]
pub struct Decoder {
    cut: Vec<u8>,
}

/// An entry whose value is too large to be held.
pub(crate) struct Large<'p> {
    pub(crate) key: Vec<u8>,
    /// How many bytes its value has.
    pub(crate) len: usize,
    /// What the piece goes on with, from the first byte of the value.
    pub(crate) rest: &'p [u8],
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece and hands on each entry that it completes.
    pub fn decode(&mut self, piece: &[u8], entry: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        self.decode_up_to(usize::MAX, piece, entry).map(drop)
    }

    /// The same, up to an entry whose value has more than `max` bytes. The stream then goes on with that value, which is
    /// the caller's to take.
    pub(crate) fn decode_up_to<'p>(
        &mut self,
        max: usize,
        mut piece: &'p [u8],
        mut entry: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<Option<Large<'p>>> {
        while !self.cut.is_empty() {
            let wanted = match lengths(&self.cut)? {
                None => HEADER,
                Some((key, value)) if value > max => HEADER + key,
                Some((key, value)) => HEADER + key + value,
            };
            let taken = (wanted - self.cut.len()).min(piece.len());
            self.cut.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
            if self.cut.len() < wanted {
                return Ok(None);
            }
            // The header alone may be what was wanted; then the entry's own length is next.
            match lengths(&self.cut)? {
                Some((key, value)) if value > max && self.cut.len() == HEADER + key => {
                    let key = self.cut.split_off(HEADER);
                    self.cut.clear();
                    return Ok(Some(Large { key, len: value, rest: piece }));
                }
                Some((key, value)) if self.cut.len() == HEADER + key + value => {
                    let (key, value) = self.cut[HEADER..].split_at(key);
                    entry(key, value)?;
                    self.cut.clear();
                    // What one large entry needed is not kept for the small ones after it.
                    self.cut.shrink_to(1 << 20);
                }
                _ => {}
            }
        }
        while let Some((key_len, value_len)) = lengths(piece)? {
            if value_len > max {
                let Some((head, rest)) = piece.split_at_checked(HEADER + key_len) else { break };
                return Ok(Some(Large { key: head[HEADER..].to_vec(), len: value_len, rest }));
            }
            let Some((whole, rest)) = piece.split_at_checked(HEADER + key_len + value_len) else { break };
            let (key, value) = whole[HEADER..].split_at(key_len);
            entry(key, value)?;
            piece = rest;
        }
        self.cut.extend_from_slice(piece);
        Ok(None)
    }

    /// Says whether the stream ended where an entry ended.
    pub fn finish(&self) -> Result<()> {
        if self.cut.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Corrupt,
            format!("the last entry was cut off: only {} bytes of it are there", self.cut.len()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut decoder = Decoder::new();
        let mut entries = Vec::new();
        for piece in pieces {
            decoder.decode(piece, |key, value| {
                entries.push((key.to_vec(), value.to_vec()));
                Ok(())
            })?;
        }
        decoder.finish()?;
        Ok(entries)
    }

    #[test]
    fn entries_come_back_wherever_the_stream_is_cut() {
        let entries: Vec<(Vec<u8>, Vec<u8>)> =
            [("", ""), ("key", ""), ("", "value"), ("k", "a longer value"), ("", "")]
                .map(|(k, v)| (k.into(), v.into()))
                .into();
        let mut stream = Vec::new();
        for (key, value) in &entries {
            push(&mut stream, key, value).unwrap();
        }
        for a in 0..=stream.len() {
            for b in a..=stream.len() {
                assert_eq!(decode(&[&stream[..a], &stream[a..b], &stream[b..]]).unwrap(), entries);
            }
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&single).unwrap(), entries);
    }

    #[test]
    fn a_large_value_is_left_to_the_caller_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        for (key, value) in [("a", "1"), ("large", "0123456789"), ("", "2")] {
            push(&mut stream, key.as_bytes(), value.as_bytes()).unwrap();
        }
        for cut in 0..=stream.len() {
            let mut decoder = Decoder::new();
            let (mut entries, mut large, mut left) = (Vec::new(), Vec::new(), 0);
            for mut piece in [&stream[..cut], &stream[cut..]] {
                while !piece.is_empty() {
                    if left > 0 {
                        let (value, rest) = piece.split_at(left.min(piece.len()));
                        large.extend_from_slice(value);
                        left -= value.len();
                        piece = rest;
                        continue;
                    }
                    let found = decoder.decode_up_to(5, piece, |key, value| {
                        entries.push((key.to_vec(), value.to_vec()));
                        Ok(())
                    });
                    piece = match found.unwrap() {
                        Some(found) => {
                            assert_eq!((&found.key[..], found.len), (&b"large"[..], 10));
                            left = found.len;
                            found.rest
                        }
                        None => &[],
                    };
                }
            }
            decoder.finish().unwrap();
            assert_eq!(large, b"0123456789");
            assert_eq!(entries, [(b"a".to_vec(), b"1".to_vec()), (Vec::new(), b"2".to_vec())]);
        }
    }

    #[test]
    fn a_cut_entry_and_an_impossible_length_are_corrupt() {
        let mut stream = Vec::new();
        push(&mut stream, b"key", b"value").unwrap();
        for end in 1..stream.len() {
            assert_eq!(decode(&[&stream[..end]]).unwrap_err().code, ErrorCode::Corrupt);
        }
        assert_eq!(decode(&[&[0xff; 8]]).unwrap_err().code, ErrorCode::Corrupt);
        assert_eq!(decode(&[&[0xff; 3], &[0xff; 5]]).unwrap_err().code, ErrorCode::Corrupt);
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut decoder = Decoder::new();
        let header = header(0xffff_fffe, u32::MAX as usize).unwrap();
        decoder.decode(&header, |_, _| unreachable!()).unwrap();
        decoder.decode(b"some", |_, _| unreachable!()).unwrap();
        assert!(decoder.cut.capacity() < 1024);
        assert!(decoder.finish().is_err());
    }
}

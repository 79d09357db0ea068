//! How content is made smaller.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Whether new content is made smaller. What is stored already is read either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Compression {
    /// As a raw Snappy block, where that saves at least an eighth.
    #[default]
    Snappy,
    /// It is stored as it is.
    None,
}

/// How bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As they are.
    Raw,
    /// As a raw Snappy block.
    Snappy,
}

/// No block of so many bytes holds more than this many times as many: a copy of 64 bytes takes three.
pub(crate) const RATIO_MAX: usize = 22;

/// Makes content smaller. It is kept for one content after another, for its tables and its room.
pub(crate) struct Encoder {
    compression: Compression,
    snappy: snap::raw::Encoder,
    /// Never made smaller, for making it larger fills it with zeros.
    room: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new(Compression::default())
    }
}

impl Encoding {
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Encoding::Raw => 0,
            Encoding::Snappy => 1,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Encoding::Raw),
            1 => Ok(Encoding::Snappy),
            other => Err(Error::new(
                crate::Code::NewerFormat,
                format!("stored in a way ({other}) that this version does not know"),
            )),
        }
    }
}

impl Encoder {
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, snappy: snap::raw::Encoder::new(), room: Vec::new() }
    }

    /// Appends a payload for `content` to `out`: compressed if that saves at least an eighth, else as it is.
    pub(crate) fn encode(&mut self, content: &[u8], out: &mut Vec<u8>) -> Encoding {
        if self.compression == Compression::Snappy && content.len() >= SHORT {
            let most = snap::raw::max_compress_len(content.len());
            if self.room.len() < most {
                self.room.resize(most, 0);
            }
            if let Ok(len) = self.snappy.compress(content, &mut self.room)
                && len <= content.len() - content.len() / 8
            {
                out.extend_from_slice(&self.room[..len]);
                return Encoding::Snappy;
            }
        }
        out.extend_from_slice(content);
        Encoding::Raw
    }
}

/// Shorter content is not worth the try.
const SHORT: usize = 64;

/// How many bytes a Snappy block says that it holds.
pub(crate) fn len_of(block: &[u8]) -> Option<usize> {
    snap::raw::decompress_len(block).ok()
}

/// Puts the content of a payload, which has exactly `len` bytes, into `content`; what was there is gone.
pub(crate) fn decode(encoding: Encoding, payload: &[u8], len: usize, content: &mut Vec<u8>) -> Result<()> {
    let other_length = || Error::damaged("a payload has another length than its object says");
    match encoding {
        Encoding::Raw if payload.len() == len => {
            content.clear();
            content.extend_from_slice(payload);
            Ok(())
        }
        Encoding::Raw => Err(other_length()),
        Encoding::Snappy => {
            if snap::raw::decompress_len(payload).ok() != Some(len) {
                return Err(other_length());
            }
            content.resize(len, 0);
            match snap::raw::Decoder::new().decompress(payload, content) {
                Ok(n) if n == len => Ok(()),
                Ok(_) => Err(other_length()),
                Err(e) => Err(Error::damaged(format!("a payload cannot be decompressed ({e})"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(
            content in prop::collection::vec(prop_oneof![Just(0u8), Just(7), any::<u8>()], 0..3000),
            before in 0usize..40,
        ) {
            let mut out = vec![1; before];
            let encoding = Encoder::default().encode(&content, &mut out);
            let mut read_back = vec![2; before];
            decode(encoding, &out[before..], content.len(), &mut read_back).unwrap();
            prop_assert_eq!(read_back, &content[..]);
            prop_assert!(out.len() - before <= content.len());
        }

        #[test]
        fn garbage_never_panics(payload in prop::collection::vec(any::<u8>(), 0..300), len in 0usize..4096) {
            let _ = decode(Encoding::Snappy, &payload, len, &mut Vec::new());
        }
    }
}

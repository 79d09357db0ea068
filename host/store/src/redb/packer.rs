//! Packs entries into bytes, in pieces of any size, without ever copying a whole value.

use crate::{Error, ErrorCode, Result, frame};

/// Raw entries in a table's own order.
pub(super) trait Pairs: Send {
    /// Goes to the next entry, if there is one.
    fn advance(&mut self) -> Result<bool>;
    /// The entry that was gone to.
    fn entry(&self) -> Option<(&[u8], &[u8])>;
}

/// Packed entries of a table.
pub(super) trait Stream: Send {
    /// The key of the entry that comes next.
    fn next_key(&mut self) -> Result<Option<&[u8]>>;
    /// The lengths of key and value of the entry that comes next, which is skipped.
    fn skip(&mut self) -> Result<Option<(usize, usize)>>;
    /// Hands each entry that is left to `entry` until that returns true.
    fn find(&mut self, entry: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<bool>;
    /// Appends at most `max` bytes of the entries before the one that has the key `until`.
    fn pack(&mut self, until: Option<&[u8]>, max: usize, out: &mut Vec<u8>) -> Result<()>;
}

pub(super) struct Packer<P> {
    pairs: P,
    /// How much of the entry gone to is packed, its header included; none if it was packed whole or there is none.
    packed: Option<usize>,
    ended: bool,
    /// It ended at the mark, not at the end of the table.
    reached: bool,
}

impl<P: Pairs> Packer<P> {
    pub(super) fn new(pairs: P) -> Self {
        Self { pairs, packed: None, ended: false, reached: false }
    }

    /// Goes to the next entry unless one is begun.
    fn begin(&mut self) -> Result<bool> {
        if self.packed.is_none() && !self.ended {
            if self.pairs.advance()? {
                self.packed = Some(0);
            } else {
                self.ended = true;
            }
        }
        Ok(!self.ended)
    }
}

impl<P: Pairs> Stream for Packer<P> {
    fn next_key(&mut self) -> Result<Option<&[u8]>> {
        Ok(if self.begin()? { self.pairs.entry().map(|(key, _)| key) } else { None })
    }

    fn skip(&mut self) -> Result<Option<(usize, usize)>> {
        if !self.begin()? {
            return Ok(None);
        }
        self.packed = None;
        Ok(self.pairs.entry().map(|(key, value)| (key.len(), value.len())))
    }

    fn find(&mut self, wanted: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<bool> {
        while self.begin()? {
            if self.pairs.entry().is_some_and(|(key, value)| wanted(key, value)) {
                return Ok(true);
            }
            self.packed = None;
        }
        Ok(false)
    }

    fn pack(&mut self, until: Option<&[u8]>, max: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut room = max.max(1);
        out.reserve(room.min(1 << 20));
        while room > 0 && self.begin()? {
            let (Some((key, value)), Some(packed)) = (self.pairs.entry(), self.packed) else { break };
            if packed == 0 && until == Some(key) {
                (self.ended, self.reached) = (true, true);
                return Ok(());
            }
            let header = frame::header(key.len(), value.len())?;
            let total = header.len() + key.len() + value.len();
            if packed == 0 && total <= room {
                out.extend_from_slice(&header);
                out.extend_from_slice(key);
                out.extend_from_slice(value);
                room -= total;
                self.packed = None;
                continue;
            }
            let mut skip = packed;
            for part in [&header[..], key, value] {
                let Some(rest) = part.get(skip..) else {
                    skip -= part.len();
                    continue;
                };
                skip = 0;
                let piece = &rest[..rest.len().min(room)];
                out.extend_from_slice(piece);
                room -= piece.len();
                self.packed = self.packed.map(|packed| packed + piece.len());
            }
            if self.packed == Some(total) {
                self.packed = None;
            }
        }
        if self.ended && !self.reached && until.is_some() {
            return Err(Error::new(
                ErrorCode::NotFound,
                "the mark at which this part ends is not in the table, or not after the one at which it begins",
            ));
        }
        Ok(())
    }
}

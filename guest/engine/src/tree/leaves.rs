//! Cuts a stream of packed entries into leaves.

use super::item::{PIECE, SPILLED};
use super::node::Ref;
use super::rank::{CEILING, rank};
use crate::error::{Error, Result};
use crate::id::{Id, Kind, Tree};

/// What comes out of the cutting.
pub(crate) trait LeafSink {
    /// Where content goes.
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id>;
    /// A leaf ended.
    fn leaf(&mut self, leaf: Ref) -> Result<()>;
}

/// What to do with the entries at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Leave out all up to and with the first that ends a leaf by its rank: they belong to the part before.
    Skip,
    /// Cut them into leaves.
    Cut,
    /// Cut them into leaves up to and with the first that ends one by its rank.
    CutToBoundary,
    /// Take nothing more.
    Done,
}

/// The open leaf, and the entry that has come only in part.
pub(crate) struct Leaves {
    tree: Tree,
    /// An entry is who it is by its value too.
    whole: bool,
    mode: Mode,
    /// What the open leaf holds already.
    leaf: Vec<u8>,
    items: u32,
    bytes: u64,
    last_rank: u8,
    /// The beginning of an entry that the next bytes go on with.
    partial: Vec<u8>,
    large: Option<Large>,
}

/// Takes a piece, and says its id.
type Keep<'k> = dyn FnMut(&[u8]) -> Result<Id> + 'k;

/// An entry whose key or value goes into blobs while it comes in.
pub(super) struct Large {
    /// How much is still to come of the key, then of the value.
    key_left: usize,
    value_left: usize,
    key_len: u32,
    value_len: u32,
    /// The item as it will lie in the leaf, as far as it is known.
    body: Vec<u8>,
    /// Where in `body` the key's field ends.
    key_end: usize,
    /// The piece at hand.
    piece: Vec<u8>,
}

impl Leaves {
    pub(crate) fn new(multimap: bool, mode: Mode) -> Self {
        Self {
            tree: Tree::Table,
            whole: multimap,
            mode,
            leaf: Vec::new(),
            items: 0,
            bytes: 0,
            last_rank: 0,
            partial: Vec::new(),
            large: None,
        }
    }

    /// For a tree of another kind than a table's. The entries of a baseline are who they are by key and value: what the
    /// store calls a key may be the same everywhere.
    pub(crate) fn of(tree: Tree) -> Self {
        Self { tree, ..Self::new(tree == Tree::Baseline, Mode::Cut) }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, mut chunk: &[u8], out: &mut dyn LeafSink) -> Result<()> {
        while !chunk.is_empty() && self.mode != Mode::Done {
            if self.large.is_some() {
                chunk = self.push_large(chunk, out)?;
            } else if self.partial.is_empty() {
                chunk = self.push_whole(chunk, out)?;
            } else {
                chunk = self.push_partial(chunk, out)?;
            }
        }
        Ok(())
    }

    /// The stream has ended: ends the open leaf too. The stream must not end within an entry.
    pub(crate) fn end(&mut self, out: &mut dyn LeafSink) -> Result<()> {
        self.check_whole()?;
        if self.items > 0 {
            self.close(&[], out)?;
        }
        Ok(())
    }

    /// Fails if an entry has come only in part.
    pub(crate) fn check_whole(&self) -> Result<()> {
        if self.mode != Mode::Done && (!self.partial.is_empty() || self.large.is_some()) {
            return Err(Error::new(crate::Code::Io, "the store's entries ended within an entry"));
        }
        Ok(())
    }

    /// The entries that lie whole in `chunk`; returns what is not consumed: nothing, or a large entry.
    fn push_whole<'c>(&mut self, chunk: &'c [u8], out: &mut dyn LeafSink) -> Result<&'c [u8]> {
        // chunk[run..at] belongs to the open leaf but is not in `leaf` yet.
        let (mut run, mut at) = (0, 0);
        while let Some((key_len, value_len)) = lengths(&chunk[at..]) {
            if key_len > PIECE || value_len > PIECE {
                self.leaf.extend_from_slice(&chunk[run..at]);
                self.large = Some(Large::begin(key_len, value_len)?);
                return Ok(&chunk[at + 8..]);
            }
            let len = 8 + key_len + value_len;
            let Some(item) = chunk.get(at..at + len) else { break };
            at += len;
            let identity = if self.whole { item } else { &item[8..8 + key_len] };
            let rank = rank(identity, len as u64);
            if self.mode == Mode::Skip {
                run = at;
                if rank > 0 {
                    self.mode = Mode::Cut;
                }
                continue;
            }
            self.items += 1;
            self.bytes += (key_len + value_len) as u64;
            self.last_rank = rank;
            if rank > 0 || self.leaf.len() + (at - run) >= CEILING {
                self.close(&chunk[run..at], out)?;
                run = at;
                if rank > 0 && self.mode == Mode::CutToBoundary {
                    self.mode = Mode::Done;
                    return Ok(&[]);
                }
            }
        }
        self.leaf.extend_from_slice(&chunk[run..at]);
        self.partial.extend_from_slice(&chunk[at..]);
        Ok(&[])
    }

    /// The rest of an entry that came in part.
    fn push_partial<'c>(&mut self, chunk: &'c [u8], out: &mut dyn LeafSink) -> Result<&'c [u8]> {
        let wanted = match lengths(&self.partial) {
            None => 8,
            Some((key_len, value_len)) if key_len > PIECE || value_len > PIECE => {
                self.partial.clear();
                self.large = Some(Large::begin(key_len, value_len)?);
                return Ok(chunk);
            }
            Some((key_len, value_len)) => 8 + key_len + value_len,
        };
        let missing = wanted - self.partial.len();
        let (head, tail) = chunk.split_at(missing.min(chunk.len()));
        self.partial.extend_from_slice(head);
        if self.partial.len() == wanted && wanted >= 8 {
            let entry = std::mem::take(&mut self.partial);
            match lengths(&entry) {
                Some((k, v)) if entry.len() == 8 + k + v => {
                    let rest = self.push_whole(&entry, out)?;
                    debug_assert!(rest.is_empty() && self.partial.is_empty());
                    self.partial = entry;
                    self.partial.clear();
                }
                // Only the lengths are complete: go on with what they say.
                _ => self.partial = entry,
            }
        }
        Ok(tail)
    }

    /// The bytes of an entry that goes into blobs.
    fn push_large<'c>(&mut self, chunk: &'c [u8], out: &mut dyn LeafSink) -> Result<&'c [u8]> {
        let Some(mut large) = self.large.take() else { return Ok(chunk) };
        let mut keep = |piece: &[u8]| out.put(Kind::Blob, piece);
        let rest = large.push(chunk, (self.mode != Mode::Skip).then_some(&mut keep))?;
        if large.is_open() {
            self.large = Some(large);
            return Ok(rest);
        }
        if self.mode == Mode::Skip {
            // An entry of this size always ends a leaf.
            self.mode = Mode::Cut;
            return Ok(rest);
        }
        let len = 8 + u64::from(large.key_len) + u64::from(large.value_len);
        let item = large.item();
        self.items += 1;
        self.bytes += len - 8;
        self.last_rank = rank(if self.whole { &item } else { &item[16..large.key_end + 8] }, len);
        self.close(&item, out)?;
        if self.mode == Mode::CutToBoundary {
            self.mode = Mode::Done;
        }
        Ok(rest)
    }

    /// Ends the open leaf after `last`.
    fn close(&mut self, last: &[u8], out: &mut dyn LeafSink) -> Result<()> {
        let kind = self.tree.kind(0);
        let id = if self.leaf.is_empty() {
            out.put(kind, last)?
        } else {
            self.leaf.extend_from_slice(last);
            let id = out.put(kind, &self.leaf)?;
            self.leaf.clear();
            id
        };
        let entries = u64::from(self.items);
        let leaf = Ref { id, items: self.items, entries, bytes: self.bytes, rank: self.last_rank };
        (self.items, self.bytes) = (0, 0);
        out.leaf(leaf)
    }
}

/// The two lengths at the head of an entry, once they are there.
pub(super) fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (key, rest) = bytes.split_first_chunk::<4>()?;
    let value = rest.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*key) as usize, u32::from_le_bytes(*value) as usize))
}

impl Large {
    pub(super) fn begin(key_len: usize, value_len: usize) -> Result<Self> {
        if key_len == SPILLED as usize {
            return Err(Error::new(
                crate::Code::Io,
                "the store gave a key of 4 GiB, a length that is never used",
            ));
        }
        let lengths = [key_len as u32, value_len as u32];
        let mut large = Self {
            key_left: key_len,
            value_left: value_len,
            key_len: lengths[0],
            value_len: lengths[1],
            body: lengths.iter().flat_map(|len| len.to_le_bytes()).collect(),
            key_end: 8,
            piece: Vec::new(),
        };
        if key_len == 0 {
            large.key_end = large.body.len();
        }
        Ok(large)
    }

    /// Something is still to come. The two together may be more than a 32-bit `usize` holds.
    pub(super) fn is_open(&self) -> bool {
        self.key_left > 0 || self.value_left > 0
    }

    /// Takes what is this entry's; `keep` takes the pieces, without it nothing is kept.
    pub(super) fn push<'c>(
        &mut self,
        mut chunk: &'c [u8],
        mut keep: Option<&mut Keep<'_>>,
    ) -> Result<&'c [u8]> {
        while self.is_open() && !chunk.is_empty() {
            let in_key = self.key_left > 0;
            let left = if in_key { self.key_left } else { self.value_left };
            let spilled = if in_key { self.key_len } else { self.value_len } as usize > PIECE;
            let room = if spilled { PIECE - self.piece.len() } else { left };
            let (head, tail) = chunk.split_at(room.min(left).min(chunk.len()));
            chunk = tail;
            let left = left - head.len();
            if in_key {
                self.key_left = left;
            } else {
                self.value_left = left;
            }
            let Some(keep) = &mut keep else { continue };
            if spilled {
                self.piece.extend_from_slice(head);
                if self.piece.len() == PIECE || left == 0 {
                    let id = keep(&self.piece)?;
                    self.body.extend_from_slice(&id.0);
                    self.piece.clear();
                }
            } else {
                self.body.extend_from_slice(head);
            }
            if in_key && left == 0 {
                self.key_end = self.body.len();
            }
        }
        Ok(chunk)
    }

    /// The item as it lies in the leaf.
    pub(super) fn item(&self) -> Vec<u8> {
        let mut item = Vec::with_capacity(8 + self.body.len());
        item.extend_from_slice(&SPILLED.to_le_bytes());
        item.extend_from_slice(&(self.body.len() as u32).to_le_bytes());
        item.extend_from_slice(&self.body);
        item
    }
}

//! Packed entries on their way into leaves.

use super::input::Input;
use crate::error::{Code, Result};
use crate::id::{Id, Kind};
use crate::tree::item::{Field, Items};
use crate::tree::leaves::{LeafSink, Leaves, Mode};
use crate::tree::node::Ref;
use std::collections::BTreeMap;

/// Where to cut a stream, and the stream: raw, and with entries made of a few bytes each, large ones among them.
pub fn frames(data: &[u8]) {
    let mut input = Input(data);
    let multimap = input.coin();
    let cut = 1 + usize::from(input.u16());
    let rest = input.rest();
    agree(multimap, cut, rest);
    let stream = made(&mut Input(rest));
    assert!(agree(multimap, cut, &stream), "a stream of entries was refused");
    if let Some((_, cut_off)) = stream.split_last() {
        assert!(!agree(multimap, cut, cut_off), "a stream that ends within an entry was taken");
    }
}

/// Entries whose lengths and content a few bytes say.
fn made(input: &mut Input<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..64 {
        // One large entry more, and it is slow.
        if input.is_empty() || stream.len() > 500_000 {
            break;
        }
        let (key, value, fill) = (input.u8(), input.u8(), input.u8());
        let large = 262_143 + usize::from(fill) % 3;
        let key = if key == 255 { large } else { usize::from(key) };
        let value = match value {
            255 => large,
            200..=254 => usize::from(value - 199) * 600,
            _ => usize::from(value),
        };
        stream.extend_from_slice(&(key as u32).to_le_bytes());
        stream.extend_from_slice(&(value as u32).to_le_bytes());
        stream.resize(stream.len() + key, fill);
        stream.resize(stream.len() + value, !fill);
    }
    stream
}

/// Leaves and contents, as they came.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    leaves: Vec<Ref>,
    contents: BTreeMap<Id, (Kind, Vec<u8>)>,
}

impl LeafSink for Kept {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        let id = kind.id_of(content);
        self.contents.insert(id, (kind, content.to_vec()));
        Ok(id)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.leaves.push(leaf);
        Ok(())
    }
}

fn cut_into_leaves<'c>(multimap: bool, pieces: impl Iterator<Item = &'c [u8]>) -> Result<Kept> {
    let mut kept = Kept::default();
    let mut leaves = Leaves::new(multimap, Mode::Cut);
    for piece in pieces {
        leaves.push(piece, &mut kept)?;
    }
    leaves.end(&mut kept)?;
    Ok(kept)
}

/// Wherever it is cut, a stream gives the same leaves, and these give it back; or it is none.
fn agree(multimap: bool, cut: usize, stream: &[u8]) -> bool {
    let whole = cut_into_leaves(multimap, [stream].into_iter());
    let pieces = cut_into_leaves(multimap, stream.chunks(cut.max(stream.len() / 2000)));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces, "where the stream was cut matters");
            assert!(given_back(&whole) == stream, "the leaves hold something else");
            true
        }
        (Err(a), Err(b)) => {
            assert!(a.code == Code::Io && b.code == Code::Io, "{a}, {b}");
            false
        }
        (whole, pieces) => panic!("{:?}, but {:?}", whole.err(), pieces.err()),
    }
}

fn given_back(kept: &Kept) -> Vec<u8> {
    let mut stream = Vec::new();
    for leaf in &kept.leaves {
        let (kind, content) = &kept.contents[&leaf.id];
        assert_eq!(*kind, Kind::Node { level: 0 });
        let items = Items::new(content).collect::<Result<Vec<_>>>().expect("a leaf is made of items");
        leaf.check_leaf(&items).expect("a leaf holds what is said of it");
        for item in items {
            stream.extend_from_slice(&item.key.len().to_le_bytes());
            stream.extend_from_slice(&item.value.len().to_le_bytes());
            for field in [item.key, item.value] {
                match field {
                    Field::Here(bytes) => stream.extend_from_slice(bytes),
                    Field::Pieces(..) => field.pieces().for_each(|(id, len)| {
                        let (kind, piece) = &kept.contents[&id];
                        assert!(*kind == Kind::Blob && piece.len() == len);
                        stream.extend_from_slice(piece);
                    }),
                }
            }
        }
    }
    stream
}

//! The vectors of FORMAT.md, asked of the engine.

use std::collections::BTreeMap;

use crate::archive;
use crate::bytes::pack as pack_entry;
use crate::catalog::{self, Schema, Table};
use crate::delta::{self, Mark};
use crate::error::Result;
use crate::id::{self, Id, Kind};
use crate::index;
use crate::object;
use crate::pack::{self, Entry, Pack};
use crate::tracking::{self, Track};
use crate::tree::Put;
use crate::tree::leaves::{LeafSink, Leaves, Mode};
use crate::tree::node::{Ref, Root};
use crate::tree::rank::rank;
use crate::tree::spine::Spine;

const FORMAT: &str = include_str!("../FORMAT.md");

fn bytes(text: &str) -> Vec<u8> {
    let (digits, times) = text.split_once('*').unwrap_or((text, "1"));
    let digits = if digits == "-" { "" } else { digits };
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.repeat(times.parse().unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(text: &str) -> Id {
    Id(bytes(text).try_into().unwrap())
}

fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn kind(name: &str, level: &str) -> Kind {
    let level = number(level);
    match name {
        "node" => Kind::Node { level },
        "catalog" => Kind::Catalog { level },
        "blob" => Kind::Blob,
        "schema" => Kind::Schema,
        "tracking" => Kind::Tracking { level },
        "baseline" => Kind::Baseline { level },
        _ => panic!("{name}"),
    }
}

#[derive(Default)]
struct Kept(BTreeMap<Id, Vec<u8>>);

impl Put for Kept {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        let id = kind.id_of(content);
        self.0.insert(id, content.to_vec());
        Ok(id)
    }
}

struct Tree<'k>(&'k mut Kept, Spine);

impl LeafSink for Tree<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        self.0.put(kind, content)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.1.leaf(leaf, self.0)
    }
}

fn table(words: &[&str], kept: &mut Kept) -> Option<Root> {
    let leaves = Leaves::new(words[0] == "multimap", Mode::Cut);
    cut(leaves, Spine::new(), &words[1..], kept)
}

fn cut(mut leaves: Leaves, spine: Spine, entries: &[&str], kept: &mut Kept) -> Option<Root> {
    let mut tree = Tree(kept, spine);
    for entry in entries {
        let (key, value) = entry.split_once(':').unwrap();
        leaves.push(&pack_entry(&bytes(key), &bytes(value)), &mut tree).unwrap();
    }
    leaves.end(&mut tree).unwrap();
    let Tree(kept, spine) = tree;
    spine.finish(kept).unwrap()
}

fn answer(question: &str) -> String {
    let words: Vec<&str> = question.split(' ').collect();
    let mut kept = Kept::default();
    match words[0] {
        "xxh3" => format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes(words[1]))),
        "rank" => rank(&bytes(words[2]), number(words[1])).to_string(),
        "id" => kind(words[1], words[2]).id_of(&bytes(words[3])).hex(),
        "leaf" => {
            let root = table(&words[1..], &mut kept).unwrap();
            assert_eq!(root.level, 0);
            hex(&kept.0[&root.node.id])
        }
        "table" => match table(&words[1..], &mut kept) {
            Some(Root { level, node: Ref { id, items, entries, bytes, rank } }) => {
                format!("{level} {items} {entries} {bytes} {rank} {id}")
            }
            None => "none".to_owned(),
        },
        "catalog" => {
            let root = table(&words[3..], &mut kept);
            let (entries, bytes_below) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
            let table = Table {
                name: String::from_utf8(bytes(words[1])).unwrap(),
                multimap: false,
                entries,
                bytes: bytes_below,
                key_type: String::new(),
                value_type: String::new(),
                identity: bytes(words[2]),
                root,
            };
            let root = catalog::write(&[table], &mut kept).unwrap().unwrap();
            hex(&kept.0[&root.node.id])
        }
        "tracking" => {
            let kind = id::Tree::Baseline;
            let baseline = (words[4..] != ["none"])
                .then(|| cut(Leaves::of(kind), Spine::above(kind, 0), &words[4..], &mut kept));
            let track = Track { stamp: bytes(words[3]), baseline };
            hex(&tracking::entry(std::str::from_utf8(&bytes(words[1])).unwrap(), id(words[2]), &track))
        }
        "schema" => {
            let text = |at: usize| String::from_utf8(bytes(words[at])).unwrap();
            let schema = Schema { template: bytes(words[1]), types: vec![(text(2), text(3))] };
            let ids = catalog::write_schema(&schema, &mut kept).unwrap();
            hex(&kept.0[&ids[0]])
        }
        "object" => {
            let (kind, content) = (kind(words[1], words[2]), bytes(words[3]));
            let mut stored = Vec::new();
            object::Encoder::default().encode(kind, &content, None, &mut stored).unwrap();
            assert_eq!(object::decode(kind, kind.id_of(&content), &stored).unwrap(), content);
            hex(&stored)
        }
        "content" => {
            let stored = bytes(words[1]);
            let kind = Kind::from_bytes([stored[4], stored[5]]).unwrap();
            hex(&object::decode(kind, Id(stored[16..48].try_into().unwrap()), &stored).unwrap())
        }
        "delta" => {
            let (stored, base) = (bytes(words[1]), bytes(words[2]));
            let stored = object::Stored::parse(&stored).unwrap();
            let content = delta::apply(&stored.body().unwrap(), &base, stored.len()).unwrap();
            assert_eq!(stored.base, Some(stored.kind.id_of(&base)));
            object::check(stored.kind, stored.id, &content).unwrap();
            hex(&content)
        }
        "mark" => hex(&object::Stored::parse(&bytes(words[1])).unwrap().mark.to_bytes()),
        "apply" => {
            let applied = delta::apply(&bytes(words[1]), &bytes(words[2]), number(words[3]));
            applied.map_or("none".to_owned(), |content| hex(&content))
        }
        "archive" => {
            let objects: Vec<Vec<u8>> = words[2..].iter().map(|object| bytes(object)).collect();
            hex(&archive::put_together(&bytes(words[1]), &objects))
        }
        "pack" => {
            let entry = Entry {
                id: id(words[1]),
                offset: number(words[2]),
                len: number(words[3]),
                mark: Mark::WHOLE,
            };
            let (end, name) = pack::end_of_pack(&[entry]);
            format!("{} {name}", hex(&end))
        }
        "index" => {
            let pack = Pack { id: id(words[1]), len: number(words[2]), objects: 1 };
            let entry = Entry {
                id: id(words[3]),
                offset: number(words[4]),
                len: number(words[5]),
                mark: Mark::WHOLE,
            };
            let replaced = words[6..].iter().map(|name| bytes(name).try_into().unwrap());
            let replaced: Vec<u64> = replaced.map(u64::from_be_bytes).collect();
            let (file, name) = index::file_of_one(pack, entry, &replaced);
            format!("{} {name}", hex(&file))
        }
        other => panic!("no such question: {other}"),
    }
}

#[test]
fn the_vectors_of_the_format_are_right() {
    let vectors = FORMAT.split("```vectors\n").nth(1).unwrap().split("```").next().unwrap();
    let mut wrong = String::new();
    for line in vectors.lines() {
        let (question, expected) = line.split_once(" = ").unwrap();
        let found = answer(question);
        if found != expected {
            wrong += &format!("{question} = {found}\n");
        }
    }
    assert!(vectors.lines().count() > 40);
    assert!(wrong.is_empty(), "the engine answers otherwise:\n{wrong}");
}

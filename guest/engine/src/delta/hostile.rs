//! Chains that no writer of ours makes: every checksum is right, what they say is not.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{DEPTH_MAX, Mark};
use crate::error::{Code, Result};
use crate::id::{Id, Kind};
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::{self, Entry};
use crate::testing::MemoryVault;

const KIND: Kind = Kind::Blob;

/// Keeps all of a base of ten bytes.
const KEEP: &[u8] = &[10 << 2];

/// An object as it is stored, whatever it claims.
fn object(kind: Kind, id: Id, encoding: u8, depth: u8, len: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = b"SRo1".to_vec();
    header.extend(kind.to_bytes());
    header.extend([encoding, depth]);
    header.extend(len.to_le_bytes());
    header.extend((payload.len() as u32).to_le_bytes());
    header.extend(id.0);
    let checksum = xxh3_64_with_seed(payload, xxh3_64(&header));
    header.extend(checksum.to_le_bytes());
    [&header[..], payload].concat()
}

fn delta(id: Id, base: Id, depth: u8, script: &[u8]) -> (Id, Mark, Vec<u8>) {
    let payload = [&base.0[..], script].concat();
    (id, Mark::new(&base, depth), object(KIND, id, 2, depth, 10, &payload))
}

fn whole(kind: Kind, content: &[u8]) -> (Id, Mark, Vec<u8>) {
    let id = kind.id_of(content);
    (id, Mark::WHOLE, object(kind, id, 0, 0, content.len() as u32, content))
}

/// A repository of one pack of these objects, which the index names.
fn repository(objects: &[(Id, Mark, Vec<u8>)]) -> MemoryVault {
    let vault = MemoryVault::default();
    crate::repository::prepare(&vault).unwrap();
    let (mut body, mut entries) = (Vec::new(), Vec::new());
    for (id, mark, stored) in objects {
        entries.push(Entry { id: *id, offset: body.len() as u32, len: stored.len() as u32, mark: *mark });
        body.extend_from_slice(stored);
    }
    entries.sort_unstable_by_key(|entry| entry.id);
    let (end, id) = pack::end_of_pack(&entries);
    vault.put(&pack::path(id), [body, end].concat());
    index::update(&vault, Change { packs: vec![id], ..Change::default() }).unwrap();
    vault
}

fn read(objects: &[(Id, Mark, Vec<u8>)], id: Id) -> Result<Vec<u8>> {
    let vault = repository(objects);
    let objects = Objects::open(&vault)?;
    let base = objects.read_base(KIND, id);
    let read = objects.read(KIND, id);
    assert_eq!(read.is_ok(), base.is_ok());
    read
}

fn assert_damaged(objects: &[(Id, Mark, Vec<u8>)], id: Id, what: &str) {
    let e = read(objects, id).unwrap_err();
    assert!(e.code == Code::Damaged && e.message.contains(what), "{e}");
}

const CONTENT: &[u8] = b"0123456789";

fn id(n: u8) -> Id {
    Id([n; 32])
}

#[test]
fn a_chain_of_eight_is_read_and_no_longer_one_can_be_said() {
    let content = |n: u8| vec![n; 10];
    let replaced = |n: u8| [&[10 << 2 | 3][..], &content(n)].concat();
    let chain = |depths: &[u8]| {
        let mut objects = vec![whole(KIND, &content(0))];
        for depth in depths {
            let base = objects.last().unwrap().0;
            objects.push(delta(KIND.id_of(&content(*depth)), base, *depth, &replaced(*depth)));
        }
        objects
    };
    let good = chain(&[1, 2, 3, 4, 5, 6, 7, DEPTH_MAX]);
    assert_eq!(read(&good, good[8].0).unwrap(), content(8));
    let vault = repository(&good);
    let objects = Objects::open(&vault).unwrap();
    let base = objects.read_base(KIND, good[8].0).unwrap();
    assert_eq!((base.depth, base.full), (8, Some((good[0].0, content(0)))));
    assert!(objects.read_base(KIND, good[7].0).unwrap().full.is_none());
    // A depth of nine, and a mark that says so, are none.
    assert!(Mark::from_bytes(Mark::new(&id(1), 9).to_bytes()).is_none());
    assert!(crate::object::Stored::parse(&delta(id(2), id(1), 9, KEEP).2).is_err());
    assert!(crate::object::Stored::parse(&delta(id(2), id(1), 0, KEEP).2).is_err());
    assert!(crate::object::Stored::parse(&object(KIND, id(2), 0, 1, 1, b"x")).is_err());
    assert!(crate::object::Stored::parse(&object(KIND, id(2), 2, 1, 1, &[0; 31])).is_err());
}

#[test]
fn a_base_that_is_itself_or_rests_on_what_rests_on_it_is_no_base() {
    let to_itself = [delta(id(1), id(1), 3, KEEP)];
    assert_damaged(&to_itself, id(1), "is in no pack");
    let to_each_other = [delta(id(1), id(2), 3, KEEP), delta(id(2), id(1), 4, KEEP)];
    assert_damaged(&to_each_other, id(2), "is in no pack");
    assert_damaged(&to_each_other, id(1), "is in no pack");
    let level =
        [delta(id(1), id(2), 3, KEEP), delta(id(2), KIND.id_of(CONTENT), 3, KEEP), whole(KIND, CONTENT)];
    assert_damaged(&level, id(1), "is in no pack");
}

#[test]
fn a_base_of_another_kind_or_level_is_no_base() {
    for kind in [Kind::Schema, Kind::Node { level: 0 }] {
        let base = whole(kind, CONTENT);
        let on = delta(KIND.id_of(CONTENT), base.0, 1, KEEP);
        assert_damaged(&[on.clone(), base], on.0, "another object stands where");
    }
}

#[test]
fn what_a_script_makes_must_be_what_the_id_says() {
    let base = whole(KIND, CONTENT);
    for script in [&[9 << 2][..], &[11 << 2], &[0], &[], &[5 << 2, 6 << 2], &[255; 9], &[10 << 2 | 2, 1]] {
        let on = delta(id(1), base.0, 1, script);
        assert_damaged(&[on, base.clone()], id(1), "edit script");
    }
    // It fits, and is another.
    let on = delta(id(1), base.0, 1, KEEP);
    assert_damaged(&[on, base.clone()], id(1), "not what was written");
    // The object is right if its base were.
    let wrong =
        (KIND.id_of(CONTENT), Mark::WHOLE, object(KIND, KIND.id_of(CONTENT), 0, 0, 10, b"9876543210"));
    let on = delta(KIND.id_of(b"x"), wrong.0, 1, KEEP);
    assert_damaged(&[on, wrong.clone()], KIND.id_of(b"x"), &format!("rests on {}", wrong.0));
}

#[test]
fn a_script_that_claims_much_takes_no_memory() {
    // A Snappy block that says that it holds 4 GiB less one byte.
    let payload = [&KIND.id_of(CONTENT).0[..], &[255, 255, 255, 255, 15, 0, 0]].concat();
    let on = (id(1), Mark::new(&KIND.id_of(CONTENT), 1), object(KIND, id(1), 3, 1, 10, &payload));
    assert_damaged(&[on, whole(KIND, CONTENT)], id(1), "more bytes than any content");
}

#[test]
fn a_list_that_says_another_base_than_the_object_is_damage() {
    let base = whole(KIND, CONTENT);
    for mark in [Mark::WHOLE, Mark::new(&id(7), 1), Mark::new(&base.0, 2)] {
        let lying = (id(3), mark, object(KIND, id(3), 2, 1, 10, &[&base.0.0[..], KEEP].concat()));
        assert_damaged(&[lying, base.clone()], id(3), "rests on another than the index says");
    }
}

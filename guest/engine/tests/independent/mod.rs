//! A reader of repositories, and a maker of ids, written from FORMAT.md alone: nothing here is the engine's. It is plain
//! and slow, holds everything in memory, and panics where something is not as the page says.
#![allow(dead_code, reason = "each test uses a part of it")]

mod ids;
mod reading;

use std::collections::BTreeMap;

pub(crate) use ids::*;
pub(crate) use reading::*;

pub(crate) type Id = [u8; 32];
pub(crate) type Entry = (Vec<u8>, Vec<u8>);
/// Paths and what they hold.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Section 2.
pub(crate) fn keyed(label: &str, level: u8, content: &[u8]) -> Id {
    let mut key = [0; 32];
    key[..label.len()].copy_from_slice(label.as_bytes());
    key[31] = level;
    *blake3::keyed_hash(&key, content).as_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn id_of_hex(text: &str) -> Id {
    unhex(text).try_into().unwrap()
}

const LABELS: [&str; 7] = [
    "",
    "strongroom 1 node",
    "strongroom 1 catalog",
    "strongroom 1 blob",
    "strongroom 1 schema",
    "strongroom 1 tracking",
    "strongroom 1 baseline",
];
const NODE: u8 = 1;
const CATALOG: u8 = 2;
const BLOB: u8 = 3;
const SCHEMA: u8 = 4;
const TRACKING: u8 = 5;
const BASELINE: u8 = 6;

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        head
    }
    fn id(&mut self) -> Id {
        self.take(32).try_into().unwrap()
    }
    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }
}

//! Whatever the history, and however a store tells what changed: the tree is the one that a scan gives.

mod cases;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::edits::Edits;
use super::leaves::{LeafSink, Leaves, Mode};
use super::node::{Ref, Root};
use super::old::{Bases, OldTree};
use super::rank::rank;
use super::spine::Spine;
use super::{Put, item};
use crate::delta::Base;
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind, Tree};

type Entry = (Vec<u8>, Vec<u8>);

type Objects = HashMap<(Id, [u8; 2]), Vec<u8>>;

/// Keeps everything, and counts what is asked of it.
#[derive(Default)]
struct Kept {
    objects: RefCell<Objects>,
    read: Cell<u64>,
    written: Cell<u64>,
}

impl Put for &Kept {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        let id = kind.id_of(content);
        self.written.set(self.written.get() + 1);
        self.objects.borrow_mut().insert((id, kind.to_bytes()), content.to_vec());
        Ok(id)
    }
}

impl Bases for Kept {
    fn base(&self, kind: Kind, node: &Ref) -> Result<Base> {
        self.read.set(self.read.get() + 1);
        let content = self.objects.borrow().get(&(node.id, kind.to_bytes())).cloned();
        let content = content.ok_or_else(|| Error::damaged("it is not there"))?;
        Ok(Base { kind, id: node.id, content, depth: 0, full: None })
    }
}

struct Scan<'a>(&'a Kept, Spine);

impl LeafSink for Scan<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        Put::put(&mut self.0, kind, content)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.1.leaf(leaf, &mut self.0)
    }
}

fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (key, value) in entries {
        packed.extend_from_slice(&(key.len() as u32).to_le_bytes());
        packed.extend_from_slice(&(value.len() as u32).to_le_bytes());
        packed.extend_from_slice(key);
        packed.extend_from_slice(value);
    }
    packed
}

fn scan(entries: &[Entry], tree: Tree, multimap: bool, kept: &Kept) -> Option<Root> {
    let mut sink = Scan(kept, Spine::above(tree, 0));
    let mut leaves = if tree == Tree::Table { Leaves::new(multimap, Mode::Cut) } else { Leaves::of(tree) };
    leaves.push(&pack(entries), &mut sink).unwrap();
    leaves.end(&mut sink).unwrap();
    sink.1.finish(&mut &*kept).unwrap()
}

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One edit of a sequence: so many old entries from one on give way to these.
struct Change {
    from: usize,
    to: usize,
    new: Vec<Entry>,
}

/// What a store could say of it: with stretches that are wider than what changed, in any order within a stretch, in
/// several edits where one would do.
fn told(old: &[Entry], changes: &[Change], random: &mut Random) -> Vec<u8> {
    let mut edits = Vec::new();
    let mut say = |op: u8, n: usize, entries: &[Entry]| {
        if n > 0 {
            edits.push(op);
            edits.extend_from_slice(&(n as u64).to_le_bytes());
            edits.extend_from_slice(&pack(entries));
        }
    };
    let widest = [0, 3, 80, 100_000][random.below(4)];
    let mut at = 0;
    let mut number = 0;
    while number < changes.len() {
        let from = at.max(changes[number].from - random.below(widest.min(changes[number].from) + 1));
        // Some changes that follow may fall into the same stretch.
        let mut new: Vec<Entry> = old[from..changes[number].from].to_vec();
        new.extend_from_slice(&changes[number].new);
        let mut to = changes[number].to;
        number += 1;
        while let Some(next) = changes.get(number).filter(|next| next.from <= to + random.below(widest + 1)) {
            new.extend_from_slice(&old[to..next.from]);
            new.extend_from_slice(&next.new);
            to = next.to;
            number += 1;
        }
        let end = changes.get(number).map_or(old.len(), |next| next.from);
        let wider = (to + random.below(widest + 1)).min(end);
        new.extend_from_slice(&old[to..wider]);
        to = wider;
        for keep in cut(from - at, random) {
            say(0, keep, &[]);
        }
        let (mut gone, mut come) = (cut(to - from, random), cut(new.len(), random));
        let mut given = 0;
        while !gone.is_empty() || !come.is_empty() {
            if come.is_empty() || (!gone.is_empty() && random.one_in(2)) {
                say(1, gone.pop().unwrap(), &[]);
            } else {
                let n = come.pop().unwrap();
                say(2, n, &new[given..given + n]);
                given += n;
            }
        }
        at = to;
    }
    for keep in cut(old.len() - at, random) {
        say(0, keep, &[]);
    }
    edits
}

/// A number as a sum.
fn cut(mut n: usize, random: &mut Random) -> Vec<usize> {
    let mut parts = Vec::new();
    while n > 0 {
        let part = if random.one_in(4) { 1 + random.below(n) } else { n };
        parts.push(part);
        n -= part;
    }
    parts
}

fn edit(
    root: Option<Root>,
    tree: Tree,
    multimap: bool,
    edits: &[u8],
    kept: &Kept,
    random: &mut Random,
) -> Result<Option<Root>> {
    let mut taker = Edits::new(OldTree::new(tree, root, kept), multimap || tree == Tree::Baseline);
    let mut rest = edits;
    while !rest.is_empty() {
        let len = if random.one_in(3) { 1 + random.below(40) } else { 1 + random.below(20_000) };
        let (head, tail) = rest.split_at(len.min(rest.len()));
        taker.push(head, &mut &*kept)?;
        rest = tail;
    }
    taker.finish(&mut &*kept)
}

/// Keys of many ranks for short entries: index 0 has those of rank 0.
fn keys() -> [Vec<u64>; 4] {
    let mut keys = [const { Vec::new() }; 4];
    for number in 0..1_500_000u64 {
        let rank = usize::from(rank(&number.to_be_bytes(), 24)).min(3);
        if rank > 0 || number < 20_000 {
            keys[rank].push(number);
        }
    }
    // Of the highest ranks, found by looking long.
    for number in [23_370_913, 47_104_069, 913_520_409, 3_484_066_377u64] {
        keys[3].push(number);
    }
    assert!(keys.iter().all(|keys| keys.len() > 2), "{:?}", keys.each_ref().map(Vec::len));
    keys
}

/// How the keys of a history are chosen.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// Most rank lowest; enough of the others for trees of several levels.
    Mixed,
    /// Almost no rank ends anything: the ceiling does.
    Low,
    /// Nearly every entry ends several levels.
    High,
}

fn entry(keys: &[Vec<u64>; 4], how: Keys, random: &mut Random) -> Entry {
    let rank = match (how, random.below(100)) {
        (Keys::Mixed, 0..60) | (Keys::High, 0..5) => 0,
        (Keys::Mixed, 60..90) | (Keys::High, 5..20) => 1,
        (Keys::Mixed, 90..97) | (Keys::High, 20..60) => 2,
        (Keys::Low, _) => {
            let len = 2_000 + random.below(12_000);
            let fits = |key: &u64| super::rank::rank(&key.to_be_bytes(), 16 + len as u64) == 0;
            let key = loop {
                let key = random.next();
                if fits(&key) || random.one_in(300) {
                    break key;
                }
            };
            return (key.to_be_bytes().to_vec(), vec![random.next() as u8; len]);
        }
        _ => 3,
    };
    let key = keys[rank][random.below(keys[rank].len())];
    let len = match random.below(400) {
        0 => item::PIECE + random.below(item::PIECE),
        1..10 => random.below(30_000),
        _ => random.below(16),
    };
    (key.to_be_bytes().to_vec(), vec![random.next() as u8; len])
}

fn changes(old: &[Entry], keys: &[Vec<u64>; 4], how: Keys, random: &mut Random) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let few = if matches!(how, Keys::Low) { 10 } else { 60 };
    if random.one_in(30) {
        let new = (0..random.below(few)).map(|_| entry(keys, how, random)).collect();
        return vec![Change { from: 0, to: old.len(), new }];
    }
    for _ in 0..1 + random.below(6) {
        let at = match random.below(6) {
            0 => 0,
            1 => old.len(),
            // Just where a node ends.
            2 => (random.below(old.len() + 1)..old.len())
                .find(|at| rank(&old[*at].0, 8 + (old[*at].0.len() + old[*at].1.len()) as u64) > 0)
                .map_or(old.len(), |at| at + random.below(2)),
            _ => random.below(old.len() + 1),
        };
        let (gone, come) = match random.below(8) {
            0 => (0, 1),
            1 => (1, 0),
            2 => (1, 1),
            3 => (random.below(200), 0),
            4 => (random.below(few), random.below(few)),
            5 => (0, random.below(few)),
            6 => (2, 1 + random.below(3)),
            _ => (old.len(), random.below(4)),
        };
        let from = at.max(changes.last().map_or(0, |last| last.to));
        let to = (from + gone).min(old.len());
        let mut new: Vec<Entry> = (0..come).map(|_| entry(keys, how, random)).collect();
        // The same key with another value, or just the same entry.
        for (new, old) in new.iter_mut().zip(&old[from..to]) {
            match random.below(3) {
                0 => new.0.clone_from(&old.0),
                1 => new.clone_from(old),
                _ => {}
            }
        }
        if to > from || !new.is_empty() {
            changes.push(Change { from, to, new });
        }
    }
    changes
}

fn apply(old: &[Entry], changes: &[Change]) -> Vec<Entry> {
    let (mut new, mut at) = (Vec::new(), 0);
    for change in changes {
        new.extend_from_slice(&old[at..change.from]);
        new.extend_from_slice(&change.new);
        at = change.to;
    }
    new.extend_from_slice(&old[at..]);
    new
}

fn run(histories: u64, seed: u64) -> u64 {
    let keys = keys();
    let (mut snapshots, mut highest) = (0, 0);
    for history in 0..histories {
        let mut random = Random(seed ^ (history << 20));
        let how = [Keys::Mixed, Keys::Mixed, Keys::High, Keys::Low][(history % 4) as usize];
        let (tree, multimap) =
            [(Tree::Table, false), (Tree::Table, true), (Tree::Baseline, true)][(history / 4 % 3) as usize];
        let kept = Kept::default();
        let most = if matches!(how, Keys::Low) { 150 } else { 600 };
        let entries = match random.below(4) {
            0 => 0,
            1 => random.below(6),
            _ => random.below(most),
        };
        let small = |entry: &Entry| tree == Tree::Table || entry.1.len() <= item::PIECE;
        let mut old: Vec<Entry> =
            (0..entries).map(|_| entry(&keys, how, &mut random)).filter(small).collect();
        let mut root = scan(&old, tree, multimap, &kept);
        for step in 0..6 {
            let mut changes = changes(&old, &keys, how, &mut random);
            changes.iter_mut().for_each(|change| change.new.retain(small));
            let new = apply(&old, &changes);
            let edits = told(&old, &changes, &mut random);
            let wanted = scan(&new, tree, multimap, &Kept::default());
            let got = edit(root, tree, multimap, &edits, &kept, &mut random).unwrap();
            assert_eq!(got, wanted, "history {history} ({how:?}, {tree:?}), step {step}");
            snapshots += 1;
            highest = highest.max(wanted.map_or(0, |root| root.level));
            (root, old) = (got, new);
        }
    }
    assert!(highest >= 3, "{highest}");
    snapshots
}

#[test]
fn the_root_is_that_of_a_scan() {
    assert!(run(600, 0x51ce) > 3000);
}

#[test]
#[ignore = "minutes"]
fn the_root_is_that_of_a_scan_long() {
    println!("{} snapshots", run(40_000, 0xadd));
}

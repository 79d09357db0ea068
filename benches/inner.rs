//! The engine's inner loops, natively: `cargo bench` in this directory.
#![allow(clippy::unwrap_used, reason = "a benchmark of what must not fail")]
#![allow(missing_docs, reason = "made by a macro")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, inner};
use strongroom_engine::{Compression, Folding, Id, Job, Silent};

/// Numbers that look random and are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

/// Sorted entries of 32-byte keys and 200-byte values, half of which is random.
fn entries(count: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = Random(7);
    let mut entry = |n: u32| {
        let key = [&n.to_be_bytes()[..], &random.bytes(28)].concat();
        let value = [random.bytes(100), random.bytes(4).repeat(25)].concat();
        (key, value)
    };
    (0..count).map(&mut entry).collect()
}

fn packed(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let frame = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let lengths = [key.len() as u32, value.len() as u32];
        [&lengths[0].to_le_bytes()[..], &lengths[1].to_le_bytes(), key, value].concat()
    };
    entries.iter().flat_map(frame).collect()
}

/// A leaf of the mean length, and the same with one value changed.
fn leaves() -> (Vec<u8>, Vec<u8>) {
    let mut entries = entries(68);
    let old = packed(&entries);
    entries[30].1[..100].fill(1);
    (old, packed(&entries))
}

fn tree(c: &mut Criterion) {
    let stream = packed(&entries(20_000));
    let mut group = c.benchmark_group("tree");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("cut entries into leaves", |b| b.iter(|| inner::cut(black_box(&stream)).unwrap()));
    group.finish();
}

fn objects(c: &mut Criterion) {
    let (leaf, _) = leaves();
    let (mut objects, mut stored) = (inner::Objects::default(), Vec::new());
    let id = objects.encode(&leaf, &mut stored).unwrap();
    let mut group = c.benchmark_group("object");
    group.throughput(Throughput::Bytes(leaf.len() as u64));
    group.bench_function("hash a leaf", |b| b.iter(|| inner::hash(black_box(&leaf))));
    let mut room = Vec::new();
    group.bench_function("encode a leaf, with its check", |b| {
        b.iter(|| objects.encode(black_box(&leaf), &mut room).unwrap());
    });
    group.bench_function("decode a leaf, with its check", |b| {
        b.iter(|| inner::Objects::decode(id, black_box(&stored)).unwrap());
    });
    group.finish();
}

fn delta(c: &mut Criterion) {
    let (old, new) = leaves();
    let script = inner::edits(&old, &new);
    let mut group = c.benchmark_group("delta");
    group.throughput(Throughput::Bytes(new.len() as u64));
    group.bench_function("find the edits of a leaf", |b| {
        b.iter(|| inner::edits(black_box(&old), black_box(&new)));
    });
    group.bench_function("apply them", |b| {
        b.iter(|| inner::edited(black_box(&script), black_box(&old), new.len()).unwrap());
    });
    group.finish();
}

/// A repository of about 16,000 objects.
fn repository() -> MemoryVault {
    let vault = MemoryVault::default();
    let mut random = Random(3);
    let entries = (0u32..16_000).map(|n| (n.to_be_bytes().to_vec(), random.bytes(16_384))).collect();
    let store = ModelStore::new([("table", ModelTable { multimap: false, entries })]);
    let job = Job {
        name: "a".into(),
        source: "bench".into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1_700_000_000,
        parts: 1,
        part_min: 1,
        full_scan: false,
        full_scan_snapshots: 100,
        full_scan_days: 7,
        folding: Folding::default(),
        compression: Compression::None,
    };
    let plan = strongroom_engine::prepare(&vault, &store, &job, &Silent).unwrap();
    let receipt = strongroom_engine::copy(&vault, &store, &plan.state, 0, &Silent).unwrap();
    let draft = strongroom_engine::seal(&vault, &store, &plan.state, &[receipt], &Silent).unwrap();
    strongroom_engine::publish(&vault, &draft.state).unwrap();
    vault
}

fn index(c: &mut Criterion) {
    let vault = repository();
    let ids = inner::ids(&vault).unwrap();
    let known = inner::Known::open(&vault).unwrap();
    let mut random = Random(5);
    let mut group = c.benchmark_group("index");
    group.throughput(Throughput::Elements(1));
    group.bench_function("find an object that is there", |b| {
        b.iter(|| known.finds(&ids[random.next() as usize % ids.len()]).unwrap());
    });
    group.bench_function("find none", |b| {
        b.iter(|| {
            let id: [u8; 32] = random.bytes(32).try_into().unwrap();
            known.finds(&Id(id)).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, tree, objects, delta, index);
criterion_main!(benches);

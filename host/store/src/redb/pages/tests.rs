//! The reader, on files that count, and that lie.
#![allow(clippy::unwrap_used)]

#[path = "../../../tests/common/mod.rs"]
mod common;

use super::*;
use crate::redb::RedbStore;
use crate::{Changes, Result, Store};
use ::redb::{ConcurrencyMode, Database, MultimapTableDefinition, TableDefinition};
use common::edits::{apply, both, rows, write};
use common::{drain, mix, scan, unpack};
use proptest::prelude::*;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts, and turns one bit of one of the reads around.
struct Liar {
    file: File,
    reads: AtomicU64,
    bytes: AtomicU64,
    lie: Option<(u64, u64)>,
}

impl ReadAt for Liar {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read_exact_at(out, offset)?;
        let read = self.reads.fetch_add(1, Relaxed);
        self.bytes.fetch_add(out.len() as u64, Relaxed);
        if let Some((at, bit)) = self.lie
            && at == read
        {
            let bit = bit % (out.len() as u64 * 8);
            out[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        Ok(())
    }
}

/// A file that nobody has open, and the commit in it.
fn open(path: &Path, lie: Option<(u64, u64)>) -> (Arc<Liar>, Pages, Slot) {
    let file = File::open(path).unwrap();
    let mut header = [0; HEADER_LEN];
    file.read_exact_at(&mut header, 0).unwrap();
    let header = Header::parse(&header).unwrap();
    let liar = Arc::new(Liar { file, reads: AtomicU64::new(0), bytes: AtomicU64::new(0), lie });
    (Arc::clone(&liar), Pages::new(liar, &header), header.settled().unwrap())
}

fn stamp_and_baseline(pages: &Pages, slot: Slot, table: &str) -> Result<(Stamp, Vec<u8>)> {
    let table = Tables::read(pages, slot)?.get(table).cloned().ok_or_else(|| doubt("no table"))?;
    let baseline = Baseline::begin(pages.clone(), table.clone(), Arc::default(), ())?;
    Ok((Stamp::of(&table), drain(Box::new(baseline), 777)?))
}

fn changes(pages: &Pages, slot: Slot, table: &str, old: Stamp, baseline: &[u8]) -> Result<[Vec<u8>; 2]> {
    let table = Tables::read(pages, slot)?.get(table).cloned().ok_or_else(|| doubt("no table"))?;
    let mut changes = Changed::begin(pages.clone(), table, old, ())?;
    both(&mut changes as &mut dyn Changes, baseline, 500, 2000)
}

#[test]
fn one_row_of_a_hundred_thousand_is_found_by_few_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    write(&Database::create(&path).unwrap(), 0..100_000, 1);
    let (counted, pages, slot) = open(&path, None);
    let (stamp, baseline) = stamp_and_baseline(&pages, slot, "table").unwrap();
    assert!(counted.bytes.load(Relaxed) > 23_200_000);
    write(&Database::open(&path).unwrap(), [500], 2);
    let (counted, pages, slot) = open(&path, None);
    let [entries, edits] = changes(&pages, slot, "table", stamp, &baseline).unwrap();
    let (reads, bytes) = (counted.reads.load(Relaxed), counted.bytes.load(Relaxed));
    println!("{reads} reads of {bytes} bytes, {} and {} bytes of edits", entries.len(), edits.len());
    assert!(reads < 70 && bytes < 300_000, "{reads} reads of {bytes} bytes");
}

#[test]
fn a_bit_that_is_turned_in_any_read_is_noticed_or_makes_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let fill = |rows: std::ops::Range<usize>, large: usize| {
        let database = Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        rows::insert(&txn, rows.clone(), 1);
        {
            let mut table = txn.open_table(TableDefinition::<u64, &[u8]>::new("large")).unwrap();
            table.insert(5, &vec![7; large][..]).unwrap();
            let definition = MultimapTableDefinition::<u8, &[u8]>::new("multi");
            let mut multi = txn.open_multimap_table(definition).unwrap();
            for i in rows {
                multi.insert(i as u8 % 3, &mix(i).to_le_bytes()[..]).unwrap();
            }
            multi.insert(9, &vec![8; large][..]).unwrap();
        }
        txn.commit().unwrap();
    };
    fill(0..700, 3_000_000);
    let (_, pages, slot) = open(&path, None);
    let tables = ["large", "multi", "table"];
    let before = tables.map(|table| stamp_and_baseline(&pages, slot, table).unwrap());
    fill(650..800, 2_500_000);
    let (_, pages, slot) = open(&path, None);
    for (table, (stamp, baseline)) in tables.into_iter().zip(&before) {
        let now = stamp_and_baseline(&pages, slot, table).unwrap();
        let told = changes(&pages, slot, table, *stamp, baseline).unwrap();
        let (mut noticed, mut read) = (0, 0);
        for at in 0.. {
            let (liar, pages, slot) = open(&path, Some((at, mix(at as usize) >> 20)));
            match changes(&pages, slot, table, *stamp, baseline) {
                Ok(found) => assert!(found == told),
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::Unsupported);
                    noticed += 1;
                }
            }
            let (other, pages, slot) = open(&path, Some((at, mix(at as usize) >> 20)));
            match stamp_and_baseline(&pages, slot, table) {
                Ok(found) => assert!(found == now),
                Err(error) => assert_eq!(error.code, ErrorCode::Unsupported),
            }
            if liar.reads.load(Relaxed).max(other.reads.load(Relaxed)) <= at {
                break;
            }
            read += 1;
        }
        assert!(noticed * 4 > read, "{table}: {noticed} noticed of {read} reads");
    }
}

/// All bytes of a table in stretches, by calls of this size.
fn stretches(store: &dyn Store, table: &str, parts: u32, max: usize) -> Result<Vec<u8>> {
    let marks = store.split(table, parts)?;
    let ends = || marks.iter().map(|mark| Some(&mark[..]));
    let mut all = Vec::new();
    for (from, to) in [None].into_iter().chain(ends()).zip(ends().chain([None])) {
        all.extend(drain(store.scan(table, from, to)?, max)?);
    }
    Ok(all)
}

#[test]
fn a_scan_gives_what_redb_gives_whichever_read_of_the_pages_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let database = Database::create(&path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        // With keys so long a page has few children, and so there are groups enough.
        let mut table = txn.open_table(TableDefinition::<&[u8], &[u8]>::new("table")).unwrap();
        for i in 0..2500 {
            let len = if i % 900 == 250 { 1_100_000 + i } else { 10 + i % 300 };
            table
                .insert(&[&[7; 400][..], &mix(i).to_be_bytes()].concat()[..], &vec![i as u8; len][..])
                .unwrap();
        }
    }
    txn.commit().unwrap();
    drop(database);
    let shared = Database::open(&path).unwrap();
    let wanted =
        drain(RedbStore::live(&shared).unwrap().scan("table", None, None).unwrap(), 1 << 20).unwrap();
    drop(shared);
    assert_eq!(unpack(&wanted).len(), 2500);
    let store = |lie| {
        let (liar, pages, slot) = open(&path, lie);
        (liar, RedbStore::open(&path).unwrap().with_pages(pages, slot))
    };
    for (parts, max) in [(1, 1 << 20), (1, 777), (4, 30_000)] {
        let (mut unchecked, mut refused) = (0, 0);
        let (liar, sound) = store(None);
        assert!(stretches(&sound, "table", parts, max).unwrap() == wanted);
        let reads = liar.reads.load(Relaxed);
        for at in 0..reads {
            let (_, store) = store(Some((at, mix(at as usize) >> 20)));
            match stretches(&store, "table", parts, max) {
                Ok(found) => assert!(found == wanted, "read {at}"),
                // What was already given of a large value was not what is there.
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::Corrupt, "{error}");
                    refused += 1;
                }
            }
            unchecked += u32::from(store.notes().unwrap().iter().any(|(name, _)| name == "unchecked"));
        }
        println!("{reads} reads: {unchecked} found wrong, {refused} too late");
        assert!(unchecked > 20 && refused > 3, "{parts} {max}: {unchecked} {refused}");
    }
}

#[test]
fn a_baseline_after_a_scan_is_the_same_and_reads_no_leaf_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    write(&Database::create(&path).unwrap(), 0..30_000, 1);
    let (_, pages, slot) = open(&path, None);
    let (_, wanted) = stamp_and_baseline(&pages, slot, "table").unwrap();
    let (counted, pages, slot) = open(&path, None);
    let store = RedbStore::open(&path).unwrap().with_pages(pages, slot);
    assert_eq!(store.split("table", 3).unwrap().len(), 2);
    stretches(&store, "table", 3, 100_000).unwrap();
    let before = counted.bytes.load(Relaxed);
    let baseline = drain(store.baseline("table").unwrap().unwrap(), 777).unwrap();
    assert!(baseline == wanted);
    let read = counted.bytes.load(Relaxed) - before;
    assert!(read * 20 < before, "{read} of {before} bytes");
}

#[test]
fn the_commit_is_known_in_whichever_way_a_file_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    write(&Database::create(&path).unwrap(), 0..100, 1);
    let (_, _, slot) = open(&path, None);
    for mode in
        [ConcurrencyMode::SingleWriter, ConcurrencyMode::ExclusiveWriter, ConcurrencyMode::MultiWriter]
    {
        let opened = crate::redb::open::attempt(&path, mode, "").unwrap();
        assert!(opened.committed.is_some_and(|committed| committed.slot == slot), "{mode:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of random places.
    Scatter(usize, usize),
    /// Rows next to one another.
    Stretch(u16, usize),
    Remove(u16, usize),
    Everything,
    Large(usize),
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u16>().prop_map(usize::from), 1..20usize).prop_map(|(at, n)| Step::Scatter(at, n)),
        2 => (any::<u16>().prop_map(usize::from), 500..4000usize).prop_map(|(at, n)| Step::Scatter(at, n)),
        3 => (any::<u16>(), 500..8000usize).prop_map(|(at, n)| Step::Stretch(at, n)),
        1 => (any::<u16>(), 20_000..40_000usize).prop_map(|(at, n)| Step::Stretch(at, n)),
        3 => (any::<u16>(), 1..20_000usize).prop_map(|(at, n)| Step::Remove(at, n)),
        1 => Just(Step::Everything),
        1 => (5000..2_000_000usize).prop_map(Step::Large),
        1 => Just(Step::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The windows are small in tests, so that whatever is larger than one is tried.
    #[test]
    fn a_small_window_tells_the_same(
        steps in prop::collection::vec(step(), 2..10),
        piece in 1usize..3000,
        max in 1usize..20_000,
    ) {
        const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.redb");
        let mut kept = Vec::new();
        let stretch = |at: u16, n: usize| (u64::from(at) << 20)..(u64::from(at) << 20) + n as u64;
        for (number, step) in [Step::Scatter(0, 4000)].into_iter().chain(steps).enumerate() {
            let mut database = Database::create(&path).unwrap();
            if matches!(step, Step::Compact) {
                database.compact().unwrap();
            }
            let txn = database.begin_write().unwrap();
            {
                let mut table = txn.open_table(TABLE).unwrap();
                let value = [number as u8; 150];
                match step {
                    Step::Scatter(at, n) => (at..at + n).for_each(|i| {
                        table.insert(mix(i) >> 28, &value[..mix(i) as usize % 150]).unwrap();
                    }),
                    Step::Stretch(at, n) => stretch(at, n).for_each(|key| {
                        table.insert(key, &value[..]).unwrap();
                    }),
                    Step::Remove(at, n) => {
                        let until = u64::from(at) << 20 | (n as u64) << 18;
                        table.retain_in(u64::from(at) << 20..until, |_, _| false).unwrap();
                    }
                    Step::Everything => table.retain(|_, _| false).unwrap(),
                    Step::Large(len) => drop(table.insert(len as u64, &vec![1; len][..]).unwrap()),
                    Step::Compact => {}
                }
            }
            txn.commit().unwrap();
            drop(database);
            let (_, pages, slot) = open(&path, None);
            let (stamp, baseline) = stamp_and_baseline(&pages, slot, "table").unwrap();
            let entries = scan(&RedbStore::open(&path).unwrap() as &dyn Store, "table");
            kept.push((stamp, baseline.clone(), entries.clone()));
            for (old_stamp, old_baseline, old_entries) in &kept {
                let table = Tables::read(&pages, slot).unwrap().get("table").cloned().unwrap();
                let mut changes = Changed::begin(pages.clone(), table, *old_stamp, ()).unwrap();
                let [edits, edits_of_baseline] = both(&mut changes, old_baseline, piece, max).unwrap();
                prop_assert!(apply(old_entries, &edits) == entries);
                prop_assert!(apply(&unpack(old_baseline), &edits_of_baseline) == unpack(&baseline));
            }
        }
    }

    #[test]
    fn garbage_is_no_page(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..4, n in 0u16..20, widths in any::<(Option<u8>, Option<u8>)>()) {
        let mut bytes = bytes;
        bytes.iter_mut().zip([kind, 0]).for_each(|(byte, set)| *byte = set);
        bytes.iter_mut().skip(2).zip(n.to_le_bytes()).for_each(|(byte, set)| *byte = set);
        let widths = page::Widths { key: widths.0.map(usize::from), value: widths.1.map(usize::from) };
        if let Some(leaf) = page::Leaf::parse(&bytes, widths) {
            prop_assert!(leaf.entry(leaf.count()).is_none());
            (0..leaf.count()).for_each(|i| assert!(leaf.entry(i).is_none_or(|(key, value)| key.len() + value.len() < 300)));
            leaf.end();
        }
        if let Some(branch) = page::Branch::parse(&bytes, widths.key, bytes.len()) {
            prop_assert!(branch.end() <= bytes.len());
            prop_assert_eq!(branch.children().len(), usize::from(n) + 1);
        }
        Header::parse(&bytes);
        group::Group::read(b"12345678", &bytes);
    }
}

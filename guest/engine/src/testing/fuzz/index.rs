//! Index files.

use super::input::Input;
use crate::delta::Mark;
use crate::error::{Code, Result};
use crate::id::Id;
use crate::index::{IndexFile, IndexWriter, Numbered};
use crate::pack::{Entry, Pack};
use crate::testing::MemoryVault;
use crate::vault::Vault;

/// Bytes as an index file, and as a plan for one whose checksums are right, whatever it says.
pub fn index(data: &[u8]) {
    look(data.to_vec());
    let mut input = Input(data);
    let (file, replaced, entries) = planned(&mut input);
    if let Some(found) = look(file) {
        assert_eq!(found, (replaced, entries), "the index says what was written");
    }
}

/// The files that it replaced and all entries, if it can be used.
fn look(file: Vec<u8>) -> Option<(Vec<u64>, Vec<Numbered>)> {
    let vault = MemoryVault::default();
    vault.put("index/file", file);
    let damaged = |e: &crate::Error| assert_eq!(e.code, Code::Damaged, "{e}");
    let index = IndexFile::open(&vault, "file").inspect_err(damaged).ok()?;
    let read: Result<Vec<Vec<Numbered>>> =
        (0..index.blocks()).map(|number| index.block(number).map(|block| block.entries())).collect();
    let find =
        |id: &Id| index.find_like(&id.0, |number| index.block(number)).map(|found| found.first().copied());
    assert_eq!(read.is_ok(), index.check().inspect_err(damaged).is_ok(), "a check sees what reading sees");
    let read = read.inspect_err(damaged).ok()?.concat();
    assert_eq!(read.len() as u64, index.entries);
    if read.is_sorted_by(|(a, _), (b, _)| a.id < b.id) {
        for (entry, pack) in &read {
            let found = find(&entry.id).expect("what is whole is read");
            assert_eq!(found.map(|(_, found)| found), Some((*entry, *pack)));
            let mut other = entry.id;
            other.0[31] ^= 1;
            if read.binary_search_by(|(entry, _)| entry.id.cmp(&other)).is_err() {
                assert_eq!(find(&other).expect("what is whole is read"), None);
            }
        }
        Some((index.replaced, read))
    } else {
        // Blocks that overlap: a lookup may miss, and must come to an end.
        read.iter().for_each(|(entry, _)| drop(find(&entry.id)));
        None
    }
}

fn planned(input: &mut Input<'_>) -> (Vec<u8>, Vec<u64>, Vec<Numbered>) {
    let sorted = !input.rarely(4);
    let mut replaced: Vec<u64> = (0..input.below(4) as u64).map(|_| input.u64()).collect();
    if input.rarely(16) {
        // More than it lists: the latest count.
        replaced = (0..990 + u64::from(input.u8())).collect();
    }
    let packs: Vec<Pack> = (0..input.below(5))
        .map(|_| Pack { id: id(input.u16()), len: input.u64(), objects: u32::from(input.u16()) })
        .collect();
    let known = packs.len().max(1);
    let miscounted = input.rarely(8);
    let mut entries = Vec::new();
    // A few bytes make many entries, so that there are several blocks.
    let (first, step, many) = (input.u16(), input.u16(), input.u8());
    for n in 0..u16::from(many) {
        let entry = Entry {
            id: id(first.wrapping_add(step.wrapping_mul(n))),
            offset: n.into(),
            len: 60,
            mark: Mark::WHOLE,
        };
        entries.push((entry, u32::from(n) % known as u32));
    }
    while !input.is_empty() {
        let (number, offset, depth) = (input.u16(), u32::from(input.u16()), input.u8() % 9);
        let mark = if depth == 0 { Mark::WHOLE } else { Mark::new(&id(offset as u16), depth) };
        let pack = if input.rarely(16) { input.u8().into() } else { input.below(known) as u32 };
        entries.push((Entry { id: id(number), offset, len: 60, mark }, pack));
    }
    if sorted {
        entries.sort_by_key(|(entry, _)| entry.id);
        entries.dedup_by_key(|(entry, _)| entry.id);
    }
    let vault = MemoryVault::default();
    let file = vault.create("file").expect("an empty vault takes a file");
    let said = entries.len() as u64 + u64::from(miscounted);
    let mut writer = IndexWriter::new(file, &packs, &replaced, said).expect("these packs are not too many");
    for (entry, pack) in &entries {
        writer.push(entry, *pack).expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything");
    replaced.drain(..replaced.len().saturating_sub(1000));
    (vault.get("file").unwrap_or_default(), replaced, entries)
}

/// Ids that are spread over all that there can be, and some that differ only in the end.
fn id(number: u16) -> Id {
    let mut id = [0; 32];
    id[0] = (number >> 4) as u8;
    id[31] = number as u8;
    Id(id)
}

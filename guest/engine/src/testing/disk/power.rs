//! What is left after the power has failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Disk;
use super::state::{Change, Dir, File, Node, ROOT, State, overlay};

/// What of the unsynced the disk had kept.
#[derive(Debug, Clone, Copy)]
pub struct Survival {
    /// Of changes of names.
    pub names: Names,
    /// Of data.
    pub data: Data,
    /// Decides what is left open.
    pub seed: u64,
}

/// What the disk had kept of unsynced changes of names, folder by folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nothing.
    None,
    /// All.
    All,
    /// The first ones, however many, as with a journal.
    First,
    /// Any; of a rename perhaps both names.
    Any,
}

/// What the disk had kept of unsynced data, file by file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Nothing; the file is as long as at its last sync.
    None,
    /// All.
    All,
    /// Nothing, but the file has its new length: zeros.
    OnlyLength,
    /// What was written first, the last of it torn between two sectors; behind it the file may be longer.
    First,
    /// Any sectors; where there are none, zeros or what lay there before, from other files.
    Any,
}

const SECTOR: usize = 512;

impl Survival {
    /// The one of this number: first the extremes, then ever other ones.
    pub fn number(number: u64) -> Self {
        let (names, data) = match number {
            0 => (Names::None, Data::None),
            1 => (Names::All, Data::All),
            2 => (Names::All, Data::None),
            3 => (Names::None, Data::All),
            4 => (Names::All, Data::OnlyLength),
            5 => (Names::All, Data::First),
            6 => (Names::All, Data::Any),
            7 => (Names::First, Data::All),
            8 => (Names::Any, Data::All),
            n => (
                [Names::Any, Names::First, Names::All][n as usize % 3],
                [Data::Any, Data::First, Data::Any, Data::None, Data::OnlyLength][n as usize % 5],
            ),
        };
        Self { names, data, seed: number }
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Up to and with `most`.
    fn up_to(&mut self, most: usize) -> usize {
        (self.next() % (most as u64 + 1)) as usize
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

impl Disk {
    /// The disk as it might be when the power is back.
    pub fn after_power_failure(&self, survival: Survival) -> Disk {
        let before = self.state();
        let mut random = Random(survival.seed ^ 0x5eed);
        let mut after = State::default();
        // The root's folders are new nodes, and what is in them too.
        let root = names_left(before.dir(ROOT), survival.names, &mut random);
        let mut known = BTreeMap::new();
        let names = root.iter().map(|(name, node)| {
            let new = match before.node(*node) {
                Node::File(file) => keep_file(&mut after, &mut known, *node, file, survival, &mut random),
                Node::Dir(dir) => {
                    let names = names_left(dir, survival.names, &mut random);
                    let names = names.iter().map(|(name, node)| {
                        let file = before.file(*node);
                        (name.clone(), keep_file(&mut after, &mut known, *node, file, survival, &mut random))
                    });
                    let names: BTreeMap<String, usize> = names.collect();
                    after.add(Node::Dir(settled(names)))
                }
            };
            (name.clone(), new)
        });
        let names = names.collect();
        *after.dir_mut(ROOT) = settled(names);
        Disk::with(after)
    }
}

fn settled(names: BTreeMap<String, usize>) -> Dir {
    Dir { seen: names.clone(), durable: names, pending: Vec::new() }
}

/// A file that has two names is one file afterwards too.
fn keep_file(
    after: &mut State,
    known: &mut BTreeMap<usize, usize>,
    node: usize,
    file: &File,
    survival: Survival,
    random: &mut Random,
) -> usize {
    *known.entry(node).or_insert_with(|| {
        let content = content_left(file, survival.data, random);
        after.add(Node::File(File { seen: content.clone(), durable: content, pending: Vec::new() }))
    })
}

fn names_left(dir: &Dir, names: Names, random: &mut Random) -> BTreeMap<String, usize> {
    let mut left = dir.durable.clone();
    let first = random.up_to(dir.pending.len());
    for (number, change) in dir.pending.iter().enumerate() {
        let (stays, both) = match names {
            Names::None => (false, false),
            Names::All => (true, false),
            Names::First => (number < first, false),
            Names::Any => (random.coin(), matches!(change, Change::Rename { .. }) && random.up_to(3) == 0),
        };
        if stays {
            change.apply(&mut left, both);
        }
    }
    left
}

fn content_left(file: &File, data: Data, random: &mut Random) -> Arc<Vec<u8>> {
    if file.pending.is_empty() || data == Data::None {
        return file.durable.clone();
    }
    let mut left = file.durable.to_vec();
    let full = file.pending.iter().map(|(offset, bytes)| *offset as usize + bytes.len()).max().unwrap_or(0);
    let full = full.max(left.len());
    match data {
        Data::None => {}
        Data::All => {
            file.pending.iter().for_each(|(offset, bytes)| overlay(&mut left, *offset as usize, bytes))
        }
        Data::OnlyLength => left.resize(full, 0),
        Data::First => {
            let mut bytes_left = random.up_to(file.pending.iter().map(|(_, bytes)| bytes.len()).sum());
            for (offset, bytes) in &file.pending {
                let offset = *offset as usize;
                let mut len = bytes.len().min(bytes_left);
                if len < bytes.len() {
                    // The last sector that came is whole.
                    len = ((offset + len) / SECTOR * SECTOR).saturating_sub(offset).min(bytes.len());
                    bytes_left = 0;
                }
                bytes_left = bytes_left.saturating_sub(len);
                if len > 0 {
                    overlay(&mut left, offset, &bytes[..len]);
                }
            }
            if random.coin() {
                left.resize(full.max(left.len()), 0);
            }
        }
        Data::Any => {
            let old = left.len();
            left.resize(full, 0);
            if random.coin() {
                // The room was allotted, and nothing was written there yet.
                left[old..].iter_mut().for_each(|byte| *byte = random.next() as u8);
            }
            for (offset, bytes) in &file.pending {
                let (start, end) = (*offset as usize, *offset as usize + bytes.len());
                for sector in start / SECTOR..end.div_ceil(SECTOR) {
                    let from = (sector * SECTOR).max(start);
                    let to = ((sector + 1) * SECTOR).min(end);
                    if random.coin() {
                        left[from..to].copy_from_slice(&bytes[from - start..to - start]);
                    }
                }
            }
            if random.up_to(3) == 0 {
                left.truncate(old + random.up_to(full - old));
            }
        }
    }
    Arc::new(left)
}

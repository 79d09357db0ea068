//! A database whose data changes as those of applications do.

use std::collections::BTreeMap;

use super::input::Input;
use crate::testing::{ModelStore, ModelTable};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
pub(super) struct Database {
    pub(super) rows: Rows,
    /// Makes one more table.
    extra: bool,
}

impl Database {
    /// One way in which applications change their data.
    pub(super) fn edit(&mut self, input: &mut Input<'_>) {
        let rows = &mut self.rows;
        match input.below(8) {
            // Rows, dense or far apart.
            0..=2 => {
                let (first, step, many) = (input.u16(), input.u8(), input.below(64));
                let (len, fill) = (len(input), input.u8());
                for n in 0..many as u16 {
                    let key = first.wrapping_add(n.wrapping_mul(u16::from(step)));
                    rows.insert(key.to_be_bytes().to_vec(), value(len, fill.wrapping_add(n as u8)));
                }
            }
            3 => {
                let (first, many) = (input.u16().to_be_bytes().to_vec(), input.below(128));
                let gone: Vec<_> = rows.range(first..).take(many).map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| drop(rows.remove(key)));
            }
            4 => {
                let (first, many) = (input.u16().to_be_bytes().to_vec(), input.below(32));
                let (len, fill) = (len(input), input.u8());
                rows.range_mut(first..).take(many).for_each(|(_, row)| *row = value(len, fill));
            }
            // Keys that end nodes on many levels, with a value long enough for it.
            5 => {
                let keys: [u64; 4] = [0, 0x9093, 0x0164_9ca1, 0x3673_3719];
                let key = keys[input.below(4)].to_be_bytes().to_vec();
                let prefix = input.below(2);
                rows.insert([&vec![0; prefix], &key[..]].concat(), value(16_384, input.u8()));
            }
            // A value that lies in pieces; its key has no neighbours.
            6 => {
                let len = 262_100 + usize::from(input.u8()) * if input.rarely(4) { 2000 } else { 1 };
                rows.retain(|_, value| value.len() < 262_000);
                rows.insert(b"large".to_vec(), value(len, input.u8()));
            }
            _ => self.extra = !self.extra,
        }
        // However long the history, a step stays quick.
        let bytes = |rows: &Rows| rows.values().map(Vec::len).filter(|len| *len < 262_000).sum::<usize>();
        while self.rows.len() > 500 || bytes(&self.rows) > 250_000 {
            let half = self.rows.len() / 2;
            let middle = self.rows.keys().nth(half).cloned().unwrap_or_default();
            self.rows = self.rows.split_off(&middle);
        }
    }

    pub(super) fn store(&self) -> ModelStore {
        let pairs = self.rows.iter().take(60).map(|(key, value)| {
            let short = &value[..value.len().min(20)];
            (key[..1].to_vec(), [short, key].concat())
        });
        let mut store = ModelStore::new([
            ("empty", ModelTable::default()),
            ("pairs", ModelTable { multimap: true, entries: pairs.collect() }),
            ("rows", ModelTable { multimap: false, entries: self.rows.clone().into_iter().collect() }),
        ]);
        if self.extra {
            let entries = self.rows.iter().filter(|(key, _)| key.len() > 2);
            let entries = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
            store.tables.insert("extra".into(), ModelTable { multimap: false, entries });
        }
        store
    }
}

fn len(input: &mut Input<'_>) -> usize {
    match input.u8() {
        len @ 0..200 => usize::from(len),
        len @ 200..250 => usize::from(len - 199) * 50,
        len => 16_000 + usize::from(len),
    }
}

fn value(len: usize, fill: u8) -> Vec<u8> {
    let mut value = vec![fill / 16; len];
    if let Some(first) = value.first_mut() {
        *first = fill;
    }
    value
}

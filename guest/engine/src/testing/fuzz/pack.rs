//! Packs: their lists, and what is salvaged without one.

use super::input::{Input, noise};
use crate::bytes::Cursor;
use crate::error::Code;
use crate::id::{Id, Kind};
use crate::object::{Encoder, sound};
use crate::pack::{Entry, TRAILER, end_of_pack, entries, entries_or_salvage, path};
use crate::testing::MemoryVault;

/// Bytes as a pack, and as a plan for one: objects, garbage between them, a list that says the truth or does not.
pub fn pack(data: &[u8]) {
    look(data, name_of(data).unwrap_or(Id([0; 32])));
    let Planned { pack, id, whole, objects } = planned(&mut Input(data));
    let found = look(&pack, id);
    if let Some(entries) = whole {
        assert_eq!(found, entries, "the list is what was written");
    }
    for object in objects {
        assert!(found.iter().any(|entry| entry.id == object), "a sound object was not found");
    }
}

/// The name that the end of these bytes gives, if they end like a pack.
fn name_of(pack: &[u8]) -> Option<Id> {
    let trailer = pack.len().checked_sub(TRAILER)?;
    let count = u32::from_le_bytes(pack[trailer + 8..trailer + 12].try_into().ok()?) as usize;
    let list = trailer.checked_sub(count.checked_mul(Entry::LEN)?)?;
    let mut cursor = Cursor(&pack[list..trailer]);
    let entries: Option<Vec<Entry>> = (0..count).map(|_| Entry::decode(&mut cursor)).collect();
    Some(end_of_pack(&entries?).1)
}

/// What is found in a pack of this name.
fn look(pack: &[u8], id: Id) -> Vec<Entry> {
    let vault = MemoryVault::default();
    vault.put(&path(id), pack.to_vec());
    let listed = entries(&vault, id);
    let (found, read) = entries_or_salvage(&vault, id).expect("memory is read");
    assert!(found.id == id && found.len == pack.len() as u64 && found.objects as usize == read.len());
    assert!(read.is_sorted_by(|a, b| a.id < b.id));
    let stored =
        |entry: &Entry| pack.get(entry.offset as usize..).and_then(|rest| rest.get(..entry.len as usize));
    assert!(read.iter().all(|entry| stored(entry).is_some()), "an object lies outside of its pack");
    match listed {
        Ok((_, listed)) => assert_eq!(listed, read),
        Err(e) => {
            assert_eq!(e.code, Code::Damaged);
            // What is salvaged was looked at.
            let sound = |entry: &Entry| {
                stored(entry)
                    .and_then(sound)
                    .is_some_and(|(found, len)| (found.id, len) == (entry.id, entry.len as usize))
            };
            assert!(read.iter().all(sound));
        }
    }
    read
}

struct Planned {
    pack: Vec<u8>,
    id: Id,
    /// The list, where it is sound.
    whole: Option<Vec<Entry>>,
    /// What must be found where it is not.
    objects: Vec<Id>,
}

fn planned(input: &mut Input<'_>) -> Planned {
    let (mut pack, mut list, mut objects) = (Vec::new(), Vec::<Entry>::new(), Vec::new());
    let mut encoder = Encoder::default();
    let lies = input.below(4);
    for _ in 0..input.below(9) {
        match input.below(4) {
            // Garbage, which may look like the beginning of an object.
            0 => pack.extend_from_slice(input.bytes(40)),
            1 => {
                let len = usize::from(input.u16()) % 300;
                pack.extend_from_slice(&noise(input.u64(), len));
            }
            damaged => {
                let len = input.below(120);
                let content = input.bytes(len);
                let offset = pack.len();
                let (id, _) =
                    encoder.encode(Kind::Blob, content, None, &mut pack).expect("any content is stored");
                if damaged == 3 && input.coin() {
                    let at = offset + usize::from(input.u16()) % (pack.len() - offset);
                    pack[at] ^= 1 << input.below(8);
                    continue;
                }
                let len = (pack.len() - offset) as u32;
                if !objects.contains(&id) {
                    objects.push(id);
                    list.push(Entry { id, offset: offset as u32, len, mark: crate::delta::Mark::WHOLE });
                }
            }
        }
    }
    list.sort_by_key(|entry| entry.id);
    let (end, id) = end_of_pack(&list);
    pack.extend_from_slice(&end);
    match lies {
        0 => Planned { pack, id, whole: Some(list), objects },
        1 => {
            // Cut off somewhere in the list or behind the first object.
            let gone = usize::from(input.u16()) % (end.len() + 1);
            pack.truncate(pack.len() - gone);
            Planned { pack, id, whole: (gone == 0).then_some(list), objects }
        }
        2 => {
            let at = pack.len() - 1 - usize::from(input.u16()) % end.len();
            pack[at] ^= 1 << input.below(8);
            Planned { pack, id, whole: None, objects }
        }
        _ => {
            // A list that has the right name and says something else.
            let at = pack.len() - 1 - usize::from(input.u16()) % end.len();
            pack[at] = input.u8();
            let id = name_of(&pack).unwrap_or(id);
            Planned { pack, id, whole: None, objects: Vec::new() }
        }
    }
}

//! What differs between two contents of the same kind, found item by item in linear time.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::script::Script;
use crate::error::Result;
use crate::id::Kind;
use crate::object::equal;
use crate::tree::item::Items;
use crate::tree::node::Ref;

/// So many items are passed over in search of the one with the same key.
const AHEAD: usize = 32;
/// Fewer equal bytes in a row are not worth two steps.
const RUN: usize = 4;

/// A script that makes `new` of `old`.
pub(crate) fn diff(kind: Kind, old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut old, mut new) = (frames(kind, old), frames(kind, new));
    let mut script = Script::default();
    let first = old.iter().zip(&new).take_while(|(a, b)| equal(a.bytes, b.bytes)).count();
    script.keep(len(&old[..first]));
    (old, new) = (old.split_off(first), new.split_off(first));
    let last = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| equal(a.bytes, b.bytes)).count();
    let suffix = len(&old[old.len() - last..]);
    old.truncate(old.len() - last);
    new.truncate(new.len() - last);

    // Of equal items the first; going backwards, it is the last one put in.
    let places: HashMap<u64, usize> =
        old.iter().enumerate().rev().map(|(at, frame)| (xxh3_64(frame.bytes), at)).collect();
    let (mut old_at, mut new_at) = (0, 0);
    for (at, frame) in new.iter().enumerate() {
        let same = places.get(&xxh3_64(frame.bytes)).copied();
        if let Some(same) = same.filter(|same| *same >= old_at && equal(old[*same].bytes, frame.bytes)) {
            gap(&old[old_at..same], &new[new_at..at], &mut script);
            script.keep(frame.bytes.len());
            (old_at, new_at) = (same + 1, at + 1);
        }
    }
    gap(&old[old_at..], &new[new_at..], &mut script);
    script.keep(suffix);
    script.finish()
}

/// An item, and what it may be known by when it has changed.
struct Frame<'a> {
    bytes: &'a [u8],
    key: &'a [u8],
}

fn len(frames: &[Frame<'_>]) -> usize {
    frames.iter().map(|frame| frame.bytes.len()).sum()
}

/// The items of some content. What has none is one.
fn frames(kind: Kind, content: &[u8]) -> Vec<Frame<'_>> {
    let one = || vec![Frame { bytes: content, key: &[] }];
    match kind {
        Kind::Node { level: 0 }
        | Kind::Catalog { level: 0 }
        | Kind::Tracking { level: 0 }
        | Kind::Baseline { level: 0 } => {
            let items = Items::new(content)
                .map(|item| item.map(|item| Frame { bytes: item.raw, key: key(item.raw) }));
            items.collect::<Result<_>>().unwrap_or_else(|_| one())
        }
        Kind::Node { .. } | Kind::Catalog { .. } | Kind::Tracking { .. } | Kind::Baseline { .. } => {
            content.chunks(Ref::LEN).map(|bytes| Frame { bytes, key: &[] }).collect()
        }
        Kind::Blob | Kind::Schema => one(),
    }
}

/// The key of an item of a leaf with its length, or the lengths of one that is spilled.
fn key(item: &[u8]) -> &[u8] {
    let len = item.first_chunk::<4>().map_or(0, |len| u32::from_le_bytes(*len) as usize);
    item.get(8..).and_then(|rest| rest.get(..len)).or(item.get(..8)).unwrap_or(item)
}

/// Items of which none is the same.
fn gap(mut old: &[Frame<'_>], new: &[Frame<'_>], script: &mut Script) {
    for frame in new {
        let Some(at) = old.iter().take(AHEAD).position(|old| old.key == frame.key) else {
            script.insert(frame.bytes);
            continue;
        };
        script.skip(len(&old[..at]));
        within(old[at].bytes, frame.bytes, script);
        old = &old[at + 1..];
    }
    script.skip(len(old));
}

/// One item that has changed.
fn within(old: &[u8], new: &[u8], script: &mut Script) {
    if old.len() == new.len() {
        let mut at = 0;
        while at < new.len() {
            let equal = old[at..].iter().zip(&new[at..]).take_while(|(a, b)| a == b).count();
            if equal >= RUN || at + equal == new.len() {
                script.keep(equal);
                at += equal;
            }
            let end = (at..new.len())
                .find(|at| new.len() - at >= RUN && old[*at..at + RUN] == new[*at..at + RUN])
                .unwrap_or(new.len());
            script.skip(end - at);
            script.insert(&new[at..end]);
            at = end;
        }
        return;
    }
    let first = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[first..], &new[first..]);
    let last = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    script.keep(first);
    script.skip(old.len() - last);
    script.insert(&new[..new.len() - last]);
    script.keep(last);
}

#[cfg(test)]
mod tests {
    use super::super::apply;
    use super::*;
    use proptest::prelude::*;

    fn leaf(entries: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let item = |(key, value): &(u8, Vec<u8>)| {
            let mut item = vec![1, 0, 0, 0];
            item.extend((value.len() as u32).to_le_bytes());
            item.push(*key);
            item.extend(value);
            item
        };
        entries.iter().flat_map(item).collect()
    }

    fn check(kind: Kind, old: &[u8], new: &[u8]) -> usize {
        let script = diff(kind, old, new);
        assert_eq!(apply(&script, old, new.len()).unwrap(), new);
        script.len()
    }

    #[test]
    fn a_changed_value_costs_its_bytes() {
        let entries = |change: Option<usize>| {
            let value = |n: usize| vec![n as u8 + 100 * u8::from(change == Some(n)); 50];
            leaf(&(0..60).map(|n| (n as u8, value(n))).collect::<Vec<_>>())
        };
        for at in [0, 30, 59] {
            assert!(check(Kind::Node { level: 0 }, &entries(None), &entries(Some(at))) < 50 + 8);
        }
    }

    #[test]
    fn a_row_that_comes_or_goes_costs_no_more_than_itself() {
        let all: Vec<_> = (0..60u8).map(|n| (n, vec![n; 50])).collect();
        let mut fewer = all.clone();
        fewer.remove(20);
        fewer.remove(40);
        let kind = Kind::Node { level: 0 };
        assert!(check(kind, &leaf(&all), &leaf(&fewer)) < 16);
        assert!(check(kind, &leaf(&fewer), &leaf(&all)) < 2 * 59 + 20);
    }

    #[test]
    fn a_reference_of_which_only_the_id_changed_costs_the_id() {
        let node = |change: bool| -> Vec<u8> {
            (0..200u8)
                .flat_map(|n| {
                    let id = xxh3_64(&[n, u8::from(change && n == 77)]).to_le_bytes().repeat(4);
                    [&id[..], &[n; 21]].concat()
                })
                .collect()
        };
        assert!(check(Kind::Node { level: 1 }, &node(false), &node(true)) < 32 + 8);
    }

    proptest! {
        #[test]
        fn whatever_differs_comes_back(
            old in prop::collection::vec((0u8..20, prop::collection::vec(0u8..3, 0..12)), 0..40),
            new in prop::collection::vec((0u8..20, prop::collection::vec(0u8..3, 0..12)), 0..40),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let kind = Kind::Node { level: 0 };
            check(kind, &leaf(&old), &leaf(&new));
            // Much of the old one in the new one.
            let mut mixed = old.clone();
            for pick in picks {
                let at = pick.index(mixed.len() + 1);
                match new.first() {
                    Some(entry) if pick.index(2) == 0 => mixed.insert(at, entry.clone()),
                    _ if at < mixed.len() => drop(mixed.remove(at)),
                    _ => {}
                }
            }
            check(kind, &leaf(&old), &leaf(&mixed));
            for kind in [Kind::Node { level: 3 }, Kind::Catalog { level: 0 }, Kind::Blob, Kind::Schema] {
                check(kind, &leaf(&old), &leaf(&mixed));
                check(kind, &leaf(&new)[new.len().min(1)..], &leaf(&old));
            }
        }
    }
}

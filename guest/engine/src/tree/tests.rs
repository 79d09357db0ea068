//! Parts that are joined give the tree of the whole, and no reference leads a reader astray.

use std::collections::HashMap;

use proptest::prelude::*;

use super::node::{LEVEL_MAX, Ref, Root};
use super::spine::Spine;
use super::walk::{Get, Walk};
use super::{Put, rank};
use crate::bytes::Cursor;
use crate::error::{Code, Error, Result};
use crate::id::{Id, Kind};

#[derive(Default)]
struct Kept(HashMap<(Id, [u8; 2]), Vec<u8>>);

impl Put for Kept {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        let id = kind.id_of(content);
        self.0.insert((id, kind.to_bytes()), content.to_vec());
        Ok(id)
    }
}

impl Get for Kept {
    fn get(&self, kind: Kind, node: &Ref) -> Result<Vec<u8>> {
        let found = self.0.get(&(node.id, kind.to_bytes())).cloned();
        // Leaves are not kept here.
        if kind == (Kind::Node { level: 0 }) {
            Ok(Vec::new())
        } else {
            found.ok_or_else(|| Error::damaged("none"))
        }
    }
}

fn leaf(number: usize, rank: u8) -> Ref {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Ref { id: Id(id), items: 3, entries: 3, bytes: 10, rank }
}

fn tree(leaves: &[Ref], kept: &mut Kept) -> Option<Root> {
    let mut spine = Spine::new();
    leaves.iter().for_each(|leaf| spine.leaf(*leaf, kept).unwrap());
    spine.finish(kept).unwrap()
}

/// As `copy` and `seal` do it: every part but the first begins after a leaf that a rank ended.
fn joined(leaves: &[Ref], cuts: &[usize], kept: &mut Kept) -> Option<Root> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (leaves.len() + 1)).collect();
    ends.sort_unstable();
    ends.retain(|end| *end > 0 && leaves[end - 1].rank > 0);
    ends.push(leaves.len());
    let mut whole = Spine::new();
    let mut start = 0;
    for end in ends {
        let mut part = if start == 0 { Spine::new() } else { Spine::ragged() };
        leaves[start..end.max(start)].iter().for_each(|leaf| part.leaf(*leaf, kept).unwrap());
        whole.join(&part.into_edges(), kept).unwrap();
        start = end.max(start);
    }
    whole.finish(kept).unwrap()
}

fn assert_joins(ranks: &[u8], cuts: &[usize]) -> Option<Root> {
    let leaves: Vec<Ref> = ranks.iter().enumerate().map(|(number, rank)| leaf(number, *rank)).collect();
    let mut kept = Kept::default();
    let root = tree(&leaves, &mut kept);
    assert_eq!(joined(&leaves, cuts, &mut kept), root);
    let mut walk = Walk::new(root);
    for leaf in &leaves {
        assert_eq!(walk.next(&kept).unwrap().map(|(found, _)| found), Some(*leaf));
    }
    assert!(walk.next(&kept).unwrap().is_none());
    if let Some(root) = root {
        assert_eq!(root.node.entries, 3 * leaves.len() as u64);
    }
    root
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn parts_give_the_tree_of_the_whole(
        ranks in prop_oneof![
            prop::collection::vec(0u8..=rank::RANK_MAX, 0..60),
            prop::collection::vec(prop_oneof![6 => Just(1u8), 2 => Just(2), 1 => 3u8..=6, 1 => Just(0)], 0..200),
            prop::collection::vec(5u8..=6, 0..30),
        ],
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        assert_joins(&ranks, &cuts);
    }
}

#[test]
fn the_ceiling_cuts_parts_and_the_whole_alike() {
    // 4,947 references reach the ceiling.
    let full = super::rank::CEILING.div_ceil(Ref::LEN);
    for (len, seed) in
        [(full - 1, 0), (full, 0), (full + 1, 0), (2 * full, 1), (3 * full + 7, 2), (3 * full, 3)]
    {
        let mut ranks = vec![1; len];
        // A boundary here and there, and some at the very places where the ceiling cuts.
        match seed {
            1 => ranks[full - 1] = 2,
            2 => (ranks[0], ranks[full + 5], ranks[2 * full]) = (3, 2, 6),
            3 => ranks[2..].iter_mut().step_by(full / 2).for_each(|rank| *rank = 6),
            _ => {}
        }
        for cuts in [&[1][..], &[full, 2 * full], &[full / 2, full - 1, full + 1], &[7, 8, 9, full * 2 + 1]] {
            let root = assert_joins(&ranks, cuts).unwrap();
            assert_eq!(root.level > 1, len > full, "{len}");
        }
    }
}

#[test]
fn the_highest_ranks_make_the_highest_tree() {
    let ranks = vec![rank::RANK_MAX; 2 * 4947 + 1];
    let root = assert_joins(&ranks, &[5, 5000, 9000]).unwrap();
    assert_eq!(root.level, 7);
}

#[test]
fn sums_that_overflow_are_damage() {
    let mut kept = Kept::default();
    let huge = Ref { entries: u64::MAX, bytes: u64::MAX, ..leaf(0, 1) };
    let mut content = Vec::new();
    [huge, huge].iter().for_each(|item| item.encode(&mut content));
    let id = kept.put(Kind::Node { level: 1 }, &content).unwrap();
    for entries in [u64::MAX, u64::MAX - 1] {
        let node = Ref { id, items: 2, entries, bytes: u64::MAX, rank: 1 };
        let root = Some(Root { level: 1, node });
        assert_eq!(Walk::new(root).next(&kept).unwrap_err().code, Code::Damaged);
        let from = Walk::from_entry(root, entries - 1, &kept);
        assert_eq!(from.err().map(|e| e.code), Some(Code::Damaged));
    }
}

#[test]
fn a_tree_that_is_higher_than_any_is_refused() {
    for (level, fits) in [(0, true), (LEVEL_MAX, true), (LEVEL_MAX + 1, false), (255, false)] {
        let mut bytes = Vec::new();
        Root { level, node: leaf(0, 0) }.encode(&mut bytes);
        assert_eq!(Root::decode(&mut Cursor(&bytes)).is_some(), fits);
    }
}

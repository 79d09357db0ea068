//! Packs in which more is damaged than can be noted.

use super::{Repair, run};
use crate::Depth;
use crate::delta::Base;
use crate::id::{Id, Kind};
use crate::index::{self, Change};
use crate::pack::{self, Packer};
use crate::progress::Silent;
use crate::testing::MemoryVault;
use crate::testing::verify;

/// Three packs of three objects each, of which one is damaged; the same is in the first and, whole, in the third one.
fn riddled() -> (MemoryVault, Vec<Id>) {
    let vault = MemoryVault::default();
    crate::repository::prepare(&vault).unwrap();
    let mut packs = Vec::new();
    for contents in [[1u8, 2, 3], [4, 5, 6], [1, 8, 9]] {
        let mut packer = Packer::new(&vault, "x");
        for content in contents {
            packer.add(Kind::Blob, &[content; 9], None).unwrap();
        }
        packs.extend(packer.finish().unwrap().iter().map(|pack| pack.id));
    }
    for pack in &packs {
        index::update(&vault, Change { packs: vec![*pack], ..Change::default() }).unwrap();
    }
    for pack in &packs[..2] {
        let mut bytes = vault.get(&pack::path(*pack)).unwrap();
        bytes[60] ^= 1;
        vault.put(&pack::path(*pack), bytes);
    }
    (vault, packs)
}

#[test]
fn packs_with_more_damage_than_can_be_noted_are_written_again() {
    for bad_max in 0..3 {
        let (vault, packs) = riddled();
        let dry = run(&vault, Repair { dry_run: true }, bad_max, &Silent).unwrap();
        let repaired = run(&vault, Repair::default(), bad_max, &Silent).unwrap();
        assert_eq!(dry, repaired);
        assert!(!repaired.mended.is_empty() && (bad_max > 0 || repaired.mended.len() == 2), "{repaired:?}");
        let there = |pack: &Id| vault.get(&pack::path(*pack)).is_some();
        let stay = packs.iter().filter(|pack| there(pack)).count();
        assert_eq!(stay, 1 + bad_max, "{repaired:?}");
        let objects = crate::objects::Objects::open(&vault).unwrap();
        for content in [1u8, 2, 3, 5, 6, 8, 9] {
            let id = Kind::Blob.id_of(&[content; 9]);
            assert_eq!(objects.read(Kind::Blob, id).unwrap(), [content; 9]);
        }
        assert!(objects.find(&Kind::Blob.id_of(&[4; 9])).unwrap().is_none());
        let again = run(&vault, Repair::default(), bad_max, &Silent).unwrap();
        assert!(again.mended.is_empty(), "{again:?}");
        assert!(verify(&vault, None, Depth::Data, &Silent).unwrap().damage.is_empty());
    }
}

/// A leaf whose entries have these versions.
fn leaf(seed: u8, versions: [u8; 3]) -> Vec<u8> {
    let mut content = Vec::new();
    for n in 0..40u8 {
        let version = versions.get(n as usize / 2).copied().unwrap_or_default();
        let value = blake3::hash(&[seed, n, version]);
        content.extend_from_slice(&[[1, 0, 0, 0], [32, 0, 0, 0]].concat());
        content.push(n);
        content.extend_from_slice(value.as_bytes());
    }
    content
}

/// A content, and the one of which it is to be a delta, which has this depth.
type Content<'c> = (Vec<u8>, Option<(&'c Vec<u8>, u8)>);

/// What rests on an object at some depth rests on it in the place where it has the least one.
#[test]
fn an_index_that_is_made_again_names_the_place_with_the_least_depth() {
    const KIND: Kind = Kind::Node { level: 0 };
    for seed in 0..8 {
        let vault = MemoryVault::default();
        crate::repository::prepare(&vault).unwrap();
        let pack = |contents: &[Content<'_>]| {
            let mut packer = Packer::new(&vault, "x");
            for (content, base) in contents {
                let base = base.map(|(content, depth)| {
                    let id = KIND.id_of(content);
                    Base { kind: KIND, id, content: content.clone(), depth, full: None }
                });
                let before = packer.held(&KIND.id_of(content));
                packer.add(KIND, content, base.as_ref()).unwrap();
                let depth = base.map_or(0, |base| base.depth + 1);
                let held = packer.held(&KIND.id_of(content)).unwrap();
                assert!(before.is_none() && held.mark.depth() == depth);
            }
            packer.finish().unwrap();
        };
        let [full, one, two, x, y] =
            [[0; 3], [1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1]].map(|versions| leaf(seed, versions));
        // X has depth 1 here and depth 3 there, and what rests on it depth 2.
        pack(&[(full.clone(), None), (x.clone(), Some((&full, 0)))]);
        pack(&[(y.clone(), Some((&x, 1)))]);
        pack(&[
            (one.clone(), Some((&full, 0))),
            (two.clone(), Some((&one, 1))),
            (x.clone(), Some((&two, 2))),
        ]);
        run(&vault, Repair::default(), super::BAD_MAX, &Silent).unwrap();
        for content in [&full, &one, &two, &x, &y] {
            let objects = crate::objects::Objects::open(&vault).unwrap();
            assert_eq!(objects.read(KIND, KIND.id_of(content)).unwrap(), **content);
        }
    }
}

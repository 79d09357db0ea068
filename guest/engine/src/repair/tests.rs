//! Packs in which more is damaged than can be noted.

use super::{Repair, run};
use crate::id::{Id, Kind};
use crate::index::{self, Change};
use crate::pack::{self, Packer};
use crate::progress::Silent;
use crate::testing::MemoryVault;
use crate::verify::{Depth, verify};

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

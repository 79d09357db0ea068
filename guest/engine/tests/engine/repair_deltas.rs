//! `repair` where objects rest on others.

use strongroom_engine::testing::{MemoryVault, ModelStore, Tells, backup_with_deltas};
use strongroom_engine::{Depth, Repair, Silent, Vault};

use crate::common::{
    Random, assert_holds, files, job, one_table, prune_as_announced, restore, try_backup, verify,
};
use crate::repair::{content, deltas, repair_as_announced, wrong};

fn rows(changed: Option<u32>) -> ModelStore {
    let row = |n: u32| {
        let version = u64::from(changed == Some(n));
        (n.to_be_bytes().to_vec(), Random(u64::from(n) << 32 | version).bytes(150))
    };
    one_table((0..300).map(row).collect())
}

/// Eight snapshots: four have a leaf of their own, which is a delta of the one that the others have.
fn fan() -> (MemoryVault, Vec<(String, ModelStore)>) {
    let changed = [None, Some(150), None, Some(151), None, Some(152), None, Some(153)];
    let named = |(number, changed): (usize, &Option<u32>)| (format!("s{number}"), rows(*changed));
    (versions(&changed), changed.iter().enumerate().map(named).collect())
}

/// The entries of all packs: the pack, the id, where the object lies, and its mark.
fn entries(vault: &MemoryVault) -> Vec<(String, Vec<u8>, usize, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files(vault, "packs") {
        let pack = vault.get(&path).unwrap();
        let end = pack.len() - 16;
        let objects = u32::from_le_bytes(pack[end + 8..end + 12].try_into().unwrap()) as usize;
        for entry in pack[end - 48 * objects..end].chunks(48) {
            let offset = u32::from_le_bytes(entry[32..36].try_into().unwrap()) as usize;
            all.push((path.clone(), entry[..32].to_vec(), offset, entry[40..].to_vec()));
        }
    }
    all
}

/// The leaf on which so many deltas rest: the pack, and where in it.
fn leaf_below(vault: &MemoryVault, deltas: usize) -> (String, usize) {
    let all = entries(vault);
    let rest_on =
        |id: &[u8]| all.iter().filter(|entry| entry.3[7] > 0 && id.starts_with(&entry.3[..7])).count();
    let is_leaf = |path: &str, offset: usize| vault.get(path).unwrap()[offset + 4..offset + 6] == [1, 0];
    let found = all.iter().find(|(path, id, offset, _)| rest_on(id) == deltas && is_leaf(path, *offset));
    let (path, _, offset, _) = found.unwrap();
    (path.clone(), *offset)
}

fn rot(vault: &MemoryVault, (path, offset): &(String, usize)) {
    let mut pack = vault.get(path).unwrap();
    pack[offset + 60] ^= 8;
    vault.put(path, pack);
}

fn whole(vault: &MemoryVault) -> usize {
    let (there, _) = strongroom_engine::snapshots(vault).unwrap();
    let is_whole = |name: &str| {
        strongroom_engine::testing::verify(vault, Some(name), Depth::Data, &Silent).unwrap().damage.is_empty()
    };
    there.iter().filter(|snapshot| is_whole(&snapshot.name)).count()
}

#[test]
fn what_rests_on_something_rotten_is_lost_and_comes_back_with_it() {
    let (vault, snapshots) = fan();
    let sound = content(&vault);
    let at = leaf_below(&vault, 4);
    rot(&vault, &at);
    let repaired = repair_as_announced(&vault).unwrap();
    // The leaf, and four that are deltas of it.
    let leaves = repaired.lost.iter().filter(|lost| lost.what == "leaf").count();
    assert_eq!((repaired.snapshots, repaired.whole, leaves), (8, 0, 5), "{repaired:#?}");
    assert_eq!(repaired.lost.iter().filter(|lost| !lost.heals.is_empty()).count(), 1);
    let again = repair_as_announced(&vault).unwrap();
    assert!(again.mended.is_empty() && again.lost == repaired.lost, "{again:#?}");
    // A backup of the same makes the newest one whole, and with it no other.
    let healed = vault.deep_clone();
    try_backup(&healed, &snapshots[7].1, &job("next", 2)).unwrap();
    assert_holds(&healed, "next", &snapshots[7].1);
    assert_eq!(whole(&healed), 2);
    // One of what they rest on makes all of them whole.
    try_backup(&healed, &snapshots[0].1, &job("base", 2)).unwrap();
    snapshots.iter().for_each(|(name, store)| assert_holds(&healed, name, store));
    assert!(repair_as_announced(&healed).unwrap().is_whole());
    // And so does the pack, if it comes back as it was.
    vault.put(&at.0, sound[&at.0].clone());
    let repaired = repair_as_announced(&vault).unwrap();
    assert!(repaired.is_whole() && repaired.mended.len() == 1, "{repaired:#?}");
    assert!(verify(&vault).damage.is_empty());
    prune_as_announced(&vault, 0);
    snapshots.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
}

#[test]
fn a_second_copy_of_what_is_rotten_is_found_wherever_it_lies() {
    let apart = MemoryVault::default();
    try_backup(&apart, &rows(None), &job("apart", 1)).unwrap();
    let copy = files(&apart, "packs").remove(0);
    // As a pack that no index names, as one whose list is damaged as well, and as a file that should be another.
    for (place, with_list) in [(copy.as_str(), true), (copy.as_str(), false), ("snapshots/odd.json", true)] {
        let (vault, snapshots) = fan();
        rot(&vault, &leaf_below(&vault, 4));
        let mut pack = apart.get(&copy).unwrap();
        if !with_list {
            *pack.last_mut().unwrap() ^= 1;
        }
        vault.put(place, pack);
        let repaired = repair_as_announced(&vault).unwrap();
        assert!(repaired.lost.is_empty() && repaired.whole == 8, "{place}: {repaired:#?}");
        let again = strongroom_engine::repair(&vault, Repair::default(), &Silent).unwrap();
        assert!(again.mended.is_empty(), "{again:#?}");
        if place.starts_with("snapshots/") {
            vault.remove(place).unwrap();
        }
        assert!(verify(&vault).damage.is_empty());
        snapshots.iter().for_each(|(name, store)| assert!(restore(&vault, name).unwrap() == store.tables));
        prune_as_announced(&vault, 0);
        snapshots.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
    }
}

/// A repository whose snapshots each differ in one leaf, the others from the first one.
fn versions(changed: &[Option<u32>]) -> MemoryVault {
    let vault = MemoryVault::default();
    for (number, changed) in (0..).zip(changed) {
        let name = format!("s{number}");
        let job = strongroom_engine::Job { time: 1_700_000_000 + number, ..job(&name, 1) };
        backup_with_deltas(&vault, &rows(*changed), &job).unwrap();
    }
    vault
}

/// An index has one place for each object: it takes one from which the object comes back.
#[test]
fn a_delta_that_lost_its_base_does_not_stand_for_a_copy_that_comes_back() {
    // The same leaf is a delta of one leaf here, and of another there; one of these rots.
    let (here, there) = (versions(&[None, Some(150)]), versions(&[Some(151), Some(150)]));
    let bases = [&here, &there].map(|vault| leaf_below(vault, 1));
    for (rotten, base) in bases.iter().enumerate() {
        let vault = here.deep_clone();
        for path in files(&there, "packs") {
            vault.put(&path, there.get(&path).unwrap());
        }
        let marks = entries(&vault).into_iter().filter(|(.., mark)| mark[7] == 1).count();
        assert!(marks >= 2);
        rot(&vault, base);
        let repaired = repair_as_announced(&vault).unwrap();
        // The first snapshot needs the leaf that rots, or not.
        assert_eq!((repaired.snapshots, repaired.whole), (2, 1 + rotten as u32), "{repaired:#?}");
        assert_eq!(files(&vault, "index").len(), 1);
        assert_holds(&vault, "s1", &rows(Some(150)));
        assert!(repair_as_announced(&vault).unwrap().mended.is_empty());
    }
}

/// A place that stays will do for another only if what it rests on is not lost.
#[test]
fn what_is_stored_whole_in_a_broken_pack_is_copied_although_a_delta_of_it_stays() {
    let (vault, apart) = (versions(&[None, Some(150)]), MemoryVault::default());
    try_backup(&apart, &rows(Some(150)), &job("apart", 1)).unwrap();
    let copy = files(&apart, "packs").remove(0);
    rot(&vault, &leaf_below(&vault, 1));
    let mut pack = apart.get(&copy).unwrap();
    *pack.last_mut().unwrap() ^= 1;
    vault.put(&copy, pack);
    let repaired = repair_as_announced(&vault).unwrap();
    assert_eq!((repaired.snapshots, repaired.whole), (2, 1), "{repaired:#?}");
    assert_holds(&vault, "s1", &rows(Some(150)));
    assert!(repair_as_announced(&vault).unwrap().mended.is_empty());
}

/// Nothing of the parent is taken over unread after a loss, also where no index was left to tell of it.
#[test]
fn after_a_repair_with_a_loss_the_next_backup_scans() {
    let vault = MemoryVault::default();
    let mut store = rows(None);
    store.tells = Some(Tells { run: 5, ..Tells::default() });
    try_backup(&vault, &store, &job("before", 1)).unwrap();
    let (path, mut pack) = entries(&vault)
        .into_iter()
        .map(|(path, _, offset, _)| (offset, vault.get(&path).unwrap(), path))
        .find(|(offset, pack, _)| pack[offset + 4..offset + 6] == [1, 0])
        .map(|(offset, mut pack, path)| {
            pack[offset + 60] ^= 8;
            (path, pack)
        })
        .unwrap();
    *pack.last_mut().unwrap() ^= 1;
    vault.put(&path, pack);
    vault
        .paths()
        .iter()
        .filter(|path| path.starts_with("index/"))
        .for_each(|path| vault.remove(path).unwrap());
    let repaired = repair_as_announced(&vault).unwrap();
    assert_eq!((repaired.lost.len(), &repaired.lost[0].heals[..]), (1, &["test".to_owned()][..]));
    try_backup(&vault, &store, &job("after", 1)).unwrap();
    ["before", "after"].iter().for_each(|name| assert_holds(&vault, name, &store));
}

#[test]
fn a_loss_that_no_file_tells_of_is_told_of_once() {
    let vault = MemoryVault::default();
    let mut store = rows(None);
    store.tells = Some(Tells { run: 5, ..Tells::default() });
    try_backup(&vault, &store, &job("before", 1)).unwrap();
    for path in vault.paths().iter().filter(|path| path.starts_with("packs/") || path.starts_with("index/")) {
        vault.remove(path).unwrap();
    }
    let repaired = repair_as_announced(&vault).unwrap();
    assert!(!repaired.lost.is_empty() && !repaired.mended.is_empty(), "{repaired:?}");
    let mut changed = rows(Some(153));
    changed.tells = Some(Tells { run: 5, ..Tells::default() });
    try_backup(&vault, &changed, &job("after", 2)).unwrap();
    assert_holds(&vault, "after", &changed);
    let again = repair_as_announced(&vault).unwrap();
    assert!(!again.lost.is_empty() && again.mended.is_empty(), "{again:?}");
}

/// Its checksum is right, but it does not make what its id says.
#[test]
fn a_delta_that_makes_something_else_counts_as_absent() {
    let (whole, snapshots) = fan();
    let apart = MemoryVault::default();
    try_backup(&apart, &rows(Some(153)), &job("apart", 1)).unwrap();
    let copy = files(&apart, "packs").remove(0);
    // The leaf of the newest snapshot: in the pack that was written for it, and with its list damaged as well.
    let pack =
        files(&whole, "packs").into_iter().filter(|path| !deltas(&whole.get(path).unwrap()).is_empty());
    let own = |path: &String| {
        let vault = whole.deep_clone();
        vault.remove(path).unwrap();
        restore(&vault, "s7").is_err() && restore(&vault, "s5").is_ok()
    };
    let path = pack.into_iter().find(own).unwrap();
    for broken_list in [false, true] {
        for copies in [false, true] {
            let vault = whole.deep_clone();
            let mut bytes = whole.get(&path).unwrap();
            let leaf = deltas(&bytes).into_iter().find(|at| bytes[at + 4..at + 6] == [1, 0]).unwrap();
            wrong(&mut bytes, leaf);
            if broken_list {
                *bytes.last_mut().unwrap() ^= 1;
            }
            vault.put(&path, bytes);
            assert!(restore(&vault, "s7").is_err());
            if copies {
                vault.put(&copy, apart.get(&copy).unwrap());
            }
            let repaired = repair_as_announced(&vault).unwrap();
            assert_eq!(repaired.whole, if copies { 8 } else { 7 }, "{repaired:#?}");
            assert!(!repaired.mended.is_empty());
            let again = repair_as_announced(&vault).unwrap();
            assert!(again.mended.is_empty() && again.whole == repaired.whole, "{again:#?}");
            try_backup(&vault, &snapshots[7].1, &job("next", 1)).unwrap();
            snapshots
                .iter()
                .for_each(|(name, store)| assert!(restore(&vault, name).unwrap() == store.tables));
            assert!(repair_as_announced(&vault).unwrap().is_whole());
            prune_as_announced(&vault, 0);
            assert!(verify(&vault).damage.is_empty());
            snapshots.iter().for_each(|(name, store)| assert_holds(&vault, name, store));
        }
    }
}

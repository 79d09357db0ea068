//! A share of the data, another one every day.

use strongroom_engine::testing::{MemoryVault, ModelStore};
use strongroom_engine::{Depth, Silent};

use crate::common::{Random, backup, files, plain};

fn verified(vault: &MemoryVault, permille: u32, day: u64) -> strongroom_engine::Verified {
    strongroom_engine::testing::verify(vault, None, Depth::Sample(permille, day), &Silent).unwrap()
}

/// Leaves and pieces, of which only a share is read.
fn repository() -> MemoryVault {
    let mut random = Random(3);
    let rows = (0..400u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(900))).collect();
    let large = vec![(b"large".to_vec(), Random(4).bytes(700_000))];
    let vault = MemoryVault::default();
    backup(&vault, &ModelStore::new([("rows", plain(rows)), ("large", plain(large))]), "one", 1);
    vault
}

#[test]
fn whatever_is_damaged_is_found_within_one_turn() {
    let vault = repository();
    let packs = files(&vault, "packs").into_iter();
    let pack = packs.max_by_key(|path| vault.get(path).unwrap().len()).unwrap();
    let whole = vault.get(&pack).unwrap();
    let objects = (0..whole.len()).filter(|at| whole[*at..].starts_with(b"SRo1"));
    let objects: Vec<usize> = objects.collect();
    assert!(objects.len() > 20, "{}", objects.len());
    for (number, at) in objects.into_iter().enumerate() {
        let mut damaged = whole.clone();
        damaged[at + 60] ^= 1;
        vault.put(&pack, damaged);
        for permille in [50, 70, 333] {
            // From any day on.
            let first = 20_000 + 37 * number as u64;
            let days = u64::from(1000u32.div_ceil(permille));
            let found = |day| !verified(&vault, permille, day).damage.is_empty();
            assert!((first..first + days).any(found), "object at {at}, {permille} thousandths");
        }
    }
}

#[test]
fn a_turn_reads_everything_once_and_each_day_a_share() {
    let vault = repository();
    let read = |permille, day| verified(&vault, permille, day).bytes;
    let always = read(0, 0);
    let all = strongroom_engine::testing::verify(&vault, None, Depth::Data, &Silent).unwrap().bytes;
    for permille in [50, 100, 250] {
        for first in [0, 777, 19_999] {
            let days = u64::from(1000 / permille);
            let once: u64 = (first..first + days).map(|day| read(permille, day) - always).sum();
            assert_eq!(once, all - always, "{permille} thousandths from day {first} on");
        }
    }
    assert_eq!(read(1000, 5), all);
    assert!(always < all / 10);
}

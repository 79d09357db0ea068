//! How content is stored is of no account for what it is.

use strongroom_engine::testing::MemoryVault;
use strongroom_engine::{Compression, Job};

use crate::common::{Random, assert_holds, backup, job, one_table, try_backup};

/// Entries whose values shrink to a small part.
fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = Random(1);
    (0u32..4000).map(|n| (n.to_be_bytes().to_vec(), vec![random.next() as u8; 200])).collect()
}

fn stored_as(compression: Compression, name: &str) -> Job {
    Job { compression, ..job(name, 2) }
}

#[test]
fn a_snapshot_without_compression_is_the_same_one_in_more_bytes() {
    let store = one_table(entries());
    let (small, large) = (MemoryVault::default(), MemoryVault::default());
    let compressed = try_backup(&small, &store, &stored_as(Compression::Snappy, "a")).unwrap();
    let as_it_is = try_backup(&large, &store, &stored_as(Compression::None, "a")).unwrap();
    assert_eq!(compressed.id, as_it_is.id);
    assert!(as_it_is.bytes_added >= as_it_is.bytes, "{as_it_is:?}");
    assert!(compressed.bytes_added < as_it_is.bytes_added / 4, "{compressed:?}");
    assert_holds(&small, "a", &store);
    assert_holds(&large, "a", &store);
}

#[test]
fn what_is_there_already_serves_a_backup_with_another_compression() {
    for (first, second) in
        [(Compression::None, Compression::Snappy), (Compression::Snappy, Compression::None)]
    {
        let mut entries = entries();
        let vault = MemoryVault::default();
        let before = try_backup(&vault, &one_table(entries.clone()), &stored_as(first, "a")).unwrap();
        entries[1000].1 = vec![7; 90];
        let store = one_table(entries);
        let after = try_backup(&vault, &store, &stored_as(second, "b")).unwrap();
        assert!(after.bytes_added < before.bytes_added.min(before.bytes / 8), "{after:?}");
        assert_eq!(after.id, backup(&MemoryVault::default(), &store, "b", 1).id);
        assert_holds(&vault, "b", &store);
    }
}

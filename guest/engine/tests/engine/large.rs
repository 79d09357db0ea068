//! Keys and values of any size, cut anywhere.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};

use crate::common::{Entries, Random, assert_holds, backup, one_table};

/// What a key or a value has at most before it lies in blobs.
const PIECE: usize = 256 << 10;

const SIZES: [usize; 8] = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17, 4 * PIECE];

fn bytes(len: usize, salt: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 64 + i * 7 + salt * 31) as u8).collect()
}

fn sized() -> Entries {
    let mut entries: Entries =
        SIZES.iter().enumerate().map(|(n, len)| (vec![n as u8], bytes(*len, n))).collect();
    entries.extend(SIZES.iter().enumerate().map(|(n, len)| (bytes(*len, n + 1), vec![n as u8; 3])));
    for (n, len) in [(1, PIECE), (2, PIECE + 1), (3, 2 * PIECE + 5)] {
        entries.push((bytes(len, n), bytes(len, n + 9)));
    }
    entries.push((b"small".to_vec(), b"and last".to_vec()));
    entries
}

#[test]
fn every_size_comes_back_however_it_is_cut() {
    let entries = sized();
    let mut ids = Vec::new();
    for (read_max, parts) in [(0, 1), (PIECE - 1, 1), (PIECE, 2), (PIECE + 1, 30), (65_537, 3), (509, 7)] {
        let mut store = ModelStore::new([
            ("pairs", ModelTable { multimap: true, entries: entries.clone() }),
            ("plain", ModelTable { multimap: false, entries: entries.clone() }),
        ]);
        store.read_max = read_max;
        let vault = MemoryVault::default();
        ids.push(backup(&vault, &store, "x", parts).id);
        if ids.len() < 3 {
            assert_holds(&vault, "x", &store);
        }
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let entries = vec![
        (Vec::new(), Vec::new()),
        (vec![1; 5], vec![2; 700]),
        (vec![3], bytes(PIECE + 1, 1)),
        (bytes(PIECE + 3, 2), Vec::new()),
        (vec![4], Vec::new()),
    ];
    let mut store = one_table(entries);
    let whole = backup(&MemoryVault::default(), &store, "x", 1);
    for parts in [1, 5] {
        store.read_max = 1;
        let vault = MemoryVault::default();
        assert_eq!(backup(&vault, &store, "x", parts).id, whole.id);
        store.read_max = 0;
        assert_holds(&vault, "x", &store);
    }
}

#[test]
fn equal_pieces_are_stored_once() {
    let vault = MemoryVault::default();
    let random = Random(5).bytes(PIECE);
    let store = one_table((0u8..20).map(|n| (vec![n], random.repeat(3))).collect());
    let snapshot = backup(&vault, &store, "x", 1);
    assert_eq!(snapshot.bytes, 20 + 60 * PIECE as u64);
    assert!(snapshot.bytes_added < 2 * PIECE as u64, "{}", snapshot.bytes_added);
    assert_holds(&vault, "x", &store);
}

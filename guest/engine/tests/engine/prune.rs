//! `prune` frees what no snapshot needs, tells how much to the byte, and keeps the rest.

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, RestoringSink};
use strongroom_engine::{Bytes, Code, Folding, Job, Level, Progress, Prune, Silent, Sink, Store, Vault};

use crate::common::{
    Random, assert_holds, backup, bytes_of_history, copy_all, files, forget, job, one_table, plain, prune,
    prune_as_announced, restore, stored, try_backup, verify,
};

/// Rows that are nearly all the same for every seed, a table of a seed's own, and large values.
fn store(seed: u64) -> ModelStore {
    let (mut same, mut random) = (Random(1), Random(1000 + seed));
    let mut rows: Vec<_> = (0..3000u32).map(|n| (n.to_be_bytes().to_vec(), same.bytes(200))).collect();
    for _ in 0..10 {
        let at = random.below(rows.len());
        rows[at].1 = random.bytes(150);
    }
    let mut store = one_table(rows);
    let own = (0..400u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(200))).collect();
    store.tables.insert("own".into(), plain(own));
    let large = vec![(b"own".to_vec(), random.bytes(600_000)), (b"same".to_vec(), same.bytes(600_000))];
    store.tables.insert("pieces".into(), ModelTable { multimap: true, entries: large });
    store
}

fn bytes_below(vault: &MemoryVault, dir: &str) -> u64 {
    files(vault, dir).iter().map(|path| vault.get(path).unwrap().len() as u64).sum()
}

/// All bytes but those of snapshot files, whose names differ, and of what index files say that they replaced.
fn bytes_of_data(vault: &MemoryVault) -> u64 {
    bytes_below(vault, "packs") + bytes_below(vault, "index") - bytes_of_history(vault)
}

#[test]
fn what_is_left_is_what_a_fresh_repository_of_the_same_snapshots_has() {
    let vault = MemoryVault::default();
    for n in 0..8 {
        backup(&vault, &store(n), &n.to_string(), 1 + n as u32 % 3);
    }
    forget(&vault, &["0", "1", "2", "4", "5", "7"]);
    let pruned = prune_as_announced(&vault, 0);
    assert_eq!((pruned.snapshots, pruned.bytes_unused), (2, 0));
    assert!(pruned.bytes_freed > 6 * 600_000, "{pruned:?}");

    let fresh = MemoryVault::default();
    for n in [3, 6] {
        backup(&fresh, &store(n), &n.to_string(), 1);
    }
    prune(&fresh, 0);
    assert_eq!(stored(&vault), stored(&fresh));
    assert_eq!(bytes_of_data(&vault), bytes_of_data(&fresh));
    for n in [3, 6] {
        assert_holds(&vault, &n.to_string(), &store(n));
    }
    // What is backed up next builds on what is left.
    assert_eq!(backup(&vault, &store(3), "again", 2).bytes_added, 0);
    assert!(backup(&vault, &store(0), "new", 2).bytes_added > 600_000);
    assert_holds(&vault, "new", &store(0));
}

#[test]
fn a_second_prune_finds_nothing_to_do() {
    let vault = MemoryVault::default();
    for n in 0..4 {
        backup(&vault, &store(n), &n.to_string(), 2);
    }
    forget(&vault, &["2"]);
    prune(&vault, 50);
    let state: Vec<_> = vault.paths().into_iter().map(|path| (vault.get(&path), path)).collect();
    let again = prune_as_announced(&vault, 50);
    assert_eq!(
        (again.bytes_freed, again.bytes_moved, again.packs_removed, again.packs_written),
        (0, 0, 0, 0)
    );
    assert!(state == vault.paths().into_iter().map(|path| (vault.get(&path), path)).collect::<Vec<_>>());
}

#[test]
fn many_small_packs_become_one() {
    let vault = MemoryVault::default();
    for n in 0..40u32 {
        let folding = Folding { files: 0, ..Folding::default() };
        let job = Job { folding, ..job(&n.to_string(), 1) };
        try_backup(&vault, &one_table(vec![(vec![n as u8], vec![n as u8; 500])]), &job).unwrap();
    }
    assert_eq!(files(&vault, "packs").len(), 80);
    let objects = stored(&vault).len() as u64;
    let pruned = prune_as_announced(&vault, 1000);
    assert_eq!((pruned.packs_removed, pruned.packs_written, pruned.objects_removed), (80, 1, 0));
    assert_eq!(pruned.objects_moved, objects);
    assert_eq!((files(&vault, "packs").len(), files(&vault, "index").len()), (1, 1));
    assert!(verify(&vault).damage.is_empty());
}

/// A repository with packs that are not small, so that what becomes of them depends on the waste in them alone: of the
/// first snapshot's rows the second has this share, in thousandths.
fn of_large_packs(shared: usize) -> (MemoryVault, ModelStore) {
    let mut random = Random(5);
    let rows: Vec<_> = (0..1300u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(20_000))).collect();
    let vault = MemoryVault::default();
    backup(&vault, &one_table(rows.clone()), "whole", 1);
    let shared = one_table(rows[..1300 * shared / 1000].to_vec());
    backup(&vault, &shared, "part", 1);
    forget(&vault, &["whole"]);
    (vault, shared)
}

#[test]
fn a_pack_is_rewritten_if_more_of_it_is_unused_than_allowed() {
    // Nearly a tenth is unused.
    for (max_unused, rewritten) in [(1000, false), (105, false), (80, true), (0, true)] {
        let (vault, store) = of_large_packs(905);
        let largest = |vault: &MemoryVault| {
            files(vault, "packs").into_iter().max_by_key(|path| vault.get(path).unwrap().len()).unwrap()
        };
        let before = largest(&vault);
        let pruned = prune_as_announced(&vault, max_unused);
        assert_eq!(largest(&vault) != before, rewritten, "{max_unused}");
        if rewritten {
            assert_eq!(pruned.bytes_unused, 0);
            assert!(pruned.bytes_freed > 2_000_000, "{pruned:?}");
        } else {
            assert!((2_000_000..3_000_000).contains(&pruned.bytes_unused), "{pruned:?}");
            assert!(pruned.bytes_moved < 100_000, "{pruned:?}");
        }
        assert_holds(&vault, "part", &store);
        assert_eq!(prune_as_announced(&vault, max_unused).bytes_freed, 0);
    }
    let (vault, _) = of_large_packs(905);
    let wrong = strongroom_engine::prune(
        &vault,
        Prune { max_unused: 1001, dry_run: false, allow_empty: true },
        &Silent,
    );
    assert_eq!(wrong.unwrap_err().code, Code::Invalid);
}

#[test]
fn without_snapshots_nothing_is_left() {
    let vault = MemoryVault::default();
    backup(&vault, &store(1), "x", 3);
    forget(&vault, &["x"]);
    prune_as_announced(&vault, 50);
    assert_eq!(vault.paths(), ["repository.json"]);
    assert_eq!(backup(&vault, &store(1), "y", 1).seq, 1);
    assert_holds(&vault, "y", &store(1));
}

#[test]
fn what_runs_left_that_did_not_end_is_removed() {
    let vault = MemoryVault::default();
    backup(&vault, &store(1), "x", 1);
    prune(&vault, 0);
    let clean = vault.paths();
    let plan = strongroom_engine::prepare(&vault, &store(2), &job("lost", 3), &Silent).unwrap();
    copy_all(&vault, &store(2), &plan).unwrap();
    for path in ["tmp-repository", "packs/tmp-0-0", "index/tmp-index", "snapshots/tmp-lost.json"] {
        vault.put(path, vec![7; 1000]);
    }
    vault.put(&format!("packs/{}", "ab".repeat(32)), vec![1; 3000]);
    let pruned = prune_as_announced(&vault, 1000);
    assert!(pruned.bytes_freed > 600_000, "{pruned:?}");
    assert_eq!(vault.paths(), clean);
    assert_holds(&vault, "x", &store(1));
}

#[test]
fn sources_that_share_data_do_not_lose_it_to_each_other() {
    let vault = MemoryVault::default();
    let mut other = job("theirs", 1);
    other.source = "other".into();
    backup(&vault, &store(1), "ours", 1);
    crate::common::try_backup(&vault, &store(2), &other).unwrap();
    forget(&vault, &["ours"]);
    prune(&vault, 0);
    assert_holds(&vault, "theirs", &store(2));
}

#[test]
fn an_index_that_is_lost_or_damaged_costs_nothing() {
    for damage in 0..3 {
        let vault = MemoryVault::default();
        for n in 0..3 {
            backup(&vault, &store(n), &n.to_string(), 2);
        }
        forget(&vault, &["1"]);
        for (at, path) in files(&vault, "index").into_iter().enumerate() {
            let mut file = vault.get(&path).unwrap();
            match damage {
                0 => vault.remove(&path).unwrap(),
                1 if at == 0 => vault.put(&path, vec![3; 70]),
                1 => {}
                _ => {
                    let middle = file.len() / 2;
                    file[middle] ^= 1;
                    vault.put(&path, file);
                }
            }
        }
        prune_as_announced(&vault, 0);
        let verified = verify(&vault);
        assert!(verified.damage.is_empty(), "{:?}", verified.damage);
        for n in [0, 2] {
            assert_holds(&vault, &n.to_string(), &store(n));
        }
        let fresh = MemoryVault::default();
        for n in [0, 2] {
            backup(&fresh, &store(n), &n.to_string(), 1);
        }
        assert_eq!(stored(&vault), {
            prune(&fresh, 0);
            stored(&fresh)
        });
    }
}

fn refused(vault: &MemoryVault) -> strongroom_engine::Error {
    let paths: Vec<_> = vault.paths().into_iter().filter(|path| !path.starts_with("index/")).collect();
    for dry_run in [true, false] {
        let refused =
            strongroom_engine::prune(vault, Prune { max_unused: 0, dry_run, allow_empty: true }, &Silent)
                .unwrap_err();
        assert!(refused.message.contains("nothing was removed"), "{refused}");
        if !dry_run {
            let left: Vec<_> = vault.paths().into_iter().filter(|path| !path.starts_with("index/")).collect();
            assert_eq!(left, paths);
            return refused;
        }
    }
    unreachable!("the second one returned")
}

#[test]
fn a_snapshot_that_cannot_be_read_stops_it() {
    let vault = MemoryVault::default();
    for n in 0..3 {
        backup(&vault, &store(n), &n.to_string(), 1);
    }
    forget(&vault, &["0"]);
    let good = vault.get("snapshots/1.json").unwrap();
    let newer = String::from_utf8(good.clone()).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    let checksum = newer.split_once("\",").unwrap().1;
    let newer = format!("{{\"checksum\":\"{}\",{checksum}", blake3::hash(checksum.as_bytes()).to_hex());
    for (wrong, code) in [(good[..200].to_vec(), Code::Damaged), (newer.into_bytes(), Code::NewerFormat)] {
        vault.put("snapshots/1.json", wrong);
        let refused = refused(&vault);
        assert_eq!(refused.code, code);
        assert!(refused.message.contains("snapshots/1.json"), "{refused}");
        assert!(refused.message.contains("forget"), "{refused}");
    }
    vault.put("snapshots/1.json", good);
    prune(&vault, 0);
    assert_holds(&vault, "1", &store(1));
}

#[test]
fn a_pack_that_is_missing_stops_it_if_a_snapshot_needs_it() {
    let whole = MemoryVault::default();
    for n in 0..3 {
        backup(&whole, &store(n), &n.to_string(), 1);
    }
    forget(&whole, &["0"]);
    let mut stopped = 0;
    for path in files(&whole, "packs") {
        let vault = whole.deep_clone();
        vault.remove(&path).unwrap();
        if verify(&vault).damage.is_empty() {
            prune_as_announced(&vault, 0);
            assert!(verify(&vault).damage.is_empty());
            continue;
        }
        stopped += 1;
        let refused = refused(&vault);
        assert_eq!(refused.code, Code::Damaged);
        assert!(refused.message.contains("snapshot \""), "{refused}");
        // What the database still holds is written again; what it does not is forgotten.
        backup(&vault, &store(1), "again", 1);
        backup(&vault, &store(2), "and again", 1);
        prune(&vault, 0);
        for (name, n) in [("1", 1), ("2", 2), ("again", 1)] {
            assert_holds(&vault, name, &store(n));
        }
    }
    assert!(stopped > 2, "{stopped}");
}

#[test]
fn a_reader_that_was_there_before_reads_on() {
    let vault = MemoryVault::default();
    for n in 0..12 {
        backup(&vault, &store(n), &n.to_string(), 3);
    }
    let opened = strongroom_engine::open(&vault, "10").unwrap();
    let first_only = strongroom_engine::open(&vault, "9").unwrap();
    let mut readers: Vec<_> = store(10)
        .tables
        .keys()
        .map(|name| (name.clone(), opened.entries(name, 0, u64::MAX).unwrap()))
        .collect();
    let mut read: Vec<Vec<u8>> = readers.iter_mut().map(|(_, entries)| entries.read(5000).unwrap()).collect();
    for gone in [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"]] {
        forget(&vault, &gone);
        prune(&vault, 0);
        for ((_, entries), read) in readers.iter_mut().zip(&mut read) {
            read.extend(entries.read(40_000).unwrap());
        }
    }
    for ((name, entries), mut read) in readers.into_iter().zip(read) {
        let mut entries = entries;
        loop {
            let more = entries.read(1 << 20).unwrap();
            if more.is_empty() {
                break;
            }
            read.extend(more);
        }
        let mut expected = Vec::new();
        let model = store(10);
        let mut all = model.scan(&name, None, None).unwrap();
        loop {
            let more = all.read(1 << 20).unwrap();
            if more.is_empty() {
                break;
            }
            expected.extend(more);
        }
        assert!(read == expected, "{name}");
    }
    assert_eq!(first_only.tables().len(), 3);
    assert!(restore(&vault, "9").unwrap() == store(9).tables);
}

#[test]
fn a_snapshot_that_is_forgotten_and_pruned_while_it_is_restored_is_not_called_damaged() {
    struct ForgetsAtOnce<'a>(&'a MemoryVault);
    impl Progress for ForgetsAtOnce<'_> {
        fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
            if self.0.get("snapshots/x.json").is_some() {
                forget(self.0, &["x"]);
                prune(self.0, 0);
            }
            true
        }
        fn log(&self, _level: Level, _message: &str) {}
    }
    let vault = MemoryVault::default();
    backup(&vault, &one_table(Vec::new()), "y", 1);
    backup(&vault, &store(1), "x", 30);
    let mut restored = Default::default();
    let sink = Box::new(RestoringSink::new(&mut restored)) as Box<dyn Sink>;
    let ended =
        strongroom_engine::restore(&vault, "x", None, false, &ForgetsAtOnce(&vault), move |_| Ok(sink))
            .unwrap_err();
    assert_eq!(ended.code, Code::NotFound);
    assert!(ended.message.contains("\"x\" was forgotten"), "{ended}");
}

#[test]
fn a_directory_that_is_no_repository_is_not_pruned() {
    let vault = MemoryVault::default();
    let refused =
        strongroom_engine::prune(&vault, Prune { max_unused: 0, dry_run: false, allow_empty: true }, &Silent);
    assert_eq!(refused.unwrap_err().code, Code::NoRepository);
    assert!(vault.paths().is_empty());
}

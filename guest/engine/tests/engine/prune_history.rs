//! Whatever was backed up, forgotten and pruned in whatever order: what is left restores, and the figures are true.

use std::collections::BTreeMap;

use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable};
use strongroom_engine::{Silent, Vault};

use crate::common::{
    Random, assert_holds, copy_all, files, forget, job, one_table, plain, prune, prune_as_announced, stored,
    try_backup, verify,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn edit(rows: &mut Rows, random: &mut Random) {
    for _ in 0..random.below(40) {
        let key = random.bytes(2);
        let len = if random.below(30) == 0 { 262_000 + random.below(300_000) } else { random.below(900) };
        rows.insert(key, random.bytes(len));
    }
    let keep = random.below(12) as u8;
    rows.retain(|key, _| key[0] % 12 != keep);
}

fn store(rows: &Rows) -> ModelStore {
    let mut store = one_table(rows.clone().into_iter().collect());
    let pairs = rows.iter().map(|(key, value)| (key[..1].to_vec(), value[..value.len().min(30)].to_vec()));
    store.tables.insert("pairs".into(), ModelTable { multimap: true, entries: pairs.collect() });
    store
        .tables
        .insert("same".into(), plain((0..200u32).map(|n| (n.to_be_bytes().to_vec(), vec![7; 90])).collect()));
    store
}

/// The same snapshots in a fresh repository, with nothing else.
fn fresh(snapshots: &BTreeMap<String, ModelStore>) -> MemoryVault {
    let vault = MemoryVault::default();
    for (name, store) in snapshots {
        try_backup(&vault, store, &job(name, 1)).unwrap();
    }
    prune(&vault, 0);
    vault
}

#[test]
fn after_any_history_what_is_left_is_whole_and_the_figures_are_true() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let vault = MemoryVault::default();
        let mut sources = [Rows::new(), Rows::new()];
        sources.iter_mut().for_each(|rows| (0..20).for_each(|_| edit(rows, &mut random)));
        let mut there: BTreeMap<String, ModelStore> = BTreeMap::new();
        for step in 0..40 {
            let source = random.below(2);
            match random.below(10) {
                0..5 => {
                    edit(&mut sources[source], &mut random);
                    let (name, store) = (step.to_string(), store(&sources[source]));
                    let mut job = job(&name, 1 + random.below(6) as u32);
                    job.source = source.to_string();
                    job.time += step;
                    try_backup(&vault, &store, &job).unwrap();
                    there.insert(name, store);
                }
                5 => {
                    edit(&mut sources[source], &mut random);
                    let store = store(&sources[source]);
                    let plan = strongroom_engine::prepare(&vault, &store, &job("lost", 4), &Silent).unwrap();
                    copy_all(&vault, &store, &plan).unwrap();
                }
                6 => {
                    let gone: Vec<String> = there.keys().filter(|_| random.below(3) == 0).cloned().collect();
                    gone.iter().for_each(|name| drop(there.remove(name)));
                    if !gone.is_empty() {
                        forget(&vault, &gone.iter().map(String::as_str).collect::<Vec<_>>());
                    }
                }
                7 if random.below(3) == 0 => {
                    files(&vault, "index").iter().for_each(|path| vault.remove(path).unwrap());
                }
                _ if vault.get("repository.json").is_some() => {
                    let max_unused = [0, 50, 300, 1000][random.below(4)];
                    let pruned = prune_as_announced(&vault, max_unused);
                    let packs: u64 =
                        files(&vault, "packs").iter().map(|path| vault.get(path).unwrap().len() as u64).sum();
                    assert!(pruned.bytes_unused * 1000 <= packs * u64::from(max_unused), "{seed}, {step}");
                    assert_eq!(pruned.snapshots as usize, there.len());
                    let small = |path: &String| vault.get(path).unwrap().len() < 16 << 20;
                    assert!(files(&vault, "packs").iter().filter(|path| small(path)).count() < 2);
                    assert!(files(&vault, "index").len() < 2);
                    for (name, store) in &there {
                        assert_holds(&vault, name, store);
                    }
                }
                _ => {}
            }
        }
        let pruned = prune_as_announced(&vault, 0);
        assert_eq!(pruned.bytes_unused, 0);
        assert_eq!(prune_as_announced(&vault, 0).bytes_freed, 0);
        assert!(verify(&vault).damage.is_empty());
        let (ours, theirs) = (stored(&vault), stored(&fresh(&there)));
        assert!(ours == theirs, "seed {seed}: {} objects instead of {}", ours.len(), theirs.len());
    }
}

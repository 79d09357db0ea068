//! Index files that are gone, with the packs that only they named or without: the next backup notices, and heals what the
//! database still holds.

use std::cell::RefCell;
use std::collections::BTreeSet;

use strongroom_engine::testing::{MemoryVault, ModelStore, Tells};
use strongroom_engine::{Code, Folding, Job, Level, Progress, Prune, Result, Silent, Snapshot, Vault};

use crate::common::{assert_holds, copy_all, files, forget, job, one_table, plain, prune, restore, verify};

/// A row changes with each version; another table never does.
fn store(version: u32) -> ModelStore {
    let row = |n: u32| {
        let new = if n % 400 == version { version } else { 0 };
        (n.to_be_bytes().to_vec(), (n.wrapping_mul(0x9e37_79b9) ^ new).to_le_bytes().repeat(20))
    };
    let mut store = one_table((0..2_000).map(row).collect());
    store.tables.insert("same".into(), plain((0..300).map(row).collect()));
    let large = vec![(b"k".to_vec(), vec![7; 300_000])];
    store.tables.insert("large".into(), plain(large));
    store.tells = Some(Tells { run: 25, ..Tells::default() });
    store
}

#[derive(Default)]
struct Said(RefCell<Vec<String>>);

impl Progress for Said {
    fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
        true
    }
    fn log(&self, _level: Level, message: &str) {
        self.0.borrow_mut().push(message.to_owned());
    }
}

/// A backup, and whether it looked for a loss.
fn try_backup(vault: &MemoryVault, store: &ModelStore, job: &Job) -> Result<(Snapshot, bool)> {
    let said = Said::default();
    let plan = strongroom_engine::prepare(vault, store, job, &said)?;
    let receipts = copy_all(vault, store, &plan)?;
    let draft = strongroom_engine::seal(vault, store, &plan.state, &receipts, &Silent)?;
    let looked = said.0.borrow().iter().any(|said| said.contains("structure of the parent"));
    Ok((strongroom_engine::publish(vault, &draft.state)?, looked))
}

fn job_of(name: &str, source: &str, fold: u32) -> Job {
    let folding = Folding { files: fold, ..Folding::default() };
    Job { source: source.into(), folding, ..job(name, 1) }
}

fn changes(snapshot: &Snapshot) -> &str {
    snapshot.labels.iter().find(|(name, _)| name == "changes").map_or("", |(_, value)| value)
}

/// The packs that an index file names, as FORMAT.md has it.
fn packs_of(vault: &MemoryVault, index: &str) -> BTreeSet<String> {
    let file = vault.get(index).unwrap();
    let count = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    let packs = file[24..24 + 44 * count].chunks(44);
    packs.map(|pack| pack[..32].iter().map(|byte| format!("{byte:02x}")).collect::<String>()).collect()
}

/// Takes an index file away, and with it the packs that no other one names.
fn lose(vault: &MemoryVault, index: &str, with_packs: bool) {
    let others = files(vault, "index").into_iter().filter(|other| other != index);
    let kept: BTreeSet<String> = others.flat_map(|other| packs_of(vault, &other)).collect();
    let only = packs_of(vault, index);
    vault.remove(index).unwrap();
    for pack in only.difference(&kept).filter(|_| with_packs) {
        vault.remove(&format!("packs/{pack}")).unwrap();
    }
}

/// What comes between the loss and the backup that must notice it.
const BETWEEN: [&str; 5] = ["nothing", "a change", "a backup of another source", "a forget", "a prune"];

/// Whatever index file goes with the packs that only it named, after however many increments: the next backup restores, and
/// so does every later one.
#[test]
fn an_index_file_gone_with_its_packs_is_noticed_by_the_next_backup() {
    let (mut lost, mut healed) = (0, 0);
    for fold in [0, 3] {
        let vault = MemoryVault::default();
        for version in 1..=7 {
            try_backup(&vault, &store(version), &job_of(&version.to_string(), "a", fold)).unwrap();
            if version == 4 {
                let other = one_table(vec![(b"k".to_vec(), b"v".to_vec())]);
                try_backup(&vault, &other, &job_of("other", "b", fold)).unwrap();
            }
            for index in files(&vault, "index") {
                for between in BETWEEN {
                    let vault = vault.deep_clone();
                    lose(&vault, &index, true);
                    let mut next = version;
                    match between {
                        "a change" => next += 1,
                        "a backup of another source" => {
                            let other = one_table(vec![(b"x".to_vec(), b"y".to_vec())]);
                            try_backup(&vault, &other, &job_of("between", "c", fold)).unwrap();
                        }
                        "a forget" if version > 1 => forget(&vault, &["1"]),
                        "a prune" => {
                            let how = Prune { max_unused: 0, dry_run: false, allow_empty: false };
                            if let Err(e) = strongroom_engine::prune(&vault, how, &Silent) {
                                assert_eq!(e.code, Code::Damaged);
                            }
                        }
                        _ => {}
                    }
                    let parent_was_whole = restore(&vault, &version.to_string()).is_ok();
                    lost += u32::from(!parent_was_whole);
                    let (made, _) = try_backup(&vault, &store(next), &job_of("next", "a", fold)).unwrap();
                    let what = format!("fold {fold}, after {version}, {between}: {}", changes(&made));
                    assert!(
                        restore(&vault, "next").is_ok_and(|next_is| next_is == store(next).tables),
                        "{what}"
                    );
                    // What it healed, it healed for good: the one after it builds on it.
                    let (after, looked) =
                        try_backup(&vault, &store(next + 1), &job_of("after", "a", fold)).unwrap();
                    assert_holds(&vault, "after", &store(next + 1));
                    assert!(
                        !looked && !changes(&after).contains("scanned"),
                        "{what}, then {}",
                        changes(&after)
                    );
                    healed += 1;
                }
            }
        }
    }
    assert!(lost > 50 && healed > 200, "{lost} {healed}");
}

/// Nothing is lost with the index file alone, so nothing is scanned.
#[test]
fn an_index_file_gone_alone_costs_no_scan() {
    let vault = MemoryVault::default();
    for version in 1..=6 {
        try_backup(&vault, &store(version), &job_of(&version.to_string(), "a", 3)).unwrap();
    }
    for index in files(&vault, "index") {
        let vault = vault.deep_clone();
        lose(&vault, &index, false);
        let (made, looked) = try_backup(&vault, &store(7), &job_of("7", "a", 3)).unwrap();
        assert!(looked && !changes(&made).contains("scanned"), "{}", changes(&made));
        assert_holds(&vault, "7", &store(7));
        assert!(verify(&vault).damage.is_empty());
        let (_, looked) = try_backup(&vault, &store(8), &job_of("8", "a", 3)).unwrap();
        assert!(!looked);
    }
}

/// Index files that were put together, by whichever verb and source, are no loss.
#[test]
fn an_index_file_that_was_replaced_is_not_missed() {
    let vault = MemoryVault::default();
    let (mut version, mut lists) = (0, 0);
    for round in 0..12 {
        // A source that is backed up rarely finds none of the files that were there.
        for _ in 0..5 {
            version += 1;
            let name = version.to_string();
            let (made, looked) = try_backup(&vault, &store(version), &job_of(&name, "often", 2)).unwrap();
            assert!(!looked && (version == 1 || !changes(&made).contains("scanned")), "{}", changes(&made));
        }
        let (made, looked) =
            try_backup(&vault, &store(round), &job_of(&format!("r{round}"), "rarely", 2)).unwrap();
        assert!(!looked && (round == 0 || !changes(&made).contains("scanned")), "{}", changes(&made));
        match round {
            4 => prune(&vault, 0),
            8 => prune(&vault, 1000),
            _ => Default::default(),
        };
        if round == 9 {
            strongroom_engine::repair(&vault, strongroom_engine::Repair::default(), &Silent).unwrap();
        }
        lists = files(&vault, "index").iter().map(|path| vault.get(path).unwrap()[12]).max().unwrap();
    }
    assert!(lists > 20, "{lists}");
}

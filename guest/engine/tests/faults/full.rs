//! A disk that is full to the last byte, or has no room for another file. What the message advises, forget and prune, must
//! free what can be freed there, lose nothing, and say what does not fit.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use strongroom_engine::testing::disk::{Disk, Survival};
use strongroom_engine::testing::{ModelStore, backup_with_deltas};
use strongroom_engine::{Code, Folding, Job, Level, Progress, Prune, Result, Silent};

use crate::common::{Random, ids_in_pack, job, plain, try_backup};
use crate::crash::{Here, at_every_change, next_run_succeeds};
use crate::world::{EVERYTHING, Promises};

/// Three tables: one stays, one changes with every third snapshot, one with each.
fn rolling(number: u64) -> ModelStore {
    let rows = |seed: u64| {
        let mut random = Random(seed);
        plain((0..60u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(500))).collect())
    };
    let (slow, quick) = (rows(2000 + number / 3), rows(3000 + number));
    ModelStore::new([("fixed", rows(1000)), ("quick", quick), ("slow", slow)])
}

fn folded(name: &str, files: u32) -> Job {
    Job { folding: Folding { files, ..Folding::default() }, ..job(name, 1) }
}

/// How a repository came to be full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// By backups, each with an index file and a pack of its own.
    ByBackups,
    /// By backups of which each puts small files together.
    Folded,
    /// By backups that are stored as deltas.
    Deltas,
    /// By backups; then everything was pruned, so that there is one index file and one pack.
    Pruned,
    /// By backups after such a prune, so that the large index file names what goes too.
    PrunedBetween,
}

const FILLED: [Filled; 5] =
    [Filled::ByBackups, Filled::Folded, Filled::Deltas, Filled::Pruned, Filled::PrunedBetween];

const SNAPSHOTS: u64 = 8;

fn filled(how: Filled) -> (Disk, Promises) {
    let (disk, mut promises) = (Disk::default(), Promises::default());
    for number in 0..SNAPSHOTS {
        let (name, store) = (number.to_string(), rolling(number));
        match how {
            Filled::Deltas => backup_with_deltas(&disk, &store, &folded(&name, 0)).map(drop),
            Filled::Folded => try_backup(&disk, &store, &folded(&name, 2)).map(drop),
            _ => try_backup(&disk, &store, &folded(&name, 0)).map(drop),
        }
        .unwrap();
        promises.report(&name, &store);
        if how == Filled::PrunedBetween && number == SNAPSHOTS / 2 {
            strongroom_engine::prune(&disk, EVERYTHING, &Silent).unwrap();
        }
    }
    if how == Filled::Pruned {
        strongroom_engine::prune(&disk, EVERYTHING, &Silent).unwrap();
    }
    promises.deltas = true;
    disk.settle();
    (disk, promises)
}

/// Hears what does not fit, and how many bytes that would take.
#[derive(Default)]
struct Hears(RefCell<Vec<u64>>);

impl Progress for Hears {
    fn advance(&self, _phase: &str, _bytes: u64, _entries: u64) -> bool {
        true
    }
    fn log(&self, level: Level, message: &str) {
        if level == Level::Warn {
            let (_, needed) = message.split_once("With ").expect(message);
            let needed: String = needed.chars().take_while(char::is_ascii_digit).collect();
            self.0.borrow_mut().push(needed.parse().expect(message));
        }
    }
}

/// One prune; how many bytes it says that the rest takes.
fn prune(disk: &Disk, max_unused: u32) -> Result<Option<u64>> {
    let hears = Hears::default();
    strongroom_engine::prune(disk, Prune { max_unused, dry_run: false, allow_empty: true }, &hears)?;
    let heard = hears.0.into_inner();
    assert!(heard.len() < 2, "{heard:?}");
    Ok(heard.first().copied())
}

/// The ids of all objects that a prune with all the room in the world leaves.
fn needed(disk: &Disk) -> HashSet<[u8; 32]> {
    let disk = disk.deep_clone();
    disk.limit(None, None);
    strongroom_engine::prune(&disk, EVERYTHING, &Silent).unwrap();
    packs(&disk).iter().flat_map(|pack| ids_in_pack(pack)).collect()
}

fn is_pack((path, _): &(String, Vec<u8>)) -> bool {
    path.starts_with("packs/")
}

fn packs(disk: &Disk) -> Vec<Vec<u8>> {
    disk.files().into_iter().filter(is_pack).map(|(_, pack)| pack).collect()
}

fn forget(disk: &Disk, promises: &mut Promises, keep: impl Fn(u64) -> bool) {
    let names: Vec<String> = (0..SNAPSHOTS).filter(|n| !keep(*n)).map(|n| n.to_string()).collect();
    strongroom_engine::forget(disk, &names, false).unwrap();
    names.iter().for_each(|name| promises.forget(name));
}

/// Which snapshots stay.
type Keep = (&'static str, fn(u64) -> bool);

const KEEPS: [Keep; 4] = [
    ("the last", |number| number == SNAPSHOTS - 1),
    ("the first", |number| number == 0),
    ("every other", |number| number % 2 == 1),
    ("all but one", |number| number != 3),
];

/// Fills it to the last byte, forgets, prunes until nothing changes, and then with the room that was said to be needed.
fn remedy(how: Filled, whole: &(Disk, Promises), keeps: usize, room: (Option<u64>, Option<u64>), cut: bool) {
    let (disk, mut promises) = (whole.0.deep_clone(), whole.1.clone());
    let _here = Here(format!("{how:?}, {} stay(s), room {room:?}, cut off {cut}", KEEPS[keeps].0));
    if cut {
        // A backup that filled it.
        disk.limit(Some(disk.used().0 + 45_000), None);
        let failed = try_backup(&disk, &rolling(20), &folded("cut", 0)).unwrap_err();
        assert!(failed.code == Code::Full && failed.message.contains('/'), "{failed}");
    }
    let used = disk.used();
    disk.limit(room.0.map(|room| used.0 + room), room.1.map(|room| used.1 + room));
    forget(&disk, &mut promises, KEEPS[keeps].1);
    promises.check(&disk);
    let mut said = None;
    for round in 0.. {
        let before = disk.fingerprint();
        said = prune(&disk, 0).unwrap();
        promises.check(&disk);
        promises.check(&disk.after_power_failure(Survival::number(0)));
        assert!(disk.used().0 <= used.0 && disk.used().1 <= used.1);
        if disk.fingerprint() == before {
            break;
        }
        assert!(round < 6, "it does not come to an end");
    }
    let needed = needed(&disk);
    for pack in packs(&disk) {
        assert!(ids_in_pack(&pack).iter().any(|id| needed.contains(id)), "a pack of which nothing is needed");
    }
    if let Some(bytes) = said {
        // The advice is followed.
        disk.limit(Some(disk.used().0 + bytes), None);
        assert_eq!(prune(&disk, 0).unwrap(), None);
    }
    disk.limit(None, None);
    promises.check(&disk);
    promises.check_pruned(&disk);
    next_run_succeeds(&disk, &promises, "next");
}

fn remedies(rooms: &[u64]) {
    for how in FILLED {
        let whole = filled(how);
        for keeps in 0..KEEPS.len() {
            for cut in [false, true] {
                for room in rooms {
                    remedy(how, &whole, keeps, (Some(*room), None), cut);
                }
                remedy(how, &whole, keeps, (None, Some(0)), cut);
                remedy(how, &whole, keeps, (Some(0), Some(0)), cut);
            }
        }
    }
}

#[test]
fn forget_and_prune_free_a_full_disk() {
    remedies(&[0, 3000, 61_814]);
}

#[test]
#[ignore = "minutes"]
fn forget_and_prune_free_a_full_disk_long() {
    let rooms: Vec<u64> = (0..300).map(|step| step * 997).collect();
    remedies(&rooms);
}

/// No pack goes before no index names it any more, durably, wherever the power fails.
fn cut_off(step: u64) {
    let mut points = 0;
    for how in FILLED {
        let (disk, mut promises) = filled(how);
        disk.limit(Some(disk.used().0), Some(disk.used().1));
        forget(&disk, &mut promises, KEEPS[0].1);
        let mut seen = BTreeSet::new();
        points += at_every_change(
            &disk,
            |disk| prune(disk, 0).map(drop),
            |disk, _| {
                for number in [0, 1, 2, 3, 7, 8, 9] {
                    let survival = Survival::number(number);
                    let _here = Here(format!("{how:?}, {survival:?}"));
                    let after = disk.after_power_failure(survival);
                    if seen.insert(after.fingerprint()) {
                        promises.check(&after);
                        if (seen.len() as u64).is_multiple_of(step) {
                            next_run_succeeds(&after, &promises, "next");
                        }
                    }
                }
            },
        );
    }
    assert!(points > 100, "{points}");
}

#[test]
fn a_full_disk_whose_power_fails_loses_nothing() {
    cut_off(8);
}

#[test]
#[ignore = "minutes"]
fn a_full_disk_whose_power_fails_loses_nothing_long() {
    cut_off(1);
}

/// What lies in several packs is found in one that stays, wherever a prune that removes them step by step is cut off.
fn doubled(seeds: std::ops::Range<u64>) {
    let mut points = 0;
    for seed in seeds {
        let mut random = Random(seed);
        let mut below = |end: usize| random.below(end);
        let table = |version: usize| {
            let mut random = Random(7000 + version as u64);
            plain((0..20u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(400))).collect())
        };
        let mut stores = Vec::new();
        for _ in 0..5 {
            let tables = ["a", "b", "c"].map(|name| (name, table(below(4))));
            stores.push(ModelStore::new(tables));
        }
        let (disk, mut promises) = (Disk::default(), Promises::default());
        for (number, store) in stores.iter().enumerate() {
            try_backup(&disk, store, &folded(&number.to_string(), 0)).unwrap();
            promises.report(&number.to_string(), store);
            let apart = Disk::default();
            for _ in 0..below(3) {
                let which = below(stores.len());
                let _ = try_backup(&apart, &stores[which], &folded(&which.to_string(), 0));
            }
            apart.files().into_iter().filter(is_pack).for_each(|(path, pack)| disk.put(&path, pack));
            if below(4) == 0 {
                // All of them are named, and none is rewritten.
                prune(&disk, 1000).unwrap();
            }
        }
        for number in 0..stores.len() {
            if below(3) > 0 && promises.reported.len() > 1 {
                strongroom_engine::forget(&disk, &[number.to_string()], false).unwrap();
                promises.forget(&number.to_string());
            }
        }
        if below(2) == 0 {
            let used = disk.used();
            disk.limit(Some(used.0 + below(2) as u64 * 3000), None);
        }
        let max_unused = [0, 0, 300][below(3)];
        let mut seen = BTreeSet::new();
        let _here = Here(format!("seed {seed}"));
        points += at_every_change(
            &disk,
            |disk| prune(disk, max_unused).map(drop),
            |disk, _| {
                for survival in [0, 3].map(Survival::number) {
                    let _here = Here(format!("{survival:?}"));
                    let after = disk.after_power_failure(survival);
                    if seen.insert(after.fingerprint()) {
                        promises.check(&after);
                    }
                }
            },
        );
    }
    println!("{points} points");
}

#[test]
fn what_lies_twice_is_found_where_it_stays() {
    doubled(0..40);
}

#[test]
#[ignore = "minutes"]
fn what_lies_twice_is_found_where_it_stays_long() {
    doubled(0..4000);
}

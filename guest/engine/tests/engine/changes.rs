//! A backup of what a store says has changed is the backup that a scan would give, or it is a scan.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use strongroom_engine::testing::{Lie, MemoryVault, ModelStore, ModelTable, Stream, Tells, Wrong};
use strongroom_engine::{Code, Depth, Job, Level, Progress, Silent, Snapshot, digest};

use crate::common::{Random, assert_holds, backup, forget, job, plain, prune, rank, try_backup, verify};

/// Keys and values in the order of the keys; values of equal keys in the order of the values.
type Rows = BTreeSet<(Vec<u8>, Vec<u8>)>;

fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(300) {
        0 => 262_100 + random.below(300_000),
        1..8 => random.below(20_000),
        _ => random.below(60),
    };
    vec![random.next() as u8; len]
}

/// Mostly any; with some luck one that ends leaves, or none.
fn key(random: &mut Random, hostile: u64) -> Vec<u8> {
    let len = 1 + random.below(9);
    loop {
        let key = random.bytes(len.max(3));
        let fits = match hostile {
            0 => true,
            1 => rank(&key, 200) == 0,
            _ => rank(&key, 2_000) > 0,
        };
        if fits || random.below(300) == 0 {
            return key;
        }
    }
}

fn put(rows: &mut Rows, multimap: bool, key: Vec<u8>, value: Vec<u8>) {
    if !multimap {
        rows.retain(|(other, _)| *other != key);
    }
    rows.insert((key, value));
}

fn take(rows: &mut Rows, entries: &[(Vec<u8>, Vec<u8>)]) {
    rows.retain(|entry| !entries.contains(entry));
}

struct World {
    tables: BTreeMap<String, (bool, Rows)>,
    identities: BTreeMap<String, Vec<u8>>,
    hostile: u64,
}

impl World {
    fn new(random: &mut Random) -> Self {
        let hostile = random.next() % 3;
        let mut world = Self { tables: BTreeMap::new(), identities: BTreeMap::new(), hostile };
        for name in ["a", "b", "c"] {
            world.make(name, random);
        }
        world
    }

    fn make(&mut self, name: &str, random: &mut Random) {
        let multimap = random.below(3) == 0;
        let mut rows = Rows::new();
        for _ in 0..[0, 3, 200, 600][random.below(4)] {
            rows.insert((key(random, self.hostile), value(random)));
        }
        if !multimap {
            let mut last = None;
            rows.retain(|(key, _)| last.replace(key.clone()).as_ref() != Some(key));
        }
        self.tables.insert(name.to_owned(), (multimap, rows));
    }

    fn edit(&mut self, random: &mut Random) {
        match random.below(24) {
            0 => drop(self.tables.remove("a")),
            1 => self.make("a", random),
            2 => {
                if let Some(table) = self.tables.remove("b") {
                    self.tables.insert(["b", "d"][random.below(2)].to_owned(), table);
                }
            }
            3 => {
                self.identities.insert("c".to_owned(), vec![random.below(2) as u8]);
            }
            4 => self.tables.values_mut().for_each(|table| table.0 = !table.0 && table.1.is_empty()),
            5 => self.make("b", random),
            _ => {}
        }
        let hostile = self.hostile;
        for (multimap, rows) in self.tables.values_mut() {
            if random.below(3) == 0 {
                continue;
            }
            for _ in 0..1 + random.below(4) {
                let at = random.below(rows.len());
                let some = |rows: &Rows, n: usize| rows.iter().skip(at).take(n).cloned().collect::<Vec<_>>();
                match random.below(8) {
                    0 => put(rows, *multimap, key(random, hostile), value(random)),
                    1 => take(rows, &some(rows, 1)),
                    2 | 3 => {
                        for (key, old) in some(rows, 1) {
                            rows.remove(&(key.clone(), old));
                            put(rows, *multimap, key, value(random));
                        }
                    }
                    4 => {
                        let n = random.below(150);
                        take(rows, &some(rows, n));
                    }
                    5 => (0..random.below(120))
                        .for_each(|_| put(rows, *multimap, key(random, hostile), vec![1; 7])),
                    6 => put(rows, *multimap, vec![0], value(random)),
                    _ => put(rows, *multimap, vec![255; 12], value(random)),
                }
            }
        }
    }

    fn store(&self, tells: Option<Tells>) -> ModelStore {
        let mut store = ModelStore::new([]);
        for (name, (multimap, rows)) in &self.tables {
            let entries = rows.iter().cloned().collect();
            store.tables.insert(name.clone(), ModelTable { multimap: *multimap, entries });
        }
        store.identities.clone_from(&self.identities);
        store.tells = tells;
        store
    }
}

fn tells(random: &mut Random) -> Tells {
    Tells {
        run: [1, 4, 30, 100_000][random.below(4)],
        seed: random.next(),
        wide: [0, 8, 2][random.below(3)],
        read_max: [0, 0, 1, 11, 500][random.below(5)],
        lie: None,
    }
}

fn label(snapshot: &Snapshot) -> &str {
    snapshot.labels.iter().find(|(name, _)| name == "changes").map_or("", |(_, value)| value)
}

fn histories(count: u64, seed: u64) -> u64 {
    let (mut snapshots, mut by_edits) = (0, 0);
    for history in 0..count {
        let mut random = Random(seed + history * 7919);
        let mut world = World::new(&mut random);
        let vault = MemoryVault::default();
        let mut past: Vec<ModelStore> = Vec::new();
        for step in 0..7 {
            let store = world.store((random.below(12) > 0).then(|| tells(&mut random)));
            let mut job = job(&step.to_string(), 1 + random.below(5) as u32);
            job.full_scan = random.below(12) == 0;
            let snapshot = try_backup(&vault, &store, &job).unwrap();
            let scanned = digest(&world.store(None), None, &Silent).unwrap();
            assert_eq!(snapshot.id, scanned.id, "history {history}, step {step}: {}", label(&snapshot));
            snapshots += 1;
            by_edits += u64::from(label(&snapshot).contains("by edits"));
            past.push(store);
            if random.below(8) == 0 {
                let there = strongroom_engine::snapshots(&vault).unwrap().0;
                forget(&vault, &[&there[random.below(there.len())].name]);
            }
            if random.below(8) == 0 {
                prune(&vault, 0);
            }
            world.edit(&mut random);
        }
        for snapshot in strongroom_engine::snapshots(&vault).unwrap().0 {
            let step: usize = snapshot.name.parse().unwrap();
            assert_holds(&vault, &snapshot.name, &past[step]);
        }
        assert!(verify(&vault).damage.is_empty());
    }
    assert!(by_edits > snapshots / 3, "{by_edits} of {snapshots}");
    snapshots
}

#[test]
fn the_id_is_that_of_a_scan_whatever_the_history() {
    assert!(histories(120, 1) > 800);
}

#[test]
#[ignore = "minutes"]
fn the_id_is_that_of_a_scan_whatever_the_history_long() {
    println!("{} snapshots", histories(4_000, 77));
}

/// 100,000 rows of which one changes in the second backup, and a table that stays.
fn rows(change: bool) -> ModelStore {
    let mut rows: Vec<_> = (0..100_000u32)
        .map(|n| (n.to_be_bytes().to_vec(), n.wrapping_mul(0x9e37_79b9).to_le_bytes().repeat(6)))
        .collect();
    if change {
        rows[50_000].1[0] ^= 1;
    }
    let mut store = ModelStore::new([("rows", plain(rows.clone())), ("same", plain(rows[..1000].to_vec()))]);
    store.tells = Some(Tells { run: 70, ..Tells::default() });
    store
}

#[test]
fn one_changed_row_is_not_scanned_for() {
    let vault = MemoryVault::default();
    backup(&vault, &rows(false), "a", 1);
    let store = rows(true);
    let plan = strongroom_engine::prepare(&vault, &store, &job("b", 4), &Silent).unwrap();
    assert_eq!((plan.parts, plan.entries), (0, 0));
    let draft = strongroom_engine::seal(&vault, &store, &plan.state, &[], &Silent).unwrap();
    let snapshot = strongroom_engine::publish(&vault, &draft.state).unwrap();
    assert_eq!(label(&snapshot), "1 table unchanged, 1 by edits");
    assert!(store.bytes_scanned() < 100, "{}", store.bytes_scanned());
    assert_eq!(snapshot.id, digest(&store, None, &Silent).unwrap().id);
    assert_holds(&vault, "b", &store);
    let again = backup(&vault, &rows(true), "c", 4);
    assert_eq!((again.id, again.bytes_added), (snapshot.id, 0));
    assert_eq!(label(&again), "2 tables unchanged");
}

#[test]
fn a_store_that_contradicts_itself_or_fails_is_scanned() {
    let mut lies: Vec<Lie> = vec![Lie::CannotTell];
    for stream in [Stream::Entries, Stream::Baseline] {
        for wrong in [Wrong::Zero, Wrong::More, Wrong::Fewer, Wrong::Unknown, Wrong::Missing, Wrong::Cut] {
            lies.extend([0, 1, 3, 8].map(|number| Lie::Edits(stream, number, wrong)));
        }
    }
    for code in [Code::Unsupported, Code::Io, Code::Damaged, Code::NotFound, Code::Other] {
        lies.extend((1..30).map(|number| Lie::Fails(number, code)));
    }
    let table = |seed: u64| {
        let mut random = Random(1);
        let mut rows: Vec<_> =
            (0..900u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(1 + n as usize % 90))).collect();
        let mut random = Random(seed);
        for _ in 0..6 {
            rows.remove(random.below(rows.len()));
            let at = random.below(rows.len());
            rows[at].1 = random.bytes(9);
        }
        let mut store = ModelStore::new([("rows", plain(rows))]);
        store.tells = Some(Tells { run: 20, ..Tells::default() });
        store
    };
    let (mut scanned, mut edited) = (0, 0);
    for lie in lies {
        let vault = MemoryVault::default();
        backup(&vault, &table(2), "a", 1);
        let mut store = table(3);
        store.tells.as_mut().unwrap().lie = Some(lie);
        let second = backup(&vault, &store, "b", 2);
        assert_eq!(second.id, digest(&store, None, &Silent).unwrap().id, "{lie:?}");
        assert_holds(&vault, "b", &store);
        let said = label(&second);
        if said.contains("scanned") {
            scanned += 1
        } else {
            edited += 1
        }
        // A baseline that lacks something shows when it is used.
        let may_pass = matches!(lie, Lie::Fails(..) | Lie::Edits(Stream::Baseline, _, Wrong::Missing));
        assert!(may_pass || said.contains("scanned"), "{lie:?}: {said}");
        // Whatever came of it, the next one is right too.
        let third = backup(&vault, &table(4), "c", 2);
        assert_eq!(third.id, digest(&table(4), None, &Silent).unwrap().id, "{lie:?}");
        assert!(verify(&vault).damage.is_empty());
    }
    // Most of the calls that may fail come before the last of them.
    assert!(scanned > 80 && edited > 5, "{scanned} {edited}");
}

#[test]
fn a_store_that_is_asked_to_stop_stops() {
    let vault = MemoryVault::default();
    backup(&vault, &rows(false), "a", 1);
    for number in [1, 2, 3, 5] {
        let mut store = rows(true);
        store.tells.as_mut().unwrap().lie = Some(Lie::Fails(number, Code::Cancelled));
        let stopped = try_backup(&vault, &store, &job("b", 1)).err().map(|e| e.code);
        assert_eq!(stopped, Some(Code::Cancelled), "{number}");
    }
}

fn day(job: Job, days: u64) -> Job {
    Job { time: job.time + days * 86_400, ..job }
}

#[test]
fn a_full_scan_comes_by_itself() {
    let vault = MemoryVault::default();
    let labels = |days: &[u64], snapshots: u32| -> Vec<String> {
        let vault = vault.deep_clone();
        let backup = |(number, days): (usize, &u64)| {
            let job = Job { full_scan_snapshots: snapshots, ..day(job(&format!("x{number}"), 1), *days) };
            let store = rows(number % 2 == 1);
            let snapshot = try_backup(&vault, &store, &job).unwrap();
            assert_eq!(snapshot.id, digest(&store, None, &Silent).unwrap().id);
            label(&snapshot).to_owned()
        };
        days.iter().enumerate().map(backup).collect()
    };
    let edits = "1 table unchanged, 1 by edits";
    assert_eq!(
        labels(&[0, 1, 6, 7, 8, 13, 14], 100),
        [
            "",
            edits,
            edits,
            "2 tables scanned (due after 7 days)",
            edits,
            edits,
            "2 tables scanned (due after 7 days)"
        ]
    );
    let due = "2 tables scanned (due after 2 increments)";
    assert_eq!(labels(&[0; 7], 2), ["", edits, edits, due, edits, edits, due]);
    let asked = Job { full_scan: true, ..job("asked", 1) };
    try_backup(&vault, &rows(false), &job("first", 1)).unwrap();
    assert_eq!(label(&try_backup(&vault, &rows(true), &asked).unwrap()), "2 tables scanned (asked for)");
}

#[test]
fn a_full_scan_writes_no_more_than_the_increment_that_it_checks() {
    let vault = MemoryVault::default();
    backup(&vault, &rows(false), "a", 1);
    for parts in [1, 4] {
        let by_edits = try_backup(&vault.deep_clone(), &rows(true), &job("b", parts)).unwrap();
        let asked = Job { full_scan: true, ..job("b", parts) };
        let scanned = vault.deep_clone();
        let by_scan = try_backup(&scanned, &rows(true), &asked).unwrap();
        assert_eq!(label(&by_scan), "2 tables scanned (asked for)");
        assert_eq!(by_scan.id, by_edits.id);
        assert!(
            by_scan.bytes_added < by_edits.bytes_added + 200,
            "{} {}",
            by_scan.bytes_added,
            by_edits.bytes_added
        );
        assert_holds(&scanned, "b", &rows(true));
        assert!(verify(&scanned).damage.is_empty());
        assert_eq!(label(&backup(&scanned, &rows(true), "c", parts)), "2 tables unchanged");
    }
}

/// Keeps what is told.
#[derive(Default)]
struct Heard(RefCell<Vec<String>>);

impl Progress for Heard {
    fn advance(&self, _: &str, _: u64, _: u64) -> bool {
        true
    }
    fn log(&self, _: Level, message: &str) {
        self.0.borrow_mut().push(message.to_owned());
    }
}

#[test]
fn a_full_scan_shows_what_the_store_did_not_tell() {
    let vault = MemoryVault::default();
    let rows = |change| {
        let mut store = rows(change);
        store.tells.as_mut().unwrap().lie = Some(Lie::OnlyCounts);
        store
    };
    backup(&vault, &rows(false), "a", 1);
    let store = rows(true);
    let missed = backup(&vault, &store, "missed", 1);
    assert_ne!(missed.id, digest(&store, None, &Silent).unwrap().id);
    let asked = Job { full_scan: true, ..job("b", 1) };
    let heard = Heard::default();
    let plan = strongroom_engine::prepare(&vault, &store, &asked, &heard).unwrap();
    let receipt = strongroom_engine::copy(&vault, &store, &plan.state, 0, &heard).unwrap();
    let draft = strongroom_engine::seal(&vault, &store, &plan.state, &[receipt], &heard).unwrap();
    let snapshot = strongroom_engine::publish(&vault, &draft.state).unwrap();
    assert_eq!(snapshot.id, digest(&store, None, &Silent).unwrap().id);
    assert_holds(&vault, "b", &store);
    let heard = heard.0.take();
    assert!(heard.iter().any(|said| said.contains("earlier snapshots may lack changes")), "{heard:?}");
}

#[test]
fn tables_that_are_new_or_made_anew_are_scanned_beside_the_others() {
    let vault = MemoryVault::default();
    let mut store = rows(false);
    backup(&vault, &store, "a", 1);
    store.tables.insert("new".into(), plain(vec![(vec![1], vec![2])]));
    store.identities.insert("same".into(), b"other".to_vec());
    let second = backup(&vault, &store, "b", 1);
    assert_eq!(label(&second), "1 table unchanged, 1 scanned (made anew), 1 scanned (new table)");
    assert_eq!(second.id, digest(&store, None, &Silent).unwrap().id);
    assert_eq!(label(&backup(&vault, &store, "c", 1)), "3 tables unchanged");
    store.tells = None;
    assert_eq!(label(&backup(&vault, &store, "d", 1)), "3 tables scanned (the store cannot tell)");
    store.tells = rows(false).tells;
    let after = backup(&vault, &store, "e", 1);
    assert_eq!(label(&after), "3 tables scanned (the parent tracks nothing)");
}

/// What a pack has lost is written again by the next backup of every source, though no stamp has changed.
#[test]
fn what_was_lost_is_scanned_for() {
    let vault = MemoryVault::default();
    let store = rows(false);
    let of = |source: &str, name: &str| Job { source: source.into(), ..job(name, 1) };
    try_backup(&vault, &store, &of("one", "a")).unwrap();
    try_backup(&vault, &store, &of("two", "b")).unwrap();
    let mut other = rows(true);
    other.tables.remove("same");
    try_backup(&vault, &other, &of("two", "c")).unwrap();
    for path in crate::common::files(&vault, "packs") {
        strongroom_engine::Vault::remove(&vault, &path).unwrap();
    }
    let damaged = |name: &str| {
        strongroom_engine::testing::verify(&vault, Some(name), Depth::Data, &Silent).unwrap().damage
    };
    assert!(!damaged("a").is_empty());
    for (source, name, store) in [("one", "d", &store), ("two", "e", &other)] {
        let snapshot = try_backup(&vault, store, &of(source, name)).unwrap();
        assert!(
            label(&snapshot).contains("scanned (something was lost since the parent)"),
            "{}",
            label(&snapshot)
        );
        assert_holds(&vault, name, store);
    }
    assert!(verify(&vault).damage.is_empty());
    let next = try_backup(&vault, &store, &of("one", "f")).unwrap();
    assert_eq!(label(&next), "2 tables unchanged");
}

/// One damaged byte anywhere in the packs costs the next backup a scan at most, and never more.
#[test]
fn damage_anywhere_costs_a_scan_at_most() {
    let vault = MemoryVault::default();
    let cut = [false, true].map(|change| {
        let mut tables = rows(change).tables;
        let rows = tables.get_mut("rows").unwrap();
        rows.entries = rows.entries[49_000..51_000].to_vec();
        tables
    });
    let small = |change: bool| {
        let mut store = ModelStore::new([]);
        store.tables.clone_from(&cut[usize::from(change)]);
        store.tells = Some(Tells { run: 70, ..Tells::default() });
        store
    };
    backup(&vault, &small(false), "a", 1);
    let path = crate::common::files(&vault, "packs").remove(0);
    let pack = vault.get(&path).unwrap();
    let store = small(true);
    let id = digest(&store, None, &Silent).unwrap().id;
    for at in (0..pack.len()).step_by(pack.len() / 300) {
        let vault = vault.deep_clone();
        let mut pack = pack.clone();
        pack[at] ^= 16;
        vault.put(&path, pack);
        let mut store = small(true);
        let second = backup(&vault, &store, "b", 1);
        assert_eq!(second.id, id, "{at}");
        // Twice, because what was not looked at in the first place may be by now.
        store.tables.get_mut("rows").unwrap().entries.remove(7);
        let third = backup(&vault, &store, "c", 1);
        assert_eq!(third.id, digest(&store, None, &Silent).unwrap().id, "{at}");
        if label(&second).contains("damaged") {
            assert_holds(&vault, "b", &small(true));
        }
    }
}

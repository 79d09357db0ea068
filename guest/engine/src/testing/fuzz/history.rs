//! Whole histories of a repository on a disk that fails, against what it should hold.

use std::collections::BTreeMap;

use super::input::Input;
use crate::testing::disk::{Disk, Effect, Fault, Repeat, Survival};
use crate::testing::{
    Lie, MemoryVault, ModelStore, ModelTable, Restored, RestoringSink, Stream, Tells, Wrong,
};
use crate::{Code, Depth, Job, Prune, Result, Silent, Sink, Snapshot, Store, Vault};

/// No history has more steps.
const STEPS_MAX: usize = 24;

/// Edits, backups in parts and by what the databases say has changed, restores, forgets and prunes of two databases that
/// share a repository. Runs are killed, calls of the disk fail, the power fails, a database says something impossible.
///
/// Whatever comes: a snapshot that was reported is there and whole and restores to what its database held, its id is that
/// of a first backup of the same data, and a run that nothing disturbs succeeds and leaves no garbage.
pub fn history(data: &[u8]) {
    let mut input = Input(data);
    let mut world = World::default();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.end();
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
pub(super) struct Database {
    pub(super) rows: Rows,
    /// Makes one more table.
    extra: bool,
}

#[derive(Default)]
struct World {
    disk: Disk,
    databases: [Database; 2],
    backups: u64,
    /// Reported, and not forgotten.
    promised: BTreeMap<String, Restored>,
    /// Begun and not reported, or perhaps forgotten: whole, if it is there.
    possible: BTreeMap<String, Restored>,
    /// An index file was taken away, which `verify` may say.
    index_was_hurt: bool,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(9) {
            0 | 1 => self.databases[input.below(2)].edit(input),
            2..=4 => self.backup(input),
            5 => self.forget(input),
            6 => self.prune(input),
            7 => {
                self.disk = self.disk.after_power_failure(Survival::number(input.u8().into()));
                self.check(&self.disk);
            }
            _ => match input.below(3) {
                0 => self.check(&self.disk),
                1 => {
                    let depth = Depth::Sample(1 + u32::from(input.u16()) % 1000, input.u64());
                    self.check_damage(&self.disk, depth);
                }
                _ => {
                    let index: Vec<_> =
                        self.disk.files().into_iter().filter(|(path, _)| is_index(path)).collect();
                    if let Some((path, _)) = index.get(input.below(index.len())) {
                        self.disk.take(path);
                        self.index_was_hurt = true;
                    }
                }
            },
        }
    }

    /// Runs a verb, perhaps disturbed, and perhaps the power fails afterwards. Says whether anything was in its way.
    fn run<T>(&mut self, input: &mut Input<'_>, verb: impl FnOnce(&Disk) -> Result<T>) -> (Result<T>, bool) {
        let fault = fault(input);
        self.disk.begin(fault);
        let done = verb(&self.disk);
        let struck = self.disk.struck().is_some();
        self.disk.begin(None);
        if let Err(e) = &done {
            assert!(e.message.len() > 10, "{e:?}");
        }
        if fault.is_some() && input.coin() {
            self.disk = self.disk.after_power_failure(Survival::number(input.u8().into()));
        }
        (done, struck)
    }

    fn backup(&mut self, input: &mut Input<'_>) {
        let source = input.below(2);
        let mut store = self.databases[source].store();
        if input.rarely(3) {
            store.read_max = 1 + usize::from(input.u16());
        }
        store.tells = tells(input);
        let fails = input.rarely(12);
        if fails {
            store.fails_after = Some(input.u16().into());
        }
        self.backups += 1;
        let job = job(format!("s{}", self.backups), source, self.backups, 1 + u32::from(input.u8()) % 7);
        self.possible.insert(job.name.clone(), store.tables.clone());
        let (done, struck) = self.run(input, |disk| backup(disk, &store, &job));
        match done {
            Ok(snapshot) => {
                assert_eq!(snapshot.name, job.name);
                store.fails_after = None;
                let first = backup(&MemoryVault::default(), &store, &self::job("first".into(), 0, 1, 1));
                assert_eq!(
                    snapshot.id,
                    first.expect("memory takes everything").id,
                    "the history shows in the id"
                );
                self.possible.remove(&job.name);
                self.promised.insert(job.name, store.tables);
            }
            Err(e) => assert!(struck || fails, "an undisturbed backup failed: {e:?}"),
        }
        if struck {
            self.check(&self.disk);
        }
    }

    fn forget(&mut self, input: &mut Input<'_>) {
        let Ok((there, _)) = crate::snapshots(&self.disk) else { return };
        let which = u64::from(input.u16()) << 16 | u64::from(input.u16());
        let chosen = there.iter().enumerate().filter(|(n, _)| which >> (n % 32) & 1 == 1);
        let names: Vec<String> = chosen.map(|(_, snapshot)| snapshot.name.clone()).collect();
        let (done, struck) = self.run(input, |disk| crate::forget(disk, &names, false));
        assert!(done.is_ok() || struck, "an undisturbed forget failed: {done:?}");
        for name in &names {
            let tables = self.promised.remove(name).or_else(|| self.possible.remove(name));
            if let (Some(tables), true) = (tables, done.is_err()) {
                self.possible.insert(name.clone(), tables);
            }
        }
        if struck {
            self.check(&self.disk);
        }
    }

    fn prune(&mut self, input: &mut Input<'_>) {
        if !self.is_repository() {
            return;
        }
        let options = Prune { max_unused: [0, 50, 500, 1000][input.below(4)], dry_run: false };
        let (done, struck) = self.run(input, |disk| crate::prune(disk, options, &Silent));
        assert!(done.is_ok() || struck, "an undisturbed prune failed: {done:?}");
        self.check(&self.disk);
    }

    fn is_repository(&self) -> bool {
        self.disk.files().iter().any(|(path, _)| path == "repository.json")
    }

    /// Everything that was promised is there; whatever is there is whole and was made by somebody.
    fn check(&self, disk: &Disk) {
        let (listed, unreadable) = match crate::snapshots(disk) {
            Err(e) if e.code == Code::NoRepository && self.promised.is_empty() => return,
            listed => listed.expect("a repository lists its snapshots"),
        };
        assert!(unreadable.is_empty(), "{unreadable:?}");
        for name in self.promised.keys() {
            assert!(listed.iter().any(|snapshot| snapshot.name == *name), "{name} was reported and is lost");
        }
        self.check_damage(disk, Depth::Data);
        for Snapshot { name, .. } in listed {
            let made = self.promised.get(&name).or_else(|| self.possible.get(&name));
            let made = made.unwrap_or_else(|| panic!("nobody made {name}"));
            assert!(restore(disk, &name) == *made, "{name} gave back something else");
        }
    }

    fn check_damage(&self, disk: &Disk, depth: Depth) {
        if !self.is_repository() {
            return;
        }
        let verified = crate::testing::verify(disk, None, depth, &Silent);
        let mut damage = match verified {
            Err(e) if e.code == Code::NoRepository && self.promised.is_empty() => return,
            verified => verified.expect("a disk that does not fail is read").damage,
        };
        damage.retain(|damage| !self.index_was_hurt || !damage.snapshots.is_empty());
        assert!(damage.is_empty(), "{damage:?}");
    }

    /// Nothing disturbs any more.
    fn end(mut self) {
        let undisturbed = &mut Input(&[]);
        self.backup(undisturbed);
        self.prune(undisturbed);
        for number in [0, 2, 8] {
            self.check(&self.disk.after_power_failure(Survival::number(number)));
        }
        let unfinished = |(path, _): &(String, Vec<u8>)| path.contains("tmp-");
        let files = self.disk.files();
        assert!(!files.iter().any(unfinished), "something unfinished is left");
        let again = crate::prune(&self.disk, EVERYTHING, &Silent).expect("what was just pruned is sound");
        assert!(again.bytes_unused == 0 && again.bytes_freed == 0, "{again:?}");
        assert!(self.disk.files() == files, "a prune that had nothing to do changed something");
        // Without snapshots nothing is left.
        let (there, _) = crate::snapshots(&self.disk).expect("a repository lists its snapshots");
        let names: Vec<String> = there.into_iter().map(|snapshot| snapshot.name).collect();
        crate::forget(&self.disk, &names, false).expect("a snapshot that is there is forgotten");
        crate::prune(&self.disk, EVERYTHING, &Silent).expect("nothing is in the way");
        let mut left: Vec<String> = self.disk.files().into_iter().map(|(path, _)| path).collect();
        // That something was lost is remembered.
        left.retain(|path| !path.starts_with("index/lost-"));
        assert_eq!(left, ["repository.json"]);
    }
}

const EVERYTHING: Prune = Prune { max_unused: 0, dry_run: false };

/// How a store tells what changed, if it can; truly, or with a mistake that shows.
pub(super) fn tells(input: &mut Input<'_>) -> Option<Tells> {
    if input.below(3) == 0 {
        return None;
    }
    let read_max = [0, 0, 1, 29, 1000][input.below(5)];
    let lie = if input.rarely(6) { Some(lie(input)) } else { None };
    let run = 1 + input.below(30) as u64;
    Some(Tells { run, seed: input.u8().into(), wide: [0, 0, 2, 20][input.below(4)], read_max, lie })
}

fn lie(input: &mut Input<'_>) -> Lie {
    let stream = [Stream::Entries, Stream::Baseline][input.below(2)];
    let wrong = [Wrong::Zero, Wrong::More, Wrong::Fewer, Wrong::Unknown, Wrong::Missing, Wrong::Cut];
    match input.below(8) {
        0 => Lie::CannotTell,
        1 => Lie::Fails(1 + u32::from(input.u8()) % 60, [Code::Io, Code::Unsupported][input.below(2)]),
        _ => Lie::Edits(stream, u32::from(input.u8()) % 40, wrong[input.below(6)]),
    }
}

fn is_index(path: &str) -> bool {
    path.starts_with("index/")
}

fn fault(input: &mut Input<'_>) -> Option<Fault> {
    match input.below(5) {
        3 => Some(Fault::Kill { before_change: (input.u8() % 96).into() }),
        4 => {
            let effect = [Effect::Io, Effect::IoButDone, Effect::Full, Effect::ShortRead][input.below(4)];
            let repeat = [Repeat::Once, Repeat::OfItsKind, Repeat::Forever][input.below(3)];
            Some(Fault::Fail { at: (input.u16() % 400).into(), effect, repeat })
        }
        _ => None,
    }
}

pub(super) fn job(name: String, source: usize, number: u64, parts: u32) -> Job {
    Job {
        name,
        source: format!("source {source}"),
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1_700_000_000 + number,
        parts,
        part_min: 1,
        full_scan: false,
        full_scan_snapshots: 3,
        full_scan_days: 1,
        folding: crate::Folding { files: 3, ..Default::default() },
        compression: crate::Compression::default(),
    }
}

pub(super) fn backup(vault: &dyn Vault, store: &dyn Store, job: &Job) -> Result<Snapshot> {
    let plan = crate::prepare(vault, store, job, &Silent)?;
    let copy = |part| crate::copy(vault, store, &plan.state, part, &Silent);
    let receipts = (0..plan.parts).map(copy).collect::<Result<Vec<_>>>()?;
    let draft = crate::seal(vault, store, &plan.state, &receipts, &Silent)?;
    crate::publish(vault, &draft.state)
}

fn restore(disk: &Disk, name: &str) -> Restored {
    let mut restored = Restored::new();
    let into = &mut restored;
    let damage = crate::restore(disk, name, None, false, &Silent, move |_| {
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    });
    assert!(damage.expect("what is listed is restored").is_empty());
    restored
}

impl Database {
    /// One way in which applications change their data.
    pub(super) fn edit(&mut self, input: &mut Input<'_>) {
        let rows = &mut self.rows;
        match input.below(8) {
            // Rows, dense or far apart.
            0..=2 => {
                let (first, step, many) = (input.u16(), input.u8(), input.below(64));
                let (len, fill) = (len(input), input.u8());
                for n in 0..many as u16 {
                    let key = first.wrapping_add(n.wrapping_mul(u16::from(step)));
                    rows.insert(key.to_be_bytes().to_vec(), value(len, fill.wrapping_add(n as u8)));
                }
            }
            3 => {
                let (first, many) = (input.u16().to_be_bytes().to_vec(), input.below(128));
                let gone: Vec<_> = rows.range(first..).take(many).map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| drop(rows.remove(key)));
            }
            4 => {
                let (first, many) = (input.u16().to_be_bytes().to_vec(), input.below(32));
                let (len, fill) = (len(input), input.u8());
                rows.range_mut(first..).take(many).for_each(|(_, row)| *row = value(len, fill));
            }
            // Keys that end nodes on many levels, with a value long enough for it.
            5 => {
                let keys: [u64; 4] = [0, 0x9093, 0x0164_9ca1, 0x3673_3719];
                let key = keys[input.below(4)].to_be_bytes().to_vec();
                let prefix = input.below(2);
                rows.insert([&vec![0; prefix], &key[..]].concat(), value(16_384, input.u8()));
            }
            // A value that lies in pieces; its key has no neighbours.
            6 => {
                let len = 262_100 + usize::from(input.u8()) * if input.rarely(4) { 2000 } else { 1 };
                rows.retain(|_, value| value.len() < 262_000);
                rows.insert(b"large".to_vec(), value(len, input.u8()));
            }
            _ => self.extra = !self.extra,
        }
        // However long the history, a step stays quick.
        let bytes = |rows: &Rows| rows.values().map(Vec::len).filter(|len| *len < 262_000).sum::<usize>();
        while self.rows.len() > 500 || bytes(&self.rows) > 250_000 {
            let half = self.rows.len() / 2;
            let middle = self.rows.keys().nth(half).cloned().unwrap_or_default();
            self.rows = self.rows.split_off(&middle);
        }
    }

    pub(super) fn store(&self) -> ModelStore {
        let pairs = self.rows.iter().take(60).map(|(key, value)| {
            let short = &value[..value.len().min(20)];
            (key[..1].to_vec(), [short, key].concat())
        });
        let mut store = ModelStore::new([
            ("empty", ModelTable::default()),
            ("pairs", ModelTable { multimap: true, entries: pairs.collect() }),
            ("rows", ModelTable { multimap: false, entries: self.rows.clone().into_iter().collect() }),
        ]);
        if self.extra {
            let entries = self.rows.iter().filter(|(key, _)| key.len() > 2);
            let entries = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
            store.tables.insert("extra".into(), ModelTable { multimap: false, entries });
        }
        store
    }
}

fn len(input: &mut Input<'_>) -> usize {
    match input.u8() {
        len @ 0..200 => usize::from(len),
        len @ 200..250 => usize::from(len - 199) * 50,
        len => 16_000 + usize::from(len),
    }
}

fn value(len: usize, fill: u8) -> Vec<u8> {
    let mut value = vec![fill / 16; len];
    if let Some(first) = value.first_mut() {
        *first = fill;
    }
    value
}

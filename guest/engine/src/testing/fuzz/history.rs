//! Whole histories of a repository on a disk that fails, against what it should hold.

use std::collections::BTreeMap;

use super::clock::{Clock, Elsewhere, check_order};
use super::database::Database;
use super::input::{Input, noise};
use crate::testing::disk::{Disk, Effect, Fault, Repeat, Survival};
use crate::testing::{Lie, MemoryVault, Restored, RestoringSink, Stream, Tells, Wrong};
use crate::{Code, Depth, Import, Job, Prune, Result, Silent, Sink, Snapshot, Store, Vault};

/// No history has more steps.
const STEPS_MAX: usize = 24;

/// Edits, backups in parts and by what the databases say has changed, restores, forgets and prunes of two databases that
/// share a repository, and archives that come from elsewhere. Runs are killed, calls of the disk fail, the power fails, a
/// database says something impossible, the clock jumps.
///
/// Whatever comes: a snapshot that was reported is there and whole and restores to what its database held, its id is that
/// of a first backup of the same data, what was made last is the newest of its source, and a run that nothing disturbs
/// succeeds and leaves no garbage.
pub fn history(data: &[u8]) {
    let mut input = Input(data);
    let noise = noise(xxhash_rust::xxh3::xxh3_64(data), 16 * STEPS_MAX);
    let mut world = World { clock: Clock::new(&noise), ..World::default() };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.end();
}

#[derive(Default)]
struct World<'n> {
    disk: Disk,
    databases: [Database; 2],
    /// It also says when an archive comes from elsewhere.
    clock: Clock<'n>,
    elsewhere: Elsewhere,
    backups: u64,
    /// Reported, and not forgotten.
    promised: BTreeMap<String, Restored>,
    /// Begun and not reported, or perhaps forgotten: whole, if it is there.
    possible: BTreeMap<String, Restored>,
    /// An index file was taken away, which `verify` may say.
    index_was_hurt: bool,
}

impl World<'_> {
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
        let mut job = job(format!("s{}", self.backups), source, self.backups, 1 + u32::from(input.u8()) % 7);
        job.time = self.clock.read();
        self.possible.insert(job.name.clone(), store.tables.clone());
        let (done, struck) = self.run(input, |disk| backup(disk, &store, &job));
        match done {
            Ok(snapshot) => {
                assert_eq!((&snapshot.name, snapshot.imported), (&job.name, false));
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
        if self.clock.an_archive_comes() {
            self.import(input, source);
        }
    }

    /// An archive comes from where another database is backed up under the same name, by another clock.
    fn import(&mut self, input: &mut Input<'_>, source: usize) {
        let store = self.databases[1 - source].store();
        let (name, archive) = self.elsewhere.archive(&store, source, self.clock.elsewhere());
        self.possible.insert(name.clone(), store.tables.clone());
        let take = |disk: &Disk, source: Option<&str>| {
            let mut import = Import::new(disk, None, source, &Silent)?;
            archive.chunks(5000).try_for_each(|piece| import.take(piece))?;
            import.finish()
        };
        let (mut done, mut struck) = self.run(input, |disk| take(disk, None));
        if let Err(e) = &done
            && e.message.contains("another --source")
        {
            (done, struck) = self.run(input, |disk| take(disk, Some(&format!("{name} from elsewhere"))));
        }
        match done {
            Ok(snapshot) => {
                assert!(snapshot.imported);
                self.possible.remove(&name);
                self.promised.insert(name, store.tables);
            }
            Err(e) => assert!(struck, "an undisturbed import failed: {e:?}"),
        }
        self.check(&self.disk);
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
        let options =
            Prune { max_unused: [0, 50, 500, 1000][input.below(4)], dry_run: false, allow_empty: true };
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
        check_order(disk, self.clock.right());
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

const EVERYTHING: Prune = Prune { max_unused: 0, dry_run: false, allow_empty: true };

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
        only_source: false,
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

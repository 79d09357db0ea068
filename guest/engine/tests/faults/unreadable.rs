//! Something cannot be read, whoever asks and however often: a bad sector, a missing permission, a folder in a file's place, a
//! name that is not Unicode. Every kind of file, every such fault, every verb.
//!
//! Whatever does not rest on it restores equal; nothing that cannot be read is removed, replaced or renamed; verbs that can
//! go on do; and once it can be read again, a repair has all of it back.

use std::collections::BTreeSet;

use strongroom_engine::testing::disk::{Disk, Unreadable};
use strongroom_engine::testing::{Restored, RestoringSink};
use strongroom_engine::{Code, Depth, Error, Import, Job, Prune, Repair, Result, Silent, Sink};

use crate::common::{job, one_table, restore, try_backup};
use crate::crash::Here;
use crate::verbs::archive;
use crate::world::{small, store, telling};

/// A repository of increments, and of what each snapshot was made.
struct World {
    disk: Disk,
    made: Vec<(&'static str, Restored)>,
}

fn world() -> World {
    let disk = Disk::default();
    let mut made = Vec::new();
    for (name, number) in [("one", 1), ("two", 2), ("three", 3)] {
        let store = telling(store(number));
        try_backup(&disk, &store, &job(name, 1)).unwrap();
        made.push((name, store.tables));
    }
    let other = one_table(vec![(b"k".to_vec(), b"v".to_vec())]);
    try_backup(&disk, &other, &of_another("other")).unwrap();
    made.push(("other", other.tables));
    disk.settle();
    World { disk, made }
}

fn of_another(name: &str) -> Job {
    // Older than the others: `latest` is not of this source.
    Job { source: "another".into(), time: 1_600_000_000, ..job(name, 1) }
}

/// Which snapshots come back; no other data does.
fn whole(world: &World, disk: &Disk) -> BTreeSet<&'static str> {
    let comes_back = |(name, tables): &&(&'static str, Restored)| match restore(disk, name) {
        Ok(restored) => {
            assert!(restored == *tables, "{name} gave back something else");
            true
        }
        Err(e) => {
            check_error(&e);
            false
        }
    };
    world.made.iter().filter(comes_back).map(|(name, _)| *name).collect()
}

/// Which tables come back.
fn tables(world: &World, disk: &Disk) -> BTreeSet<(&'static str, String)> {
    let mut all = BTreeSet::new();
    for (name, tables) in &world.made {
        let mut restored = Restored::new();
        let into = &mut restored;
        let done = strongroom_engine::restore(disk, name, None, true, &Silent, move |_| {
            Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
        });
        if let Err(e) = done {
            check_error(&e);
        }
        for (table, entries) in restored {
            assert!(tables[&table] == entries, "{table} of {name} is wrong");
            all.insert((*name, table));
        }
    }
    all
}

fn check_error(e: &Error) {
    let known = matches!(e.code, Code::Io | Code::Denied | Code::Damaged | Code::NotFound);
    assert!(known && e.message.len() > 10, "{e:?}");
}

/// The same with damage instead: what is unreadable is gone or filled with zeros.
fn damaged(world: &World, path: &str, how: &Unreadable) -> Disk {
    let disk = world.disk.deep_clone();
    let Some((_, mut file)) = disk.files().into_iter().find(|(of, _)| of == path) else { return disk };
    match how {
        Unreadable::Sectors(range) => {
            file[range.start as usize..range.end as usize].fill(0);
            disk.put(path, file);
        }
        _ => disk.take(path),
    }
    disk
}

/// A verb on a copy: nothing that cannot be read may be changed by it.
fn on_copy<T>(disk: &Disk, verb: impl FnOnce(&Disk) -> T) -> (Disk, T) {
    let copy = disk.deep_clone();
    let done = verb(&copy);
    assert_eq!(copy.touched(), [""; 0]);
    (copy, done)
}

/// Once all can be read again, a repair has all of it.
fn heals(world: &World, disk: &Disk) {
    disk.heal();
    strongroom_engine::repair(disk, Repair::default(), &Silent).unwrap();
    assert_eq!(whole(world, disk).len(), world.made.len(), "once it can be read again");
    let damage = strongroom_engine::verify(disk, None, Depth::Data, &Silent).unwrap().damage;
    assert!(damage.is_empty(), "{damage:?}");
}

fn hurt(disk: &Disk, depth: Depth, path: &str, how: &Unreadable) -> Option<BTreeSet<String>> {
    let verified = strongroom_engine::verify(disk, None, depth, &Silent).inspect_err(check_error).ok()?;
    let named = |file: &str, what: &str| file == path || what.contains(path) || path.starts_with(file);
    let seen = verified.damage.iter().any(|damage| named(&damage.file, &damage.what))
        || verified.warnings.iter().any(|note| named(&note.file, &note.what));
    // What nobody needs nobody reads.
    let whole = verified.damage.iter().all(|damage| damage.snapshots.is_empty());
    let unneeded = path.starts_with("packs/") && matches!(how, Unreadable::Sectors(_)) && whole;
    let harmless = path == "index/newest" || depth != Depth::Data || unneeded;
    assert!(seen || harmless, "verify does not name it: {verified:#?}");
    Some(verified.damage.into_iter().flat_map(|damage| damage.snapshots).collect())
}

/// What cannot be read, and what verbs can still do.
struct Case<'w> {
    world: &'w World,
    disk: Disk,
    path: &'w str,
    how: Unreadable,
    /// No verb at all goes on, or none that writes.
    refused: bool,
    refuses_writing: bool,
    could: BTreeSet<&'static str>,
}

impl Case<'_> {
    fn writes<T>(&self, done: Result<T>) -> Option<T> {
        if self.refused || self.refuses_writing {
            let e = done.err().expect("this cannot go on");
            assert!(matches!(e.code, Code::Io | Code::Denied), "{e:?}");
            assert!(e.message.contains(self.path), "{e}");
            return None;
        }
        Some(done.unwrap())
    }

    fn reads(&self) {
        let listed = strongroom_engine::snapshots(&self.disk);
        let is_snapshot = self.path.starts_with("snapshots/");
        match listed {
            Ok((there, unreadable)) => {
                assert_eq!(there.len() + unreadable.len(), self.world.made.len());
                assert_eq!(unreadable.len(), usize::from(is_snapshot), "{unreadable:?}");
                let newest = if self.path == "snapshots/three.json" { "two" } else { "three" };
                assert_eq!(strongroom_engine::find(&self.disk, "latest").unwrap().name, newest);
            }
            Err(e) => assert!(self.refused || self.path == "snapshots", "{e}"),
        }
        if let Some(hurt) = hurt(&self.disk, Depth::Data, self.path, &self.how) {
            let missing =
                self.world.made.iter().map(|(name, _)| *name).filter(|name| !self.could.contains(name));
            let file = |name: &str| self.path == format!("snapshots/{name}.json");
            let missing: BTreeSet<String> = missing.filter(|name| !file(name)).map(str::to_owned).collect();
            assert_eq!(hurt, missing);
        }
        hurt(&self.disk, Depth::Structure, self.path, &self.how);
    }

    fn stays(&self, disk: &Disk) {
        assert!(self.could.is_subset(&whole(self.world, disk)), "something was whole before");
    }

    fn backs_up(&self) {
        let is_pack = self.path.starts_with("packs/");
        let is_open = matches!(self.how, Unreadable::Sectors(_));
        for (number, full_scan) in [(3, false), (4, false), (3, true)] {
            let store = telling(store(number));
            let (disk, done) =
                on_copy(&self.disk, |disk| try_backup(disk, &store, &Job { full_scan, ..job("next", 2) }));
            self.stays(&disk);
            if self.writes(done).is_some() {
                // As with a damaged object: what has not changed is not read, nor is by a scan what the index has. `verify`
                // finds it.
                match restore(&disk, "next") {
                    Err(e) => {
                        assert!(is_pack && (is_open || !full_scan), "the next backup is not whole: {e}")
                    }
                    Ok(restored) => assert!(restored == store.tables),
                }
                // Nor is the one after it disturbed, and it restores as well.
                let after = telling(small(number));
                try_backup(&disk, &after, &job("after", 1)).unwrap();
                assert!(is_pack || restore(&disk, "after").unwrap() == after.tables);
                assert_eq!(disk.touched(), [""; 0]);
            }
            heals(self.world, &disk);
        }
        let archive = archive(&small(7));
        let (disk, done) = on_copy(&self.disk, |disk| {
            let mut import = Import::new(disk, None, Some("elsewhere"), &Silent)?;
            import.take(&archive)?;
            import.finish()
        });
        self.stays(&disk);
        self.writes(done);
    }

    fn repairs(&self) {
        let dry = strongroom_engine::repair(&self.disk.deep_clone(), Repair { dry_run: true }, &Silent);
        let (disk, done) =
            on_copy(&self.disk, |disk| strongroom_engine::repair(disk, Repair::default(), &Silent));
        self.stays(&disk);
        if let Some(repaired) = self.writes(done) {
            assert_eq!(dry.unwrap(), repaired);
            let lost: BTreeSet<String> =
                repaired.lost.iter().flat_map(|lost| lost.snapshots.clone()).collect();
            if let Some(hurt) = hurt(&disk, Depth::Data, self.path, &self.how) {
                assert_eq!(hurt, lost, "{repaired:#?}");
            }
            let named = |note: &strongroom_engine::Note| {
                note.file.starts_with("snapshots") || self.path.starts_with(&note.file)
            };
            let all = repaired.unreadable.iter().chain(&repaired.left).chain(&repaired.mended);
            assert!(self.path == "index/newest" || all.into_iter().any(named), "{repaired:#?}");
            let again = strongroom_engine::repair(&disk, Repair::default(), &Silent).unwrap();
            assert!(again.mended.is_empty() && disk.touched().is_empty(), "{again:#?} after {repaired:#?}");
            // What it left out, a backup writes again.
            let store = telling(store(3));
            try_backup(&disk, &store, &job("next", 1)).unwrap();
            assert!(restore(&disk, "next").unwrap() == store.tables);
        }
        heals(self.world, &disk);
    }

    fn prunes_and_forgets(&self) {
        let everything = Prune { max_unused: 0, dry_run: false, allow_empty: false };
        let (disk, done) = on_copy(&self.disk, |disk| strongroom_engine::prune(disk, everything, &Silent));
        self.stays(&disk);
        match done {
            // It need not read it.
            Ok(_) => assert!(!self.refused && self.path.contains('/'), "a prune went on"),
            Err(e) => {
                let named = e.message.contains(self.path.trim_end_matches(".json"))
                    || self
                        .path
                        .split_once('/')
                        .is_some_and(|(dir, _)| e.message.contains(&format!("name(s) in the folder {dir}")));
                assert!(named, "{e}");
            }
        }
        heals(self.world, &disk);
        // Whoever names a snapshot wants it away, whatever is in its file.
        let forgets = |disk: &Disk| strongroom_engine::forget(disk, &["one".into()], false);
        if self.path == "snapshots/one.json" {
            let gone = !matches!(self.how, Unreadable::NoFile | Unreadable::Nameless);
            assert_eq!(forgets(&self.disk.deep_clone()).is_ok(), gone);
        } else if !self.refused && self.path != "snapshots" {
            let (disk, done) = on_copy(&self.disk, forgets);
            done.unwrap();
            assert!(strongroom_engine::find(&disk, "one").is_err());
        }
    }
}

fn faults(path: &str, len: u64) -> Vec<Unreadable> {
    let sectors = |at: u64| at / 512 * 512..(at / 512 * 512 + 512).min(len);
    let mut faults = vec![Unreadable::Away, Unreadable::Denied];
    if len > 0 {
        let mut bad = [sectors(0), sectors(len / 2), sectors(len - 1), 0..len].to_vec();
        bad.dedup();
        faults.extend(bad.into_iter().map(Unreadable::Sectors));
    }
    if path.contains('/') {
        faults.push(Unreadable::NoFile);
    }
    if path.contains('/') {
        faults.push(Unreadable::Unknown);
    }
    if path.starts_with("snapshots/") {
        faults.push(Unreadable::Nameless);
    }
    faults
}

#[test]
fn what_cannot_be_read_is_worked_round_and_left_as_it_is() {
    let world = world();
    assert_eq!(whole(&world, &world.disk).len(), world.made.len());
    let mut paths: Vec<(String, u64)> =
        world.disk.files().into_iter().map(|(path, file)| (path, file.len() as u64)).collect();
    paths.extend(["packs", "index", "snapshots"].map(|dir| (dir.to_owned(), 0)));
    let mut cases = 0;
    for (path, len) in &paths {
        for how in faults(path, *len) {
            let _here = Here(format!("{path}: {how:?}"));
            let disk = world.disk.deep_clone();
            disk.spoil(path, how.clone());
            let could = whole(&world, &disk);
            let is_folder = !path.contains('/') && path != "repository.json";
            let case = Case {
                world: &world,
                path,
                how: how.clone(),
                refused: path == "repository.json",
                refuses_writing: is_folder,
                could,
                disk,
            };
            // It costs no more than if it were damaged or gone.
            if !case.refused {
                let damaged = damaged(&world, path, &how);
                assert!(whole(&world, &damaged).is_subset(&case.could), "damage costs less");
                let (there, left) = (tables(&world, &damaged), tables(&world, &case.disk));
                assert!(there.is_subset(&left), "damage costs less: {there:?} {left:?}");
            }
            case.reads();
            case.backs_up();
            case.repairs();
            case.prunes_and_forgets();
            cases += 1;
        }
    }
    println!("{cases} cases");
    assert!(cases > 60, "{cases}");
}

/// All files of a folder, as if its disk were away or the user another: nothing is taken for lost.
#[test]
fn a_folder_of_which_nothing_can_be_read_stops_whoever_writes() {
    let world = world();
    for dir in ["packs", "index", "snapshots"] {
        for how in [Unreadable::Away, Unreadable::Denied, Unreadable::Sectors(0..1 << 30)] {
            let _here = Here(format!("all of {dir}: {how:?}"));
            let disk = world.disk.deep_clone();
            for (path, _) in disk.files().iter().filter(|(path, _)| path.starts_with(dir)) {
                disk.spoil(path, how.clone());
            }
            let before = disk.files();
            let refused = |done: Result<()>| {
                let e = done.unwrap_err();
                assert!(matches!(e.code, Code::Io | Code::Denied) && e.message.contains(dir), "{e:?}");
            };
            let store = telling(store(4));
            let (after, done) = on_copy(&disk, |disk| try_backup(disk, &store, &job("next", 1)).map(drop));
            refused(done);
            heals(&world, &after);
            let (after, done) =
                on_copy(&disk, |disk| strongroom_engine::repair(disk, Repair::default(), &Silent).map(drop));
            refused(done);
            assert!(after.files() == before);
            // Readers are not stopped.
            strongroom_engine::verify(&disk, None, Depth::Data, &Silent).unwrap();
            if dir == "index" {
                assert_eq!(whole(&world, &disk).len(), world.made.len());
            }
        }
    }
}

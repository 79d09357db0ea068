//! The verbs that write, each with a repository to run on. A new one is added to [`all`].

use std::collections::BTreeSet;

use strongroom_engine::testing::disk::{Disk, Fault};
use strongroom_engine::testing::{ModelStore, backup_with_deltas};
use strongroom_engine::{Bytes as _, Code, Error, Folding, Import, Job, Repair, Result, Silent, Vault};

use crate::common::{Entries, Random, job, plain, try_backup};
use crate::world::{EVERYTHING, Promises, small, store, telling};

type Run = Box<dyn Fn(&Disk) -> Result<()> + Send + Sync>;

/// A verb and what it may do to whose promises.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// Where it runs. Not all of it need be durable.
    pub(crate) disk: Disk,
    pub(crate) before: Promises,
    /// What holds however far it comes, if it does not say that it has done its work.
    pub(crate) meanwhile: Promises,
    /// What holds when it says so.
    pub(crate) after: Promises,
    pub(crate) run: Run,
}

pub(crate) fn all() -> Vec<Verb> {
    let mut verbs =
        vec![first_backup(), second_backup(), merging(), mending_the_index(), healing(), taking_over()];
    verbs.extend((0..3).map(parallel));
    verbs.extend([forgetting(), pruning(), pruning_what_was_left(), forgetting_and_pruning()]);
    verbs.push(pruning_after_a_killed_forget());
    verbs.extend([repairing(), repairing_with_a_loss(), repairing_deltas()]);
    verbs.extend([folding(), folding_after_one_that_was_killed(), pruning_deltas()]);
    verbs.extend([increment(), increment_after_one_that_was_killed(), increment_after_a_loss()]);
    verbs.push(pruning_increments());
    verbs.extend([first_import(), import(), import_after_one_that_was_killed()]);
    verbs
}

/// A repository with these snapshots.
fn repository(snapshots: &[(&str, ModelStore)]) -> (Disk, Promises) {
    let (disk, mut promises) = (Disk::default(), Promises::default());
    for (name, store) in snapshots {
        try_backup(&disk, store, &job(name, 1)).unwrap();
        promises.report(name, store);
    }
    disk.settle();
    (disk, promises)
}

/// A verb that makes one more snapshot, called "new".
fn adds(
    name: &'static str,
    (disk, before): (Disk, Promises),
    new: ModelStore,
    run: impl Fn(&Disk, &ModelStore) -> Result<()> + Send + Sync + 'static,
) -> Verb {
    let (mut meanwhile, mut after) = (before.clone(), before.clone());
    meanwhile.begin("new", &new);
    after.report("new", &new);
    // The store counts what was read of it, so it is not for several threads.
    let (tables, tells) = (new.tables, new.tells);
    let run = move |disk: &Disk| {
        let mut store = ModelStore::new([]);
        store.tells = tells;
        store.tables.clone_from(&tables);
        run(disk, &store)
    };
    Verb { name, disk, before, meanwhile, after, run: Box::new(run) }
}

fn backup(parts: u32) -> impl Fn(&Disk, &ModelStore) -> Result<()> {
    move |disk, store| try_backup(disk, store, &job("new", parts)).map(drop)
}

fn first_backup() -> Verb {
    adds("first backup", repository(&[]), store(1), backup(1))
}

fn second_backup() -> Verb {
    adds("second backup", repository(&[("one", store(1))]), store(2), backup(2))
}

/// The index has several files, which this backup merges.
fn merging() -> Verb {
    let snapshots: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().zip((0..).map(small)).collect();
    adds("backup that merges the index", repository(&snapshots), small(9), backup(1))
}

/// One of the index files is gone, one has a flipped bit.
fn mending_the_index() -> Verb {
    let (disk, promises) = repository(&[("one", store(1)), ("two", small(2)), ("three", small(3))]);
    let mut index = disk.files().into_iter().filter(|(path, _)| path.starts_with("index/"));
    let (path, mut file) = index.next().unwrap();
    file[100] ^= 4;
    disk.put(&path, file);
    if let Some((path, _)) = index.next() {
        disk.take(&path);
    }
    // What it makes of the packs, `verify` does not find fault with.
    let mut verb = adds("backup that mends the index", (disk, promises), store(4), backup(2));
    verb.before.hurt = verb.before.reported.clone();
    verb.meanwhile.hurt = verb.before.hurt.clone();
    verb
}

/// One pack is gone and one is cut off; the same data is backed up again, so all is whole afterwards.
fn healing() -> Verb {
    let (disk, mut promises) = repository(&[("one", store(1)), ("other", small(7))]);
    try_backup(&disk, &store(1), &job("two", 3)).unwrap();
    promises.report("two", &store(1));
    let mut packs: Vec<_> = disk.files().into_iter().filter(|(path, _)| path.starts_with("packs/")).collect();
    packs.sort_by_key(|(_, pack)| pack.len());
    let (path, mut pack) = packs.pop().unwrap();
    pack.truncate(pack.len() * 2 / 3);
    disk.put(&path, pack);
    disk.take(&packs[0].0);
    let mut verb = adds("backup that heals packs", (disk, promises), store(1), |disk, store| {
        try_backup(disk, &small(7), &job("new other", 1))?;
        try_backup(disk, store, &job("new", 1)).map(drop)
    });
    for promises in [&mut verb.before, &mut verb.meanwhile, &mut verb.after] {
        promises.hurt = promises.reported.clone();
        promises.begin("new other", &small(7));
    }
    verb
}

/// Another run was killed when all but its snapshot file was there, not all of it durable.
fn taking_over() -> Verb {
    let (disk, mut promises) = repository(&[("one", store(1))]);
    let killed = Disk::deep_clone(&disk);
    killed.begin(None);
    try_backup(&killed, &store(2), &job("killed", 2)).unwrap();
    let (_, changes) = killed.counts();
    disk.begin(Some(Fault::Kill { before_change: changes - 9 }));
    try_backup(&disk, &store(2), &job("killed", 2)).unwrap_err();
    disk.begin(None);
    promises.begin("killed", &store(2));
    adds("backup after one that was killed", (disk, promises), store(2), backup(2))
}

/// Takes two of four snapshots away.
fn forgetting() -> Verb {
    let run = |disk: &Disk| strongroom_engine::forget(disk, &["b".into(), "d".into()], false);
    removes("forget", four(), &["b", "d"], run)
}

/// Two of four snapshots were forgotten, so packs are rewritten and others go.
fn pruning() -> Verb {
    let (disk, mut promises) = four();
    strongroom_engine::forget(&disk, &["b".into(), "d".into()], false).unwrap();
    disk.settle();
    ["b", "d"].iter().for_each(|name| promises.forget(name));
    removes("prune", (disk, promises), &[], prune)
}

/// A backup was killed, not all that it wrote is durable, and its snapshot is not there.
fn pruning_what_was_left() -> Verb {
    let Verb { disk, before, .. } = taking_over();
    removes("prune after a backup that was killed", (disk, before), &[], prune)
}

/// The names are gone, but not durably so.
fn pruning_after_a_killed_forget() -> Verb {
    let Verb { disk, meanwhile, run, .. } = forgetting();
    disk.begin(Some(Fault::Kill { before_change: 3 }));
    run(&disk).unwrap_err();
    disk.begin(None);
    assert_eq!(strongroom_engine::snapshots(&disk).unwrap().0.len(), 2);
    removes("prune after a forget that was killed", (disk, meanwhile), &[], prune)
}

fn forgetting_and_pruning() -> Verb {
    removes("forget and prune", four(), &["a", "c", "d"], |disk| {
        strongroom_engine::forget(disk, &["a".into(), "c".into(), "d".into()], false)?;
        prune(disk)
    })
}

/// The list of one pack, one index file and the name of a pack are damaged: nothing is lost, and afterwards all is whole.
fn repairing() -> Verb {
    let (disk, promises) = four();
    let packs: Vec<_> = disk.files().into_iter().filter(|(path, _)| path.starts_with("packs/")).collect();
    let (path, mut pack) = packs[0].clone();
    *pack.last_mut().unwrap() ^= 1;
    disk.put(&path, pack);
    // Two packs are exchanged.
    disk.put(&packs[1].0, packs[2].1.clone());
    disk.put(&packs[2].0, packs[1].1.clone());
    // What an index file names is not looked for elsewhere, so all of them are cut off.
    for (path, index) in disk.files().into_iter().filter(|(path, _)| path.starts_with("index/")) {
        disk.put(&path, index[..index.len() - 3].to_vec());
    }
    disk.put("packs/tmp-0-0", vec![1; 100]);
    let mut verb = removes("repair", (disk, promises), &[], repair);
    // Verify finds damage that costs no snapshot anything.
    verb.before.hurt.insert("nobody".into());
    verb.meanwhile.hurt.insert("nobody".into());
    verb
}

/// Beside all of that an object of one snapshot is lost.
fn repairing_with_a_loss() -> Verb {
    let Verb { disk: whole, before: mut promises, .. } = repairing();
    let packs: Vec<_> = whole.files().into_iter().filter(|(path, _)| path.starts_with("packs/")).collect();
    let objects = packs.iter().flat_map(|(path, pack)| {
        let begins = |at: &usize| pack[*at..].starts_with(b"SRo1");
        (0..pack.len()).filter(begins).map(|at| (path.clone(), pack.clone(), at + 57))
    });
    let only_one = |(path, mut pack, at): (String, Vec<u8>, usize)| {
        let disk = whole.deep_clone();
        pack[at] ^= 1;
        disk.put(&path, pack);
        let repaired =
            strongroom_engine::repair(&disk.deep_clone(), Repair { dry_run: true }, &Silent).unwrap();
        let hurt: BTreeSet<String> = repaired.lost.into_iter().flat_map(|lost| lost.snapshots).collect();
        (hurt.len() == 1).then_some((disk, hurt))
    };
    let (disk, hurt) = objects.into_iter().find_map(only_one).unwrap();
    promises.hurt = hurt;
    removes("repair with a loss", (disk, promises), &[], repair)
}

/// Among packs that were put together, the lists of those are damaged on which the others rest, and on which they do not.
fn repairing_deltas() -> Verb {
    let (disk, mut promises) = deltas();
    for number in 5..8 {
        let name = number.to_string();
        backup_with_deltas(&disk, &small(number), &folded(&name, 3)).unwrap();
        promises.report(&name, &small(number));
    }
    disk.settle();
    let mut packs: Vec<_> = disk.files().into_iter().filter(|(path, _)| path.starts_with("packs/")).collect();
    packs.sort_by_key(|(_, pack)| pack.len());
    let last = packs.len() - 1;
    assert!(last > 1);
    for at in [0, last] {
        let (path, mut pack) = packs[at].clone();
        *pack.last_mut().unwrap() ^= 1;
        disk.put(&path, pack);
    }
    let mut verb = removes("repair of deltas", (disk, promises), &[], repair);
    verb.before.hurt.insert("nobody".into());
    verb.meanwhile.hurt.insert("nobody".into());
    verb
}

pub(crate) fn repair(disk: &Disk) -> Result<()> {
    let repaired = strongroom_engine::repair(disk, Repair::default(), &Silent)?;
    // Where something could not be read it says so, and has not done all of its work.
    let away = repaired.left.iter().find(|note| note.what.contains("make it readable"));
    match away.or(repaired.unreadable.first()) {
        Some(note) => Err(Error::new(Code::Io, note.what.clone()).at(&note.file)),
        None => Ok(()),
    }
}

fn prune(disk: &Disk) -> Result<()> {
    strongroom_engine::prune(disk, EVERYTHING, &Silent).map(drop)
}

fn four() -> (Disk, Promises) {
    repository(&[("a", small(1)), ("b", store(12)), ("c", small(3)), ("d", small(9))])
}

/// Backups of which each is stored as deltas of the one before it. Small files are not put together.
fn deltas() -> (Disk, Promises) {
    let (disk, mut promises) = repository(&[("one", small(1))]);
    for (name, number) in ["a", "b", "c"].into_iter().zip(2..) {
        backup_with_deltas(&disk, &small(number), &folded(name, 0)).unwrap();
        promises.report(name, &small(number));
    }
    promises.deltas = true;
    disk.settle();
    (disk, promises)
}

fn folded(name: &str, files: u32) -> Job {
    Job { folding: Folding { files, ..Folding::default() }, ..job(name, 1) }
}

/// Packs and index files are put together, and some of them go.
fn folding() -> Verb {
    adds("backup that folds", deltas(), small(5), |disk, store| {
        backup_with_deltas(disk, store, &folded("new", 2)).map(drop)
    })
}

/// Packs that were put together are still there, and no index file names them.
fn folding_after_one_that_was_killed() -> Verb {
    let (disk, mut promises) = deltas();
    let run = |disk: &Disk| backup_with_deltas(disk, &small(5), &folded("killed", 2));
    let whole = Disk::deep_clone(&disk);
    whole.begin(None);
    run(&whole).unwrap();
    disk.begin(Some(Fault::Kill { before_change: whole.counts().1 - 11 }));
    run(&disk).unwrap_err();
    disk.begin(None);
    promises.begin("killed", &small(5));
    adds("backup that folds after one that was killed", (disk, promises), small(6), |disk, store| {
        backup_with_deltas(disk, store, &folded("new", 2)).map(drop)
    })
}

/// Of some deltas the bases are needed, of some the objects that rest on them are not.
fn pruning_deltas() -> Verb {
    let (disk, mut promises) = deltas();
    strongroom_engine::forget(&disk, &["one".into(), "b".into()], false).unwrap();
    disk.settle();
    ["one", "b"].iter().for_each(|name| promises.forget(name));
    removes("prune of deltas", (disk, promises), &[], prune)
}

/// Snapshots of what a store said has changed.
fn increments() -> (Disk, Promises) {
    let snapshots = [("one", store(1)), ("a", store(2)), ("b", small(3)), ("c", store(5))];
    let (disk, mut promises) = repository(&snapshots.map(|(name, store)| (name, telling(store))));
    promises.deltas = true;
    (disk, promises)
}

fn increment() -> Verb {
    adds("backup of what changed", increments(), telling(store(6)), backup(1))
}

/// Another one was killed when all but its snapshot file was there, not all of it durable.
fn increment_after_one_that_was_killed() -> Verb {
    let (disk, mut promises) = increments();
    let run = |disk: &Disk| try_backup(disk, &telling(store(7)), &job("killed", 1));
    let whole = Disk::deep_clone(&disk);
    whole.begin(None);
    run(&whole).unwrap();
    disk.begin(Some(Fault::Kill { before_change: whole.counts().1 - 9 }));
    run(&disk).unwrap_err();
    disk.begin(None);
    promises.begin("killed", &store(7));
    adds("backup of what changed after one that was killed", (disk, promises), telling(store(6)), backup(1))
}

/// The largest pack is gone. Nothing has changed since, so only a scan finds out what is to be written again.
fn increment_after_a_loss() -> Verb {
    let (disk, promises) = increments();
    let packs = disk.files().into_iter().filter(|(path, _)| path.starts_with("packs/"));
    let (path, _) = packs.max_by_key(|(_, pack)| pack.len()).unwrap();
    disk.take(&path);
    let mut verb =
        adds("backup of what changed after a loss", (disk, promises), telling(store(5)), backup(1));
    for promises in [&mut verb.before, &mut verb.meanwhile, &mut verb.after] {
        promises.hurt = promises.reported.clone();
        promises.hurt.remove("new");
    }
    verb
}

/// The archive of a snapshot "new".
pub(crate) fn archive(store: &ModelStore) -> Vec<u8> {
    let disk = Disk::default();
    try_backup(&disk, store, &job("new", 1)).unwrap();
    let mut export = strongroom_engine::export(&disk, "new", &Silent).unwrap();
    export.read(u32::MAX).unwrap()
}

fn take_in(disk: &Disk, archive: &[u8]) -> Result<()> {
    let mut import = Import::new(disk, None, Some("elsewhere"), &Silent)?;
    archive.chunks(10_000).try_for_each(|piece| import.take(piece))?;
    import.finish().map(drop)
}

fn first_import() -> Verb {
    let archive = archive(&store(1));
    adds("first import", repository(&[]), store(1), move |disk, _| take_in(disk, &archive))
}

/// Some of it is there already.
fn import() -> Verb {
    let archive = archive(&store(2));
    let (disk, mut promises) = repository(&[("one", store(1))]);
    // What an archive has whole, a backup may store as a delta of what was there before.
    promises.deltas = true;
    adds("import", (disk, promises), store(2), move |disk, _| take_in(disk, &archive))
}

/// Another one was killed when all but its snapshot file was there, not all of it durable.
fn import_after_one_that_was_killed() -> Verb {
    let Verb { disk, meanwhile, .. } = import();
    let archive = archive(&store(2));
    let whole = Disk::deep_clone(&disk);
    whole.begin(None);
    take_in(&whole, &archive).unwrap();
    disk.begin(Some(Fault::Kill { before_change: whole.counts().1 - 9 }));
    take_in(&disk, &archive).unwrap_err();
    disk.begin(None);
    adds("import after one that was killed", (disk, meanwhile), store(2), move |disk, _| {
        take_in(disk, &archive)
    })
}

/// What the newest snapshot tracks stays, what those before it tracked goes.
fn pruning_increments() -> Verb {
    let (disk, mut promises) = increments();
    strongroom_engine::forget(&disk, &["one".into(), "b".into()], false).unwrap();
    disk.settle();
    ["one", "b"].iter().for_each(|name| promises.forget(name));
    removes("prune of snapshots of what changed", (disk, promises), &[], prune)
}

/// A verb that takes these snapshots away, or none.
fn removes(
    name: &'static str,
    (disk, before): (Disk, Promises),
    names: &[&str],
    run: impl Fn(&Disk) -> Result<()> + Send + Sync + 'static,
) -> Verb {
    let (mut meanwhile, mut after) = (before.clone(), before.clone());
    for name in names {
        meanwhile.release(name);
        after.forget(name);
    }
    Verb { name, disk, before, meanwhile, after, run: Box::new(run) }
}

/// Three parts at the same time, their operations in an order that follows from the seed. Two of them write the same.
fn parallel(seed: u64) -> Verb {
    let name = ["parallel copy, order 0", "parallel copy, order 1", "parallel copy, order 2"][seed as usize];
    let rows = |seed| -> Entries {
        let mut random = Random(seed);
        (0..60u32).map(|n| (n.to_be_bytes().to_vec(), random.bytes(500))).collect()
    };
    let new = ModelStore::new([("a", plain(rows(1))), ("b", plain(rows(1))), ("c", plain(rows(2)))]);
    adds(name, repository(&[("one", store(1))]), new, move |disk, store| {
        let plan = strongroom_engine::prepare(disk, store, &job("new", 3), &Silent)?;
        assert_eq!(plan.parts, 3);
        let parts = (0..plan.parts).map(|part| (part, store.clone())).collect();
        let copy = |disk: &Disk, (part, store): (u32, ModelStore)| {
            strongroom_engine::copy(disk as &dyn Vault, &store, &plan.state, part, &Silent)
        };
        let receipts = disk.in_turns(seed, parts, copy).into_iter().collect::<Result<Vec<_>>>()?;
        let draft = strongroom_engine::seal(disk, store, &plan.state, &receipts, &Silent)?;
        strongroom_engine::publish(disk, &draft.state).map(drop)
    })
}

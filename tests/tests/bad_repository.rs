//! Repositories that are missing, damaged, foreign or from the future: a clear message, and whatever is whole stays
//! usable.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};
use strongroom::{Backup, Depth, Error, ErrorCode, Repository, Restore, Result};

use common::map::{MapSink, Maps};
use common::{assert_whole, files_below, names, noise, repository};

fn restored(repository: &Repository, snapshot: &str) -> Result<Maps> {
    let (sink, restored) = MapSink::new();
    repository.restore_into(snapshot, Box::new(sink), &Restore::new())?;
    Ok(restored.lock().unwrap().take().expect("it is published"))
}

/// Two snapshots: `one` has table `a`, `two` has `a` and `b`, whose data came into a pack of its own.
struct Two {
    dir: tempfile::TempDir,
    repository: Repository,
    maps: [Maps; 2],
    /// The packs that came with each.
    packs: [Vec<PathBuf>; 2],
}

impl Two {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = repository(dir.path().join("backups"));
        let maps = [Maps::filled(&[("a", 3000, 100)]), Maps::filled(&[("a", 3000, 100), ("b", 3000, 100)])];
        let mut packs: [Vec<PathBuf>; 2] = Default::default();
        for (number, name) in ["one", "two"].into_iter().enumerate() {
            let backup = Backup::new().name(name).threads(1);
            repository.backup(&Arc::new(maps[number].clone()), &backup).unwrap();
            packs[number] = files_below(&repository.dir().join("packs"));
            let [earlier, _] = packs.clone();
            packs[1].retain(|pack| !earlier.contains(pack));
            assert!(!packs[number].is_empty());
        }
        Self { dir, repository, maps, packs }
    }

    /// The largest pack that came with `two`: it has the entries of `b`.
    fn pack_of_b(&self) -> &Path {
        self.packs[1].iter().max_by_key(|pack| pack.metadata().unwrap().len()).unwrap()
    }

    /// All that reads, on a snapshot.
    fn read_all(&self, snapshot: &str) -> Vec<(&'static str, Result<()>)> {
        let repository = &self.repository;
        let never = |_: &[u8], _: &[u8]| Ok(std::ops::ControlFlow::Continue(()));
        let target = self.dir.path().join("out.redb");
        vec![
            ("snapshots", repository.snapshots().map(drop)),
            ("find", repository.find(snapshot).map(drop)),
            ("tables", repository.tables(snapshot).map(drop)),
            ("verify", repository.verify(None, Depth::Data).map(drop)),
            ("scan", repository.scan(snapshot, "a", never)),
            ("restore", repository.restore(snapshot, target, &Restore::new()).map(drop)),
            ("restore_into", restored(repository, snapshot).map(drop)),
        ]
    }

    fn backup(&self, name: &str) -> Result<()> {
        self.repository.backup(&Arc::new(self.maps[1].clone()), &Backup::new().name(name)).map(drop)
    }

    fn assert_one_is_whole(&self) {
        assert_eq!(self.repository.verify(Some("one"), Depth::Data).unwrap().damage, []);
        assert!(restored(&self.repository, "one").unwrap() == self.maps[0]);
    }

    fn assert_all_is_whole(&self) {
        assert_whole(&self.repository);
        for (name, maps) in ["one", "two"].into_iter().zip(&self.maps) {
            assert!(restored(&self.repository, name).unwrap() == *maps, "{name}");
        }
    }
}

fn assert_says(error: &Error, code: ErrorCode, words: &[&str]) {
    assert_eq!(error.code(), code, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is missing in {error}");
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_repository_of_a_newer_format_is_left_alone() {
    let two = Two::new();
    let about = two.repository.dir().join("repository.json");
    let text = std::fs::read_to_string(&about).unwrap();
    std::fs::write(&about, text.replace("\"version\":1", "\"version\":2")).unwrap();
    let before = files_below(two.repository.dir());
    for (verb, done) in two.read_all("one").into_iter().chain([("backup", two.backup("three"))]) {
        let error = done.expect_err(verb);
        assert_says(&error, ErrorCode::NewerFormat, &["format 2", "newer Strongroom", "backups"]);
    }
    assert_eq!(files_below(two.repository.dir()), before);
    std::fs::write(&about, text).unwrap();
    two.assert_all_is_whole();
}

#[test]
fn a_snapshot_file_of_a_newer_format_is_told_and_others_stay_usable() {
    let two = Two::new();
    // Honest in all else, also its checksum.
    let path = two.repository.dir().join("snapshots/two.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once("\",").unwrap();
    let rest = rest.replace("\"format\":1", "\"format\":9");
    let checksum = blake3::hash(rest.as_bytes()).to_hex();
    std::fs::write(&path, format!("{{\"checksum\":\"{checksum}\",{rest}")).unwrap();
    let listed = two.repository.snapshots().unwrap();
    assert_eq!(listed.snapshots.len(), 1);
    assert!(listed.damage[0].what.contains("newer Strongroom"), "{:?}", listed.damage);
    let error = restored(&two.repository, "two").unwrap_err();
    assert_says(&error, ErrorCode::NewerFormat, &["two.json", "newer Strongroom"]);
    two.assert_one_is_whole();
}

#[test]
fn a_missing_pack_costs_what_was_in_it_and_the_next_backup_writes_it_again() {
    let two = Two::new();
    let pack = two.pack_of_b().to_owned();
    std::fs::remove_file(&pack).unwrap();
    let name = pack.file_name().unwrap().to_str().unwrap();
    for depth in [Depth::Structure, Depth::Data] {
        let damage = two.repository.verify(None, depth).unwrap().damage;
        assert!(!damage.is_empty());
        for damage in &damage {
            assert!(damage.file.ends_with(name), "{damage:?}");
            assert_eq!(damage.snapshots, ["two"], "{damage:?}");
        }
        assert!(damage.iter().any(|damage| damage.tables == ["b"]), "{damage:?}");
    }
    let error = restored(&two.repository, "two").unwrap_err();
    assert_says(&error, ErrorCode::Damaged, &[name, "gone"]);
    two.assert_one_is_whole();
    assert_eq!(names(&two.repository), ["one", "two"], "the list needs no packs");

    two.backup("three").unwrap();
    two.assert_all_is_whole();
}

#[test]
fn a_damaged_pack_is_found_and_costs_the_tables_that_it_has() {
    let two = Two::new();
    let pack = two.pack_of_b().to_owned();
    let name = pack.file_name().unwrap().to_str().unwrap();
    let len = pack.metadata().unwrap().len() as usize;
    flip(&pack, len / 3);
    assert_eq!(two.repository.verify(None, Depth::Structure).unwrap().damage, [], "lengths are right");
    let damage = two.repository.verify(None, Depth::Data).unwrap().damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(damage[0].file.ends_with(name), "{damage:?}");
    assert_eq!((&damage[0].snapshots, &damage[0].tables), (&vec!["two".to_owned()], &vec!["b".to_owned()]));
    let error = restored(&two.repository, "two").unwrap_err();
    assert_says(&error, ErrorCode::Damaged, &[name, "\"b\""]);
    two.assert_one_is_whole();

    // What is whole can be had all the same.
    let (sink, restored) = MapSink::new();
    let done =
        two.repository.restore_into("two", Box::new(sink), &Restore::new().skip_damaged(true)).unwrap();
    assert_eq!(done.damage.len(), 1);
    assert_eq!(done.damage[0].tables, ["b"]);
    assert!(restored.lock().unwrap().take() == Some(two.maps[0].clone()));
    let (sink, _) = MapSink::new();
    two.repository.restore_into("two", Box::new(sink), &Restore::new().tables(["a"])).unwrap();
}

#[test]
fn a_pack_that_was_cut_off_is_told_without_reading_it() {
    let two = Two::new();
    let pack = two.pack_of_b().to_owned();
    let bytes = std::fs::read(&pack).unwrap();
    std::fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
    let damage = two.repository.verify(None, Depth::Structure).unwrap().damage;
    assert!(damage.iter().any(|damage| damage.what.contains("cut off")), "{damage:?}");
    assert_eq!(restored(&two.repository, "two").unwrap_err().code(), ErrorCode::Damaged);
    two.assert_one_is_whole();

    two.backup("three").unwrap();
    for (name, maps) in [("one", &two.maps[0]), ("two", &two.maps[1]), ("three", &two.maps[1])] {
        assert!(restored(&two.repository, name).unwrap() == *maps, "{name}");
    }
    // What is left of the pack may still be of use, so it stays; but it costs nobody anything.
    let verified = two.repository.verify(None, Depth::Data).unwrap();
    assert!(verified.damage.is_empty() && !verified.warnings.is_empty(), "{verified:?}");
}

#[test]
fn a_damaged_snapshot_file_is_told_and_others_stay_usable() {
    let whole = std::fs::read(Two::new().repository.dir().join("snapshots/two.json")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() - 20] ^= 1;
    let foreign = std::fs::read(Two::new().repository.dir().join("snapshots/one.json")).unwrap();
    let cases = [flipped, whole[..whole.len() / 2].to_vec(), Vec::new(), noise(1, 3000), foreign];
    for (number, bytes) in cases.into_iter().enumerate() {
        let two = Two::new();
        std::fs::write(two.repository.dir().join("snapshots/two.json"), bytes).unwrap();
        let listed = two.repository.snapshots().unwrap();
        assert_eq!(listed.snapshots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["one"], "{number}");
        assert_eq!(listed.damage.len(), 1, "{number}: {:?}", listed.damage);
        assert_eq!(listed.damage[0].file, "snapshots/two.json");
        assert_eq!(two.repository.verify(None, Depth::Structure).unwrap().damage, listed.damage, "{number}");
        let error = restored(&two.repository, "two").unwrap_err();
        assert_says(&error, ErrorCode::Damaged, &["snapshots/two.json"]);
        assert_eq!(two.repository.find("latest").unwrap().name, "one");
        two.assert_one_is_whole();
        // Its name is taken, and its data is still there for the next.
        assert_eq!(two.backup("two").unwrap_err().code(), ErrorCode::Exists, "{number}");
        let three =
            two.repository.backup(&Arc::new(two.maps[1].clone()), &Backup::new().name("three")).unwrap();
        assert_eq!(three.bytes_added, 0, "{number}");
        assert!(restored(&two.repository, "three").unwrap() == two.maps[1]);
    }
}

#[test]
fn without_its_index_a_repository_can_be_read_and_the_next_backup_makes_it_again() {
    let damages: [fn(&Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| flip(path, 40),
        |path| std::fs::write(path, "").unwrap(),
    ];
    for damage in damages {
        let two = Two::new();
        let index = files_below(&two.repository.dir().join("index"));
        assert!(!index.is_empty());
        index.iter().for_each(|file| damage(file));
        for (name, maps) in ["one", "two"].into_iter().zip(&two.maps) {
            assert!(restored(&two.repository, name).unwrap() == *maps, "{name}");
        }
        two.backup("three").unwrap();
        assert_eq!(two.repository.find("three").unwrap().bytes_added, 0);
        two.assert_all_is_whole();
    }
}

#[test]
fn a_directory_that_is_missing_or_empty_is_no_repository() {
    let two = Two::new();
    let missing = two.dir.path().join("missing");
    let empty = two.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for dir in [&missing, &empty] {
        let two = Two { repository: repository(dir), ..Two::new() };
        for (verb, done) in two.read_all("latest") {
            let error = done.expect_err(verb);
            let name = dir.file_name().unwrap().to_str().unwrap();
            assert_says(&error, ErrorCode::NoRepository, &[name, "first backup"]);
        }
    }
    assert!(!missing.exists(), "reading makes nothing");
    assert_eq!(files_below(&empty), Vec::<PathBuf>::new());
}

#[test]
fn a_file_in_the_place_of_the_directory_is_left_alone() {
    let two = Two::new();
    let file = two.dir.path().join("a file");
    std::fs::write(&file, "precious").unwrap();
    let two = Two { repository: repository(&file), ..two };
    for (verb, done) in two.read_all("latest").into_iter().chain([("backup", two.backup("x"))]) {
        assert_says(&done.expect_err(verb), ErrorCode::Invalid, &["a file", "not a directory"]);
    }
    let below = Two { repository: repository(file.join("below")), ..Two::new() };
    below.backup("x").unwrap_err();
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let two = Two { repository: repository(dir.path()), ..Two::new() };
    std::fs::write(dir.path().join("thesis.txt"), "precious").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let error = two.backup("x").unwrap_err();
    assert_says(&error, ErrorCode::NoRepository, &["thesis.txt", "give an empty or a new one"]);
    assert_eq!(files_below(dir.path()), [dir.path().join("thesis.txt")], "not even a lock is left");
    for (verb, done) in two.read_all("latest") {
        assert_eq!(done.expect_err(verb).code(), ErrorCode::NoRepository, "{verb}");
    }
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_is_made() {
    let two = Two::new();
    let long = "x".repeat(201);
    let wrong =
        ["a/b", "/etc/passwd", "..", ".", "../up", "a\\b", "", "latest", "a\nb", "tmp-x", "{what}", &long];
    let dir = two.dir.path().join("not yet there");
    let fresh = repository(&dir);
    let before = files_below(two.dir.path());
    for name in wrong {
        let error = two.backup(name).unwrap_err();
        assert_says(&error, ErrorCode::Invalid, &["name"]);
        let error = fresh.backup(&Arc::new(two.maps[0].clone()), &Backup::new().name(name)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Invalid);
        let source = Backup::new().source(name);
        if name.contains('/') || name.len() > 200 || name.is_empty() || name.contains('\n') {
            assert_eq!(
                two.repository.backup(&Arc::new(two.maps[0].clone()), &source).unwrap_err().code(),
                ErrorCode::Invalid,
                "{name:?}"
            );
        }
    }
    assert_eq!(files_below(two.dir.path()), before);
    two.backup(&long[..200]).unwrap();
    assert_eq!(two.repository.find(&long[..200]).unwrap().name.len(), 200);
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_snapshot_that_has_it_stays() {
    let two = Two::new();
    let file = two.repository.dir().join("snapshots/one.json");
    let before = std::fs::read(&file).unwrap();
    let error = two.backup("one").unwrap_err();
    assert_says(&error, ErrorCode::Exists, &["\"one\"", "--name"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    two.assert_all_is_whole();
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let two = Two::new();
    let error = restored(&two.repository, "three").unwrap_err();
    assert_says(&error, ErrorCode::NotFound, &["\"three\"", "snapshots"]);
    let error = restored(&two.repository, "../../etc/passwd").unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let (sink, published) = MapSink::new();
    let globs = Restore::new().tables(["a", "c*"]);
    let error = two.repository.restore_into("two", Box::new(sink), &globs).unwrap_err();
    assert_says(&error, ErrorCode::NotFound, &["\"c*\"", "a, b"]);
    assert!(published.lock().unwrap().is_none());
    let error =
        two.repository.backup(&Arc::new(two.maps[1].clone()), &Backup::new().tables(["x"])).unwrap_err();
    assert_says(&error, ErrorCode::NotFound, &["\"x\"", "a, b"]);
    assert_eq!(names(&two.repository), ["one", "two"]);
    let missing = Backup::new().position("state/height").name("{position}");
    let fresh = repository(two.dir.path().join("fresh"));
    let error = fresh.backup(&Arc::new(two.maps[1].clone()), &missing).unwrap_err();
    assert_says(&error, ErrorCode::NotFound, &["state/height"]);
    assert!(!fresh.dir().exists(), "nothing is made for a backup that cannot be named");
}

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");

fn database(path: &Path, rows: u64) -> Database {
    let db = Database::create(path).unwrap();
    let txn = db.begin_write().unwrap();
    for row in 0..rows {
        txn.open_table(TABLE).unwrap().insert(row, noise(row, 1000).as_slice()).unwrap();
    }
    txn.commit().unwrap();
    db
}

fn rows(path: &Path) -> u64 {
    let db = Database::open(path).unwrap();
    let txn = db.begin_read().unwrap();
    txn.open_table(TABLE).unwrap().len().unwrap()
}

#[test]
fn a_target_that_exists_stays_whole_until_the_new_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    repository.backup(&database(&dir.path().join("app.redb"), 3000), &Backup::new().threads(1)).unwrap();
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let target = out.join("restored.redb");
    drop(database(&target, 7));
    let error = repository.restore("latest", &target, &Restore::new()).unwrap_err();
    assert_says(&error, ErrorCode::Exists, &["restored.redb"]);
    let overwrite = Restore::new().overwrite(true);
    let open = Database::open(&target).unwrap();
    let error = repository.restore("latest", &target, &overwrite).unwrap_err();
    assert_says(&error, ErrorCode::Locked, &["restored.redb", "open in another process"]);
    drop(open);
    let before = std::fs::read(&target).unwrap();

    // A snapshot that turns out to be damaged on the way.
    let packs = files_below(&repository.dir().join("packs"));
    let pack = packs.iter().max_by_key(|pack| pack.metadata().unwrap().len()).unwrap();
    let at = pack.metadata().unwrap().len() as usize * 3 / 4;
    flip(pack, at);
    assert_eq!(repository.restore("latest", &target, &overwrite).unwrap_err().code(), ErrorCode::Damaged);
    flip(pack, at);
    assert!(std::fs::read(&target).unwrap() == before, "the file that was there is as it was");
    assert_eq!(files_below(&out), std::slice::from_ref(&target), "nothing is left beside it");

    repository.restore("latest", &target, &overwrite).unwrap();
    assert_eq!(rows(&target), 3000);
    assert_eq!(files_below(&out), [target]);
}

#[test]
fn a_restore_that_fails_leaves_no_target() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    repository.backup(&database(&dir.path().join("app.redb"), 3000), &Backup::new().threads(1)).unwrap();
    let packs = files_below(&repository.dir().join("packs"));
    let pack = packs.iter().max_by_key(|pack| pack.metadata().unwrap().len()).unwrap();
    flip(pack, pack.metadata().unwrap().len() as usize * 3 / 4);
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let error = repository.restore("latest", out.join("restored.redb"), &Restore::new()).unwrap_err();
    assert_says(&error, ErrorCode::Damaged, &["\"table\""]);
    let error = repository.restore("latest", out.join("missing/restored.redb"), &Restore::new()).unwrap_err();
    assert_says(&error, ErrorCode::NotFound, &["missing/restored.redb"]);
    // A snapshot of another kind of store.
    repository.backup(&Arc::new(Maps::filled(&[("a", 3, 3)])), &Backup::new().name("maps")).unwrap();
    let error = repository.restore("maps", out.join("restored.redb"), &Restore::new()).unwrap_err();
    assert!(!error.to_string().contains("wasm"), "{error}");
    assert_eq!(files_below(&out), Vec::<PathBuf>::new());
}

/// Not a test: runs as a user who is not root, for whom permissions count.
#[test]
#[ignore = "what another test starts as another process"]
#[cfg(unix)]
fn without_permission() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(dir) = std::env::var_os("WITHOUT_PERMISSION_IN") else { return };
    let dir = tempfile::tempdir_in(dir).unwrap();
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let sandbox = strongroom::Sandbox::builder().no_cache().build().unwrap();
    let open = |dir: &Path| Repository::with_sandbox(dir, sandbox.clone()).unwrap();
    let maps = Arc::new(Maps::filled(&[("a", 100, 100)]));
    let repository = open(&dir.path().join("backups"));
    repository.backup(&maps, &Backup::new().name("first")).unwrap();

    // A directory that cannot be made.
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    allow(&closed, 0o500);
    let error = open(&closed.join("backups")).backup(&maps, &Backup::new()).unwrap_err();
    assert_says(&error, ErrorCode::Denied, &["closed/backups", "Permission denied"]);
    allow(&closed, 0o000);
    let error = open(&closed.join("backups")).snapshots().unwrap_err();
    assert_says(&error, ErrorCode::Denied, &["closed/backups"]);
    allow(&closed, 0o700);

    // A repository that cannot be looked into, or not be written to.
    let root = repository.dir();
    for (path, mode, backup) in [
        ("", 0o000, true),
        ("snapshots", 0o000, true),
        ("packs", 0o500, true),
        ("snapshots/first.json", 0, false),
    ] {
        let path = root.join(path);
        let before = path.metadata().unwrap().permissions().mode();
        allow(&path, mode);
        let said = if backup {
            // `0o000` on the directory itself is not 0700 either.
            let backup = Backup::new().override_permissions(false);
            let mut other = (*maps).clone();
            other.0.insert("b".into(), [(vec![1], noise(3, 100))].into());
            let error = repository.backup(&Arc::new(other), &backup).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Denied, "{error}");
            error.to_string()
        } else {
            // The others are listed, and it is named.
            repository.snapshots().unwrap().damage.remove(0).what
        };
        allow(&path, before & 0o777);
        assert!(said.to_lowercase().contains("permission"), "{said}");
        assert_eq!(names(&repository), ["first"], "{}", path.display());
        assert_whole(&repository);
        assert!(!root.join("lock").exists(), "{}", path.display());
    }
    eprintln!("permissions were tried");
}

#[test]
#[cfg(unix)]
fn missing_permission_is_told_and_harms_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let dir = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o777)).tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Where everybody may run it.
    let program = dir.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = std::process::Command::new(program);
    child.args(["--ignored", "--exact", "without_permission", "--nocapture"]);
    child.env("WITHOUT_PERMISSION_IN", dir.path()).current_dir(dir.path());
    if rustix::process::geteuid().is_root() {
        // Nobody.
        child.uid(65_534).gid(65_534);
    }
    let done = child.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("permissions were tried"), "{said}");
}

//! What the component can touch, what ends a run, and that whatever ends it harms nothing.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use strongroom::store::{self, ErrorCode as StoreCode, frame};
use strongroom::{
    Backup, Budgets, Depth, ENGINE, Entries, Error, ErrorCode, Repository, Restore, Sandbox, Snapshot, Store,
};

use common::map::{MapSink, Maps, Packed};
use common::{assert_whole, builder, files_below, names, noise, repository};

/// All that the component may ask for, and why it does.
const IMPORTS: [&str; 20] = [
    // How far a run is, and whether it should stop.
    "strongroom:backup/progress@0.1.0",
    // The database that is restored into; denied while backing up.
    "strongroom:kv/kv-sink@0.1.0",
    // The database that is backed up; denied while restoring.
    "strongroom:kv/kv-store@0.1.0",
    // What Rust's standard library brings along. There are no variables and no arguments in it here.
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    // A panic's last words.
    "wasi:cli/stderr@0.2.12",
    // Rust's standard library again; both lead nowhere.
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    // Times of files, which the types of files name.
    "wasi:clocks/wall-clock@0.2.12",
    // The repository, as the one directory.
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    // What streams are made of, which files and stderr name.
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    // The seed of Rust's hash maps.
    "wasi:random/insecure-seed@0.2.12",
];

#[test]
fn the_component_imports_this_and_nothing_else() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::from_binary(&engine, ENGINE).unwrap();
    let types = component.component_type();
    let mut imports: Vec<String> = types.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    assert_eq!(imports, IMPORTS);
    assert!(!imports.iter().any(|name| name.contains("sockets") || name.contains("http")));
    let mut exports: Vec<String> = types.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    assert_eq!(exports, ["strongroom:backup/engine@0.1.0", "strongroom:kv/kv-store@0.1.0"]);
}

/// A repository with a snapshot `first` of some tables.
fn with_a_snapshot(dir: &Path) -> (Repository, Maps, Snapshot) {
    let repository = repository(dir.join("backups"));
    let maps = Maps::filled(&[("a", 2000, 100), ("b", 20, 5000), ("empty", 0, 0)]);
    let snapshot = repository.backup(&Arc::new(maps.clone()), &Backup::new().name("first")).unwrap();
    (repository, maps, snapshot)
}

fn restored(repository: &Repository, snapshot: &str) -> Maps {
    let (sink, restored) = MapSink::new();
    repository.restore_into(snapshot, Box::new(sink), &Restore::new()).unwrap();
    restored.lock().unwrap().take().expect("it is published")
}

/// The earlier snapshot is all there is, it is whole, and the next backup works.
fn assert_unharmed(repository: &Repository, first: &Maps) {
    let repository = &common::repository(repository.dir());
    assert_eq!(names(repository), ["first"]);
    assert_whole(repository);
    assert!(restored(repository, "first") == *first);
    let mut more = first.clone();
    more.0.insert("more".to_owned(), [(b"key".to_vec(), noise(9, 1000))].into());
    repository.backup(&Arc::new(more.clone()), &Backup::new().name("next")).unwrap();
    assert!(restored(repository, "next") == more);
    assert_whole(repository);
    std::fs::remove_file(repository.dir().join("snapshots/next.json")).unwrap();
}

/// Every file below a directory: name, bytes, and when it was last written.
fn state_of(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, SystemTime)> {
    let state = |path: PathBuf| {
        let modified = path.metadata().unwrap().modified().unwrap();
        let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
        (path, bytes, modified)
    };
    files_below(dir).into_iter().chain([dir.to_owned()]).map(state).collect()
}

#[test]
fn verbs_that_read_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, _, snapshot) = with_a_snapshot(dir.path());
    // What a run that was interrupted leaves behind: a verb that could write would be tempted to clear it away.
    std::fs::write(repository.dir().join("packs/tmp-left"), "left behind").unwrap();
    std::fs::remove_file(&files_below(&repository.dir().join("index"))[0]).unwrap();
    let before = state_of(repository.dir());
    repository.snapshots().unwrap();
    repository.find(&snapshot.id[..8]).unwrap();
    repository.tables("latest").unwrap();
    for depth in [Depth::Structure, Depth::Data, Depth::Sample { permille: 500, number: 1 }] {
        repository.verify(None, depth).unwrap();
        repository.verify(Some("first"), depth).unwrap();
    }
    let mut entries = 0;
    let count = |_: &[u8], _: &[u8]| {
        entries += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    };
    repository.scan("latest", "a", count).unwrap();
    assert_eq!(entries, 2000);
    restored(&repository, "latest");
    assert_eq!(repository.tables("no such snapshot").unwrap_err().code(), ErrorCode::NotFound);
    assert!(state_of(repository.dir()) == before, "the repository is as it was");
}

fn budgets(change: impl FnOnce(&mut Budgets)) -> Budgets {
    let mut budgets = Budgets::default();
    change(&mut budgets);
    budgets
}

fn limited(repository: &Repository, change: impl FnOnce(&mut Budgets)) -> Repository {
    let sandbox = builder().budgets(budgets(change)).build().unwrap();
    Repository::with_sandbox(repository.dir(), sandbox).unwrap()
}

fn assert_budget(error: &Error, flag: &str) {
    assert_eq!(error.code(), ErrorCode::Budget, "{error}");
    assert!(error.to_string().contains(flag), "{error}");
}

#[test]
fn a_run_that_wants_more_memory_than_its_budget_ends_and_names_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let large = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    let small = limited(&repository, |budgets| budgets.memory = 8 << 20);
    let error = small.backup(&large, &Backup::new().name("too large")).unwrap_err();
    assert_budget(&error, "--memory");
    assert!(error.to_string().contains("8 MiB"), "{error}");
    assert_unharmed(&repository, &first);
}

#[test]
fn every_memory_budget_either_suffices_or_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let large = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    let (mut refused, mut done) = (0, 0);
    for kib in [1, 512, 1500, 2500, 4000, 12_000, 20_000, 40_000, 80_000, 160_000] {
        let limited = limited(&repository, |budgets| budgets.memory = kib << 10);
        match limited.backup(&large, &Backup::new().name("large").threads(3)) {
            Ok(snapshot) => {
                done += 1;
                assert_eq!(restored(&repository, "large"), *large);
                std::fs::remove_file(repository.dir().join(format!("snapshots/{}.json", snapshot.name)))
                    .unwrap();
            }
            Err(error) => {
                refused += 1;
                assert_budget(&error, "--memory");
                assert_eq!(names(&repository), ["first"]);
            }
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
    assert_unharmed(&repository, &first);
}

#[test]
fn a_run_that_takes_longer_than_its_budget_ends_and_names_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let maps = Arc::new(Maps::filled(&[("large", 300, 100_000)]));
    for interrupts in [false, true] {
        let budgets = budgets(|budgets| budgets.time = Some(Duration::from_millis(1)));
        let sandbox = builder().budgets(budgets).interrupts(interrupts).build().unwrap();
        let late = Repository::with_sandbox(repository.dir(), sandbox).unwrap();
        assert_budget(&late.backup(&maps, &Backup::new()).unwrap_err(), "--timeout");
        assert_unharmed(&repository, &first);
    }
}

#[test]
fn a_component_that_can_be_interrupted_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, snapshot) = with_a_snapshot(dir.path());
    let budgets = budgets(|budgets| budgets.time = Some(Duration::from_secs(600)));
    let sandbox = builder().budgets(budgets).interrupts(true).build().unwrap();
    let other = Repository::with_sandbox(repository.dir(), sandbox).unwrap();
    let again = other.backup(&Arc::new(first.clone()), &Backup::new().name("again")).unwrap();
    assert_eq!((again.id, again.bytes_added), (snapshot.id, 0));
    assert!(restored(&other, "again") == first);
    assert_whole(&other);
}

#[test]
fn what_is_no_engine_is_refused_and_called_by_its_name() {
    let serialized = wasmtime::Engine::default().precompile_component(ENGINE).unwrap();
    let another_world = r#"(component
        (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))
        (import "nobody:grants/this@1.0.0" (instance (export "it" (func)))))"#;
    let wrong: [(&str, Vec<u8>, &str); 8] = [
        ("nothing", Vec::new(), "not a WebAssembly component"),
        ("noise", noise(1, 5000), "not a WebAssembly component"),
        ("text", b"(component)".to_vec(), "not a WebAssembly component"),
        ("a module", wat::parse_str("(module)").unwrap(), "not a WebAssembly component"),
        ("the engine, cut off", ENGINE[..ENGINE.len() / 2].to_vec(), "not a WebAssembly component"),
        // It would run unchecked.
        ("code that was compiled before", serialized, "not a WebAssembly component"),
        ("a component that exports nothing", wat::parse_str("(component)").unwrap(), "not an engine"),
        (
            "a component of another world",
            wat::parse_str(another_world).unwrap(),
            "wants more than is granted",
        ),
    ];
    for (what, bytes, why) in wrong {
        let error = builder().component(bytes).build().err().unwrap_or_else(|| panic!("{what} was taken"));
        assert_eq!(error.code(), ErrorCode::Invalid, "{what}: {error}");
        assert!(error.to_string().contains(why), "{what}: {error}");
    }
}

/// The engine with other instructions at the beginning of one of its exported functions. `IMPORT name` in them stands
/// for the imported function of that name.
fn turned_hostile(function: &str, instructions: &str) -> Sandbox {
    let text = wasmprinter::print_bytes(ENGINE).unwrap();
    let export = &format!("(export \"strongroom:backup/engine@0.1.0#{function}\" (func ");
    let at = text.find(export).expect("the function is exported") + export.len();
    let function = text[at..].split(')').next().unwrap();
    let head = if function.starts_with('$') {
        format!("(func {function} ")
    } else {
        format!("(func (;{function};) ")
    };
    // Within the module that exports it.
    let module = text[..at].rfind("(core module").unwrap();
    let start = module + text[module..].find(&head).expect("the function is defined");
    let mut end = start + text[start..].find('\n').unwrap() + 1;
    while text[end..].trim_start().starts_with("(local ") {
        end += text[end..].find('\n').unwrap() + 1;
    }
    let mut instructions = instructions.to_owned();
    while let Some(at) = instructions.find("IMPORT ") {
        let name = instructions[at + 7..].split_whitespace().next().unwrap();
        let import =
            &text[module..][text[module..].find(&format!("\"{name}\" (func ")).expect("it is imported")..];
        let index = import.split("(;").nth(1).and_then(|rest| rest.split(";)").next()).unwrap();
        instructions = instructions.replace(&format!("IMPORT {name}"), index);
    }
    let hostile = [&text[..end], &instructions, "\n", &text[end..]].concat();
    let budgets = budgets(|budgets| budgets.time = Some(Duration::from_millis(1500)));
    builder().component(wat::parse_str(hostile).unwrap()).budgets(budgets).build().unwrap()
}

#[test]
fn an_engine_that_turned_hostile_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let forever = "loop br 0 end";
    let greedy = "loop i32.const 16 memory.grow drop br 0 end";
    let trap = "unreachable";
    let cases = [
        (forever, ErrorCode::Budget, "--timeout"),
        (greedy, ErrorCode::Budget, "--memory"),
        (trap, ErrorCode::Other, "earlier snapshots are as they were"),
    ];
    for (instructions, code, text) in cases {
        let hostile =
            Repository::with_sandbox(repository.dir(), turned_hostile("snapshots", instructions)).unwrap();
        let started = Instant::now();
        let error = hostile.snapshots().unwrap_err();
        assert_eq!(error.code(), code, "{instructions}: {error}");
        assert!(error.to_string().contains(text), "{instructions}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{instructions} took {:?}", started.elapsed());
        // The functions that were left as they are still work.
        assert_eq!(hostile.find("first").unwrap().name, "first");
    }
    assert_unharmed(&repository, &first);
}

/// Makes a directory of this path, of up to eight bytes, with the rights that the component has.
fn make_directory(path: &str) -> String {
    let mut bytes = [0; 8];
    bytes[..path.len()].copy_from_slice(path.as_bytes());
    format!(
        "(local $page i32)
        i32.const 1 memory.grow i32.const 65536 i32.mul local.set $page
        local.get $page call IMPORT get-directories
        local.get $page i64.const {} i64.store offset=64
        local.get $page i32.load i32.load
        local.get $page i32.const 64 i32.add i32.const {}
        local.get $page i32.const 128 i32.add
        call IMPORT [method]descriptor.create-directory-at",
        i64::from_le_bytes(bytes),
        path.len()
    )
}

#[test]
fn an_engine_that_turned_hostile_writes_nothing_where_it_may_only_read_and_nothing_outside_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let before = state_of(dir.path());
    for path in ["evil", "../evil", "/evil"] {
        let hostile = turned_hostile("snapshots", &make_directory(path));
        let hostile = Repository::with_sandbox(repository.dir(), hostile).unwrap();
        assert_eq!(hostile.snapshots().unwrap().snapshots.len(), 1, "it was denied, and went on");
        assert!(state_of(dir.path()) == before, "{path}");
    }
    let back_up_with = |path| {
        let hostile = turned_hostile("publish", &make_directory(path));
        let hostile = Repository::with_sandbox(repository.dir(), hostile).unwrap();
        hostile.backup(&Arc::new(first.clone()), &Backup::new().name("next")).unwrap();
        std::fs::remove_file(repository.dir().join("snapshots/next.json")).unwrap();
    };
    for path in ["../evil", "/evil"] {
        back_up_with(path);
        assert!(!files_below(dir.path()).iter().any(|path| path.ends_with("evil")), "{path}");
        assert!(!Path::new("/evil").exists());
    }
    // So that it is the sandbox that denied it: where a verb writes, the same instructions do.
    back_up_with("evil");
    assert!(repository.dir().join("evil").is_dir());
    std::fs::remove_dir(repository.dir().join("evil")).unwrap();
    assert_unharmed(&repository, &first);
}

/// A store that fails, or breaks its promises.
struct Bad {
    good: Maps,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    FailsMidway,
    FailsToList,
    FailsToGiveTheTemplate,
    FailsToGiveNotes,
    CutsTheLastEntry,
    GivesAnImpossibleLength,
    GivesMoreThanAsked,
    MiscountsEntries,
    ListsOutOfOrder,
    ListsTwice,
    SplitsAnywhere,
    NeverEnds,
    NeverEndsButPanicsInTheFirstThread,
    Panics(&'static str),
}

const PANICS: [&str; 5] = ["tables", "template", "notes", "scan", "read"];

struct BadEntries {
    good: Packed,
    how: How,
    reads: u32,
}

fn broken() -> store::Error {
    store::Error::new(StoreCode::Io, "the disk fell off")
}

impl Bad {
    fn new(how: How) -> Arc<Self> {
        Arc::new(Self { good: Maps::filled(&[("large", 200, 100_000), ("small", 10, 10)]), how })
    }

    fn panic_in(&self, what: &str) {
        assert!(!matches!(self.how, How::Panics(place) if place == what), "the store's own mistake");
    }
}

impl Store for Bad {
    fn tables(&self) -> store::Result<Vec<store::Table>> {
        self.panic_in("tables");
        let mut tables = self.good.tables()?;
        match self.how {
            How::FailsToList => return Err(broken()),
            How::MiscountsEntries => {
                tables.iter_mut().for_each(|table| table.entries = table.entries * 3 + 7)
            }
            How::ListsOutOfOrder => tables.reverse(),
            How::ListsTwice => tables = [tables.clone(), tables].concat(),
            _ => {}
        }
        Ok(tables)
    }

    fn template(&self) -> store::Result<Vec<u8>> {
        self.panic_in("template");
        if self.how == How::FailsToGiveTheTemplate { Err(broken()) } else { self.good.template() }
    }

    fn notes(&self) -> store::Result<Vec<(String, String)>> {
        self.panic_in("notes");
        if self.how == How::FailsToGiveNotes { Err(broken()) } else { self.good.notes() }
    }

    fn position(&self, _at: &str) -> store::Result<u64> {
        self.panic_in("position");
        Ok(1)
    }

    fn split(&self, table: &str, parts: u32) -> store::Result<Vec<Vec<u8>>> {
        if self.how == How::SplitsAnywhere {
            // Backwards, twice the same, and past the end.
            return Ok(["key 00000150", "key 00000050", "key 00000050", "zzz"]
                .map(|mark| mark.into())
                .into());
        }
        self.good.split(table, parts)
    }

    fn scan(&self, table: &str, from: Option<&[u8]>, to: Option<&[u8]>) -> store::Result<Box<dyn Entries>> {
        self.panic_in("scan");
        let (mut packed, mut entries) = (Vec::new(), Vec::new());
        // A range that ends before it begins is empty.
        if !matches!((from, to), (Some(from), Some(to)) if from > to) {
            let mut good = self.good.scan(table, from, to)?;
            loop {
                good.read(1 << 20, &mut entries)?;
                if entries.is_empty() {
                    break;
                }
                packed.append(&mut entries);
            }
        }
        if self.how == How::CutsTheLastEntry {
            packed.pop();
        }
        let good = Packed { packed, at: 0 };
        Ok(Box::new(BadEntries { good, how: self.how, reads: 0 }))
    }
}

impl Entries for BadEntries {
    fn read(&mut self, max: usize, out: &mut Vec<u8>) -> store::Result<()> {
        self.reads += 1;
        match self.how {
            How::FailsMidway if self.reads == 3 => return Err(broken()),
            How::GivesAnImpossibleLength if self.reads == 2 => out.extend_from_slice(&[0xff; 100]),
            How::Panics("read") if self.reads == 3 => panic!("the store's own mistake"),
            How::GivesMoreThanAsked => return self.good.read(usize::MAX / 2, out),
            How::NeverEndsButPanicsInTheFirstThread
                if std::thread::current().name() == Some("strongroom-backup") =>
            {
                std::thread::sleep(Duration::from_millis(300));
                panic!("the store's own mistake");
            }
            How::NeverEnds | How::NeverEndsButPanicsInTheFirstThread => {
                // Large enough to be as quick as a store can be.
                for number in 0..8 {
                    frame::push(out, &self.reads.to_be_bytes(), &[number; 100_000])?;
                }
            }
            _ => {}
        }
        match self.how {
            How::NeverEnds | How::NeverEndsButPanicsInTheFirstThread => Ok(()),
            _ => self.good.read(max, out),
        }
    }
}

#[test]
fn a_store_that_fails_ends_the_backup_with_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    for how in [How::FailsMidway, How::FailsToList, How::FailsToGiveTheTemplate, How::FailsToGiveNotes] {
        let error = repository.backup(&Bad::new(how), &Backup::new()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Io, "{how:?}: {error}");
        assert!(error.to_string().contains("the disk fell off"), "{how:?}: {error}");
        assert_unharmed(&repository, &first);
    }
    let error = repository.backup(&Bad::new(How::FailsMidway), &Backup::new()).unwrap_err();
    assert!(error.to_string().contains("\"large\""), "the table is named: {error}");
}

#[test]
fn a_store_that_breaks_its_promises_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let cases = [
        (How::CutsTheLastEntry, "table \"large\""),
        (How::GivesAnImpossibleLength, "table \"large\""),
        (How::ListsOutOfOrder, "order"),
        (How::ListsTwice, "each once"),
    ];
    for (how, text) in cases {
        for threads in [1, 3] {
            let error = repository.backup(&Bad::new(how), &Backup::new().threads(threads)).unwrap_err();
            assert!(error.to_string().contains(text), "{how:?}: {error}");
            assert!(!error.to_string().contains("wasm"), "{how:?} is told, not trapped: {error}");
            assert_unharmed(&repository, &first);
        }
    }
}

#[test]
fn promises_that_do_not_matter_may_be_broken() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let good = Bad::new(How::MiscountsEntries);
    let expected = repository.backup(&Arc::new(good.good.clone()), &Backup::new().name("good")).unwrap();
    for how in [How::MiscountsEntries, How::GivesMoreThanAsked] {
        let snapshot = repository.backup(&Bad::new(how), &Backup::new().name("bad").threads(3)).unwrap();
        assert_eq!((&snapshot.id, snapshot.entries), (&expected.id, 210), "{how:?}");
        assert!(restored(&repository, "bad") == good.good, "{how:?}");
        std::fs::remove_file(repository.dir().join("snapshots/bad.json")).unwrap();
    }
    std::fs::remove_file(repository.dir().join("snapshots/good.json")).unwrap();
    assert_unharmed(&repository, &first);
}

#[test]
fn marks_that_are_not_in_order_lose_nothing_silently() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let bad = Bad::new(How::SplitsAnywhere);
    // Either it is found out, or all is there.
    match repository.backup(&bad, &Backup::new().name("bad").threads(3)) {
        Err(error) => assert!(error.to_string().contains("large"), "{error}"),
        Ok(snapshot) => {
            assert_eq!(snapshot.entries, 210);
            assert!(restored(&repository, "bad") == bad.good);
            std::fs::remove_file(repository.dir().join("snapshots/bad.json")).unwrap();
        }
    }
    assert_unharmed(&repository, &first);
}

#[test]
fn a_store_without_end_ends_with_the_time_budget() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let limited = limited(&repository, |budgets| budgets.time = Some(Duration::from_millis(700)));
    for threads in [1, 3] {
        let error = limited.backup(&Bad::new(How::NeverEnds), &Backup::new().threads(threads)).unwrap_err();
        assert_budget(&error, "--timeout");
        assert_unharmed(&repository, &first);
    }
}

#[test]
fn a_store_that_panics_ends_the_backup_and_not_the_application() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    for what in PANICS.into_iter().chain(["position"]) {
        for threads in [1, 3] {
            let backup = Backup::new().name("bad").threads(threads).position("here");
            let run = || repository.backup(&Bad::new(How::Panics(what)), &backup);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let error =
                done.unwrap_or_else(|_| panic!("the panic in {what} reached the application")).unwrap_err();
            assert!(error.to_string().contains("the store's own mistake"), "{what}: {error}");
            assert_unharmed(&repository, &first);
        }
    }
}

#[test]
fn a_panic_in_one_thread_stops_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    // Were they not stopped, they would go on for so long.
    let limited = limited(&repository, |budgets| budgets.time = Some(Duration::from_secs(10)));
    let bad = Bad::new(How::NeverEndsButPanicsInTheFirstThread);
    let started = Instant::now();
    let error = limited.backup(&bad, &Backup::new().threads(3)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.code(), ErrorCode::Other, "{error}");
    assert!(error.to_string().contains("the store's own mistake"), "{error}");
    assert_unharmed(&repository, &first);
}

#[test]
#[cfg(unix)]
fn what_is_written_is_for_the_owner_alone_whatever_the_mask() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let mask = rustix::fs::Mode::from_raw_mode(0o022);
    rustix::process::umask(mask);
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("new/backups"));
    let maps = Maps::filled(&[("large", 300, 100_000)]);
    repository.backup(&Arc::new(maps), &Backup::new().threads(3)).unwrap();
    for path in files_below(&dir.path().join("new")) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert_eq!(mode(&dir.path().join("new")), 0o700, "also those above it that were made");

    let app = dir.path().join("app.redb");
    let db = redb::Database::create(&app).unwrap();
    repository.backup(&db, &Backup::new().name("app")).unwrap();
    let target = dir.path().join("restored.redb");
    repository.restore("app", &target, &Restore::new()).unwrap();
    assert_eq!(mode(&target), 0o600, "a restored database holds the same data");

    // The application's own mask is as it was.
    let own = dir.path().join("own");
    std::fs::File::create(&own).unwrap().write_all(b"own").unwrap();
    assert_eq!(mode(&own), 0o644);
    assert_eq!(rustix::process::umask(mask), mask);
}

#[test]
#[cfg(unix)]
fn a_repository_that_others_can_look_into_is_refused_unless_told_otherwise() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backups");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let repository = repository(&path);
    let maps = Arc::new(Maps::filled(&[("a", 3, 3)]));
    let error = repository.backup(&maps, &Backup::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Denied);
    assert!(error.to_string().contains("0755") && error.to_string().contains("chmod 700"), "{error}");
    assert_eq!(files_below(&path), Vec::<PathBuf>::new());
    repository.backup(&maps, &Backup::new().override_permissions(true)).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

//! A host that does only a part of what the component writes and reads, as WASI allows: the composed component runs on a
//! WASI whose `descriptor.write` and `descriptor.read` are ours. What was not written is not taken as written.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::OnceLock;

use redb::{Database, TableDefinition};
use tempfile::TempDir;
use wasmtime::component::{Component, Linker, Resource, ResourceTable};
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::add_to_linker_sync;
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    Descriptor, ErrorCode, Host as _, HostDescriptor as _,
};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use common::{assert_whole, mix, names, noise, repository};

/// What becomes of a write, by its number and its length.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Write {
    /// So many bytes of it, but no more than it has.
    Part(usize),
    /// A signal came before any of it.
    Interrupted,
    /// Nothing of it, without an error.
    Nothing,
    /// It is said that more was written than was given.
    Boast,
    /// The device fails.
    Fails,
}

type Writes = fn(number: u64, at: u64) -> Write;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    writes: Writes,
    at: u64,
    /// Writes and reads so far.
    written: u64,
    read: u64,
    /// Those that came in part.
    short: u64,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

type Descriptors = Resource<Descriptor>;
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

fn write(
    mut store: StoreContextMut<'_, State>,
    (file, bytes, offset): (Descriptors, Vec<u8>, u64),
) -> Answer<u64> {
    let state = store.data_mut();
    let number = state.written;
    state.written += 1;
    let (part, boast) = match (state.writes)(number, state.at) {
        Write::Part(most) => (most.clamp(1, bytes.len().max(1)).min(bytes.len()), 0),
        Write::Interrupted => return Ok((Err(ErrorCode::Interrupted),)),
        Write::Nothing => return Ok((Ok(0),)),
        Write::Boast => (bytes.len(), 1),
        Write::Fails => return Ok((Err(ErrorCode::Io),)),
    };
    state.short += u64::from(part < bytes.len());
    let mut files = state.filesystem();
    match files.write(file, bytes[..part].to_vec(), offset) {
        Ok(written) => Ok((Ok(written + boast),)),
        Err(e) => Ok((Err(files.convert_error_code(e)?),)),
    }
}

fn read(
    mut store: StoreContextMut<'_, State>,
    (file, len, offset): (Descriptors, u64, u64),
) -> Answer<(Vec<u8>, bool)> {
    let state = store.data_mut();
    state.read += 1;
    let part = if (state.writes)(0, state.at) == Write::Part(usize::MAX) {
        len
    } else {
        1 + mix(state.read) % len.max(1)
    };
    let mut files = state.filesystem();
    match files.read(file, part.min(len), offset) {
        Ok(read) => Ok((Ok(read),)),
        Err(e) => Ok((Err(files.convert_error_code(e)?),)),
    }
}

fn prepared() -> &'static (Engine, Linker<State>, Component) {
    static PREPARED: OnceLock<(Engine, Linker<State>, Component)> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        add_to_linker_sync(&mut linker).unwrap();
        linker.allow_shadowing(true);
        let mut files = linker.instance("wasi:filesystem/types@0.2.12").unwrap();
        files.func_wrap("[method]descriptor.write", write).unwrap();
        files.func_wrap("[method]descriptor.read", read).unwrap();
        let component = Component::from_binary(&engine, strongroom_composed::COMMAND).unwrap();
        (engine, linker, component)
    })
}

/// Backs up under a name; the exit code, and how many writes there were, and of how many only a part was done.
fn backup(dir: &Path, name: &str, writes: Writes, at: u64) -> (i32, u64, u64) {
    let (engine, linker, component) = prepared();
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(&["strongroom", "backup", "data/app.redb", "--repo", "backups", "--name", name, "--quiet"]);
    wasi.preopened_dir(dir.join("data"), "data", FsPerms::ReadWrite).unwrap();
    wasi.preopened_dir(dir.join("backups"), "backups", FsPerms::ReadWrite).unwrap();
    let state =
        State { wasi: wasi.build(), table: ResourceTable::new(), writes, at, written: 0, read: 0, short: 0 };
    let mut store = Store::new(engine, state);
    let command = Command::instantiate(&mut store, component, linker).unwrap();
    let code = match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(e) => e.downcast_ref::<I32Exit>().unwrap_or_else(|| panic!("{e:?}")).0,
    };
    (code, store.data().written, store.data().short)
}

/// A database of some hundred kilobytes, and an empty directory for backups.
fn place() -> TempDir {
    let dir = TempDir::new().unwrap();
    for name in ["data", "backups"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(dir.path().join(name), private).unwrap();
        }
    }
    let db = Database::create(dir.path().join("data/app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut rows = txn.open_table(TableDefinition::<u32, &[u8]>::new("rows")).unwrap();
        for row in 0..1200 {
            rows.insert(row, noise(row.into(), 250).as_slice()).unwrap();
        }
        let mut large = txn.open_table(TableDefinition::<u32, &[u8]>::new("large")).unwrap();
        large.insert(1, noise(7, 300_000).as_slice()).unwrap();
    }
    txn.commit().unwrap();
    dir
}

fn whole(_: u64, _: u64) -> Write {
    Write::Part(usize::MAX)
}

#[test]
fn however_little_of_each_write_is_done_all_of_it_is_there() {
    let patterns: [(&str, Writes); 4] = [
        ("a few bytes", |number, _| Write::Part(1500 + mix(number) as usize % 100)),
        ("any part", |number, _| Write::Part(mix(number) as usize % 100_000)),
        ("one byte first", |number, _| Write::Part(if number.is_multiple_of(2) { 1 } else { 60_000 })),
        (
            "interrupted",
            |number, _| if number.is_multiple_of(3) { Write::Interrupted } else { Write::Part(40_000) },
        ),
    ];
    let dir = place();
    let (code, writes, short) = backup(dir.path(), "whole", whole, 0);
    assert_eq!((code, short), (0, 0));
    let repository = repository(dir.path().join("backups"));
    let expected = repository.find("whole").unwrap().id;
    for (name, pattern) in patterns {
        let dir = place();
        let (code, more, short) = backup(dir.path(), "parts", pattern, 0);
        assert!(code == 0 && short > 3 && more > writes, "{name}: exit code {code}, {short} of {more} short");
        let repository = common::repository(dir.path().join("backups"));
        assert_eq!(repository.find("parts").unwrap().id, expected, "{name}");
        assert_whole(&repository);
    }
}

#[test]
fn a_write_of_which_nothing_or_too_much_is_said_to_be_done_ends_the_run() {
    // The first of it is done in part, the rest of it is what goes wrong.
    let wrongs: [(&str, Writes); 3] = [
        ("nothing", |number, at| if number > at { Write::Nothing } else { Write::Part(1_500) }),
        ("too much", |number, at| if number == at { Write::Boast } else { Write::Part(usize::MAX) }),
        ("an error", |number, at| if number > at { Write::Fails } else { Write::Part(1_500) }),
    ];
    let dir = place();
    assert_eq!(backup(dir.path(), "first", whole, 0).0, 0);
    let backups = dir.path().join("backups");
    let repository = repository(&backups);
    let db = Database::open(dir.path().join("data/app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let rows = TableDefinition::<u32, &[u8]>::new("rows");
    (0..1200).step_by(3).for_each(|row| {
        txn.open_table(rows).unwrap().insert(row, noise(u64::from(row) + 9, 250).as_slice()).unwrap();
    });
    txn.commit().unwrap();
    drop(db);
    let mut tried = 0;
    for (name, wrong) in wrongs {
        for at in 0.. {
            let (code, writes, _) = backup(dir.path(), "second", wrong, at);
            assert_whole(&repository);
            if code == 0 {
                // It came to its end before.
                assert!(writes <= at + 1, "{name} at {at}: it went on");
                std::fs::remove_file(backups.join("snapshots/second.json")).unwrap();
                break;
            }
            tried += 1;
            // The lock's text is a write as well, and without it nothing is begun.
            assert_eq!(names(&repository), ["first"], "{name} at {at}");
            let _ = std::fs::remove_file(backups.join("lock"));
        }
        let (code, ..) = backup(dir.path(), "next", whole, 0);
        assert_eq!(code, 0, "{name}");
        assert_whole(&repository);
        std::fs::remove_file(backups.join("snapshots/next.json")).unwrap();
        // So that the next one has something to write.
        repository.prune(&strongroom::Prune::new().max_unused(0)).unwrap();
    }
    assert!(tried > 20, "{tried}");
    println!("{tried} writes went wrong");
}

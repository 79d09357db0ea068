//! The real engine, and somebody who calls it out of order: a plan, a receipt and a draft are bytes that pass through the
//! hands of whoever embeds the component.

use std::path::Path;

use strongroom::ENGINE;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::page::Place;
use crate::world::World;
use crate::{Attack, Seen, common};
use bindings::exports::strongroom::backup::engine::{self as wit, Draft, Job, Plan};
use bindings::strongroom::backup::progress;
use bindings::strongroom::kv::{kv_sink, kv_store};

#[allow(clippy::all, clippy::pedantic, unreachable_pub)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "backup" });
}

/// A caller with an instance of the engine of its own.
struct Caller {
    store: Store<Host>,
    engine: bindings::Backup,
}

type Answer<T> = Result<T, wit::Error>;

impl Caller {
    /// Grants the repository in this directory.
    fn new(repository: &Path) -> Self {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, ENGINE).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        bindings::Backup::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host).unwrap();
        let mut wasi = WasiCtxBuilder::new();
        wasi.preopened_dir(repository, "/backups", FsPerms::ReadWrite).unwrap();
        let mut store = Store::new(&engine, Host { wasi: wasi.build(), table: ResourceTable::new() });
        let engine = bindings::Backup::instantiate(&mut store, &component, &linker).unwrap();
        Self { store, engine }
    }

    fn prepare(&mut self, name: &str) -> Plan {
        let job = Job {
            store: "app".to_owned(),
            name: name.to_owned(),
            source: "app".to_owned(),
            origin: None,
            tables: None,
            leave_out: Vec::new(),
            position: None,
            time: 1_800_000_000,
            full_scan: false,
            parts: 1,
            options: Vec::new(),
        };
        let prepared = self.engine.strongroom_backup_engine().call_prepare(&mut self.store, &job);
        prepared.unwrap().unwrap()
    }

    fn copy(&mut self, plan: &Plan, part: u32) -> Answer<Vec<u8>> {
        self.engine.strongroom_backup_engine().call_copy(&mut self.store, plan, part).unwrap()
    }

    fn seal(&mut self, plan: &Plan, receipts: &[Vec<u8>]) -> Answer<Draft> {
        self.engine.strongroom_backup_engine().call_seal(&mut self.store, plan, receipts).unwrap()
    }

    fn publish(&mut self, draft: &Draft) -> Answer<wit::Snapshot> {
        self.engine.strongroom_backup_engine().call_publish(&mut self.store, draft).unwrap()
    }

    fn draft(&mut self, name: &str) -> Draft {
        let plan = self.prepare(name);
        let receipt = self.copy(&plan, 0).unwrap();
        self.seal(&plan, &[receipt]).unwrap()
    }
}

/// A plan that nobody has made.
fn invented() -> Plan {
    Plan {
        name: "invented".to_owned(),
        parts: 1,
        bytes_about: 1,
        entries: 1,
        moved_from: None,
        state: common::noise(7, 500),
    }
}

fn refused<T>(answer: Answer<T>) -> Option<wit::Error> {
    answer.err()
}

type Try = fn(&mut Caller) -> Option<wit::Error>;

/// What is tried, how, and how many snapshots are there afterwards.
const TRIES: [(&str, Try, usize); 10] = [
    ("copy before prepare: a plan that is noise", |engine| refused(engine.copy(&invented(), 0)), 1),
    (
        "copy of a part that the plan does not have",
        |engine| {
            let plan = engine.prepare("new");
            refused(engine.copy(&plan, 1))
        },
        1,
    ),
    (
        "seal before copy: no receipts",
        |engine| {
            let plan = engine.prepare("new");
            refused(engine.seal(&plan, &[]))
        },
        1,
    ),
    (
        "seal with the receipt of another plan",
        |engine| {
            let (one, other) = (engine.prepare("one"), engine.prepare("other"));
            let receipt = engine.copy(&one, 0).unwrap();
            refused(engine.seal(&other, &[receipt]))
        },
        1,
    ),
    (
        "seal with one receipt twice",
        |engine| {
            let plan = engine.prepare("new");
            let receipt = engine.copy(&plan, 0).unwrap();
            refused(engine.seal(&plan, &[receipt.clone(), receipt]))
        },
        1,
    ),
    (
        "a plan in which one bit was changed",
        |engine| {
            let mut plan = engine.prepare("new");
            let middle = plan.state.len() / 2;
            plan.state[middle] ^= 4;
            refused(engine.copy(&plan, 0))
        },
        1,
    ),
    (
        "publish before seal: the plan in the draft's place",
        |engine| {
            let mut draft = engine.draft("new");
            draft.state = engine.prepare("other").state;
            refused(engine.publish(&draft))
        },
        1,
    ),
    (
        "publish with other facts than those that were sealed (they do not count)",
        |engine| {
            let mut draft = engine.draft("new");
            draft.snapshot.name = "../../etc/cron.d/x".to_owned();
            draft.snapshot.entries = u64::MAX;
            let published = engine.publish(&draft).unwrap();
            assert_eq!((published.name.as_str(), published.entries), ("new", 1), "ESCAPED");
            None
        },
        2,
    ),
    (
        "publish twice",
        |engine| {
            let draft = engine.draft("new");
            engine.publish(&draft).unwrap();
            refused(engine.publish(&draft))
        },
        2,
    ),
    (
        "two drafts of one name",
        |engine| {
            let (one, other) = (engine.draft("new"), engine.draft("new"));
            engine.publish(&one).unwrap();
            refused(engine.publish(&other))
        },
        2,
    ),
];

pub fn attacks() -> Vec<Attack> {
    let attack = |(tried, attempt, snapshots): (&'static str, Try, usize)| Attack {
        place: Place::Caller,
        tried,
        run: Box::new(move |world: &World| {
            // It may write to the repository, so it gets one of its own.
            let copy = world.at("data/backups");
            for file in common::files_below(&world.at("backups")).iter().filter(|path| path.is_file()) {
                let to = copy.join(file.strip_prefix(world.at("backups")).unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(file, to).unwrap();
            }
            let error = attempt(&mut Caller::new(&copy));
            let repository = common::repository(&copy);
            common::assert_whole(&repository);
            assert_eq!(common::names(&repository).len(), snapshots, "{tried}");
            error.map_or(
                Seen {
                    text: "published, under the name and with the counts that were sealed".to_owned(),
                    exit: 0,
                },
                |e| Seen { text: format!("error ({:?}): {}", e.code, e.message), exit: 1 },
            )
        }),
    };
    TRIES.into_iter().map(attack).collect()
}

/// A store of one entry.
struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

struct OneEntry;
/// What is left to be read.
struct Left(Vec<u8>);

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

type Told<T> = Result<T, kv_store::Error>;

fn denied<T>() -> Told<T> {
    Err(kv_store::Error { code: kv_store::ErrorCode::Denied, message: "not granted".to_owned() })
}

impl kv_store::Host for Host {
    fn open(&mut self, _name: String) -> Told<Resource<kv_store::Store>> {
        Ok(Resource::new_own(self.table.push(OneEntry).unwrap().rep()))
    }
}

impl kv_store::HostStore for Host {
    fn tables(&mut self, _: Resource<kv_store::Store>) -> Told<Vec<kv_store::Table>> {
        Ok(vec![kv_store::Table {
            name: "table".to_owned(),
            multimap: false,
            entries: 1,
            bytes_about: 2,
            key_type: "bytes".to_owned(),
            value_type: "bytes".to_owned(),
            identity: b"bytes".to_vec(),
        }])
    }
    fn template(&mut self, _: Resource<kv_store::Store>) -> Told<Resource<kv_store::Bytes>> {
        Ok(Resource::new_own(self.table.push(Left(Vec::new())).unwrap().rep()))
    }
    fn notes(&mut self, _: Resource<kv_store::Store>) -> Told<Vec<(String, String)>> {
        Ok(Vec::new())
    }
    fn position(&mut self, _: Resource<kv_store::Store>, _at: String) -> Told<u64> {
        denied()
    }
    fn split(&mut self, _: Resource<kv_store::Store>, _table: String, _parts: u32) -> Told<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
    fn scan(
        &mut self,
        _: Resource<kv_store::Store>,
        _table: String,
        _from: Option<Vec<u8>>,
        _to: Option<Vec<u8>>,
    ) -> Told<Resource<kv_store::Bytes>> {
        let entry = [&1u32.to_le_bytes()[..], &1u32.to_le_bytes(), b"kv"].concat();
        Ok(Resource::new_own(self.table.push(Left(entry)).unwrap().rep()))
    }
    fn stamp(&mut self, _: Resource<kv_store::Store>, _table: String) -> Told<Option<Vec<u8>>> {
        Ok(None)
    }
    fn baseline(
        &mut self,
        _: Resource<kv_store::Store>,
        _table: String,
    ) -> Told<Option<Resource<kv_store::Bytes>>> {
        Ok(None)
    }
    fn changes(
        &mut self,
        _: Resource<kv_store::Store>,
        _table: String,
        _stamp: Vec<u8>,
    ) -> Told<Option<Resource<kv_store::Changes>>> {
        Ok(None)
    }
    fn drop(&mut self, store: Resource<kv_store::Store>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<OneEntry>::new_own(store.rep()))?;
        Ok(())
    }
}

impl kv_store::HostBytes for Host {
    fn read(&mut self, bytes: Resource<kv_store::Bytes>, _max: u32) -> Told<Vec<u8>> {
        Ok(std::mem::take(&mut self.table.get_mut(&Resource::<Left>::new_borrow(bytes.rep())).unwrap().0))
    }
    fn drop(&mut self, bytes: Resource<kv_store::Bytes>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Left>::new_own(bytes.rep()))?;
        Ok(())
    }
}

impl kv_store::HostChanges for Host {
    fn offer(&mut self, _: Resource<kv_store::Changes>, _baseline: Vec<u8>) -> Told<()> {
        denied()
    }
    fn entries(&mut self, _: Resource<kv_store::Changes>, _max: u32) -> Told<Vec<u8>> {
        denied()
    }
    fn baseline(&mut self, _: Resource<kv_store::Changes>, _max: u32) -> Told<Vec<u8>> {
        denied()
    }
    fn drop(&mut self, _: Resource<kv_store::Changes>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl kv_sink::Host for Host {
    fn create(&mut self, _name: String, _template: Vec<u8>) -> Told<Resource<kv_sink::Sink>> {
        denied()
    }
}

impl kv_sink::HostSink for Host {
    fn table(
        &mut self,
        _: Resource<kv_sink::Sink>,
        _table: kv_store::Table,
    ) -> Told<Resource<kv_sink::Writer>> {
        denied()
    }
    fn finish(&mut self, _: Resource<kv_sink::Sink>) -> Told<()> {
        denied()
    }
    fn drop(&mut self, _: Resource<kv_sink::Sink>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl kv_sink::HostWriter for Host {
    fn append(&mut self, _: Resource<kv_sink::Writer>, _entries: Vec<u8>) -> Told<()> {
        denied()
    }
    fn finish(&mut self, _: Resource<kv_sink::Writer>) -> Told<u64> {
        denied()
    }
    fn drop(&mut self, _: Resource<kv_sink::Writer>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl progress::Host for Host {
    fn advance(&mut self, _phase: String, _bytes: u64, _entries: u64) -> bool {
        true
    }
    fn log(&mut self, _level: progress::Level, _message: String) {}
}

//! A component in the engine's place. What it is asked for by name is the attack that it tries.
#![allow(missing_docs)]
#![cfg(target_os = "wasi")]

mod attacks;
mod inplace;
mod others;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wit_bindgen::generate!({ path: "../../wit", world: "backup", generate_all });
    use super::Hostile;
    export!(Hostile);
}

use bindings::exports::strongroom::backup::engine as wit;
use bindings::exports::strongroom::kv::kv_store as snapshots;

struct Hostile;

type Result<T> = std::result::Result<T, wit::Error>;

fn error(message: impl Into<String>) -> wit::Error {
    wit::Error { code: wit::ErrorCode::Other, message: message.into() }
}

/// A snapshot as good as any.
fn snapshot(name: &str) -> wit::Snapshot {
    wit::Snapshot {
        name: name.to_owned(),
        id: "0".repeat(64),
        source: "app".to_owned(),
        parent: None,
        seq: 1,
        imported: false,
        origin: None,
        time: 0,
        position: None,
        tables: 1,
        tables_left_out: 0,
        entries: 1,
        bytes: 1,
        bytes_added: 0,
        labels: Vec::new(),
    }
}

impl wit::Guest for Hostile {
    fn init() -> Result<bool> {
        Ok(false)
    }

    fn prepare(job: wit::Job) -> Result<wit::Plan> {
        inplace::plan(&job.name)
    }

    fn copy(_plan: wit::Plan, _part: u32) -> Result<Vec<u8>> {
        Ok(vec![0xff; 100])
    }

    fn seal(plan: wit::Plan, _receipts: Vec<Vec<u8>>) -> Result<wit::Draft> {
        Ok(wit::Draft { snapshot: inplace::lie(&plan.name), state: Vec::new() })
    }

    fn publish(draft: wit::Draft) -> Result<wit::Snapshot> {
        Ok(draft.snapshot)
    }

    fn draft_tables(_draft: wit::Draft) -> Result<Vec<wit::Table>> {
        Ok(Vec::new())
    }

    fn digest(_store: String, _only: Option<Vec<String>>) -> Result<wit::Digested> {
        Ok(wit::Digested { id: "\x1b[2J".to_owned(), tables: Vec::new() })
    }

    fn forget(_names: Vec<String>, _dry_run: bool) -> Result<()> {
        Ok(())
    }

    fn prune(_max_unused: u32, _dry_run: bool, _allow_empty: bool) -> Result<wit::Pruned> {
        Ok(wit::Pruned {
            snapshots: 0,
            packs_removed: u64::MAX,
            packs_written: u64::MAX,
            objects_removed: u64::MAX,
            objects_moved: u64::MAX,
            bytes_freed: i64::MIN,
            bytes_moved: u64::MAX,
            bytes_unused: u64::MAX,
            bytes_left: u64::MAX,
        })
    }

    fn repair(_dry_run: bool) -> Result<wit::Repaired> {
        let note = || wit::Note { file: "../../etc/passwd".to_owned(), what: "\x1b[2J".to_owned() };
        let lost = wit::Loss {
            object: "\x1b]0;owned\x07".to_owned(),
            what: "\x1b[2J".to_owned(),
            file: "../..".to_owned(),
            snapshots: vec!["no such snapshot".to_owned()],
            tables: vec!["\x1b[2J".to_owned()],
            entries: Some(u64::MAX),
            heals: vec!["\x1b[2J".to_owned()],
        };
        Ok(wit::Repaired {
            snapshots: u32::MAX,
            whole: u32::MAX,
            objects: u64::MAX,
            bytes: u64::MAX,
            mended: vec![note()],
            unreadable: vec![note()],
            left: vec![note()],
            lost: vec![lost],
            lost_more: u64::MAX,
        })
    }

    fn snapshots() -> Result<(Vec<wit::Snapshot>, Vec<wit::Damage>)> {
        Ok((Vec::new(), Vec::new()))
    }

    fn find(which: String) -> Result<wit::Snapshot> {
        if inplace::is_restore(&which) {
            return Ok(snapshot(&which));
        }
        match attacks::run(&which).or_else(|| inplace::run(&which)) {
            Some(came_of_it) => Err(error(came_of_it)),
            None => Ok(inplace::lie(&which)),
        }
    }

    fn tables(_snapshot: String) -> Result<Vec<wit::Table>> {
        Ok(Vec::new())
    }

    fn restore(
        snapshot: String,
        _tables: Option<Vec<String>>,
        _sink: String,
        _skip_damaged: bool,
    ) -> Result<Vec<wit::Damage>> {
        match inplace::restore(&snapshot) {
            Some(came_of_it) => Err(error(came_of_it)),
            None => Ok(Vec::new()),
        }
    }

    fn verify(_snapshot: Option<String>, _depth: wit::Depth) -> Result<wit::Verified> {
        let damage = vec![wit::Damage {
            file: "\x1b[2J../../etc/passwd".to_owned(),
            snapshots: vec!["no such snapshot".to_owned()],
            tables: Vec::new(),
            entries: Some(u64::MAX),
            what: "\x1b]0;owned\x07".to_owned(),
        }];
        let warnings = vec![wit::Note { file: "\x1b[2J".to_owned(), what: "\x1b]0;owned\x07".to_owned() }];
        Ok(wit::Verified { snapshots: u32::MAX, objects: u64::MAX, bytes: u64::MAX, damage, warnings })
    }
}

/// Snapshots as stores: there are none.
enum Nothing {}

impl snapshots::Guest for Hostile {
    type Store = Nothing;
    type Changes = Nothing;
    type Bytes = Nothing;

    fn open(_name: String) -> std::result::Result<snapshots::Store, snapshots::Error> {
        Err(snapshots::Error { code: snapshots::ErrorCode::Corrupt, message: "\x1b[2J".repeat(1_000_000) })
    }
}

impl snapshots::GuestStore for Nothing {
    fn tables(&self) -> std::result::Result<Vec<snapshots::Table>, snapshots::Error> {
        match *self {}
    }
    fn template(&self) -> std::result::Result<snapshots::Bytes, snapshots::Error> {
        match *self {}
    }
    fn notes(&self) -> std::result::Result<Vec<(String, String)>, snapshots::Error> {
        match *self {}
    }
    fn position(&self, _at: String) -> std::result::Result<u64, snapshots::Error> {
        match *self {}
    }
    fn split(&self, _table: String, _parts: u32) -> std::result::Result<Vec<Vec<u8>>, snapshots::Error> {
        match *self {}
    }
    fn scan(
        &self,
        _table: String,
        _from: Option<Vec<u8>>,
        _to: Option<Vec<u8>>,
    ) -> std::result::Result<snapshots::Bytes, snapshots::Error> {
        match *self {}
    }
    fn stamp(&self, _table: String) -> std::result::Result<Option<Vec<u8>>, snapshots::Error> {
        match *self {}
    }
    fn baseline(&self, _table: String) -> std::result::Result<Option<snapshots::Bytes>, snapshots::Error> {
        match *self {}
    }
    fn changes(
        &self,
        _table: String,
        _stamp: Vec<u8>,
    ) -> std::result::Result<Option<snapshots::Changes>, snapshots::Error> {
        match *self {}
    }
}

impl snapshots::GuestBytes for Nothing {
    fn read(&self, _max: u32) -> std::result::Result<Vec<u8>, snapshots::Error> {
        match *self {}
    }
}

impl snapshots::GuestChanges for Nothing {
    fn offer(&self, _baseline: Vec<u8>) -> std::result::Result<(), snapshots::Error> {
        match *self {}
    }
    fn entries(&self, _max: u32) -> std::result::Result<Vec<u8>, snapshots::Error> {
        match *self {}
    }
    fn baseline(&self, _max: u32) -> std::result::Result<Vec<u8>, snapshots::Error> {
        match *self {}
    }
}

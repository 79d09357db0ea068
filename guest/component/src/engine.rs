//! The verbs.

use strongroom_engine::{self as engine, Code};

use crate::Component;
use crate::bindings::exports::strongroom::backup::engine as wit;
use crate::imports::{Progress, Sink, Store};
use crate::latest::{meant, now};
use crate::vault::vault;

type Result<T> = std::result::Result<T, wit::Error>;

impl From<engine::Error> for wit::Error {
    fn from(e: engine::Error) -> Self {
        use wit::ErrorCode as E;
        let code = match e.code {
            Code::NotFound => E::NotFound,
            Code::Exists => E::Exists,
            Code::Invalid => E::Invalid,
            Code::NoRepository => E::NoRepository,
            Code::NewerFormat => E::NewerFormat,
            Code::Locked => E::Locked,
            Code::Damaged => E::Damaged,
            Code::Denied => E::Denied,
            Code::Full => E::Full,
            Code::Io => E::Io,
            Code::Unsupported => E::Unsupported,
            Code::Cancelled => E::Cancelled,
            Code::Other => E::Other,
        };
        Self { code, message: e.message }
    }
}

impl From<&engine::SnapshotTable> for wit::Table {
    fn from(table: &engine::SnapshotTable) -> Self {
        Self {
            name: table.name.clone(),
            multimap: table.multimap,
            entries: table.entries,
            bytes: table.bytes,
            key_type: table.key_type.clone(),
            value_type: table.value_type.clone(),
            id: table.id().hex(),
        }
    }
}

impl From<engine::Snapshot> for wit::Snapshot {
    fn from(snapshot: engine::Snapshot) -> Self {
        Self {
            name: snapshot.name,
            id: snapshot.id.hex(),
            source: snapshot.source,
            parent: snapshot.parent,
            seq: snapshot.seq,
            imported: snapshot.imported,
            origin: snapshot.origin,
            time: snapshot.time,
            position: snapshot.position,
            tables: snapshot.tables,
            tables_left_out: snapshot.tables_left_out,
            entries: snapshot.entries,
            bytes: snapshot.bytes,
            bytes_added: snapshot.bytes_added,
            labels: snapshot.labels,
        }
    }
}

impl From<engine::Damage> for wit::Damage {
    fn from(damage: engine::Damage) -> Self {
        let engine::Damage { file, snapshots, tables, entries, what } = damage;
        Self { file, snapshots, tables, entries, what }
    }
}

impl From<engine::Note> for wit::Note {
    fn from(note: engine::Note) -> Self {
        Self { file: note.file, what: note.what }
    }
}

impl From<engine::Lost> for wit::Loss {
    fn from(lost: engine::Lost) -> Self {
        let engine::Lost { object, what, file, snapshots, tables, entries, heals } = lost;
        Self { object, what, file, snapshots, tables, entries, heals }
    }
}

/// The job in the engine's words, and the name of the store.
fn job(job: wit::Job) -> Result<(engine::Job, String)> {
    let mut engine_job = engine::Job {
        name: job.name,
        source: job.source,
        only_source: false,
        origin: job.origin,
        tables: job.tables,
        leave_out: job.leave_out,
        position: job.position,
        time: job.time,
        parts: job.parts,
        part_min: engine::PART_MIN,
        full_scan: job.full_scan,
        full_scan_snapshots: engine::FULL_SCAN_SNAPSHOTS,
        full_scan_days: engine::FULL_SCAN_DAYS,
        folding: engine::Folding::default(),
        compression: engine::Compression::default(),
    };
    for (option, value) in &job.options {
        let number = match option.as_str() {
            "compression" => {
                engine_job.compression = compression(value)?;
                continue;
            }
            "only-source" => {
                engine_job.only_source = value == "yes";
                continue;
            }
            "full-scan-snapshots" => &mut engine_job.full_scan_snapshots,
            "full-scan-days" => &mut engine_job.full_scan_days,
            _ => {
                let message = format!("the engine knows no option {option:?}");
                return Err(engine::Error::new(Code::Invalid, message).into());
            }
        };
        *number = value.parse().map_err(|_| {
            engine::Error::new(Code::Invalid, format!("option {option:?} is a number, and {value:?} is none"))
        })?;
    }
    Ok((engine_job, job.store))
}

fn compression(name: &str) -> Result<engine::Compression> {
    match name {
        "snappy" => Ok(engine::Compression::Snappy),
        "none" => Ok(engine::Compression::None),
        _ => {
            let message = format!("the engine knows the compressions \"snappy\" and \"none\", not {name:?}");
            Err(engine::Error::new(Code::Invalid, message).into())
        }
    }
}

/// What every step after the first needs: the store's name travels with the plan.
fn split_state(state: &[u8]) -> Result<(String, &[u8])> {
    let wrong = || engine::Error::new(Code::Invalid, "this plan is not one that this component made");
    let (rest, len) = state.split_last_chunk::<4>().ok_or_else(wrong)?;
    let at = rest.len().checked_sub(u32::from_le_bytes(*len) as usize).ok_or_else(wrong)?;
    let (state, store) = rest.split_at(at);
    Ok((String::from_utf8(store.to_vec()).map_err(|_| wrong())?, state))
}

impl wit::Guest for Component {
    fn prepare(wanted: wit::Job) -> Result<wit::Plan> {
        let (job, store) = job(wanted)?;
        let plan = engine::prepare(vault()?, &Store::open(&store)?, &job, &Progress)?;
        // Behind the plan, which is large where there are many tables.
        let mut state = plan.state;
        state.extend_from_slice(store.as_bytes());
        state.extend_from_slice(&(store.len() as u32).to_le_bytes());
        Ok(wit::Plan {
            name: plan.name,
            parts: plan.parts,
            bytes_about: plan.bytes_about,
            entries: plan.entries,
            moved_from: plan.moved_from,
            state,
        })
    }

    fn copy(plan: wit::Plan, part: u32) -> Result<Vec<u8>> {
        let (store, state) = split_state(&plan.state)?;
        Ok(engine::copy(vault()?, &Store::open(&store)?, state, part, &Progress)?)
    }

    fn seal(plan: wit::Plan, receipts: Vec<Vec<u8>>) -> Result<wit::Draft> {
        let (store, state) = split_state(&plan.state)?;
        let draft = engine::seal(vault()?, &Store::open(&store)?, state, &receipts, &Progress)?;
        Ok(wit::Draft { snapshot: draft.snapshot.into(), state: draft.state })
    }

    fn draft_tables(draft: wit::Draft) -> Result<Vec<wit::Table>> {
        Ok(engine::draft_tables(vault()?, &draft.state)?.iter().map(Into::into).collect())
    }

    fn publish(draft: wit::Draft) -> Result<wit::Snapshot> {
        Ok(engine::publish(vault()?, &draft.state)?.into())
    }

    fn digest(store: String, only: Option<Vec<String>>) -> Result<wit::Digested> {
        let digest = engine::digest(&Store::open(&store)?, only.as_deref(), &Progress)?;
        let tables = digest.tables.iter().map(Into::into).collect();
        Ok(wit::Digested { id: digest.id.hex(), tables })
    }

    fn snapshots() -> Result<(Vec<wit::Snapshot>, Vec<wit::Damage>)> {
        let (snapshots, unreadable) = engine::snapshots_as_of(vault()?, now())?;
        let damage = unreadable.into_iter().map(|unreadable| wit::Damage {
            file: unreadable.file,
            snapshots: Vec::new(),
            tables: Vec::new(),
            entries: None,
            what: unreadable.error.message,
        });
        Ok((snapshots.into_iter().map(Into::into).collect(), damage.collect()))
    }

    fn find(which: String) -> Result<wit::Snapshot> {
        Ok(engine::find_as_of(vault()?, &which, now())?.into())
    }

    fn tables(snapshot: String) -> Result<Vec<wit::Table>> {
        let opened = engine::open(vault()?, &meant(snapshot)?)?;
        Ok(opened.tables().iter().map(Into::into).collect())
    }

    fn restore(
        snapshot: String,
        tables: Option<Vec<String>>,
        sink: String,
        skip_damaged: bool,
    ) -> Result<Vec<wit::Damage>> {
        let create = |template: &[u8]| Ok(Box::new(Sink::create(&sink, template)?) as Box<dyn engine::Sink>);
        let snapshot = meant(snapshot)?;
        let damage =
            engine::restore(vault()?, &snapshot, tables.as_deref(), skip_damaged, &Progress, create)?;
        Ok(damage.into_iter().map(Into::into).collect())
    }

    fn verify(snapshot: Option<String>, depth: wit::Depth) -> Result<wit::Verified> {
        let depth = match depth {
            wit::Depth::Structure => engine::Depth::Structure,
            wit::Depth::Data => engine::Depth::Data,
            wit::Depth::Sample((share, number)) => engine::Depth::Sample(share, number),
        };
        let snapshot = snapshot.map(meant).transpose()?;
        let verified = engine::verify(vault()?, snapshot.as_deref(), depth, &Progress)?;
        Ok(wit::Verified {
            snapshots: verified.snapshots,
            objects: verified.objects,
            bytes: verified.bytes,
            damage: verified.damage.into_iter().map(Into::into).collect(),
            warnings: verified.warnings.into_iter().map(Into::into).collect(),
        })
    }

    fn init() -> Result<bool> {
        Ok(engine::init(vault()?)?)
    }

    fn forget(names: Vec<String>, dry_run: bool) -> Result<()> {
        Ok(engine::forget(vault()?, &names, dry_run)?)
    }

    fn prune(max_unused: u32, dry_run: bool, allow_empty: bool) -> Result<wit::Pruned> {
        let how = engine::Prune { max_unused, dry_run, allow_empty };
        let pruned = engine::prune(vault()?, how, &Progress)?;
        Ok(wit::Pruned {
            snapshots: pruned.snapshots,
            packs_removed: pruned.packs_removed,
            packs_written: pruned.packs_written,
            objects_removed: pruned.objects_removed,
            objects_moved: pruned.objects_moved,
            bytes_freed: pruned.bytes_freed,
            bytes_moved: pruned.bytes_moved,
            bytes_unused: pruned.bytes_unused,
            bytes_left: pruned.bytes_left,
        })
    }

    fn repair(dry_run: bool) -> Result<wit::Repaired> {
        let repaired = engine::repair(vault()?, engine::Repair { dry_run }, &Progress)?;
        let notes = |notes: Vec<engine::Note>| notes.into_iter().map(Into::into).collect();
        Ok(wit::Repaired {
            snapshots: repaired.snapshots,
            whole: repaired.whole,
            objects: repaired.objects,
            bytes: repaired.bytes,
            mended: notes(repaired.mended),
            unreadable: notes(repaired.unreadable),
            left: notes(repaired.left),
            lost: repaired.lost.into_iter().map(Into::into).collect(),
            lost_more: repaired.lost_more,
        })
    }
}

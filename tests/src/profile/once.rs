//! One first backup in this process: by the engine as a component, or by the same engine without a sandbox.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use strongroom::{Backup, RedbStore, Repository, Sandbox, Store};
use strongroom_engine::{self as engine, Folding, Job, Silent};

use super::clock::{self, CALLS};
use super::spans::Spans;
use super::store::{Direct, Timed};
use super::vault::Directory;

/// What one backup took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Once {
    /// From the opened database to the published snapshot.
    pub(super) seconds: f64,
    /// What of that went into each of the calls, all threads together.
    pub(super) calls: [f64; CALLS.len()],
    pub(super) id: String,
}

/// By whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Component,
    Native,
}

/// As the library divides its work.
const PARTS_PER_THREAD: usize = 3;
const NAME: &str = "profile";

/// Backs up; a component other than the built-in one may be given.
pub(super) fn run(
    by: By,
    database: &Path,
    repository: &Path,
    threads: usize,
    component: Option<&Path>,
    perf: bool,
) -> Result<Once> {
    match by {
        By::Component => in_sandbox(database, repository, threads, component, perf),
        By::Native => natively(database, repository, threads),
    }
}

fn in_sandbox(
    database: &Path,
    repository: &Path,
    threads: usize,
    component: Option<&Path>,
    perf: bool,
) -> Result<Once> {
    let mut sandbox = Sandbox::builder().perf_map(perf);
    if let Some(component) = component {
        // As the built-in one runs.
        sandbox = sandbox.component(std::fs::read(component)?).interrupts(false);
    }
    let sandbox = sandbox.build()?;
    tracing::subscriber::set_global_default(Spans::default())?;
    let store: Arc<dyn Store> = Arc::new(Timed(Arc::new(RedbStore::open(database)?)));
    let started = Instant::now();
    let backup = Backup::new().name(NAME).source(NAME).threads(threads);
    let snapshot = Repository::with_sandbox(repository, sandbox)?.backup(&store, &backup)?;
    Ok(Once { seconds: started.elapsed().as_secs_f64(), calls: clock::seconds(), id: snapshot.id })
}

fn natively(database: &Path, repository: &Path, threads: usize) -> Result<Once> {
    let store = Timed(Arc::new(RedbStore::open(database)?));
    let started = Instant::now();
    let job = Job {
        name: NAME.into(),
        source: NAME.into(),
        only_source: false,
        origin: None,
        tables: None,
        leave_out: Vec::new(),
        position: None,
        time: 1_700_000_000,
        parts: if threads == 1 { 1 } else { u32::try_from(threads * PARTS_PER_THREAD)? },
        part_min: engine::PART_MIN,
        full_scan: false,
        full_scan_snapshots: engine::FULL_SCAN_SNAPSHOTS,
        full_scan_days: engine::FULL_SCAN_DAYS,
        folding: Folding::default(),
        compression: engine::Compression::default(),
    };
    let failed = |e: engine::Error| anyhow!("{e}");
    let vault = Directory::make(repository).map_err(failed)?;
    let plan = engine::prepare(&vault, &Direct(&store), &job, &Silent).map_err(failed)?;
    let next = AtomicU32::new(0);
    let copy = || -> engine::Result<Vec<(u32, Vec<u8>)>> {
        let mut receipts = Vec::new();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= plan.parts {
                return Ok(receipts);
            }
            receipts.push((part, engine::copy(&vault, &Direct(&store), &plan.state, part, &Silent)?));
        }
    };
    let copied = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(copy)).collect();
        let mut copied = vec![copy()];
        copied.extend(others.into_iter().map(|thread| {
            let panicked = |_| Err(engine::Error::new(engine::Code::Other, "a thread panicked"));
            thread.join().unwrap_or_else(panicked)
        }));
        copied
    });
    let mut receipts = Vec::new();
    for copied in copied {
        receipts.extend(copied.map_err(failed)?);
    }
    receipts.sort_unstable();
    let receipts: Vec<Vec<u8>> = receipts.into_iter().map(|(_, receipt)| receipt).collect();
    let draft = engine::seal(&vault, &Direct(&store), &plan.state, &receipts, &Silent).map_err(failed)?;
    let snapshot = engine::publish(&vault, &draft.state).map_err(failed)?;
    Ok(Once { seconds: started.elapsed().as_secs_f64(), calls: clock::seconds(), id: snapshot.id.hex() })
}

/// `native|component DATABASE REPOSITORY THREADS perf|- [COMPONENT]`, as a step of a program.
pub(super) fn step(args: &[&str]) -> Result<()> {
    let &[by, database, repository, threads, perf, ref component @ ..] = args else {
        bail!("too few arguments");
    };
    let by = match by {
        "native" => By::Native,
        "component" => By::Component,
        other => bail!("nobody is called {other}"),
    };
    let threads = threads.parse().context("a number of threads")?;
    let component = component.first().map(Path::new);
    let once = run(by, Path::new(database), Path::new(repository), threads, component, perf == "perf")?;
    println!("{}", serde_json::to_string(&once)?);
    Ok(())
}

//! `backup`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use strongroom::{Backup, Error, ErrorCode, RedbStore, Snapshot};

use crate::output::text::{counted, duration, short, size, visible};
use crate::paths::expand;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom backup app.redb
        to ./backups, as app-20260131T101500Z
    strongroom backup /var/lib/app/app.redb --repo /mnt/backups --source app-on-host7
        several databases can share a repository; each has a source of its own
    strongroom backup chain.redb --name 'chain_at_{position:07}' --position head/slot
        named by a number that the database holds
    strongroom backup app.redb --table 'user*' --table orders
        only some of its tables

The application may go on writing if it opened the database with
ConcurrencyMode::SingleWriter (redb 4.5). From inside an application, the
strongroom library backs up a database in any mode.")]
pub(crate) struct Args {
    /// The database file; it is only read
    #[arg(value_name = "APP.redb")]
    database: PathBuf,

    /// What to call the snapshot: {source}, {time}, {position:07} and {seq} are filled in
    #[arg(long, value_name = "TEMPLATE", default_value = "{source}-{time}")]
    name: String,

    /// Which database this is, among those that share the repository [default: the name of the file]
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    /// Where the database says how far it is; if nothing is there, nothing is backed up
    #[arg(long, value_name = "TABLE/KEY")]
    position: Option<String>,

    /// Only tables whose names match; may be given several times
    #[arg(long = "table", value_name = "GLOB")]
    tables: Vec<String>,

    /// Take the directory away from others instead of refusing one that they can see
    #[arg(long)]
    permission_override: bool,

    /// How many threads copy at once [default: one per processor, up to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: Option<u8>,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'s> {
    #[serde(flatten)]
    snapshot: &'s Snapshot,
    seconds: f64,
}

pub(crate) fn run(session: &Session, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let database = expand(&args.database)?;
    let store = Arc::new(RedbStore::open(&database).map_err(Error::from)?);
    let repository = session.repository_for(&database)?;
    let mut backup = Backup::new().name(&args.name).override_permissions(args.permission_override);
    backup = match &args.source {
        Some(source) => backup.source(source),
        None => backup.source(database.file_stem().unwrap_or_default().to_string_lossy()),
    };
    if let Some(position) = &args.position {
        backup = backup.position(position);
    }
    if !args.tables.is_empty() {
        backup = backup.tables(&args.tables);
    }
    if let Some(threads) = args.threads {
        backup = backup.threads(threads.into());
    }
    let done = session.go_on().and_then(|()| repository.backup(&store, &backup));
    let snapshot = done.map_err(explain)?;
    session.bar.clear();
    let took = started.elapsed();
    if session.json() {
        return session.print_json("snapshot", &Done { snapshot: &snapshot, seconds: took.as_secs_f64() });
    }
    session
        .say(format!(
            "{}  {}  {}  {}  added {}  in {}",
            visible(&snapshot.name),
            short(&snapshot.id),
            counted(snapshot.entries, "entry"),
            size(snapshot.bytes),
            size(snapshot.bytes_added),
            duration(took),
        ))
        .context("the snapshot is made, but it cannot be reported")
}

/// Whoever stopped a backup wants to know what is left of it.
fn explain(e: Error) -> Error {
    if e.code() == ErrorCode::Cancelled {
        let message =
            "interrupted; nothing was published, and the next backup goes on from what is already written";
        return Error::new(ErrorCode::Cancelled, message);
    }
    e
}

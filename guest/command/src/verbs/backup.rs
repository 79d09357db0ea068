//! `backup`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use strongroom_core::{Error, ErrorCode, Snapshot};

use crate::exit::usage;
use crate::host::{Backup, Compression, Special};
use crate::output;
use crate::policy::PolicyArgs;
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
    strongroom backup app.redb --accept
        although a table is gone, more than half of the entries are, or the
        position went back: the built-in policy refuses that (exit code 13)

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

    /// Make the repository if there is none, also where settings or STRONGROOM_REPO name it
    #[arg(long)]
    init: bool,

    /// How many threads copy at once [default: one more than processors, up to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: Option<u8>,

    /// Publish the snapshot also if the policy refuses it (a table is gone, say, and is meant to be), or if the file that
    /// the source was before is still there
    #[arg(long)]
    accept: bool,

    /// Read all tables in full; without this, only what changed since the snapshot before, and all after 100 of them or 7
    /// days
    #[arg(long)]
    full_scan: bool,

    /// How to store what is new: `none` is quicker, and right for data that is compressed or encrypted already
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    compression: Compression,

    #[command(flatten)]
    policy: PolicyArgs,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'s> {
    #[serde(flatten)]
    snapshot: &'s Snapshot,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    session.only_if(args.threads.is_some(), "--threads", Special::Threads)?;
    session.only_if(args.permission_override, "--permission-override", Special::Permissions)?;
    session.only_if(args.accept, "--accept", Special::Policies)?;
    session.only_if(args.policy.any(), "--policy, --set and the like", Special::Policies)?;
    let database = session.expand(&args.database)?;
    session.may_make(args.init)?;
    let repository = session.repository_for(&database)?;
    let source = match &args.source {
        Some(source) => source.clone(),
        None => name_of(&database)?,
    };
    let backup = Backup {
        database: &database,
        name: &args.name,
        source: &source,
        tables: &args.tables,
        position: args.position.as_deref(),
        threads: args.threads.map(usize::from),
        override_permissions: args.permission_override,
        policy: &args.policy,
        accept: args.accept,
        full_scan: args.full_scan,
        compression: args.compression,
    };
    session.go_on().map_err(explain)?;
    let explained = |e: anyhow::Error| e.downcast::<Error>().map_or_else(|e| e, |e| explain(e).into());
    let snapshot = repository.backup(&backup).map_err(explained)?;
    session.bar.clear();
    let took = started.elapsed();
    if session.json() {
        return session.print_json("snapshot", &Done { snapshot: &snapshot, seconds: took.as_secs_f64() });
    }
    session.say(output::made(&snapshot, took)).context("the snapshot is made, but it cannot be reported")
}

/// The source that a file is, if nobody says.
fn name_of(database: &Path) -> anyhow::Result<String> {
    let stem = database.file_stem().unwrap_or_default();
    // Two names that are not UTF-8 may look the same, and must not be one source.
    stem.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = database.display();
        usage(format!("the name of {shown} is not UTF-8, and snapshots are named after it; give a --source, and a --name if you like"))
    })
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

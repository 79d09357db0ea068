//! `restore`

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use strongroom_core::{Damage, Error, ErrorCode};

use super::import::Source;
use crate::host::Restore;
use crate::session::Session;
use strongroom_core::text::{counted, duration, size, visible};

#[derive(Debug, clap::Args)]
#[command(
    allow_missing_positional = true,
    after_help = "\
EXAMPLES:
    strongroom restore latest restored.redb
    strongroom restore 3f9c2a1b /var/lib/app/app.redb --force
        by the beginning of an id, over the file that is there
    strongroom restore app-20260131T101500Z users.redb --table 'user*'
        only some of the tables
    strongroom restore --archive app.archive restored.redb
        out of a file that `strongroom export` made

The new file is built beside its final place, synced, checked by redb, and only
then given its name: a file that is there stays whole until then."
)]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    #[arg(required_unless_present = "archive")]
    snapshot: Option<String>,

    /// The database file to make
    #[arg(value_name = "OUT.redb")]
    out: PathBuf,

    /// Restore what was exported to this file; `-` is standard input. No repository is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["snapshot", "skip_damaged"])]
    archive: Option<PathBuf>,

    /// Only tables whose names match; may be given several times
    #[arg(long = "table", value_name = "GLOB")]
    tables: Vec<String>,

    /// Put it in the place of a file that is there
    #[arg(long)]
    force: bool,

    /// Leave out tables that cannot be read in full instead of failing; the exit code is 12 if there are any
    #[arg(long)]
    skip_damaged: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'a> {
    snapshot: &'a str,
    id: &'a str,
    to: &'a str,
    entries: u64,
    file_bytes: u64,
    tables_damaged: usize,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let out = session.expand(&args.out)?;
    let restore = Restore {
        snapshot: args.snapshot.as_deref().unwrap_or_default(),
        to: &out,
        tables: &args.tables,
        overwrite: args.force,
        skip_damaged: args.skip_damaged,
    };
    let repository = session.repository()?;
    session.go_on()?;
    let done = match &args.archive {
        None => repository.restore(&restore),
        Some(archive) => {
            let mut archive = Source::open(session, archive)?;
            repository.restore_archive(archive.incoming(), &restore)
        }
    };
    let restored = done.map_err(|e| match e.code() {
        ErrorCode::Cancelled => {
            Error::new(ErrorCode::Cancelled, format!("interrupted; {} is as it was", out.display()))
        }
        ErrorCode::Exists if !args.force => Error::new(
            ErrorCode::Exists,
            format!("{} exists already; choose another name, or replace it with --force", out.display()),
        ),
        ErrorCode::Damaged if args.archive.is_some() => {
            Error::new(ErrorCode::Damaged, format!("{e}; nothing was restored"))
        }
        ErrorCode::Damaged if !args.skip_damaged => Error::new(
            ErrorCode::Damaged,
            format!("{e}; nothing was restored. --skip-damaged restores what is whole"),
        ),
        _ => e,
    })?;
    session.bar.clear();
    let file_bytes = std::fs::metadata(&out).map_or(0, |metadata| metadata.len());
    let entries = session.bar.entries();
    if session.json() {
        for damage in &restored.damage {
            session.print_json("damage", damage)?;
        }
        session.print_json(
            "restored",
            &Done {
                snapshot: &restored.snapshot.name,
                id: &restored.snapshot.id,
                to: &out.to_string_lossy(),
                entries,
                file_bytes,
                tables_damaged: restored.damage.len(),
                seconds: started.elapsed().as_secs_f64(),
            },
        )?;
    } else {
        session.say(format!(
            "{}  to {}  {}  {} file  in {}",
            visible(&restored.snapshot.name),
            out.display(),
            counted(entries, "entry"),
            size(file_bytes),
            duration(started.elapsed()),
        ))?;
    }
    if restored.damage.is_empty() {
        return Ok(());
    }
    let table = |damage: &Damage, name: &String| match damage.entries {
        Some(entries) => format!("{} ({})", visible(name), counted(entries, "entry")),
        None => visible(name),
    };
    let left_out =
        restored.damage.iter().flat_map(|damage| damage.tables.iter().map(move |name| table(damage, name)));
    let left_out: Vec<String> = left_out.collect();
    let message = format!(
        "{} left out because of damage, so the new database is not all of the snapshot: {}",
        counted(left_out.len() as u64, "table"),
        left_out.join(", ")
    );
    Err(Error::new(ErrorCode::Damaged, message).into())
}

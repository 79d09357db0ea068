//! `restore`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use strongroom_core::{Damage, Error, ErrorCode};

use super::import::Source;
use crate::exit::{by_force, usage};
use crate::host::{Form, Restore, Special};
use crate::output::json;
use crate::output::out::Out;
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
    strongroom restore latest look.sqlite --to-sqlite
    strongroom restore latest - --to-jsonl | jq 'select(.table == \"users\")'
        to look into: nothing is lost, but there is no way back into redb

The new file is built beside its final place, synced, checked, and only then given
its name: a file that is there stays whole until then. redb databases are made in
the one file format that redb 4 writes, 3, also from snapshots of older ones."
)]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    #[arg(required_unless_present = "archive")]
    snapshot: Option<String>,

    /// The database file to make; with --to-jsonl, `-` is standard output
    #[arg(value_name = "OUT.redb")]
    out: PathBuf,

    /// Make JSON Lines instead: an object for each table and each entry, and a last one for the snapshot
    #[arg(long, conflicts_with = "to_sqlite")]
    to_jsonl: bool,

    /// Make a SQLite database instead: a table for each table, and `strongroom` and `strongroom_tables` beside them
    #[arg(long)]
    to_sqlite: bool,

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
    to: Option<&'a str>,
    form: &'static str,
    entries: u64,
    file_bytes: Option<u64>,
    tables_damaged: usize,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let form = form(session, args)?;
    let printed = form == Form::Printed;
    let out = if printed { args.out.clone() } else { session.expand(&args.out)? };
    let restore = Restore {
        snapshot: args.snapshot.as_deref().unwrap_or_default(),
        to: &out,
        form,
        tables: &args.tables,
        overwrite: args.force,
        skip_damaged: args.skip_damaged,
    };
    let repository = session.repository()?;
    session.go_on()?;
    if printed {
        // The lines would stand in each other's way, also where a pager shows them.
        session.bar.hide();
    }
    let done = match &args.archive {
        None => repository.restore(&restore),
        Some(archive) => {
            let mut archive = Source::open(session, archive)?;
            repository.restore_archive(archive.incoming(), &restore)
        }
    };
    if let Err(e) = &done
        && printed
        && e.code() == ErrorCode::Cancelled
        && session.go_on().is_ok()
    {
        // Whoever read it has seen enough.
        return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
    }
    let restored = done.map_err(|e| match e.code() {
        ErrorCode::Cancelled if printed => {
            Error::new(ErrorCode::Cancelled, "interrupted; what was printed is not all")
        }
        ErrorCode::Cancelled => {
            Error::new(ErrorCode::Cancelled, format!("interrupted; {} is as it was", out.display()))
        }
        ErrorCode::Exists => by_force(e),
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
    let file_bytes = (!printed).then(|| std::fs::metadata(&out).map_or(0, |metadata| metadata.len()));
    let entries = session.bar.entries();
    // What went to stdout has it to itself.
    let mut answer: Box<dyn Write> = if printed { Box::new(io::stderr()) } else { Box::new(Out) };
    if session.json() {
        for damage in &restored.damage {
            json::typed(&mut answer, "damage", damage)?;
        }
        let to = (!printed).then(|| out.to_string_lossy());
        let done = Done {
            snapshot: &restored.snapshot.name,
            id: &restored.snapshot.id,
            to: to.as_deref(),
            form: match form {
                Form::Redb => "redb",
                Form::JsonLines | Form::Printed => "jsonl",
                Form::Sqlite => "sqlite",
            },
            entries,
            file_bytes,
            tables_damaged: restored.damage.len(),
            seconds: started.elapsed().as_secs_f64(),
        };
        json::typed(&mut answer, "restored", &done)?;
    } else if !session.quiet() {
        let to = match file_bytes {
            Some(bytes) => format!("{}  {}  {} file", out.display(), counted(entries, "entry"), size(bytes)),
            None => format!("standard output  {}", counted(entries, "entry")),
        };
        let (name, took) = (visible(&restored.snapshot.name), duration(started.elapsed()));
        writeln!(answer, "{name}  to {to}  in {took}")?;
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

/// What is to be made.
fn form(session: &Session<'_>, args: &Args) -> anyhow::Result<Form> {
    session.only_if(args.to_jsonl, "--to-jsonl", Special::Forms)?;
    session.only_if(args.to_sqlite, "--to-sqlite", Special::Forms)?;
    let stdout = args.out == Path::new("-");
    match (args.to_jsonl, args.to_sqlite) {
        (true, _) if stdout && args.skip_damaged => {
            Err(usage("--skip-damaged needs a file: what was printed of a table cannot be taken back"))
        }
        (true, _) if stdout => Ok(Form::Printed),
        (true, _) => Ok(Form::JsonLines),
        _ if stdout => {
            Err(usage("only --to-jsonl goes to standard output; name a file (./- for one of that name)"))
        }
        (_, true) => Ok(Form::Sqlite),
        _ => Ok(Form::Redb),
    }
}

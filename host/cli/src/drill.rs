//! `drill`

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use strongroom::{Difference, Drill, Error, ErrorCode};
use strongroom_command::{Session, describe, expand};
use strongroom_core::checks;
use strongroom_core::text::{counted, duration, size, visible};

use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom drill
        proves that the newest snapshot restores
    strongroom drill app-20260131T101500Z --dir /mnt/scratch
        this one, where there is room for it
    strongroom drill --json --quiet || alert
        for cron: the exit code is 0 only if every table came back as it was")]
pub(crate) struct Args {
    /// A name, the beginning of an id, or `latest`
    #[arg(default_value = "latest")]
    snapshot: String,

    /// Where to restore to for the time of the drill [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'d> {
    snapshot: &'d str,
    id: &'d str,
    restored_id: &'d str,
    equal: bool,
    entries: u64,
    bytes: u64,
    differences: &'d [Difference],
    seconds_restoring: f64,
    seconds_checking: f64,
    seconds_comparing: f64,
    seconds: f64,
    bytes_per_second: u64,
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let repository = native.open(&session.repository_dir()?, &session.bar)?;
    session.go_on()?;
    let dir = args.dir.as_deref().map_or_else(|| Ok(std::env::temp_dir()), |dir| expand(native, dir))?;
    let checks = checks::prepare(repository.dir());
    let writes: Vec<&Path> = [dir.as_path()].into_iter().chain(checks.as_deref()).collect();
    native.confine(&[repository.dir()], &writes)?;
    let drilled = repository.drill(&args.snapshot, &Drill::new().dir(dir))?;
    session.bar.clear();
    let comparison = &drilled.comparison;
    let took = drilled.restoring + drilled.checking + drilled.comparing;
    let rate = rate(comparison.bytes, took);
    if session.json() {
        session.print_json(
            "drilled",
            &Done {
                snapshot: &comparison.snapshot.name,
                id: &comparison.snapshot.id,
                restored_id: &comparison.id,
                equal: drilled.is_equal(),
                entries: comparison.entries,
                bytes: comparison.bytes,
                differences: &comparison.differences,
                seconds_restoring: drilled.restoring.as_secs_f64(),
                seconds_checking: drilled.checking.as_secs_f64(),
                seconds_comparing: drilled.comparing.as_secs_f64(),
                seconds: took.as_secs_f64(),
                bytes_per_second: rate,
            },
        )?;
    } else {
        describe(&comparison.differences)?;
        session.say(format!(
            "{}  {}  {}  restored in {}, checked in {}, compared in {}  {}/s  {}",
            visible(&comparison.snapshot.name),
            counted(comparison.entries, "entry"),
            size(comparison.bytes),
            duration(drilled.restoring),
            duration(drilled.checking),
            duration(drilled.comparing),
            size(rate),
            if drilled.is_equal() { "every table came back as it was" } else { "NOT THE SAME" },
        ))?;
    }
    if drilled.is_equal() {
        return Ok(());
    }
    let message = format!(
        "what was restored is not what snapshot {:?} has: please keep the repository as it is and report this",
        comparison.snapshot.name
    );
    Err(Error::new(ErrorCode::Damaged, message).into())
}

fn rate(bytes: u64, took: Duration) -> u64 {
    (bytes as f64 / took.as_secs_f64().max(0.000_001)) as u64
}

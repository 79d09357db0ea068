//! Where the time of a first backup goes, and what the sandbox costs.
//!
//! The same engine backs up the same database twice: as the component in its sandbox, as it is shipped, and compiled for
//! this machine with nothing in between. Both read through the same store and make the same system calls. The calls that
//! the engine makes are timed from outside; what is left is the engine, and in the sandbox the way across its boundary.

mod clock;
mod once;
mod report;
mod samples;
mod spans;
mod store;
mod vault;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bench::Machine;
use crate::child::{self, Ran};
use crate::entries;
use crate::steps::step as step_of_this;
use once::{By, Once};
use report::Report;
use samples::Samples;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often each is done, all in turn; the medians count.
    pub rounds: u32,
    /// How many entries, of 32-byte keys and 200-byte values.
    pub entries: u64,
    /// Where all is written.
    pub work: PathBuf,
    /// Another component than the built-in one.
    pub component: Option<PathBuf>,
}

/// Runs a step of this.
pub(crate) fn step(args: &[&str]) -> Result<()> {
    once::step(args)
}

/// One backup, and its process.
struct Measured {
    once: Once,
    process: Ran,
}

/// Measures, and prints a report.
pub fn run(options: &Options) -> Result<()> {
    let work = &options.work;
    let database = database(work, options.entries)?;
    let before = Machine::look(work)?;
    let ways = [(By::Native, 1), (By::Component, 1), (By::Native, 2), (By::Component, 2)];
    let mut measured: Vec<Vec<Measured>> = ways.iter().map(|_| Vec::new()).collect();
    let mut copies = Vec::new();
    // Once more, which does not count: it compiles the component, and reads the file.
    for round in 0..=options.rounds {
        eprintln!("profile: round {round} of {}", options.rounds);
        let copy = copied(work, &database)?;
        if round > 0 {
            copies.push(copy);
        }
        for ((by, threads), all) in ways.iter().zip(&mut measured) {
            let one = measure(options, &database, *by, *threads, None)?;
            if round > 0 {
                all.push(one);
            }
        }
    }
    let mut ids = measured.iter().flatten().map(|measured| &measured.once.id);
    let first = ids.next().context("nothing was measured")?;
    if ids.any(|id| id != first) {
        bail!("the engine made another snapshot in the sandbox than without it");
    }
    let sampled = |by| -> Result<Samples> {
        let data = work.join("perf.data");
        measure(options, &database, by, 1, Some(&data))?;
        Samples::read(&data)
    };
    let samples = sampled(By::Native).and_then(|native| Ok((native, sampled(By::Component)?)));
    let after = Machine::look(work)?;
    print!("{}", Report { before, after, copies, measured, samples, entries: options.entries });
    Ok(())
}

/// The database, made once.
fn database(work: &Path, count: u64) -> Result<PathBuf> {
    let database = work.join(format!("entries-{count}.redb"));
    if !database.exists() {
        eprintln!("profile: making {}", database.display());
        let (raw, making) = (work.join("raw"), work.join("making.redb"));
        let _ = std::fs::remove_file(&making);
        entries::write_raw(&raw, count)?;
        child::run(step_of_this("bulk-load")?.arg(&raw).arg(&making))?;
        child::run(step_of_this("compact")?.arg(&making))?;
        std::fs::remove_file(&raw)?;
        std::fs::rename(&making, &database)?;
    }
    Ok(database)
}

fn settled(work: &Path, scratch: &Path) -> Result<()> {
    if scratch.is_dir() {
        std::fs::remove_dir_all(scratch)?;
    } else if scratch.exists() {
        std::fs::remove_file(scratch)?;
    }
    child::run(Command::new("sync").arg("-f").arg(work))?;
    Ok(())
}

/// The seconds that `cp` and `sync` take.
fn copied(work: &Path, database: &Path) -> Result<f64> {
    let scratch = work.join("scratch");
    settled(work, &scratch)?;
    let mut copy = Command::new("sh");
    copy.args(["-euc", r#"cp "$1" "$2"; sync "$2""#, "sh"]).arg(database).arg(&scratch);
    Ok(child::run(&mut copy)?.seconds)
}

/// Backs up in a process of its own; `perf` looks on if it is given a file for what it sees.
fn measure(
    options: &Options,
    database: &Path,
    by: By,
    threads: usize,
    perf: Option<&Path>,
) -> Result<Measured> {
    let scratch = options.work.join("scratch");
    settled(&options.work, &scratch)?;
    let step = step_of_this("profile")?;
    let mut command = match perf {
        None => step,
        Some(data) => {
            let mut perf = Command::new("perf");
            perf.args(["record", "--quiet", "--freq", "5000", "--output"]).arg(data).arg("--");
            perf.arg(step.get_program()).args(step.get_args()).stdin(std::process::Stdio::null());
            perf
        }
    };
    command.arg(if by == By::Native { "native" } else { "component" });
    command.arg(database).arg(&scratch).arg(threads.to_string());
    command.arg(if perf.is_some() { "perf" } else { "-" });
    command.args(&options.component);
    let process = child::run(&mut command)?;
    let line = process.stdout.lines().find(|line| line.starts_with('{')).context("it said nothing")?;
    Ok(Measured { once: serde_json::from_str(line)?, process })
}

//! Shows what a prune costs beside a plain copy of what it moves. See `--help`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use strongroom_tests::child;
use strongroom_tests::files;
use strongroom_tests::steps::{self, step};
use strongroom_tests::strongroom_process::Strongroom;

const HELP: &str = "\
Backs up a table over and over while a few of its rows change, forgets every other snapshot, and prints how long a prune
takes beside the time in which the bytes that it moves are read from files, written to another and synced.

Usage: prune [--entries 1000000] [--rows 1000] [--snapshots 1000] [--full-scan] [--rounds 3] [--work DIR] [--keep]

  --entries N    how many entries, of 32-byte keys and 200-byte values, which are half random
  --rows N       how many of them change from one snapshot to the next
  --snapshots N  how many snapshots are made; half of them are forgotten
  --full-scan    every snapshot reads all of the database: nothing is stored as a delta
  --rounds N     how often the copy and the prune are timed, each over the same repository
  --work DIR     where all is written, on the disk that is to be measured; by default beside the build's output
  --keep         leaves the repository, before its prune, in DIR/repository; one that is there is used again";

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let entries: u64 = args.number("--entries", 1_000_000)?;
    let rows: u64 = args.number("--rows", 1000)?;
    let snapshots: u64 = args.number("--snapshots", 1000)?;
    let full_scan = args.flag("--full-scan");
    let rounds: usize = args.number("--rounds", 3)?;
    let keep = args.flag("--keep");
    let work = steps::work_dir(&mut args, "prune")?;
    args.done()?;
    let Strongroom::Command(strongroom) = Strongroom::find()? else {
        bail!("build the command first: `cargo build --release --package strongroom-cli`");
    };
    let kept = work.join("repository");
    let work = tempfile::tempdir_in(&work)?;
    let made = work.path().join("repository");
    if !keep || !kept.exists() {
        history(&strongroom, work.path(), &made, entries, rows, snapshots, full_scan)?;
        if keep {
            std::fs::rename(&made, &kept)?;
        }
    }
    let repository = if keep { &kept } else { &made };
    let before = files::below(repository)?;
    println!("{} bytes in {} files", before.values().sum::<u64>(), before.len());
    println!(
        "| round | moved, MB | plain copy, s | dry run, s | prune, s | prune / copy |\n|--:|--:|--:|--:|--:|--:|"
    );
    let mut ratios = Vec::new();
    for round in 1..=rounds.max(1) {
        let pruned = work.path().join("pruned");
        child::run(Command::new("cp").arg("-r").arg(repository).arg(&pruned))?;
        child::run(Command::new("sync").arg("-f").arg(&pruned))?;
        let dry = Instant::now();
        let moved = prune(&strongroom, &pruned, true)?;
        let dry = dry.elapsed().as_secs_f64();
        let plain = plain_copy(&pruned, moved)?;
        let started = Instant::now();
        prune(&strongroom, &pruned, false)?;
        let took = started.elapsed().as_secs_f64();
        println!(
            "| {round} | {:.1} | {plain:.3} | {dry:.3} | {took:.3} | {:.2} |",
            moved as f64 / 1e6,
            took / plain
        );
        ratios.push(took / plain);
        if round == rounds {
            child::run(Command::new(&strongroom).args(["verify", "--read-data", "--repo"]).arg(&pruned))?;
        }
        std::fs::remove_dir_all(&pruned)?;
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("\nmedian: {:.2} x", ratios[ratios.len() / 2]);
    Ok(ExitCode::SUCCESS)
}

/// A repository of so many snapshots, every other one forgotten.
fn history(
    strongroom: &Path,
    work: &Path,
    repository: &Path,
    entries: u64,
    rows: u64,
    snapshots: u64,
    full_scan: bool,
) -> Result<()> {
    let (raw, database) = (work.join("raw"), work.join("app.redb"));
    child::run(step("raw")?.arg(&raw).arg(entries.to_string()))?;
    child::run(step("bulk-load")?.arg(&raw).arg(&database))?;
    std::fs::remove_file(&raw)?;
    for number in 0..snapshots {
        let numbers = [entries, rows, number + 1].map(|number| number.to_string());
        child::run(step("change-again")?.arg(&database).args(numbers))?;
        let mut backup = Command::new(strongroom);
        backup.arg("backup").arg(&database).args(["--name", "{seq:05}", "--repo"]).arg(repository);
        child::run(backup.args(full_scan.then_some("--full-scan")))?;
    }
    std::fs::remove_file(&database)?;
    let names = (1..=snapshots).step_by(2).map(|number| format!("{number:05}"));
    child::run(Command::new(strongroom).arg("forget").args(names).arg("--repo").arg(repository))?;
    Ok(())
}

/// Prunes; how many bytes it moves.
fn prune(strongroom: &Path, repository: &Path, dry_run: bool) -> Result<u64> {
    let mut prune = Command::new(strongroom);
    prune.args(["prune", "--json", "--repo"]).arg(repository).args(dry_run.then_some("--dry-run"));
    let pruned: serde_json::Value = serde_json::from_str(&child::run(&mut prune)?.stdout)?;
    pruned["bytes_moved"].as_u64().context("`prune --json` does not say what it moves")
}

/// Reads so many bytes of packs, writes them to a file and syncs it, as plainly as can be; the seconds that it takes.
fn plain_copy(repository: &Path, bytes: u64) -> Result<f64> {
    let packs = files::below(&repository.join("packs"))?;
    let copy = repository.with_file_name("copy");
    let mut left = bytes;
    let started = Instant::now();
    let mut to = File::create(&copy)?;
    for path in packs.keys() {
        let mut content = Vec::new();
        File::open(path)?.take(left).read_to_end(&mut content)?;
        left -= content.len() as u64;
        to.write_all(&content)?;
    }
    to.sync_all()?;
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(&copy)?;
    Ok(seconds)
}

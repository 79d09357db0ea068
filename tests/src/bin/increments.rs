//! Shows what one backup after another costs while little changes. See `--help`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;
use strongroom_tests::child::{self, Ran};
use strongroom_tests::files;
use strongroom_tests::steps::{self, step};
use strongroom_tests::strongroom_process::Strongroom;

const HELP: &str = "\
Changes a few rows of a table and backs it up, over and over, and prints what each increment took: 1 row, 1,000 rows and
10,000 rows at random places of 1,000,000 entries of 32-byte keys and 200-byte values, which are half random.

Usage: increments [--entries 1000000] [--rounds 300] [--tenfold] [--work DIR]

  --entries N   how many entries
  --rounds N    how many increments of 1 and of 1,000 rows; of 10,000 rows a fifth of it
  --tenfold     also 1,000 rows in a table ten times as large, a tenth of the rounds; takes 6 GB of disk
  --work DIR    where all is written, on the disk that is to be measured; by default beside the build's output";

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let entries: u64 = args.number("--entries", 1_000_000)?;
    let rounds: u64 = args.number("--rounds", 300)?;
    let tenfold = args.flag("--tenfold");
    let work = steps::work_dir(&mut args, "increments")?;
    args.done()?;
    let strongroom = Strongroom::find()?;
    let work = tempfile::tempdir_in(&work)?;
    println!("Strongroom is run as {}.\n", strongroom.described());
    println!(
        "| entries | rows changed | increments | seconds, median | from - to | CPU seconds | first tenth, last tenth | \
         KB written, mean | most | files at the end |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut series = vec![(entries, 0, rounds / 10), (entries, 1, rounds), (entries, 1000, rounds)];
    series.push((entries, 10_000, rounds / 5));
    if tenfold {
        series.push((entries * 10, 1000, rounds / 10));
    }
    let mut base = (0, PathBuf::new());
    for (entries, rows, rounds) in series {
        if base.0 != entries {
            base = (entries, make(work.path(), entries)?);
        }
        run(&strongroom, work.path(), &base.1, entries, rows, rounds.max(1))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A database of so many entries.
fn make(work: &Path, entries: u64) -> Result<PathBuf> {
    let (raw, database) = (work.join("raw"), work.join("base.redb"));
    let _ = std::fs::remove_file(&database);
    child::run(step("raw")?.arg(&raw).arg(entries.to_string()))?;
    child::run(step("bulk-load")?.arg(&raw).arg(&database))?;
    std::fs::remove_file(&raw)?;
    Ok(database)
}

/// One series: a first backup, and then so many increments.
fn run(
    strongroom: &Strongroom,
    work: &Path,
    base: &Path,
    entries: u64,
    rows: u64,
    rounds: u64,
) -> Result<()> {
    let dir = tempfile::tempdir_in(work)?;
    let (database, repository) = (dir.path().join("app.redb"), dir.path().join("repository"));
    std::fs::copy(base, &database)?;
    child::run(&mut strongroom.backup(&database, &repository)?)?;
    let mut before = files::below(&repository)?;
    let (mut ran, mut written): (Vec<Ran>, Vec<u64>) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let numbers = [entries, rows, round].map(|number| number.to_string());
        child::run(step("change-again")?.arg(&database).args(numbers))?;
        let _ = Command::new("sync").arg("-f").arg(dir.path()).status();
        ran.push(child::run(&mut strongroom.backup(&database, &repository)?)?);
        let after = files::below(&repository)?;
        let new = after.iter().filter(|(path, len)| before.get(*path) != Some(len));
        written.push(new.map(|(_, len)| len).sum());
        before = after;
    }
    let seconds: Vec<f64> = ran.iter().map(|ran| ran.seconds).collect();
    let cpu: Vec<f64> = ran.iter().filter_map(|ran| ran.cpu).collect();
    let tenth = seconds.len().div_ceil(10);
    let kilobytes = |bytes: f64| format!("{:.1}", bytes / 1e3);
    println!(
        "| {entries} | {rows} | {rounds} | {:.3} | {:.3} - {:.3} | {:.3} | {:.3}, {:.3} | {} | {} | {} |",
        median(&seconds),
        seconds.iter().copied().fold(f64::INFINITY, f64::min),
        seconds.iter().copied().fold(0.0, f64::max),
        median(&cpu),
        median(&seconds[..tenth]),
        median(&seconds[seconds.len() - tenth..]),
        kilobytes(written.iter().sum::<u64>() as f64 / rounds as f64),
        kilobytes(written.iter().copied().max().unwrap_or(0) as f64),
        before.len(),
    );
    // All of them were worth something.
    child::run(&mut strongroom.verify(&repository)?)?;
    Ok(())
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

//! Shows what one backup after another costs while little changes. See `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use strongroom_tests::increments::{self, Series, Windows};
use strongroom_tests::steps;
use strongroom_tests::strongroom_process::Strongroom;
use strongroom_tests::target::Table;

const HELP: &str = "\
Changes a few rows of a table and backs it up, over and over, and prints what each increment took: 1 row, 1,000 rows and
10,000 rows at random places of 1,000,000 entries of 32-byte keys and 200-byte values, which are half random. Says at the
end what was aimed at, and whether it was reached.

Usage: increments [--entries 1000000] [--rounds 300] [--tenfold] [--work DIR]
       increments --history 1000 [--rows 1000] [--entries 1000000] [--work DIR]

  --entries N   how many entries
  --rounds N    how many increments of 1 and of 1,000 rows; of 10,000 rows a fifth of it
  --tenfold     also 1,000 rows in a table ten times as large, a tenth of the rounds; takes 6 GB of disk
  --history N   instead of all that, so many increments in one repository: whether the last ones take longer than those
                around the first tenth; 40 or more
  --rows N      how many rows change between two of these
  --work DIR    where all is written, on the disk that is to be measured; by default beside the build's output";

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let entries: u64 = args.number("--entries", increments::ENTRIES)?;
    let rounds: u64 = args.number("--rounds", 300)?;
    let tenfold = args.flag("--tenfold");
    let history: u64 = args.number("--history", 0)?;
    let rows: u64 = args.number("--rows", 1000)?;
    let work = steps::work_dir(&mut args, "increments")?;
    args.done()?;
    if (1..increments::LEAST).contains(&history) {
        bail!("--history must be {} or more", increments::LEAST);
    }
    let strongroom = Strongroom::find()?;
    let work = tempfile::tempdir_in(&work)?;
    println!("Strongroom is run as {}.\n\n{}", strongroom.described(), increments::HEAD);
    if history > 0 {
        let base = increments::make(work.path(), entries)?;
        let series = Series::run(&strongroom, work.path(), &base, (entries, rows), history)?;
        println!("{series}");
        let Some(windows) = Windows::of(&series) else { bail!("there are too few increments") };
        print!("\n{windows}\n\n{}", Table(&[windows.target()]));
        return Ok(ExitCode::SUCCESS);
    }
    let mut plan = vec![(entries, 0, rounds / 10), (entries, 1, rounds), (entries, 1000, rounds)];
    plan.push((entries, 10_000, rounds / 5));
    if tenfold {
        plan.push((entries * 10, 1000, rounds / 10));
    }
    let mut base = (0, PathBuf::new());
    let mut all = Vec::new();
    for (entries, rows, rounds) in plan {
        if base.0 != entries {
            base = (entries, increments::make(work.path(), entries)?);
        }
        let series = Series::run(&strongroom, work.path(), &base.1, (entries, rows), rounds.max(1))?;
        println!("{series}");
        all.push(series);
    }
    println!("\n## Targets\n");
    if entries != increments::ENTRIES {
        println!("They are meant for {} entries; this run had {entries}.\n", increments::ENTRIES);
    }
    print!("{}", Table(&increments::targets(&all, entries)));
    Ok(ExitCode::SUCCESS)
}

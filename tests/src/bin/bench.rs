//! Measures Strongroom and its peers. See `--help`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use strongroom_tests::{bench, steps};

const HELP: &str = "\
Measures Strongroom and its peers on the same entries, in one run, and prints a Markdown table.

Usage: bench [--rounds 5] [--entries 1000000] [--real DB] [--only NAME]... [--work DIR] [--json] [--svg FILE]

  --rounds N    how often each thing is done, all in turn; the medians count
  --entries N   how many entries of 32-byte keys and 200-byte values
  --real DB     also on this database, made by the program real-data
  --only NAME   only peers with this in their name, for a quick look
  --work DIR    where all is written, on the disk that is to be measured; by default beside the build's output. What
                takes time to make is kept there
  --json        JSON instead of Markdown
  --svg FILE    also draws a chart of it

Strongroom is measured by its command, which is built first if cargo runs this program; if there is none beside this
program, through its library. Peers that are not on this machine are named with how to get them; nothing is installed.";

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let mut only = Vec::new();
    while let Some(name) = args.text("--only")? {
        only.push(name.to_string_lossy().into_owned());
    }
    let work = steps::work_dir(&mut args, "bench")?;
    let options = bench::Options {
        rounds: args.number("--rounds", 5)?,
        entries: args.number("--entries", 1_000_000)?,
        real: args.path("--real")?,
        work,
        only,
        json: args.flag("--json"),
        svg: args.path("--svg")?,
    };
    args.done()?;
    let whole = bench::run(&options).context("the benchmark failed")?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

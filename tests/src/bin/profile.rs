//! Says where the time of a first backup goes, and what the sandbox costs. See `--help`.

use anyhow::Result;

const HELP: &str = "\
Says where the time of a first backup goes: the engine as a component against the same engine without a sandbox, call by
call, and by what the processor was in where `perf` is there and allowed. Prints Markdown.

Usage: profile [--rounds 5] [--entries 1000000] [--component FILE] [--work DIR]

  --rounds N        how often each is done, all in turn; the medians count
  --entries N       how many entries of 32-byte keys and 200-byte values
  --component FILE  another build of the component than the one that is built in
  --work DIR        where all is written, on the disk that is to be measured; by default beside the build's output";

#[cfg(unix)]
fn main() -> Result<()> {
    use strongroom_tests::{profile, steps};

    let Some(mut args) = steps::begin(HELP)? else { return Ok(()) };
    let options = profile::Options {
        rounds: args.number("--rounds", 5)?,
        entries: args.number("--entries", 1_000_000)?,
        component: args.path("--component")?,
        work: steps::work_dir(&mut args, "profile")?,
    };
    args.done()?;
    profile::run(&options)
}

#[cfg(not(unix))]
fn main() -> Result<()> {
    anyhow::bail!("this takes a system with the calls of Unix\n\n{HELP}")
}

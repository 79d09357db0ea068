//! Builds a database of real files, or changes a part of one.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use strongroom_tests::args::Args;
use strongroom_tests::real;

const HELP: &str = "\
Builds a redb database of real files that any machine with Rust has, or changes a part of one.

Usage: real-data OUT.redb [--gb 1.0]
       real-data DB.redb --change 1% [--seed 1]

  --gb GB        at least so many gigabytes (10^9 bytes) of files; 1.0
  --change PART  changes this part of the files of a database made before: of ten, six get a line more, two are
                 deleted, and beside two a new one is added
  --seed N       which ones

Tables: files (&str -> &[u8]), meta (&str -> (u64, u64): length, modified), by_extension (multimap &str -> &str),
by_hash (&[u8; 32] -> &str: BLAKE3). No content is in it twice.";

fn main() -> Result<ExitCode> {
    let mut args = Args::of_process();
    if args.flag("--help") || args.flag("-h") {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let gb: f64 = args.number("--gb", 1.0)?;
    let seed: u64 = args.number("--seed", 1)?;
    let change = args.text("--change")?;
    let database = args.next("the database")?;
    args.done()?;
    let mut enough = true;
    if let Some(change) = change {
        let change = change.to_string_lossy().into_owned();
        let percent: f64 =
            change.trim_end_matches('%').parse().with_context(|| format!("{change} is no share"))?;
        let changed = real::change(&database, percent / 100.0, seed)?;
        println!(
            "changed {} files, deleted {}, added {}: {:.1} MB in those that are new or changed",
            changed.edited,
            changed.deleted,
            changed.added,
            changed.bytes as f64 / 1e6
        );
    } else {
        let built = real::build(&database, (gb * 1e9) as u64)?;
        for (name, dir, files, bytes) in &built.from {
            println!("{:>9} files, {:>7.1} MB  {name}: {dir}", files, *bytes as f64 / 1e6);
        }
        println!("{:>9} files, {:>7.1} MB  in all", built.files, built.bytes as f64 / 1e6);
        enough = built.bytes as f64 >= gb * 1e9;
        if !enough {
            eprintln!(
                "real-data: found only {:.2} GB of the {gb} GB that were asked for",
                built.bytes as f64 / 1e9
            );
            built.remedies.iter().for_each(|remedy| eprintln!("  {remedy}"));
        }
    }
    for (table, entries) in real::counts(&database)? {
        println!("{entries:>9} entries  {table}");
    }
    println!("{:.1} MB  {}", std::fs::metadata(&database)?.len() as f64 / 1e6, database.display());
    Ok(if enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

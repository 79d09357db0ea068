//! Shows what every verb takes over many tables, snapshots and sources. See `--help`.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};
use strongroom_tests::child::{self, Ran};
use strongroom_tests::many::{self, Verb};
use strongroom_tests::steps::{self, step};
use strongroom_tests::strongroom_process::Strongroom;

const HELP: &str = "\
Runs every verb of the command over a database of many tables, and over a repository of many snapshots of many databases;
then the same with ten times as many. Each must succeed; what each takes is meant to grow with what there is, not faster.

Usage: many [--tables 100000] [--snapshots 20000] [--sources 1000] [--only tables|snapshots] [--work DIR]";

/// With so many times less it is compared.
const TIMES: u64 = 10;

fn main() -> Result<ExitCode> {
    let Some(mut args) = steps::begin(HELP)? else { return Ok(ExitCode::SUCCESS) };
    let tables: u64 = args.number("--tables", 100_000)?;
    let snapshots: u64 = args.number("--snapshots", 20_000)?;
    let sources: u64 = args.number("--sources", 1000)?;
    let only = args.text("--only")?;
    let work = steps::work_dir(&mut args, "many")?;
    args.done()?;
    let Strongroom::Command(program) = Strongroom::find()? else { bail!("build the command first") };
    let asked = |what: &str| only.as_deref().is_none_or(|only| only == std::ffi::OsStr::new(what));
    let mut failed = false;
    if asked("tables") {
        let verbs = many::over_tables();
        let run = |count: u64| {
            let dir = tempfile::tempdir_in(&work)?;
            child::run(step("many-tables")?.arg(dir.path().join("app.redb")).arg(count.to_string()))?;
            over(&program, dir.path(), &verbs)
        };
        let (few, all) = (run(tables / TIMES)?, run(tables)?);
        failed |=
            print(&format!("{} tables", tables / TIMES), &format!("{tables} tables"), &verbs, &few, &all);
    }
    if asked("snapshots") {
        let verbs = many::over_snapshots(false);
        let run = |count: u64, sources: u64| {
            let dir = tempfile::tempdir_in(&work)?;
            let repository = dir.path().join("backups");
            child::run(
                step("many-sources")?.arg(&repository).args([count.to_string(), sources.to_string()]),
            )?;
            std::fs::rename(dir.path().join("backups.redb"), dir.path().join("app.redb"))?;
            over(&program, dir.path(), &verbs)
        };
        for sources in [sources, 1] {
            let few = run(snapshots / TIMES, (sources / TIMES).max(1))?;
            let all = run(snapshots, sources)?;
            let named = |snapshots: u64, sources: u64| format!("{snapshots} snapshots of {sources}");
            let (a, b) = (named(snapshots / TIMES, (sources / TIMES).max(1)), named(snapshots, sources));
            failed |= print(&a, &b, &verbs, &few, &all);
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

type Taken = Vec<Result<Ran>>;

/// Runs all verbs in a directory.
fn over(program: &Path, dir: &Path, verbs: &[Verb]) -> Result<Taken> {
    std::fs::write(dir.join("plugin.wasm"), many::plugin()?)?;
    let mut taken = Vec::new();
    for (number, verb) in verbs.iter().enumerate() {
        if verb.changes {
            child::run(step("change-many")?.arg(dir.join("app.redb")).arg(number.to_string()))?;
        }
        let mut command = Command::new(program);
        command.args(verb.args.split(' ')).current_dir(dir).stdin(Stdio::null());
        let ran = child::run(&mut command);
        match &ran {
            Ok(ran) => eprintln!("{}: {:.2} s, {:.0} MB", verb.what, ran.seconds, megabytes(ran)),
            Err(e) => eprintln!("{}: FAILED: {:.600}", verb.what, format!("{e:#}")),
        }
        taken.push(ran);
    }
    Ok(taken)
}

fn megabytes(ran: &Ran) -> f64 {
    ran.peak_rss.unwrap_or_default() as f64 / 1e6
}

/// Prints a table of what was taken; whether anything failed.
fn print(few: &str, all: &str, verbs: &[Verb], of_few: &Taken, of_all: &Taken) -> bool {
    println!("\n| verb | {few}: s | MB | {all}: s | MB | times s |\n|---|--:|--:|--:|--:|--:|");
    let mut failed = false;
    for (verb, (few, all)) in verbs.iter().zip(of_few.iter().zip(of_all)) {
        match (few, all) {
            (Ok(few), Ok(all)) => println!(
                "| {} | {:.2} | {:.0} | {:.2} | {:.0} | {:.1} |",
                verb.what,
                few.seconds,
                megabytes(few),
                all.seconds,
                megabytes(all),
                all.seconds / few.seconds
            ),
            _ => {
                failed = true;
                println!("| {} | **failed** | | | | |", verb.what);
            }
        }
    }
    failed
}

//! The `strongroom` command: backups of redb databases while they are in use, made by a sandboxed WebAssembly
//! component.

mod args;
mod demo;
mod exit;
mod interrupt;
mod output;
mod paths;
mod session;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Verb};
use crate::session::Session;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => return exit::report_usage(&e, std::env::args_os().any(|arg| arg == "--json")).into(),
    };
    let json = args.global.json;
    match run(args) {
        Ok(()) => exit::DONE.into(),
        Err(e) => exit::report(&e, json).into(),
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    trace(args.global.verbose, args.global.quiet);
    let session = Session::new(args.global, interrupt::listen()?);
    let done = match args.verb {
        Verb::Backup(args) => verbs::backup::run(&session, &args),
        Verb::Snapshots(args) => verbs::snapshots::run(&session, &args),
        Verb::Restore(args) => verbs::restore::run(&session, &args),
        Verb::Verify(args) => verbs::verify::run(&session, &args),
        Verb::Tables(args) => verbs::tables::run(&session, &args),
        Verb::Get(args) => verbs::get::run(&session, &args),
        Verb::Cat(args) => verbs::cat::run(&session, &args),
        Verb::Demo(args) => verbs::demo::run(&session, &args),
    };
    session.bar.clear();
    done
}

/// Events and spans go to stderr: warnings always, more with `-v`.
fn trace(verbose: u8, quiet: bool) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::fmt;
    use tracing_subscriber::prelude::*;

    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        (_, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // The compiler of the sandbox has a great deal to tell.
    let ours = Targets::new().with_target("strongroom", level);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let lines = if verbose == 0 { lines.without_time().boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

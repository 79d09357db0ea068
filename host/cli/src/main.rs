//! The `strongroom` command: backups of redb databases while they are in use, made by a sandboxed WebAssembly
//! component.

mod args;
mod demo;
mod exit;
mod interrupt;
mod output;
mod paths;
mod session;
mod trace;
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
    trace::start(&args.global);
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

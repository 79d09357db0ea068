//! The verbs of the `strongroom` command: arguments, what is done, answers and exit codes.
//!
//! They stand on the [`Host`] trait. The native command puts the library behind it, and the component that the stock
//! `wasmtime` command runs what it imports; so both take the same arguments and say the same things.

mod args;
mod exit;
pub mod host;
mod output;
mod paths;
mod policy;
mod report;
mod session;
mod verbs;

use std::ffi::OsString;
use std::io::Write as _;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};

pub use args::{Budgets, Global};
pub use exit::{Exit, usage};
pub use host::{Host, Program, Repository};
pub use output::file::{check as check_file, publish as publish_file};
pub use output::out::Out;
pub use output::style::{Style, on_stderr};
pub use output::table::{Side, Table};
pub use paths::{expand, fill_in as expanded};
pub use policy::PolicyArgs;
pub use report::{Retention as RetentionFacts, Verdict};
pub use session::Session;
pub use verbs::forget::{Forgetting, forget};
pub use verbs::prune::permille as unused_share;
pub use verbs::report::{Reporting, report};
pub use verbs::verify::{describe, permille as sample_share};

use args::{Args, Verb};

/// The verbs that only the native command has, sorted: they need a sandbox of its own, or are about it.
pub const NATIVE_ONLY: [&str; 7] = ["completions", "component", "demo", "drill", "man", "policy", "run"];

/// The whole command line, for what is made from it: completions, manual pages.
pub fn command_line<P: Program>() -> clap::Command {
    P::adapt(Args::<P::Own>::command())
}

/// Runs the program and says what to exit with.
pub fn main<P: Program>(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let as_json = args.iter().any(|arg| arg == "--json");
    let command = match P::configured(without_empty(command_line::<P>(), &args), &args) {
        Ok(command) => command,
        Err(e) => return exit::report(&e, as_json),
    };
    let parsed = command.clone().try_get_matches_from(&args).and_then(|mut matches| {
        Ok((named_by(&matches), Args::<P::Own>::from_arg_matches_mut(&mut matches)?))
    });
    match parsed {
        Ok((named_by, Args { mut global, verb })) => {
            global.named_by = named_by;
            let json = global.json;
            // The last line may not have ended yet.
            match run::<P>(global, verb).and_then(|()| Ok(Out.flush()?)) {
                Ok(()) => exit::DONE,
                Err(e) => exit::report(&e, json),
            }
        }
        Err(e) => match of_variable(&command, &args, &e) {
            Some(e) => exit::report(&e, as_json),
            None => exit::report_usage(&e, as_json),
        },
    }
}

/// Who names the repository, if that is not the command line.
fn named_by(matches: &clap::ArgMatches) -> Option<&'static str> {
    match (matches.subcommand(), matches.try_contains_id("repo")) {
        (Some((_, verb)), _) => named_by(verb),
        (None, Ok(true)) => match matches.value_source("repo")? {
            ValueSource::EnvVariable => Some("the environment variable STRONGROOM_REPO names"),
            ValueSource::DefaultValue => Some("the settings name"),
            _ => None,
        },
        _ => None,
    }
}

/// Whether this option is given on the command line, and not behind `--`.
fn is_given(args: &[OsString], option: &str) -> bool {
    let mut words = args.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
    words.any(|arg| arg.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// The command line without the variables that are empty and stand behind an option that is given.
fn without_empty(mut command: clap::Command, args: &[OsString]) -> clap::Command {
    let shadowed = |arg: &&clap::Arg| {
        let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        is_empty && arg.get_long().is_some_and(|long| is_given(args, &format!("--{long}")))
    };
    let shadowed: Vec<clap::Id> =
        command.get_arguments().filter(shadowed).map(|arg| arg.get_id().clone()).collect();
    for id in shadowed {
        command = command.mut_arg(id, |arg| arg.env(clap::builder::Resettable::Reset));
    }
    command
}

/// An error about an option that comes from the environment: whoever set the variable needs its name.
fn of_variable(command: &clap::Command, args: &[OsString], e: &clap::Error) -> Option<anyhow::Error> {
    let said = e.to_string();
    command.get_arguments().find_map(|arg| {
        let (variable, option) = (arg.get_env()?, format!("--{}", arg.get_long()?));
        let value = std::env::var_os(variable).filter(|_| !is_given(args, &option))?;
        if !said.contains(&format!("'{option} <")) {
            return None;
        }
        let variable = variable.display();
        Some(usage(if value.is_empty() {
            format!("the environment variable {variable} is set, but empty; set it to what {option} takes, or unset it")
        } else {
            let line = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
            format!("the environment variable {variable}: {line}")
        }))
    })
}

fn run<P: Program>(global: Global, verb: Verb<P::Own>) -> anyhow::Result<()> {
    if global.break_lock && verb.only_reads() {
        return Err(usage("--break-lock: this verb only reads, and needs no lock"));
    }
    let program = P::start(&global)?;
    let session = Session::new(&program, global)?;
    let done = match verb {
        Verb::Backup(args) => verbs::backup::run(&session, &args),
        Verb::Init(args) => verbs::init::run(&session, &args),
        Verb::Snapshots(args) => verbs::snapshots::run(&session, &args),
        Verb::Restore(args) => verbs::restore::run(&session, &args),
        Verb::Verify(args) => verbs::verify::run(&session, &args),
        Verb::Tables(args) => verbs::tables::run(&session, &args),
        Verb::Get(args) => verbs::get::run(&session, &args),
        Verb::Cat(args) => verbs::cat::run(&session, &args),
        Verb::Diff(args) => verbs::diff::run(&session, &args),
        Verb::Export(args) => verbs::export::run(&session, &args),
        Verb::Import(args) => verbs::import::run(&session, &args),
        Verb::Prune(args) => verbs::prune::run(&session, &args),
        Verb::Repair(args) => verbs::repair::run(&session, &args),
        Verb::Own(verb) => program.own(&session, verb),
    };
    session.bar.clear();
    done
}

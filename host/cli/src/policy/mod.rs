//! `policy`, and what all verbs that ask a policy share.

mod check;
mod keep;
mod simulate;
mod time;

use clap::Subcommand;
use strongroom::{Decision, Policy, PolicyBudgets, TimeZone};
use strongroom_command::{PolicyArgs, Session, expand, usage};

pub(crate) use keep::Keep;
pub(crate) use time::clock;

use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    arg_required_else_help = true,
    after_help = "\
EXAMPLES:
    strongroom policy check policy.wasm
        what it decides, and what its answers cost
    strongroom policy simulate --keep-daily 7 --keep-monthly 24 --every 1h --for 2y
        what these rules would have kept

How to write one: docs/policies.md"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what a policy decides, and what its answers cost
    Check(check::Args),
    /// Run a policy over an imagined time, and show what it keeps
    Simulate(Box<simulate::Args>),
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Check(args) => check::run(native, session, args),
        Verb::Simulate(args) => simulate::run(native, session, args),
    }
}

/// The policy that is asked for, with its settings.
pub(crate) fn load(native: &Native, args: &PolicyArgs) -> anyhow::Result<Policy> {
    let mut budgets = PolicyBudgets::default();
    if let Some(millions) = args.policy_fuel {
        budgets = budgets.fuel(u64::from(millions) * 1_000_000).fuel_per_item(0);
    }
    if let Some(mib) = args.policy_memory {
        budgets = budgets.memory(usize::try_from(u64::from(mib) << 20).unwrap_or(usize::MAX));
    }
    let builder = Policy::builder().budgets(budgets);
    let mut policy = match &args.file {
        Some(file) => {
            let file = expand(native, file)?;
            // One in JavaScript or Python takes a while.
            builder
                .on_compiling(|name| {
                    tracing::warn!("policy {name} is being compiled, which is done once");
                })
                .load(file)?
        }
        None => builder.built_in()?,
    };
    for (name, value) in &args.settings {
        policy = policy.setting(name, value);
    }
    if let Some(zone) = &args.time_zone {
        policy = policy.time_zone(TimeZone::named(zone).map_err(|e| usage(e.to_string()))?);
    }
    Ok(policy)
}

/// Whether anything says what to keep.
pub(crate) fn has_rules(keep: &Keep, args: &PolicyArgs) -> bool {
    !keep.is_empty() || args.file.is_some() || !args.settings.is_empty()
}

/// The policy that is asked for, which must say what to keep.
pub(crate) fn retaining(native: &Native, keep: &Keep, args: &PolicyArgs) -> anyhow::Result<Policy> {
    let policy = keep.given_to(load(native, args)?);
    if policy.decides(Decision::Retain) {
        return Ok(policy);
    }
    Err(usage(format!("policy {} does not say what to keep: it does not export retain", policy.name())))
}

/// What says it, as it would be typed.
pub(crate) fn told(keep: &Keep, args: &PolicyArgs) -> String {
    let mut words = keep.told();
    words.extend(args.file.iter().map(|file| format!("--policy {}", file.display())));
    words.extend(args.settings.iter().map(|(name, value)| format!("--set {name}={value}")));
    words.join(" ")
}

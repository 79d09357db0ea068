//! `policy check`

use std::time::SystemTime;

use serde::Serialize;
use strongroom::PolicyReport;
use strongroom_command::{Out, PolicyArgs, Session, Side, Table};
use strongroom_core::text::{count, size, visible};

use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom policy check policy.wasm
    strongroom policy check policy.wasm --set days=14
    strongroom policy check
        the built-in one

It is asked about 10, 100 and 1,000 imagined snapshots or tables.")]
pub(crate) struct Args {
    /// The policy's component file [default: the built-in one]
    #[arg(value_name = "P.wasm", conflicts_with = "file")]
    component: Option<std::path::PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,
}

/// The answer for programs.
#[derive(Serialize)]
struct Found<'r> {
    policy: &'r str,
    bytes: usize,
    exports: &'r [String],
    imports: [&'r str; 0],
}

#[derive(Serialize)]
struct TrialLine {
    decision: &'static str,
    items: usize,
    fuel: Option<u64>,
    fuel_budget: Option<u64>,
    seconds: Option<f64>,
    error: Option<String>,
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let mut options = args.policy.clone();
    if args.component.is_some() {
        options.file.clone_from(&args.component);
    }
    let policy = super::load(native, &options)?;
    let report = policy.check(SystemTime::now())?;
    if session.json() {
        print_json(session, &report)?
    } else {
        print(session, &report)?
    }
    match report.trials.into_iter().find_map(|trial| trial.cost.err()) {
        Some(e) => Err(e.into()),
        None => Ok(()),
    }
}

fn print(session: &Session<'_>, report: &PolicyReport) -> anyhow::Result<()> {
    session.say(format!("policy   {}, {}", visible(&report.policy), size(report.bytes as u64)))?;
    session.say("imports  nothing")?;
    for (number, export) in report.exports.iter().enumerate() {
        session.say(format!("{}  {}", if number == 0 { "exports" } else { "       " }, visible(export)))?;
    }
    session.say("")?;
    use Side::{Left, Right};
    let mut table = Table::new([
        ("ASKED TO", Left),
        ("ABOUT", Right),
        ("TIME", Right),
        ("FUEL", Right),
        ("OF BUDGET", Right),
        ("ANSWER", Left),
    ]);
    for trial in &report.trials {
        let mut row = vec![trial.decision.to_string(), count(trial.items as u64)];
        row.extend(match &trial.cost {
            Ok(cost) => [
                format!("{:.2} ms", cost.time.as_secs_f64() * 1000.0),
                count(cost.fuel),
                format!("{:.2} %", cost.fuel as f64 / cost.fuel_budget as f64 * 100.0),
                "given".to_owned(),
            ],
            Err(_) => [String::new(), String::new(), String::new(), "none".to_owned()],
        });
        table.row(row);
    }
    Ok(table.print(&mut Out)?)
}

fn print_json(session: &Session<'_>, report: &PolicyReport) -> anyhow::Result<()> {
    let PolicyReport { policy, bytes, exports, .. } = report;
    session.print_json("policy", &Found { policy, bytes: *bytes, exports, imports: [] })?;
    for trial in &report.trials {
        let cost = trial.cost.as_ref();
        let line = TrialLine {
            decision: trial.decision.as_str(),
            items: trial.items,
            fuel: cost.ok().map(|cost| cost.fuel),
            fuel_budget: cost.ok().map(|cost| cost.fuel_budget),
            seconds: cost.ok().map(|cost| cost.time.as_secs_f64()),
            error: cost.err().map(ToString::to_string),
        };
        session.print_json("trial", &line)?;
    }
    Ok(())
}

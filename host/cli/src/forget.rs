//! `forget`

use std::time::SystemTime;

use strongroom::{Damage, Error, ErrorCode, Judged, PolicyFailure, Retention, TimeZone};
use strongroom_command::{Forgetting, Out, PolicyArgs, Session, Side, Table, forget, usage};
use strongroom_core::text::visible;

use crate::native::Native;
use crate::policy::{self, Keep, clock};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom forget --keep-daily 7 --keep-weekly 8 --keep-monthly 24 --dry-run
        says what would be kept, and why
    strongroom forget --keep-daily 7 --keep-weekly 8 --keep-monthly 24 --prune
        does it, and frees what no snapshot needs any more
    strongroom forget --policy policy.wasm --set days=14
        by rules of your own: docs/policies.md
    strongroom forget app-20260131T101500Z
        this one

Rules are applied to each source for itself. If a policy fails over a source, all
its snapshots are kept, and the command fails.")]
pub(crate) struct Args {
    /// Forget these snapshots, by their whole names, instead of by rules
    #[arg(value_name = "SNAPSHOT", conflicts_with_all = RULES)]
    names: Vec<String>,

    /// Only snapshots of this source
    #[arg(long, value_name = "SOURCE", conflicts_with = "names")]
    source: Option<String>,

    #[command(flatten)]
    how: Forgetting,

    #[command(flatten)]
    keep: Keep,

    #[command(flatten)]
    policy: PolicyArgs,
}

/// The options that are rules.
const RULES: [&str; 11] = [
    "keep_last",
    "keep_hourly",
    "keep_daily",
    "keep_weekly",
    "keep_monthly",
    "keep_yearly",
    "keep_within",
    "keep_name",
    "keep_every",
    "file",
    "settings",
];

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let rules = policy::has_rules(&args.keep, &args.policy);
    if !rules && args.names.is_empty() {
        return Err(usage(
            "say what to keep: --keep-daily 7, say, or --policy P.wasm; or name the snapshots to forget",
        ));
    }
    let dir = session.repository_dir()?;
    let repository = native.open(&dir, &session.bar)?;
    let (names, kept, failure) = if rules {
        let policy = policy::retaining(native, &args.keep, &args.policy)?;
        let mut plan = repository.retention(&policy, SystemTime::now())?;
        if let Some(source) = &args.source {
            plan = plan.only(source);
            if plan.snapshots.is_empty() {
                let message =
                    format!("there is no snapshot of source {source:?}; `strongroom snapshots` lists them");
                return Err(Error::new(ErrorCode::NotFound, message).into());
            }
        }
        session.bar.clear();
        let zone = args.policy.time_zone.as_deref().map_or(Ok(TimeZone::utc()), TimeZone::named)?;
        print(session, &plan, &zone)?;
        if let Some(source) = plan.emptied().first().filter(|_| !args.how.allow_empty) {
            let message = format!(
                "no snapshot of source {} would be left, so nothing was forgotten; if that is what you want, allow it with \
                 --allow-empty",
                visible(source)
            );
            return Err(Error::new(ErrorCode::Invalid, message).into());
        }
        let names: Vec<String> = plan.to_forget().into_iter().map(str::to_owned).collect();
        let kept = plan.snapshots.len() - names.len();
        (names, Some(kept), failure(plan.failures))
    } else {
        (args.names.clone(), None, None)
    };
    let repository = session.repository()?;
    forget(session, repository.as_ref(), &names, kept, &args.how)?;
    match failure {
        Some(e) => Err(e.into()),
        None => Ok(()),
    }
}

/// What to fail with, if the policy failed over some source. What else it said over others is a warning.
fn failure(failures: Vec<PolicyFailure>) -> Option<Error> {
    let mut said: Vec<(Error, Vec<String>)> = Vec::new();
    for PolicyFailure { source, error, .. } in failures {
        match said.iter_mut().find(|(of, _)| of.to_string() == error.to_string()) {
            Some((_, sources)) => sources.push(visible(&source)),
            None => said.push((error, vec![visible(&source)])),
        }
    }
    let mut said = said.into_iter().map(|(error, sources)| {
        let message = format!("{error}; all snapshots of {} are kept", sources.join(", "));
        Error::new(error.code(), message)
    });
    let first = said.next();
    said.for_each(|other| tracing::warn!("{other}"));
    first
}

/// Every snapshot, with verdict and reason.
fn print(session: &Session<'_>, plan: &Retention, zone: &TimeZone) -> anyhow::Result<()> {
    if session.json() {
        for judged in &plan.snapshots {
            session.print_json("verdict", judged)?;
        }
        return plan.damage.iter().try_for_each(|damage| session.print_json("damage", damage));
    }
    if session.quiet() {
        return Ok(());
    }
    use Side::{Left, Right};
    let (mut sources, mut positions) = (false, false);
    for judged in &plan.snapshots {
        sources |= judged.snapshot.source != plan.snapshots[0].snapshot.source;
        positions |= judged.snapshot.position.is_some();
    }
    let time = format!("TIME ({zone})");
    let mut columns = vec![("", Left), ("NAME", Left)];
    columns.extend(sources.then_some(("SOURCE", Left)));
    columns.push((&time, Left));
    columns.extend(positions.then_some(("POSITION", Right)));
    columns.push(("BECAUSE", Left));
    let mut table = Table::new(columns);
    for Judged { snapshot, keep, reason, .. } in &plan.snapshots {
        let mut row = vec![if *keep { "keep" } else { "forget" }.to_owned(), visible(&snapshot.name)];
        row.extend(sources.then(|| visible(&snapshot.source)));
        row.push(clock(zone, snapshot.time));
        let position = || snapshot.position.map_or_else(String::new, |position| position.to_string());
        row.extend(positions.then(position));
        row.push(reason.clone());
        table.row(row);
    }
    table.print(&mut Out)?;
    for Damage { file, what, .. } in &plan.damage {
        tracing::warn!("{file}: {what}; it cannot be judged, and stays");
    }
    Ok(())
}

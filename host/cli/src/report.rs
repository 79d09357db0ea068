//! `report`

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom::TimeZone;
use strongroom_command::{PolicyArgs, Reporting, RetentionFacts, Session, Verdict, report};
use strongroom_core::text::visible;

use crate::native::Native;
use crate::policy::{self, Keep};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom report
        in a few lines
    strongroom report --html backups.html
        as a page to look at, which needs nothing else: no network, no script
    strongroom report --html backups.html --keep-daily 7 --keep-monthly 24
        and what these rules would forget next
    strongroom report --json | jq .status

It looks at every snapshot file and at the structure of the newest snapshot of each source, and
tells what `verify` and `drill` have found before. It changes nothing. The exit code is 12 if
something is damaged now; the page is written all the same.")]
pub(crate) struct Args {
    #[command(flatten)]
    how: Reporting,

    #[command(flatten)]
    keep: Keep,

    #[command(flatten)]
    policy: PolicyArgs,
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let dir = session.repository_dir()?;
    let policy = if policy::has_rules(&args.keep, &args.policy) {
        Some(policy::retaining(native, &args.keep, &args.policy)?)
    } else {
        None
    };
    let repository = native.open(&dir, &session.bar)?.without_memory();
    let page = args.how.file(session)?;
    native.confine(&[&dir], &page.iter().filter_map(|page| page.parent()).collect::<Vec<&Path>>())?;
    let now = SystemTime::now();
    let retention = policy.map(|policy| repository.retention(&policy, now)).transpose()?;
    let retention = retention.map(|plan| facts(args, plan)).transpose()?;
    let repository = crate::repository::Native { repository, host: native, remembers: false };
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    report(session, &repository, seconds, retention, &args.how)
}

fn facts(args: &Args, plan: strongroom::Retention) -> anyhow::Result<RetentionFacts> {
    let zone = args.policy.time_zone.as_deref().map_or(Ok(TimeZone::utc()), TimeZone::named)?;
    let emptied = plan.emptied().into_iter().map(str::to_owned).collect();
    let failures = plan
        .failures
        .iter()
        .map(|failure| format!("{}; all snapshots of {} are kept", failure.error, visible(&failure.source)));
    let failures = failures.collect();
    let verdicts = plan
        .snapshots
        .into_iter()
        .map(|judged| (judged.snapshot.name, Verdict { keep: judged.keep, reason: judged.reason }));
    Ok(RetentionFacts {
        rules: policy::told(&args.keep, &args.policy),
        zone: zone.to_string(),
        verdicts: verdicts.collect(),
        emptied,
        failures,
    })
}

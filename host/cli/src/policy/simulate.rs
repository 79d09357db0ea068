//! `policy simulate`

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use strongroom::{Simulation, TimeZone, Timeline};
use strongroom_command::{Host as _, Out, PolicyArgs, Session, Side, Table, check_file, publish_file, usage};
use strongroom_core::text::{count, counted};

use super::time::{clock, stretch};
use super::{Keep, retaining};
use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom policy simulate --every 1h --for 2y --keep-hourly 24 --keep-daily 7 --keep-monthly 12
    strongroom policy simulate --every 1h --for 2y --keep-daily 7 --svg kept.svg
        and look at the picture in a browser
    strongroom policy simulate policy.wasm --every 1h --for 2y --set days=14
    strongroom policy simulate --every 1h --for 60d --from 2026-10-01 --time-zone Europe/Berlin --keep-daily 7
        over a change of the clocks

Backups are imagined from now on, or from another moment; once a day what the
policy does not keep is forgotten, as `strongroom forget` in a cron job does.
Nothing is read or written but the picture.")]
pub(crate) struct Args {
    /// The policy's component file [default: the built-in one]
    #[arg(value_name = "P.wasm", conflicts_with = "file")]
    component: Option<PathBuf>,

    /// From one backup to the next: 30min, 1h, 2d, 3w, 6m (months of 30 days), 2y (years of 365)
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    every: Duration,

    /// How long it goes on
    #[arg(long = "for", value_name = "TIME", value_parser = stretch)]
    length: Duration,

    /// When it begins: 2026-01-31 or 2026-01-31T10:15 in the time zone, or 2026-01-31T10:15:00Z [default: now]
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,

    /// From one time at which the policy is asked to the next [default: 1d, or as often as there are backups]
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    forget_every: Option<Duration>,

    /// How far the database's position moves from one backup to the next
    #[arg(long, value_name = "POSITIONS", default_value_t = 1)]
    positions: u64,

    /// How the names of the imagined snapshots begin; a dash and a number follow
    #[arg(long, value_name = "NAME", default_value = "imagined")]
    name: String,

    /// Draw a picture of it
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Put the picture in the place of a file that is there
    #[arg(long, requires = "svg")]
    force: bool,

    #[command(flatten)]
    keep: Keep,

    #[command(flatten)]
    policy: PolicyArgs,
}

/// One snapshot that is left, for programs.
#[derive(Serialize)]
struct Kept<'s> {
    name: &'s str,
    time: u64,
    position: Option<u64>,
    reason: &'s str,
}

#[derive(Serialize)]
struct Done {
    made: usize,
    kept: usize,
    most: usize,
    calls: usize,
    seconds: f64,
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let mut options = args.policy.clone();
    if args.component.is_some() {
        options.file.clone_from(&args.component);
    }
    let built_in = options.file.is_none();
    if built_in && args.keep.is_empty() && options.settings.is_empty() {
        return Err(usage(
            "without a rule everything is kept; give --keep-daily or another, or a policy's file",
        ));
    }
    let picture = args.svg.as_ref().map(|file| session.expand(file)).transpose()?;
    if let Some(file) = &picture {
        check_file(file, args.force)?;
    }
    let policy = retaining(native, &args.keep, &options)?;
    let mut timeline = Timeline::new(args.every, args.length);
    if let Some(from) = &args.from {
        let zone = args.policy.time_zone.as_deref().map_or(Ok(TimeZone::utc()), TimeZone::named)?;
        timeline.from = zone.parse(from).map_err(|e| usage(format!("--from: {e}")))?;
    }
    timeline.positions = args.positions;
    timeline.name.clone_from(&args.name);
    if let Some(every) = args.forget_every {
        timeline.forget_every = every;
    }
    let simulation = policy.simulate(&timeline, |_, _| !native.is_cancelled())?;
    if session.json() {
        print_json(session, &simulation)?;
    } else {
        print(session, &simulation)?;
    }
    if let Some(file) = &picture {
        publish_file(file, simulation.svg().as_bytes(), args.force)?;
        session.say(format!("The picture is in {}.", file.display()))?;
    }
    Ok(())
}

fn print(session: &Session<'_>, simulation: &Simulation) -> anyhow::Result<()> {
    if simulation.kept.is_empty() {
        tracing::warn!(
            "the policy keeps nothing in the end; `forget` refuses that unless --allow-empty is given"
        );
    }
    use Side::{Left, Right};
    let time = format!("TIME ({})", simulation.zone);
    let mut table =
        Table::new([(time.as_str(), Left), ("AGE", Right), ("POSITION", Right), ("KEPT BECAUSE", Left)]);
    for kept in &simulation.kept {
        table.row([
            clock(&simulation.zone, kept.snapshot.time),
            age(simulation.time.1 - i64::try_from(kept.snapshot.time).unwrap_or(i64::MAX)),
            kept.snapshot.position.map_or_else(String::new, count),
            kept.reason.clone(),
        ]);
    }
    table.print(&mut Out)?;
    session.say("")?;
    session.say(format!(
        "Of {} {} are left, never more than {} after the policy was asked. It was asked {} times, {:.2} ms each.",
        counted(simulation.made as u64, "backup"),
        count(simulation.kept.len() as u64),
        count(simulation.most() as u64),
        count(simulation.counts.len() as u64),
        simulation.took.as_secs_f64() * 1000.0 / simulation.counts.len().max(1) as f64,
    ))
}

fn print_json(session: &Session<'_>, simulation: &Simulation) -> anyhow::Result<()> {
    for kept in &simulation.kept {
        let snapshot = &kept.snapshot;
        let line = Kept {
            name: &snapshot.name,
            time: snapshot.time,
            position: snapshot.position,
            reason: &kept.reason,
        };
        session.print_json("kept", &line)?;
    }
    let done = Done {
        made: simulation.made,
        kept: simulation.kept.len(),
        most: simulation.most(),
        calls: simulation.counts.len(),
        seconds: simulation.took.as_secs_f64(),
    };
    session.print_json("simulation", &done)
}

/// `3 h`, `12 d`, `1.5 y`
fn age(seconds: i64) -> String {
    const DAY: i64 = 86_400;
    match seconds {
        ..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        172_800..31_536_000 => format!("{} d", seconds / DAY),
        _ => format!("{:.1} y", seconds as f64 / (365.0 * DAY as f64)),
    }
}

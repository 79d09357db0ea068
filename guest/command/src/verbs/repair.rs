//! `repair`

use std::io::Write;
use std::time::Instant;

use serde::Serialize;
use strongroom_core::text::{counted, duration, placed, size, visible};
use strongroom_core::{Error, ErrorCode, Loss, Note, Repaired};

use crate::output::out::stdout;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom repair --dry-run
        what is wrong, what would be put right, and what is lost
    strongroom repair

Everything is read. An index that is damaged or gone is made again from the packs,
a pack with a damaged list from the objects in it, and a damaged object is taken
from any other place that has it. What is whole is left alone, and no snapshot is
removed. What stays lost is listed with what it costs; the next backup writes it
again if the database still holds it. A disk that fails to read is not repaired:
copy the files to a sound one first.

The exit code is 12 if something stays lost.")]
pub(crate) struct Args {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'r> {
    dry_run: bool,
    #[serde(flatten)]
    repaired: &'r Repaired,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let repository = session.repository()?;
    session.go_on()?;
    let repaired = repository.repair(args.dry_run)?;
    session.bar.clear();
    if session.json() {
        let seconds = started.elapsed().as_secs_f64();
        session.print_json("repaired", &Done { dry_run: args.dry_run, repaired: &repaired, seconds })?;
    } else {
        describe(&repaired, args.dry_run)?;
        let put_right = match (repaired.mended.len() as u64, args.dry_run) {
            (0, _) => "nothing to put right".to_owned(),
            (n, true) => format!("{} would be put right", counted(n, "thing")),
            (n, false) => format!("{} put right", counted(n, "thing")),
        };
        session.say(format!(
            "{}  {} read  {put_right}  {} of {} whole  in {}",
            counted(repaired.objects, "object"),
            size(repaired.bytes),
            repaired.whole,
            counted(u64::from(repaired.snapshots), "snapshot"),
            duration(started.elapsed()),
        ))?;
    }
    if repaired.is_whole() {
        return Ok(());
    }
    let mut stays = Vec::new();
    if !repaired.unreadable.is_empty() {
        stays.push(format!("{} cannot be read", counted(repaired.unreadable.len() as u64, "snapshot file")));
    }
    if !repaired.lost.is_empty() {
        let lost = repaired.lost_more.saturating_add(repaired.lost.len() as u64);
        stays.push(format!("{} lost", counted(lost, "object")));
    }
    let message = format!(
        "not everything can be put right: {}. `restore --skip-damaged` restores the tables that are whole",
        stays.join(", ")
    );
    Err(Error::new(ErrorCode::Damaged, message).into())
}

/// A line for everything.
fn describe(repaired: &Repaired, dry_run: bool) -> anyhow::Result<()> {
    let mut out = stdout();
    let mended = if dry_run { "to do" } else { "done" };
    for (word, notes) in
        [(mended, &repaired.mended), ("unreadable", &repaired.unreadable), ("left", &repaired.left)]
    {
        for Note { file, what, .. } in notes {
            writeln!(out, "{word}: {}", visible(&placed(file, what)))?;
        }
    }
    for loss in &repaired.lost {
        let Loss { object, what, file, entries, heals, .. } = loss;
        let entries = entries.map(|entries| format!(" of {}", counted(entries, "entry"))).unwrap_or_default();
        let place = if file.is_empty() { String::new() } else { format!(", was in {}", visible(file)) };
        let id: String = object.chars().take(12).collect();
        writeln!(out, "lost: {}{entries}, object {}{place}", visible(what), visible(&id))?;
        for (what, names) in [("snapshots", &loss.snapshots), ("tables", &loss.tables)] {
            if !names.is_empty() {
                writeln!(out, "    {what}: {}", list(names))?;
            }
        }
        if heals.is_empty() {
            writeln!(
                out,
                "    no newest snapshot needs it: no backup brings it back, unless the old data comes back"
            )?;
        } else {
            let sources = list(heals);
            writeln!(
                out,
                "    the next backup of {sources} writes it again, if the database still holds the same"
            )?;
        }
    }
    if repaired.lost_more > 0 {
        writeln!(out, "lost: at least {} more", counted(repaired.lost_more, "object"))?;
    }
    Ok(out.flush()?)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")
}

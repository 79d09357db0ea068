//! `prune`

use strongroom_core::Pruned;
use strongroom_core::text::{counted, size};

use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom prune --dry-run
        how much would be freed
    strongroom prune
    strongroom prune --max-unused 0%
        leave nothing in the repository that no snapshot needs

It can be interrupted at any time, and others may read meanwhile: every snapshot
stays whole.")]
pub(crate) struct Args {
    /// Rewrite packs of which more than this share is unused
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = permille)]
    max_unused: u32,

    /// Only say what would be freed
    #[arg(long)]
    dry_run: bool,

    /// Also if there is no snapshot, so that everything goes
    #[arg(long)]
    allow_empty: bool,
}

/// Packs of which more is unused are rewritten unless it is said otherwise, in thousandths.
pub(crate) const MAX_UNUSED: u32 = 50;

/// `5%`, `0.5`: percent as thousandths.
pub fn permille(text: &str) -> Result<u32, String> {
    let percent: Option<f64> = text.strip_suffix('%').unwrap_or(text).parse().ok();
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    percent
        .map(|percent| (percent * 10.0).round() as u32)
        .ok_or_else(|| "give a percentage, 0% to 100%".to_owned())
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let repository = session.repository()?;
    session.go_on()?;
    let pruned = repository.prune(args.max_unused, args.dry_run, args.allow_empty)?;
    report(session, &pruned, args.dry_run)
}

/// Says what was freed, or would be.
pub(crate) fn report(session: &Session<'_>, pruned: &Pruned, dry_run: bool) -> anyhow::Result<()> {
    session.bar.clear();
    if session.json() {
        return session.print_json("pruned", pruned);
    }
    let freed = match u64::try_from(pruned.bytes_freed) {
        Ok(bytes) => format!("{} {}freed", size(bytes), if dry_run { "would be " } else { "" }),
        Err(_) => format!(
            "{} more than before, for an index that had to be made again",
            size(pruned.bytes_freed.unsigned_abs())
        ),
    };
    session.say(format!(
        "{freed}, {} left for {}; {} moved, {} unused.",
        size(pruned.bytes_left),
        counted(pruned.snapshots.into(), "snapshot"),
        size(pruned.bytes_moved),
        size(pruned.bytes_unused),
    ))
}

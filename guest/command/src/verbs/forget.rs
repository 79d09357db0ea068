//! `forget`, once it is known what.

use serde::Serialize;
use strongroom_core::text::{count, counted};

use super::prune;
use crate::host::Repository;
use crate::session::Session;

/// How to forget.
#[derive(Debug, clap::Args)]
pub struct Forgetting {
    /// Only say what would be forgotten
    #[arg(long)]
    pub dry_run: bool,

    /// Also if no snapshot would be left, or, to --prune, is left
    #[arg(long)]
    pub allow_empty: bool,

    /// Free what no snapshot needs any more
    #[arg(long)]
    pub prune: bool,
}

/// What was done, for programs.
#[derive(Serialize)]
struct Done {
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<usize>,
    forgotten: usize,
}

/// Forgets these snapshots, or says that it would. `kept` are those that rules keep.
pub fn forget(
    session: &Session<'_>,
    repository: &dyn Repository,
    names: &[String],
    kept: Option<usize>,
    args: &Forgetting,
) -> anyhow::Result<()> {
    if !names.is_empty() {
        repository.forget(names, args.dry_run, args.allow_empty)?;
    }
    if session.json() {
        session.print_json("forgotten", &Done { dry_run: args.dry_run, kept, forgotten: names.len() })?;
    } else {
        let kept = kept.map_or_else(String::new, |kept| format!(", {} kept", count(kept as u64)));
        let would = if args.dry_run { " would be" } else { "" };
        session.say(format!("{}{would} forgotten{kept}.", counted(names.len() as u64, "snapshot")))?;
    }
    // A dry run cannot say what a prune would free once they are gone.
    if args.prune && !args.dry_run {
        prune::report(session, &repository.prune(prune::MAX_UNUSED, false, args.allow_empty)?, false)?;
    }
    Ok(())
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use strongroom_core::Locking;

use crate::exit;
use crate::verbs::{
    backup, cat, diff, export, get, import, init, prune, repair, restore, snapshots, tables, verify,
};

/// Backups of redb databases while they are in use, made by a sandboxed WebAssembly component.
#[derive(Parser)]
#[command(name = "strongroom", version, after_help = "`strongroom help VERB` has examples.", after_long_help = exit::TABLE)]
#[command(
    disable_help_subcommand = false,
    arg_required_else_help = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    max_term_width = 110
)]
pub(crate) struct Args<Own: Subcommand> {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb<Own>,
}

/// What every verb takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "For every verb")]
pub struct Global {
    /// The directory of snapshots [default: `backups`, beside the database or, for other verbs than `backup`, here]
    #[arg(long, global = true, value_name = "DIR", env = "STRONGROOM_REPO")]
    pub repo: Option<PathBuf>,

    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub json: bool,

    /// Tell on stderr what is done; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Say nothing but what was asked for, and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Wait so long for another run that writes: 60s, 5m, 1h [verbs that write]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Take away the lock of a run that is gone, where that cannot be seen from here [verbs that write]
    #[arg(long, global = true)]
    pub break_lock: bool,

    /// Who names the repository, if that is not the command line.
    #[arg(skip)]
    pub named_by: Option<&'static str>,

    /// How the sandbox is set up.
    #[command(flatten)]
    pub budgets: Budgets,
}

impl Global {
    /// How the lock of the repository is taken.
    pub fn locking(&self) -> Locking {
        Locking { wait: self.wait.unwrap_or_default(), break_lock: self.break_lock }
    }
}

/// `60s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err("give seconds, minutes or hours, as in 60s, 5m, 1h".to_owned()),
    };
    let seconds = digits.parse::<u32>().map_err(|_| "give a whole number, as in 60s".to_owned())?;
    Ok(Duration::from_secs(u64::from(seconds) * unit))
}

/// What the sandbox of a run may use, and what runs in it.
#[derive(Debug, clap::Args)]
pub struct Budgets {
    /// Memory that the engine or the plugin may use [default: 256]
    #[arg(long, global = true, value_name = "MIB", env = "STRONGROOM_MEMORY", value_parser = clap::value_parser!(u32).range(1..))]
    pub memory: Option<u32>,

    /// Time that the run may take [default: no limit; for `run`, 600]
    #[arg(long, global = true, value_name = "SECONDS", env = "STRONGROOM_TIMEOUT", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,

    /// Run the engine in this component file instead of the built-in one
    #[arg(long, global = true, value_name = "FILE")]
    pub component: Option<PathBuf>,

    /// Don't have the kernel confine the sandbox to its directories as well (Linux)
    #[arg(long, global = true)]
    pub no_landlock: bool,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Verb<Own: Subcommand> {
    /// Back up a database, beside whoever writes to it
    Backup(backup::Args),
    /// Make a repository without snapshots, where the first backup is not to do it
    Init(init::Args),
    /// List the snapshots
    Snapshots(snapshots::Args),
    /// Restore a snapshot to a new database file
    Restore(restore::Args),
    /// Check that all is there that the snapshots need
    Verify(verify::Args),
    /// List the tables of a snapshot
    Tables(tables::Args),
    /// Say what differs between two snapshots, or a snapshot and a database
    Diff(diff::Args),
    /// Print the value of a key
    Get(get::Args),
    /// Print a table of a snapshot
    Cat(cat::Args),
    /// Write a snapshot as one file
    Export(export::Args),
    /// Take a snapshot in that was exported
    Import(import::Args),
    /// Free what no snapshot needs any more
    Prune(prune::Args),
    /// Make again what can be made again of a damaged repository, and say what cannot
    Repair(repair::Args),
    #[command(flatten)]
    Own(Own),
}

impl<Own: Subcommand> Verb<Own> {
    /// Whether it never writes to the repository.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Snapshots(_)
                | Self::Restore(_)
                | Self::Verify(_)
                | Self::Tables(_)
                | Self::Diff(_)
                | Self::Get(_)
                | Self::Cat(_)
                | Self::Export(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn a_wait_is_a_whole_number_with_its_unit() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("5min", 300), ("1h", 3600), ("0s", 0)] {
            assert_eq!(super::duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "60", "s", "-1s", "1d", "1.5h", "99999999999h", "1 h", "é"] {
            assert!(super::duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        #[derive(Debug, clap::Subcommand)]
        enum None {}
        super::Args::<None>::command().debug_assert();
    }
}

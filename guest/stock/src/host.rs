//! The command where another runtime runs it.

use std::path::{Component as Part, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_command::host::{self, Special};
use strongroom_command::{Forgetting, Global, Host, Program, Reporting, Session, forget, report, usage};
use strongroom_core::{Bar, Error, ErrorCode, Locking, Result};
use wasip2::filesystem::preopens::get_directories;

use crate::bindings::strongroom::provider::control;
use crate::elsewhere::Elsewhere;
use crate::repository::Repository;

/// For the end of `--help`.
const HERE: &str = "\
Under the wasmtime command: `wasmtime run --dir DIR... FILE VERB...`. Each directory that
is read or written must be granted with --dir. Limits are wasmtime's own, as in
-W max-memory-size=..., -W timeout=...";

/// This component.
pub(crate) struct Stock {
    json: bool,
    verbosity: u8,
    locking: Locking,
}

/// The verbs that are another's elsewhere.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Own {
    /// Forget snapshots by name
    Forget(Forget),
    /// Show the repository at a glance, as a page or in a few lines
    Report(Report),
    #[command(flatten)]
    Elsewhere(Elsewhere),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    forget app-20260131T101500Z --prune

By rules (--keep-daily 7 and the like) forgets the native strongroom command: the
rules are a component, which only a host can run.")]
pub(crate) struct Forget {
    /// Forget these snapshots, by their whole names
    #[arg(value_name = "SNAPSHOT", required = true)]
    names: Vec<String>,

    #[command(flatten)]
    how: Forgetting,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    report --html data/backups.html
        as a page to look at, which needs nothing else: no network, no script

What rules (--keep-daily 7 and the like) would forget next, tells the native
strongroom command: the rules are a component, which only a host can run.")]
pub(crate) struct Report {
    #[command(flatten)]
    how: Reporting,
}

impl Program for Stock {
    type Own = Own;

    fn start(global: &Global) -> anyhow::Result<Self> {
        let verbosity = if global.quiet { 0 } else { global.verbose.saturating_add(1) };
        Ok(Self { json: global.json, verbosity, locking: global.locking() })
    }

    fn own(&self, session: &Session<'_>, verb: Own) -> anyhow::Result<()> {
        match verb {
            Own::Forget(args) => {
                forget(session, session.repository()?.as_ref(), &args.names, None, &args.how)
            }
            Own::Report(args) => {
                let repository =
                    Repository::new(&session.repository_dir()?, &session.bar, self.locking).without_memory();
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                report(session, &repository, now, None, &args.how)
            }
            Own::Elsewhere(verb) => {
                Err(usage(format!("`{}` is a verb of the native strongroom command only", verb.0)))
            }
        }
    }

    fn adapt(command: clap::Command) -> clap::Command {
        let codes = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        command.bin_name("strongroom").after_help(HERE).after_long_help(format!("{codes}\n\n{HERE}"))
    }
}

impl Host for Stock {
    fn repository(&self, dir: &Path, bar: &Bar) -> anyhow::Result<Box<dyn host::Repository>> {
        Ok(Box::new(Repository::new(dir, bar, self.locking)))
    }

    /// The path as it was granted, without detours.
    fn absolute(&self, path: &Path) -> Result<PathBuf> {
        let outside = || {
            let message = format!(
                "{} is in no directory that this run was granted; grant it, as in `wasmtime run --dir {} ...`",
                path.display(),
                path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).display(),
            );
            Error::new(ErrorCode::Denied, message)
        };
        let direct = direct(path).ok_or_else(outside)?;
        let bare = direct.strip_prefix("/").unwrap_or(&direct);
        let granted = get_directories().into_iter().any(|(_, name)| {
            let name = self::direct(Path::new(&name)).unwrap_or_default();
            bare.starts_with(name.strip_prefix("/").unwrap_or(&name))
        });
        if granted { Ok(direct) } else { Err(outside()) }
    }

    fn bar(&self, seen: bool) -> Bar {
        // The provider shows it, which is told how far the engine is.
        control::speak(control::Voice { bar: seen, json: self.json, verbosity: self.verbosity });
        Bar::hidden()
    }

    fn refuses(&self, option: Special) -> Option<&'static str> {
        Some(match option {
            Special::Budgets => {
                "here the runtime sets the limits: with wasmtime, `-W max-memory-size=BYTES` and `-W timeout=SECONDSs` \
                 before the file"
            }
            Special::Component => "here the engine is in the file that is run",
            Special::Forms => "here redb databases are made; the native strongroom command makes the others",
            Special::Threads => "here one thread copies; the native strongroom command has more",
            Special::Policies => {
                "here nobody can be asked: policies run in a sandbox of the native strongroom command"
            }
            Special::Permissions => {
                "a component can neither see nor change permissions; run `chmod 700` on the directory"
            }
        })
    }
}

/// A path without `.` and `..`; none if it leads up from where it began.
fn direct(path: &Path) -> Option<PathBuf> {
    let mut direct = PathBuf::new();
    for part in path.components() {
        match part {
            Part::CurDir => {}
            Part::ParentDir => {
                direct.file_name()?;
                direct.pop();
            }
            other => direct.push(other),
        }
    }
    Some(direct)
}

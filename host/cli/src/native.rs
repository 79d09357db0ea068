//! The command where it runs as a program of its own, with the library behind it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use strongroom::{Budgets, Cancel, Error, ErrorCode, Landlock, RedbStore, Repository, Sandbox};
use strongroom_command::{Global, Host, Program, Session, expand, host};
use strongroom_core::{Bar, Locking};

use crate::demo::verb as demo;
use crate::{component, config, drill, forget, interrupt, policy, report, run, shell, trace};

/// This program.
pub(crate) struct Native {
    cancel: Cancel,
    memory: Option<u32>,
    timeout: Option<u32>,
    component: Option<PathBuf>,
    landlock: bool,
    locking: Locking,
    confined: OnceLock<()>,
}

/// The verbs that only this program has.
#[derive(Debug, Subcommand)]
pub(crate) enum Own {
    /// Run a plugin over a database or a snapshot
    Run(Box<run::Args>),
    /// Forget snapshots by rules, or by name
    Forget(Box<forget::Args>),
    /// Show the repository at a glance, as a page or in a few lines
    Report(Box<report::Args>),
    /// Check or try out a policy
    Policy(policy::Args),
    /// Write the engine as a component file, alone or ready for the wasmtime command
    Component(component::Args),
    /// Prove that a snapshot restores
    Drill(drill::Args),
    /// Print the completions for a shell
    Completions(shell::Completions),
    /// Write the manual pages
    Man(shell::Man),
    /// Show all of it on a database made for the purpose
    Demo(demo::Args),
}

impl Program for Native {
    type Own = Own;

    fn start(global: &Global) -> anyhow::Result<Self> {
        trace::start(global);
        let budgets = &global.budgets;
        let landlock = !budgets.no_landlock;
        match Landlock::of_this_kernel() {
            _ if !landlock => {
                tracing::info!("--no-landlock: the kernel does not confine the sandbox as well")
            }
            Landlock::Enforced => tracing::info!("Landlock: the kernel confines the sandbox as well"),
            Landlock::Partly => {
                tracing::info!("Landlock: the kernel confines the sandbox as well, but it is old")
            }
            _ => tracing::info!("this system has no Landlock to confine the sandbox as well"),
        }
        Ok(Self {
            cancel: interrupt::listen()?,
            memory: budgets.memory,
            timeout: budgets.timeout,
            component: budgets.component.clone(),
            landlock,
            locking: global.locking(),
            confined: OnceLock::new(),
        })
    }

    fn adapt(command: clap::Command) -> clap::Command {
        config::option(command)
    }

    fn configured(command: clap::Command, args: &[OsString]) -> anyhow::Result<clap::Command> {
        config::configured(command, args)
    }

    fn own(&self, session: &Session<'_>, verb: Own) -> anyhow::Result<()> {
        match verb {
            Own::Run(args) => run::run(self, session, &args),
            Own::Forget(args) => forget::run(self, session, &args),
            Own::Report(args) => report::run(self, session, &args),
            Own::Policy(args) => policy::run(self, session, &args),
            Own::Component(args) => component::run(session, &args),
            Own::Drill(args) => drill::run(self, session, &args),
            Own::Completions(args) => shell::completions(&args),
            Own::Man(args) => shell::man(session, &args),
            Own::Demo(args) => demo::run(self, session, &args),
        }
    }
}

impl Host for Native {
    fn repository(&self, dir: &Path, bar: &Bar) -> anyhow::Result<Box<dyn host::Repository + '_>> {
        Ok(Box::new(crate::repository::Native {
            repository: self.open(dir, bar)?,
            host: self,
            remembers: true,
        }))
    }

    fn absolute(&self, path: &Path) -> Result<PathBuf, Error> {
        std::path::absolute(path)
            .map_err(|e| Error::new(ErrorCode::Io, format!("cannot find {}: {e}", path.display())))
    }

    fn bar(&self, seen: bool) -> Bar {
        let width = || terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| width.0.into());
        if seen { Bar::visible(width) } else { Bar::hidden() }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Native {
    /// The repository in this directory, with the sandbox that was asked for.
    pub(crate) fn open(&self, dir: &Path, bar: &Bar) -> anyhow::Result<Repository> {
        let repository = Repository::with_sandbox(dir, self.sandbox()?)?;
        let repository = repository.wait_for_lock(self.locking.wait).break_lock(self.locking.break_lock);
        let bar = bar.clone();
        Ok(repository.cancel_with(self.cancel.clone()).on_progress(move |progress| bar.show(progress)))
    }

    /// These budgets, or what was asked for instead.
    pub(crate) fn budgets(&self, mut budgets: Budgets) -> Budgets {
        if let Some(mib) = self.memory {
            let bytes = usize::try_from(u64::from(mib) << 20).unwrap_or(usize::MAX);
            budgets.memory = bytes;
            // Who may have so much may hand it over: what is handed over grows with the number of tables.
            budgets.call_bytes = budgets.call_bytes.max(bytes);
            budgets.reply_bytes = budgets.reply_bytes.max(bytes);
        }
        if let Some(seconds) = self.timeout {
            budgets.time = Some(Duration::from_secs(seconds.into()));
        }
        budgets
    }

    /// Whether the kernel is to confine what runs.
    pub(crate) fn landlock(&self) -> bool {
        self.landlock
    }

    /// Confines the command, once it has compiled and opened what it needs elsewhere, to the directories that are left for
    /// the verb. The verbs that a run consists of need the same.
    pub(crate) fn confine(&self, reading: &[&Path], writing: &[&Path]) -> Result<(), Error> {
        // What is not there yet is made in the directory above it; what is not there to be read is told by the verb.
        let there = |dir: &&Path| dir.exists();
        let above = |dir: &&'_ Path| dir.ancestors().find(|dir| dir.exists()).map(Path::to_owned);
        let reading: Vec<&Path> = reading.iter().filter(|dir| there(dir)).copied().collect();
        let writing: Vec<PathBuf> = writing.iter().filter_map(above).collect();
        let writing: Vec<&Path> = writing.iter().map(PathBuf::as_path).collect();
        if self.landlock && self.confined.set(()).is_ok() {
            let got = strongroom::confine(&reading, &writing)?;
            tracing::info!(read = ?reading, write = ?writing, landlock = ?got, "the command is confined to these directories");
        }
        Ok(())
    }

    /// What stops a run.
    pub(crate) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// A database file, opened to be read.
    pub(crate) fn database(&self, path: &Path) -> Result<Arc<RedbStore>, Error> {
        let cancel = self.cancel();
        Ok(Arc::new(RedbStore::open_unless(path, move || cancel.is_cancelled())?))
    }

    fn sandbox(&self) -> anyhow::Result<Sandbox> {
        let builder = Sandbox::builder().budgets(self.budgets(Budgets::default())).landlock(self.landlock);
        let Some(path) = &self.component else { return Ok(builder.build()?) };
        let path = expand(self, path)?;
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if !bytes.starts_with(b"\0asm") {
            let message =
                format!("{} is not a WebAssembly component; --component takes a binary one", path.display());
            return Err(Error::new(ErrorCode::Invalid, message).into());
        }
        builder.component(bytes).build().with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::Subcommand;

    #[test]
    fn the_component_knows_which_verbs_it_has_not() {
        let mine = super::Own::augment_subcommands(clap::Command::new("strongroom"));
        let mut mine: Vec<&str> = mine.get_subcommands().map(clap::Command::get_name).collect();
        mine.sort_unstable();
        // It forgets by name, and reports without rules.
        mine.retain(|verb| !matches!(*verb, "forget" | "report"));
        assert_eq!(mine, strongroom_command::NATIVE_ONLY);
    }
}

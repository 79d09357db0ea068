//! What the verbs share: where the repository is, and how to speak.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use strongroom_core::text::visible;
use strongroom_core::{Bar, Error, ErrorCode, Snapshot, Table};

use crate::args::Global;
use crate::exit::usage;
use crate::host::{Host, Repository, Special};
use crate::output::json;
use crate::output::out::Out;
use crate::paths::expand;

/// The name of the directory of snapshots, unless it is given.
const REPOSITORY: &str = "backups";

/// What makes a directory a repository.
const MADE: &str = "repository.json";

/// One run of the command.
pub struct Session<'h> {
    host: &'h dyn Host,
    global: Global,
    /// How far the run is.
    pub bar: Bar,
}

impl<'h> Session<'h> {
    pub(crate) fn new(host: &'h dyn Host, global: Global) -> anyhow::Result<Self> {
        let seen = io::stderr().is_terminal() && !global.quiet && !global.json && global.verbose == 0;
        let session = Self { host, global, bar: host.bar(seen) };
        let budgets = &session.global.budgets;
        for (given, option, special) in [
            (budgets.memory.is_some(), "--memory", Special::Budgets),
            (budgets.timeout.is_some(), "--timeout", Special::Budgets),
            (budgets.component.is_some(), "--component", Special::Component),
            (budgets.no_landlock, "--no-landlock", Special::Budgets),
        ] {
            session.only_if(given, option, special)?;
        }
        Ok(session)
    }

    /// Fails if an option is given that means nothing to this host.
    pub(crate) fn only_if(&self, given: bool, option: &str, special: Special) -> anyhow::Result<()> {
        match self.host.refuses(special) {
            Some(why) if given => Err(usage(format!("{option}: {why}"))),
            _ => Ok(()),
        }
    }

    /// Whether the answer goes to a program.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Whether nothing is to be said that was not asked for.
    pub fn quiet(&self) -> bool {
        self.global.quiet
    }

    /// The absolute path that is meant, with `~/` and variables filled in.
    pub fn expand(&self, path: &Path) -> anyhow::Result<PathBuf> {
        expand(self.host, path)
    }

    /// Fails where the run would make a repository that only settings or the environment name: what is missing there may be
    /// on a disk that is not mounted.
    pub(crate) fn may_make(&self, asked_for: bool) -> anyhow::Result<()> {
        let Some(named_by) = self.global.named_by.filter(|_| !asked_for) else { return Ok(()) };
        let dir = self.repository_dir()?;
        if std::fs::symlink_metadata(dir.join(MADE)).is_ok_and(|file| !file.is_dir()) {
            return Ok(());
        }
        let message = format!(
            "{}, which {named_by}, is no repository. If it is on a disk, mount that; `strongroom init` or --init makes a new \
             one there, and `strongroom repair` one again that has lost its {MADE}",
            dir.display()
        );
        Err(Error::new(ErrorCode::NoRepository, message).into())
    }

    /// The repository to back up to; without `--repo`, beside the database.
    pub(crate) fn repository_for(&self, database: &Path) -> anyhow::Result<Box<dyn Repository + 'h>> {
        let dir = match &self.global.repo {
            Some(dir) => self.expand(dir)?,
            None => database.parent().unwrap_or(database).join(REPOSITORY),
        };
        self.host.repository(&dir, &self.bar)
    }

    /// The repository to read from; without `--repo`, in the current directory.
    pub fn repository(&self) -> anyhow::Result<Box<dyn Repository + 'h>> {
        self.host.repository(&self.repository_dir()?, &self.bar)
    }

    /// Where the repository to read from is.
    pub fn repository_dir(&self) -> anyhow::Result<PathBuf> {
        self.expand(self.global.repo.as_deref().unwrap_or(Path::new(REPOSITORY)))
    }

    /// Fails if the run was asked to stop.
    pub fn go_on(&self) -> Result<(), Error> {
        if self.host.is_cancelled() {
            Err(Error::new(ErrorCode::Cancelled, "stopped on request"))
        } else {
            Ok(())
        }
    }

    /// Prints one JSON line of this kind.
    pub fn print_json(&self, kind: &'static str, object: &impl Serialize) -> anyhow::Result<()> {
        Ok(json::typed(&mut Out, kind, object)?)
    }

    /// Prints a line that a quiet run leaves out.
    pub fn say(&self, line: impl AsRef<str>) -> anyhow::Result<()> {
        if !self.global.quiet && !self.global.json {
            let line = format!("{}\n", line.as_ref());
            Out.write_all(line.as_bytes())?;
        }
        Ok(())
    }
}

/// The snapshot that is meant, and its table of this name.
pub(crate) fn find_table(
    repository: &dyn Repository,
    which: &str,
    name: &str,
) -> anyhow::Result<(Snapshot, Table)> {
    let snapshot = repository.find(which)?;
    let mut tables = repository.tables(&snapshot.name)?;
    if let Some(at) = tables.iter().position(|table| table.name == name) {
        return Ok((snapshot, tables.swap_remove(at)));
    }
    let names: Vec<String> = tables.iter().take(20).map(|table| visible(&table.name)).collect();
    let more = if tables.len() > names.len() { ", ..." } else { "" };
    let message =
        format!("snapshot {:?} has no table {name:?}; it has: {}{more}", snapshot.name, names.join(", "));
    Err(Error::new(ErrorCode::NotFound, message).into())
}

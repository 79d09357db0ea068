//! What the verbs share: where the repository is, the sandbox, and how to speak.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use strongroom::{Budgets, Cancel, Error, ErrorCode, Repository, Sandbox, Snapshot, Table};

use crate::args::Global;
use crate::output::json;
use crate::output::progress::Bar;
use crate::output::text::visible;
use crate::paths::expand;

/// The name of the directory of snapshots, unless it is given.
const REPOSITORY: &str = "backups";

/// One run of the command.
pub(crate) struct Session {
    global: Global,
    cancel: Cancel,
    pub(crate) bar: Bar,
}

impl Session {
    pub(crate) fn new(global: Global, cancel: Cancel) -> Self {
        let visible = io::stderr().is_terminal() && !global.quiet && !global.json && global.verbose == 0;
        Self { global, cancel, bar: Bar::new(visible) }
    }

    /// Whether the answer goes to a program.
    pub(crate) fn json(&self) -> bool {
        self.global.json
    }

    /// The repository that was named, or the one in `beside`.
    fn dir(&self, beside: &Path) -> anyhow::Result<PathBuf> {
        match &self.global.repo {
            Some(dir) => expand(dir),
            None => Ok(beside.join(REPOSITORY)),
        }
    }

    /// The repository to back up to; without `--repo`, beside the database.
    pub(crate) fn repository_for(&self, database: &Path) -> anyhow::Result<Repository> {
        self.open(&self.dir(database.parent().unwrap_or(database))?)
    }

    /// The repository to read from; without `--repo`, in the current directory.
    pub(crate) fn repository(&self) -> anyhow::Result<Repository> {
        let here = std::env::current_dir().context("cannot find the current directory")?;
        self.open(&self.dir(&here)?)
    }

    /// The repository in this directory, with the sandbox that was asked for.
    pub(crate) fn open(&self, dir: &Path) -> anyhow::Result<Repository> {
        let repository = Repository::with_sandbox(dir, self.sandbox()?)?;
        let bar = self.bar.clone();
        Ok(repository.cancel_with(self.cancel.clone()).on_progress(move |progress| bar.show(progress)))
    }

    fn sandbox(&self) -> anyhow::Result<Sandbox> {
        let mut budgets = Budgets::default();
        if let Some(mib) = self.global.memory {
            budgets.memory = usize::try_from(u64::from(mib) << 20).unwrap_or(usize::MAX);
        }
        budgets.time = self.global.timeout.map(|seconds| Duration::from_secs(seconds.into()));
        let builder = Sandbox::builder().budgets(budgets);
        let Some(path) = &self.global.component else { return Ok(builder.build()?) };
        let path = expand(path)?;
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if !bytes.starts_with(b"\0asm") {
            let message =
                format!("{} is not a WebAssembly component; --component takes a binary one", path.display());
            return Err(Error::new(ErrorCode::Invalid, message).into());
        }
        builder.component(bytes).build().with_context(|| path.display().to_string())
    }

    /// Fails if the run was asked to stop.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            Err(Error::new(ErrorCode::Cancelled, "stopped on request"))
        } else {
            Ok(())
        }
    }

    /// Prints one JSON line of this kind.
    pub(crate) fn print_json(&self, kind: &'static str, object: &impl Serialize) -> anyhow::Result<()> {
        Ok(json::typed(&mut io::stdout().lock(), kind, object)?)
    }

    /// Prints a line that a quiet run leaves out.
    pub(crate) fn say(&self, line: impl AsRef<str>) -> anyhow::Result<()> {
        if !self.global.quiet && !self.global.json {
            writeln!(io::stdout().lock(), "{}", line.as_ref())?;
        }
        Ok(())
    }
}

/// Stdout for much of it.
pub(crate) fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// The snapshot that is meant, and its table of this name.
pub(crate) fn find_table(
    repository: &Repository,
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

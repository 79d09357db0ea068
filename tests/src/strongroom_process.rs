//! Strongroom as a process of its own: the `strongroom` command where it has been built beside this program, else the
//! same verb through the library, in a step of this program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::child;
use crate::steps::step;

/// How Strongroom is run.
#[derive(Debug, Clone)]
pub enum Strongroom {
    /// By its command.
    Command(PathBuf),
    /// Through its library.
    Library,
}

impl Strongroom {
    /// The command beside this program, if it is there and does something. Where cargo runs this program, the command
    /// is built first: cargo itself would only build this one, and an old command would be measured.
    pub fn find() -> Result<Self> {
        if let (Some(cargo), Some(dir)) = (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR"))
        {
            let mut build = Command::new(cargo);
            build.current_dir(dir).args(["build", "--quiet", "--package", "strongroom-cli"]);
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            child::run(&mut build).context("the command could not be built")?;
        }
        let beside =
            std::env::current_exe()?.with_file_name(format!("strongroom{}", std::env::consts::EXE_SUFFIX));
        let help = child::run(Command::new(&beside).arg("--help").stdin(Stdio::null()));
        Ok(match help {
            Ok(help) if help.stdout.contains("backup") => Self::Command(beside),
            _ => Self::Library,
        })
    }

    /// What is said of it in a report.
    pub fn described(&self) -> &'static str {
        match self {
            Self::Command(_) => "the command `strongroom`",
            Self::Library => {
                "the library, in a process of its own (build the command first to have that measured)"
            }
        }
    }

    fn verb<const N: usize>(
        &self,
        words: [&dyn AsRef<OsStr>; N],
        repository: &Path,
        library: (&str, &[&Path]),
    ) -> Result<Command> {
        Ok(match self {
            Self::Command(program) => {
                let mut command = Command::new(program);
                command.args(words.map(AsRef::as_ref)).arg("--repo").arg(repository).stdin(Stdio::null());
                command
            }
            Self::Library => {
                let mut command = step(library.0)?;
                command.args(library.1);
                command
            }
        })
    }

    /// Backs up.
    pub fn backup(&self, database: &Path, repository: &Path) -> Result<Command> {
        let words: [&dyn AsRef<OsStr>; 6] =
            [&"backup", &database, &"--source", &"bench", &"--name", &"{source}-{seq:04}"];
        self.verb(words, repository, ("backup", &[database, repository]))
    }

    /// Backs up, and stores what is new as it is.
    pub fn backup_uncompressed(&self, database: &Path, repository: &Path) -> Result<Command> {
        let mut command = self.backup(database, repository)?;
        match self {
            Self::Command(_) => command.args(["--compression", "none"]),
            Self::Library => command.arg("uncompressed"),
        };
        Ok(command)
    }

    /// Restores the latest snapshot.
    pub fn restore(&self, repository: &Path, to: &Path) -> Result<Command> {
        self.verb([&"restore", &"latest", &to], repository, ("restore", &[repository, to]))
    }

    /// Writes the latest snapshot to one file.
    pub fn export(&self, repository: &Path, to: &Path) -> Result<Command> {
        self.verb([&"export", &"latest", &to], repository, ("export", &[repository, to]))
    }

    /// Takes such a file into a repository.
    pub fn import(&self, repository: &Path, from: &Path) -> Result<Command> {
        self.verb([&"import", &from], repository, ("import", &[repository, from]))
    }

    /// Reads and hashes everything.
    pub fn verify(&self, repository: &Path) -> Result<Command> {
        self.verb([&"verify", &"--read-data"], repository, ("verify", &[repository]))
    }

    /// Lists the tables of the latest snapshot.
    pub fn tables(&self, repository: &Path) -> Result<Command> {
        self.verb([&"tables", &"latest"], repository, ("tables", &[repository]))
    }

    /// Lists the snapshots.
    pub fn snapshots(&self, repository: &Path) -> Result<Command> {
        self.verb([&"snapshots"], repository, ("snapshots", &[repository]))
    }
}

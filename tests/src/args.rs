//! The arguments of the programs in this crate: `--name VALUE`, `--flag`, and what is left.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

/// Arguments, taken out one by one; what nobody took is refused at the end.
pub struct Args(Vec<OsString>);

impl Args {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self(std::env::args_os().skip(1).collect())
    }

    /// Whether `--name` was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|arg| arg != name);
        self.0.len() < before
    }

    /// What was given as `--name VALUE`.
    pub fn text(&mut self, name: &str) -> Result<Option<OsString>> {
        let Some(at) = self.0.iter().position(|arg| arg == name) else { return Ok(None) };
        if at + 1 >= self.0.len() {
            bail!("{name} needs a value");
        }
        let value = self.0.remove(at + 1);
        self.0.remove(at);
        Ok(Some(value))
    }

    /// A path given as `--name PATH`.
    pub fn path(&mut self, name: &str) -> Result<Option<PathBuf>> {
        Ok(self.text(name)?.map(PathBuf::from))
    }

    /// A number given as `--name NUMBER`, or another.
    pub fn number<T: FromStr>(&mut self, name: &str, otherwise: T) -> Result<T> {
        let Some(text) = self.text(name)? else { return Ok(otherwise) };
        let text = text.to_string_lossy();
        text.parse().ok().with_context(|| format!("{name} {text} is not a number"))
    }

    /// The next argument that is no option.
    pub fn next(&mut self, what: &str) -> Result<PathBuf> {
        let found = self.0.iter().position(|arg| !arg.to_string_lossy().starts_with("--"));
        let at = found.with_context(|| format!("{what} is missing"))?;
        Ok(PathBuf::from(self.0.remove(at)))
    }

    /// Refuses what is left.
    pub fn done(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(arg) => bail!("unknown argument {}; see --help", arg.to_string_lossy()),
        }
    }
}

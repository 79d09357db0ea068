//! One backup after another, while little changes in between.

mod history;
mod targets;

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::bench::median;
use crate::child;
use crate::files;
use crate::steps::step;
use crate::strongroom_process::Strongroom;

pub use history::{LEAST, Windows};
pub use targets::{ENTRIES, targets};

/// What one increment took.
#[derive(Debug, Clone, Copy)]
pub struct Increment {
    /// Of the whole process.
    pub seconds: f64,
    /// Of processors, where the system says.
    pub cpu: Option<f64>,
    /// Bytes of files that are new.
    pub written: u64,
}

/// Increments of one repository, one after another, each after a change of so many rows.
#[derive(Debug, Clone)]
pub struct Series {
    /// How many entries the table has.
    pub entries: u64,
    /// How many of them change each time.
    pub rows: u64,
    /// In their order.
    pub increments: Vec<Increment>,
    /// How many files the repository has at the end.
    pub files: usize,
}

/// Makes a database of so many entries.
pub fn make(work: &Path, entries: u64) -> Result<PathBuf> {
    let (raw, database) = (work.join("raw"), work.join("base.redb"));
    let _ = std::fs::remove_file(&database);
    child::run(step("raw")?.arg(&raw).arg(entries.to_string()))?;
    child::run(step("bulk-load")?.arg(&raw).arg(&database))?;
    std::fs::remove_file(&raw)?;
    Ok(database)
}

impl Series {
    /// Backs up a copy of the database once, and then so many times after changes.
    pub fn run(
        strongroom: &Strongroom,
        work: &Path,
        base: &Path,
        (entries, rows): (u64, u64),
        rounds: u64,
    ) -> Result<Self> {
        let dir = tempfile::tempdir_in(work)?;
        let (database, repository) = (dir.path().join("app.redb"), dir.path().join("repository"));
        std::fs::copy(base, &database)?;
        child::run(&mut strongroom.backup(&database, &repository)?)?;
        let mut before = files::below(&repository)?;
        let mut increments = Vec::new();
        for round in 1..=rounds {
            let numbers = [entries, rows, round].map(|number| number.to_string());
            child::run(step("change-again")?.arg(&database).args(numbers))?;
            let _ = Command::new("sync").arg("-f").arg(dir.path()).status();
            let ran = child::run(&mut strongroom.backup(&database, &repository)?)?;
            let after = files::below(&repository)?;
            let new = after.iter().filter(|(path, len)| before.get(*path) != Some(len));
            let written = new.map(|(_, len)| len).sum();
            increments.push(Increment { seconds: ran.seconds, cpu: ran.cpu, written });
            before = after;
            if round % 100 == 0 {
                eprintln!("increments: {rows} of {entries} rows: {round} of {rounds}");
            }
        }
        // All of them were worth something.
        child::run(&mut strongroom.verify(&repository)?)?;
        Ok(Self { entries, rows, increments, files: before.len() })
    }

    /// Its first increments.
    fn first(&self, count: usize) -> Self {
        let increments = self.increments.iter().copied().take(count).collect();
        Self { increments, ..self.clone() }
    }

    fn seconds(&self) -> f64 {
        seconds(&self.increments)
    }

    fn mean_written(&self) -> f64 {
        let all: u64 = self.increments.iter().map(|increment| increment.written).sum();
        all as f64 / self.increments.len() as f64
    }

    fn most_written(&self) -> f64 {
        self.increments.iter().map(|increment| increment.written as f64).fold(0.0, f64::max)
    }
}

/// The median.
fn seconds(increments: &[Increment]) -> f64 {
    let seconds: Vec<f64> = increments.iter().map(|increment| increment.seconds).collect();
    median(&seconds).unwrap_or(f64::NAN)
}

/// The head of a table of series, of which each is a row.
pub const HEAD: &str = "\
| entries | rows changed | increments | seconds, median | from - to | CPU seconds | first tenth, last tenth | \
KB written, mean | most | files at the end |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

impl Display for Series {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { entries, rows, increments, files } = self;
        let tenth = increments.len().div_ceil(10);
        let (first, last) = (increments.iter().take(tenth), increments.iter().rev().take(tenth));
        let [first, last] =
            [first.copied().collect(), last.copied().collect()].map(|of: Vec<_>| seconds(&of));
        let all = increments.iter().map(|increment| increment.seconds);
        let cpu: Vec<f64> = increments.iter().filter_map(|increment| increment.cpu).collect();
        write!(
            f,
            "| {entries} | {rows} | {} | {:.3} | {:.3} - {:.3} | {} | {first:.3}, {last:.3} | {:.1} | {:.1} | {files} |",
            increments.len(),
            self.seconds(),
            all.clone().fold(f64::INFINITY, f64::min),
            all.fold(0.0, f64::max),
            median(&cpu).map_or_else(|| "?".to_owned(), |cpu| format!("{cpu:.3}")),
            self.mean_written() / 1e3,
            self.most_written() / 1e3,
        )
    }
}

#[cfg(test)]
fn made(entries: u64, rows: u64, increments: &[(f64, u64)]) -> Series {
    let increments = increments.iter().map(|(seconds, written)| Increment {
        seconds: *seconds,
        cpu: Some(0.5),
        written: *written,
    });
    Series { entries, rows, increments: increments.collect(), files: 7 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_median_the_ends_and_the_bytes() {
        let series = made(1000, 3, &[(0.1, 1000), (0.4, 2000), (0.2, 6000)]);
        let row = series.to_string();
        assert_eq!(row, "| 1000 | 3 | 3 | 0.200 | 0.100 - 0.400 | 0.500 | 0.100, 0.200 | 3.0 | 6.0 | 7 |");
        assert_eq!(HEAD.lines().next().map(|head| head.matches('|').count()), Some(row.matches('|').count()));
    }
}

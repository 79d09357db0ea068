//! What is backed up: a database, and what it becomes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::samples::Case;
use super::work::Work;
use crate::child::run;
use crate::entries;
use crate::steps::step;

/// A database, and the same after changes, each a file of its own that nobody writes to any more.
pub(super) struct Data {
    /// What it is called in the report.
    pub(super) name: &'static str,
    /// What it holds, for the report.
    pub(super) described: String,
    /// The database as it is first.
    pub(super) base: PathBuf,
    /// What it becomes, one after another.
    pub(super) changes: Vec<(Case, PathBuf)>,
    /// Bytes of keys and values that its entries have, where that is known.
    pub(super) bytes: Option<u64>,
    /// The same entries as the peers load them, if there are such.
    pub(super) raw: Option<PathBuf>,
    /// A prefix for what is kept of it.
    pub(super) prefix: String,
}

/// What the artificial entries are called.
pub(super) const ENTRIES: &str = "Entries";
/// What the real files are called.
pub(super) const REAL: &str = "Real files";

impl Data {
    /// So many entries, sorted, as redb has them after a bulk load and compaction.
    pub(super) fn entries(work: &Work, count: u64) -> Result<Self> {
        if count < 1000 {
            bail!("--entries must be 1000 or more");
        }
        let prefix = format!("entries-{count}");
        let raw = work.kept(&format!("{prefix}.raw"), |to| {
            run(step("raw")?.arg(to).arg(count.to_string()))?;
            Ok(())
        })?;
        let base = work.kept(&format!("{prefix}.redb"), |to| {
            run(step("bulk-load")?.arg(&raw).arg(to))?;
            run(step("compact")?.arg(to))?;
            Ok(())
        })?;
        let mut changes = Vec::new();
        let mut from = base.clone();
        for (case, name) in [
            (Case::OneRow, "one-row"),
            (Case::ThousandRows, "thousand-rows"),
            (Case::TenThousandRows, "ten-thousand-rows"),
        ] {
            let rows = case.rows().unwrap_or(0).to_string();
            let changed = work.kept(&format!("{prefix}-{name}.redb"), |to| {
                std::fs::copy(&from, to)?;
                run(step("change")?.arg(to).arg(&raw).arg(rows))?;
                Ok(())
            })?;
            changes.push((case, changed.clone()));
            from = changed;
        }
        let file = std::fs::metadata(&base)?.len() as f64 / 1e6;
        let bytes = count * entries::ENTRY as u64;
        Ok(Self {
            name: ENTRIES,
            described: format!(
                "{} entries of {}-byte keys and {}-byte values, half random ({:.1} MB); as a compacted redb file \
                 {file:.1} MB",
                grouped(count),
                entries::KEY,
                entries::VALUE,
                bytes as f64 / 1e6
            ),
            base,
            changes,
            bytes: Some(bytes),
            raw: Some(raw),
            prefix,
        })
    }

    /// Reads all of it once: whoever comes now finds it in memory, however long ago another one read it.
    pub(super) fn warm(&self) -> Result<()> {
        for path in self.changes.iter().map(|(_, path)| path).chain([&self.base]) {
            std::io::copy(&mut std::fs::File::open(path)?, &mut std::io::sink())?;
        }
        Ok(())
    }

    /// A database of `real-data`.
    pub(super) fn real(work: &Work, base: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(base).with_context(|| {
            format!(
                "there is no {}; make it with `cargo run --release -p strongroom-tests --bin real-data`",
                base.display()
            )
        })?;
        let modified = metadata.modified()?.duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let prefix = format!("real-{}-{modified}", metadata.len());
        let base = work.kept(&format!("{prefix}.redb"), |to| same(base, to))?;
        let changed = work.kept(&format!("{prefix}-changed.redb"), |to| {
            std::fs::copy(&base, to)?;
            run(step("change-real")?.arg(to))?;
            Ok(())
        })?;
        let counts = crate::real::counts(&base)?;
        let counts: Vec<String> =
            counts.iter().map(|(table, entries)| format!("`{table}` {}", grouped(*entries))).collect();
        Ok(Self {
            name: REAL,
            described: format!("a redb file of {:.1} MB: {}", metadata.len() as f64 / 1e6, counts.join(", ")),
            base,
            changes: vec![(Case::OnePercent, changed)],
            bytes: None,
            raw: None,
            prefix,
        })
    }

    /// The application's database, in the state that is asked for, at a path that stays the same.
    pub(super) fn at_path(&self, work: &Work, state: &Path) -> Result<PathBuf> {
        let path = work.scratch("app.redb");
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        same(state, &path)?;
        Ok(path)
    }
}

/// The same file at another path, without a copy where that can be had: nobody writes to it.
pub(super) fn same(from: &Path, to: &Path) -> Result<()> {
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to)?;
    }
    Ok(())
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (first, rest) = digits.split_at(first);
    let groups = (0..rest.len()).step_by(3).filter_map(|at| rest.get(at..at + 3));
    let groups: Vec<&str> = Some(first).filter(|first| !first.is_empty()).into_iter().chain(groups).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 12, 999, 1000, 50_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "50,000", "1,234,567"]);
    }
}

//! `ldb backup` of the same entries in RocksDB: a first one, one when nothing has changed, and one after each change, all
//! into one directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Peer, load};
use crate::bench::data::{self, Data};
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::child;
use crate::steps::step;

pub(in crate::bench) const NAME: &str = "RocksDB, ldb backup";

pub(super) struct Rocksdb(pub(super) Option<PathBuf>);

fn ldb(database: &Path) -> Command {
    let mut db = std::ffi::OsString::from("--db=");
    db.push(database);
    let mut command = Command::new("ldb");
    command.arg(db).stdin(Stdio::null());
    command
}

impl Peer for Rocksdb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn prepare(&mut self, work: &Work, data: &Data) -> Result<()> {
        self.0 = load(work, data, "rocksdb", |to| {
            let mut load = ldb(to);
            load.args(["load", "--hex", "--create_if_missing", "--disable_wal", "--bulk_load"]);
            Ok(load)
        })?;
        Ok(())
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let kept = self.0.as_deref().context("it is not loaded")?;
        let raw = data.raw.as_deref().context("there is nothing to change")?;
        let (database, to) = (work.scratch("rocksdb"), work.scratch("rocksdb-backup"));
        another(kept, &database)?;
        let mut dir = std::ffi::OsString::from("--backup_dir=");
        dir.push(&to);
        let backup = |case, samples: &mut Recorder<'_>| -> Result<()> {
            samples.record(case, &work.measure(ldb(&database).arg("backup").arg(&dir), &to)?);
            Ok(())
        };
        backup(Case::First, samples)?;
        backup(Case::Unchanged, samples)?;
        let restored = work.scratch("rocksdb-restored");
        samples.record(Case::Restore, &work.measure(ldb(&restored).arg("restore").arg(&dir), &restored)?);
        for (case, _) in &data.changes {
            let Some(rows) = case.rows() else { continue };
            // Without a log, the rows are in a file of their own when this ends: no backup has to write it first.
            let mut load = ldb(&database);
            load.args(["load", "--hex", "--disable_wal"]);
            child::run_piped(step("rocksdb-changes")?.arg(raw).arg(rows.to_string()), &mut load)?;
            backup(*case, samples)?;
        }
        Ok(())
    }
}

/// The same database at another path. Its tables never change under their names; the rest is small.
fn another(database: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(database)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().extension().is_some_and(|extension| extension == "sst") {
            data::same(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

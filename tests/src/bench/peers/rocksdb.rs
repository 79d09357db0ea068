//! `ldb backup` of the same entries in RocksDB: a first one, and one when nothing has changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Peer, load};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;

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

    fn round(&mut self, work: &Work, _data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let database = self.0.as_deref().context("it is not loaded")?;
        let to = work.scratch("rocksdb");
        let mut dir = std::ffi::OsString::from("--backup_dir=");
        dir.push(&to);
        for case in [Case::First, Case::Unchanged] {
            samples.record(case, &work.measure(ldb(database).arg("backup").arg(&dir), &to)?);
        }
        Ok(())
    }
}

//! `mdb_copy` of the same entries in LMDB.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Peer, load, shell};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;

pub(super) const NAME: &str = "LMDB, mdb_copy";

pub(super) struct Lmdb(pub(super) Option<PathBuf>);

impl Peer for Lmdb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn copies_everything(&self) -> bool {
        true
    }

    fn prepare(&mut self, work: &Work, data: &Data) -> Result<()> {
        self.0 = load(work, data, "lmdb", |to| {
            std::fs::create_dir(to)?;
            let mut load = Command::new("mdb_load");
            load.arg(to);
            Ok(load)
        })?;
        Ok(())
    }

    fn round(&mut self, work: &Work, _data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let database = self.0.as_deref().context("it is not loaded")?;
        let to = work.scratch("lmdb");
        std::fs::create_dir(&to)?;
        let mut copy = shell(r#"mdb_copy "$1" "$2"; sync "$2/data.mdb""#, &[database, &to]);
        samples.record(Case::First, &work.measure(&mut copy, &to)?);
        Ok(())
    }
}

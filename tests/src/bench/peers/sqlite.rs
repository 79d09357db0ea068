//! `.backup` of the same entries in SQLite.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Peer, load, shell};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;

pub(super) const NAME: &str = "SQLite, .backup";

pub(super) struct Sqlite(pub(super) Option<PathBuf>);

impl Peer for Sqlite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn copies_everything(&self) -> bool {
        true
    }

    fn prepare(&mut self, work: &Work, data: &Data) -> Result<()> {
        self.0 = load(work, data, "sqlite", |to| {
            let mut load = Command::new("sqlite3");
            load.arg("-batch").arg(to);
            Ok(load)
        })?;
        Ok(())
    }

    fn round(&mut self, work: &Work, _data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let database = self.0.as_deref().context("it is not loaded")?;
        let to = work.scratch("sqlite");
        let mut backup = shell(r#"sqlite3 "$1" ".backup '$2'"; sync "$2""#, &[database, &to]);
        samples.record(Case::First, &work.measure(&mut backup, &to)?);
        Ok(())
    }
}

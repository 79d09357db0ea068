//! redb's own quickest way to make a database of sorted entries, against which a restore is measured.

use anyhow::{Context as _, Result};

use super::Peer;
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::steps::{seconds, step};

pub(in crate::bench) const NAME: &str = "redb alone (bulk load: one transaction, cursor)";

pub(super) struct BulkLoad;

impl Peer for BulkLoad {
    fn name(&self) -> &'static str {
        NAME
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let raw = data.raw.as_deref().context("there is nothing to load")?;
        let to = work.scratch("loaded.redb");
        let mut load = work.measure(step("bulk-load")?.arg(raw).arg(&to), &to)?;
        // Without the reading of the entries, which it holds in memory: nor do its memory and its work compare.
        load.seconds = seconds(&load.stdout)?;
        load.peak_rss = None;
        load.cpu = None;
        samples.record(Case::Restore, &load);
        Ok(())
    }
}

//! Strongroom.

use anyhow::Result;

use super::Peer;
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::child::run;
use crate::steps::step;
use crate::strongroom_process;

pub(in crate::bench) const NAME: &str = "Strongroom";

/// Snapshots of the repository that is listed.
const MANY: u32 = 1000;

pub(super) struct Strongroom {
    process: strongroom_process::Strongroom,
}

impl Strongroom {
    pub(super) fn find() -> Result<Self> {
        Ok(Self { process: strongroom_process::Strongroom::find()? })
    }

    /// How it is run.
    pub(super) fn described(&self) -> &'static str {
        self.process.described()
    }

    /// Made once for each version of the engine.
    fn many(work: &Work) -> Result<std::path::PathBuf> {
        let engine = blake3::hash(strongroom::ENGINE).to_hex();
        work.kept(&format!("snapshots-{MANY}-{}", &engine[..8]), |to| {
            run(step("many-snapshots")?.arg(to).arg(MANY.to_string()))?;
            Ok(())
        })
    }
}

impl Peer for Strongroom {
    fn name(&self) -> &'static str {
        NAME
    }

    fn takes(&self, _data: &Data) -> bool {
        true
    }

    fn prepare(&mut self, work: &Work, _data: &Data) -> Result<()> {
        let many = Self::many(work)?;
        // From here on, the compiled engine is in the cache.
        run(&mut self.process.snapshots(&many)?)?;
        Ok(())
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let repository = work.scratch("strongroom");
        let app = data.at_path(work, &data.base)?;
        let backup = |case, samples: &mut Recorder<'_>| -> Result<()> {
            samples.record(case, &work.measure(&mut self.process.backup(&app, &repository)?, &repository)?);
            Ok(())
        };
        backup(Case::First, samples)?;
        backup(Case::Unchanged, samples)?;
        samples.record(Case::Verify, &work.measure(&mut self.process.verify(&repository)?, &repository)?);
        let to = work.scratch("restored.redb");
        samples.record(Case::Restore, &work.measure(&mut self.process.restore(&repository, &to)?, &to)?);
        for (case, state) in &data.changes {
            data.at_path(work, state)?;
            backup(*case, samples)?;
        }
        let uncompressed = work.scratch("uncompressed");
        data.at_path(work, &data.base)?;
        let mut backup = self.process.backup_uncompressed(&app, &uncompressed)?;
        samples.record(Case::FirstUncompressed, &work.measure(&mut backup, &uncompressed)?);
        if data.raw.is_some() {
            let many = Self::many(work)?;
            samples.record(Case::Snapshots, &work.measure(&mut self.process.snapshots(&many)?, &many)?);
            samples.record(Case::Tables, &work.measure(&mut self.process.tables(&many)?, &many)?);
        }
        Ok(())
    }
}

//! restic, with its default settings, on the redb file: what one takes who looks for a backup program.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Peer, and_sync};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::child;

pub(in crate::bench) const NAME: &str = "restic";

pub(super) struct Restic;

fn restic(repository: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("restic");
    command.env("RESTIC_PASSWORD", "benchmark").stdin(Stdio::null());
    command.arg("--quiet").arg("--no-cache").arg("--repo").arg(repository).args(words);
    command
}

impl Peer for Restic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn takes(&self, _data: &Data) -> bool {
        true
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let repository = work.scratch("restic");
        child::run(&mut restic(&repository, &["init"]))?;
        let app = data.at_path(work, &data.base)?;
        let backup = |case, samples: &mut Recorder<'_>| -> Result<()> {
            samples.record(case, &work.measure(restic(&repository, &["backup"]).arg(&app), &repository)?);
            Ok(())
        };
        backup(Case::First, samples)?;
        backup(Case::Unchanged, samples)?;
        let (verify, restore) = (restic(&repository, &["check", "--read-data"]), work.scratch("restored"));
        samples.record(Case::Verify, &work.measure(&mut { verify }, &repository)?);
        let mut command = restic(&repository, &["restore", "latest", "--target"]);
        let mut command = and_sync(command.arg(&restore), &restore);
        samples.record(Case::Restore, &work.measure(&mut command, &restore)?);
        for (case, state) in &data.changes {
            data.at_path(work, state)?;
            backup(*case, samples)?;
        }
        Ok(())
    }
}

//! borg, unencrypted, on the redb file.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Peer, and_sync};
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::child;

pub(super) const NAME: &str = "borg";

pub(super) struct Borg;

fn borg(work: &Work, repository: &Path, verb: &[&str], archive: &str) -> Command {
    let mut command = Command::new("borg");
    command
        .env("BORG_BASE_DIR", work.scratch("borg-base"))
        .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
    let mut archive_of_repository = repository.as_os_str().to_owned();
    archive_of_repository.push(archive);
    command.args(verb).arg(archive_of_repository).stdin(Stdio::null());
    command
}

impl Peer for Borg {
    fn name(&self) -> &'static str {
        NAME
    }

    fn takes(&self, _data: &Data) -> bool {
        true
    }

    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let repository = work.scratch("borg");
        child::run(&mut borg(work, &repository, &["init", "--encryption", "none"], ""))?;
        let app = data.at_path(work, &data.base)?;
        let mut number = 0;
        let mut backup = |case, samples: &mut Recorder<'_>| -> Result<()> {
            number += 1;
            let mut create = borg(work, &repository, &["create"], &format!("::a{number}"));
            samples.record(case, &work.measure(create.arg(&app), &repository)?);
            Ok(())
        };
        backup(Case::First, samples)?;
        backup(Case::Unchanged, samples)?;
        let mut verify = borg(work, &repository, &["check", "--verify-data"], "");
        samples.record(Case::Verify, &work.measure(&mut verify, &repository)?);
        let restored = work.scratch("borg-restored");
        std::fs::create_dir(&restored)?;
        let mut restore = borg(work, &repository, &["extract"], "::a2");
        let mut restore = and_sync(restore.current_dir(&restored), &restored);
        samples.record(Case::Restore, &work.measure(&mut restore, &restored)?);
        for (case, state) in &data.changes {
            data.at_path(work, state)?;
            backup(*case, samples)?;
        }
        Ok(())
    }
}

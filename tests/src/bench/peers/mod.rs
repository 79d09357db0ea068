//! Who is measured.

mod bbolt;
mod borg;
mod copy;
mod lmdb;
mod redb;
mod restic;
mod rocksdb;
mod sqlite;
mod strongroom;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use serde::Serialize;

use super::data::Data;
use super::samples::Recorder;
use super::work::Work;
use crate::child;

pub(super) use bbolt::{COPY as BBOLT_COPY, SEED};
pub(super) use copy::NAME as COPY;
pub(super) use redb::NAME as REDB;
pub(super) use restic::NAME as RESTIC;
pub(super) use rocksdb::NAME as ROCKSDB;
pub(super) use strongroom::NAME as STRONGROOM;

/// A way to back up, or something else to compare with.
pub(super) trait Peer {
    /// What it is called in the report.
    fn name(&self) -> &'static str;

    /// Whether it has something to do with this data.
    fn takes(&self, data: &Data) -> bool {
        data.raw.is_some()
    }

    /// Whether each of its backups is a copy of everything, whatever has changed.
    fn copies_everything(&self) -> bool {
        false
    }

    /// Whether one round must do, because it takes so long.
    fn once(&self) -> bool {
        false
    }

    /// What it needs before the first round; not measured.
    fn prepare(&mut self, _work: &Work, _data: &Data) -> Result<()> {
        Ok(())
    }

    /// Does everything it can do once.
    fn round(&mut self, work: &Work, data: &Data, samples: &mut Recorder<'_>) -> Result<()>;
}

/// A peer that is not on this machine.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Missing {
    pub(super) what: &'static str,
    /// How to get it.
    pub(super) remedy: String,
}

/// The peers that are on this machine, and those that are not.
pub(super) struct Found {
    pub(super) peers: Vec<Box<dyn Peer>>,
    pub(super) missing: Vec<Missing>,
    /// How Strongroom is run.
    pub(super) strongroom: &'static str,
}

/// Looks for them.
pub(super) fn find(work: &Work) -> Result<Found> {
    let ours = strongroom::Strongroom::find()?;
    let strongroom = ours.described();
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(ours), Box::new(redb::BulkLoad)];
    let mut missing = Vec::new();
    let mut add = |program: &str, what, package: &str, peer: Box<dyn Peer>| {
        if is_there(program) {
            peers.push(peer);
        } else {
            missing.push(Missing { what, remedy: format!("`apt-get install {package}`") });
        }
    };
    add("cp", copy::NAME, "coreutils", Box::new(copy::Copy));
    add("restic", restic::NAME, "restic", Box::new(restic::Restic));
    add("mdb_copy", lmdb::NAME, "lmdb-utils", Box::new(lmdb::Lmdb(None)));
    add("sqlite3", sqlite::NAME, "sqlite3", Box::new(sqlite::Sqlite(None)));
    add("ldb", rocksdb::NAME, "rocksdb-tools", Box::new(rocksdb::Rocksdb(None)));
    add("borg", borg::NAME, "borgbackup", Box::new(borg::Borg));
    if is_there("go") {
        match bbolt::build(work) {
            Ok(program) => {
                peers.push(Box::new(bbolt::Bbolt::new(program.clone(), BBOLT_COPY)));
                peers.push(Box::new(bbolt::Bbolt::new(program, SEED)));
            }
            Err(e) => {
                let remedy = format!(
                    "`apt-get install golang-github-coreos-bbolt-dev`, or let Go download it ({e:#})"
                );
                missing.push(Missing { what: "bbolt", remedy });
            }
        }
    } else {
        let remedy = "`apt-get install golang-go golang-github-coreos-bbolt-dev`".to_owned();
        missing.push(Missing { what: "bbolt, and the seed's own way", remedy });
    }
    Ok(Found { peers, missing, strongroom })
}

fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .any(|dir| dir.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)).is_file())
}

/// A shell command on paths, which it has as `$1`, `$2` and so on.
fn shell(script: &str, paths: &[&Path]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-euc", script, "sh"]).args(paths).stdin(Stdio::null());
    command
}

/// The same command, and then a sync of what it wrote, for tools that leave that to the system.
fn and_sync(command: &Command, written: &Path) -> Command {
    let mut both = shell(r#"written="$1"; shift; "$@"; sync -f "$written""#, &[written]);
    both.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => both.env(name, value),
            None => both.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        both.current_dir(dir);
    }
    both
}

/// Loads the entries, as a step of this program prints them for a peer, into a database of its own that is kept.
fn load(
    work: &Work,
    data: &Data,
    peer: &str,
    into: impl FnOnce(&Path) -> Result<Command>,
) -> Result<Option<std::path::PathBuf>> {
    let Some(raw) = &data.raw else { return Ok(None) };
    let database = work.kept(&format!("{}.{peer}", data.prefix), |to| {
        child::run_piped(crate::steps::step(peer)?.arg(raw), &mut into(to)?)?;
        Ok(())
    })?;
    Ok(Some(database))
}

//! bbolt: its own copy of a database in use, and the way of Strongroom's ancestor. See `tests/peers/bbolt`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::Peer;
use crate::bench::data::Data;
use crate::bench::samples::{Case, Recorder};
use crate::bench::work::Work;
use crate::child;

pub(in crate::bench) const COPY: &str = "bbolt, CopyFile";
pub(in crate::bench) const SEED: &str = "the seed's way (bbolt, two transactions a key)";

const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../../../peers/bbolt/main.go")),
    ("go.mod", include_str!("../../../peers/bbolt/go.mod")),
    ("go.sum", include_str!("../../../peers/bbolt/go.sum")),
];
/// Where Debian's packages of Go libraries lie.
const PACKAGED: &str = "/usr/share/gocode";

/// The program that does both, with the bbolt of the system's packages, else with what Go downloads for itself.
pub(super) fn build(work: &Work) -> Result<PathBuf> {
    let hash = blake3::hash(SOURCES[0].1.as_bytes()).to_hex();
    work.kept(&format!("bbolt-peer-{}", &hash[..8]), |to| {
        let sources = work.scratch("bbolt-peer-sources");
        std::fs::create_dir(&sources)?;
        for (name, text) in SOURCES {
            std::fs::write(sources.join(name), text)?;
        }
        let mut go = Command::new("go");
        go.current_dir(&sources).arg("build").arg("-o").arg(to).arg("main.go").stdin(Stdio::null());
        if Path::new(PACKAGED).join("src/go.etcd.io/bbolt").is_dir() {
            go.env("GO111MODULE", "off").env("GOPATH", PACKAGED);
        }
        child::run(&mut go)?;
        Ok(())
    })
}

pub(super) struct Bbolt {
    program: PathBuf,
    way: &'static str,
    database: Option<PathBuf>,
}

impl Bbolt {
    pub(super) fn new(program: PathBuf, way: &'static str) -> Self {
        Self { program, way, database: None }
    }
}

impl Peer for Bbolt {
    fn name(&self) -> &'static str {
        self.way
    }

    fn copies_everything(&self) -> bool {
        true
    }

    fn once(&self) -> bool {
        self.way == SEED
    }

    fn prepare(&mut self, work: &Work, data: &Data) -> Result<()> {
        let Some(raw) = &data.raw else { return Ok(()) };
        self.database = Some(work.kept(&format!("{}.bbolt", data.prefix), |to| {
            child::run(Command::new(&self.program).arg("fill").arg(to).stdin(File::open(raw)?))?;
            Ok(())
        })?);
        Ok(())
    }

    fn round(&mut self, work: &Work, _data: &Data, samples: &mut Recorder<'_>) -> Result<()> {
        let database = self.database.as_deref().context("it is not loaded")?;
        let to = work.scratch("bbolt");
        let mut backup = Command::new(&self.program);
        backup
            .arg(if self.way == SEED { "seed" } else { "copy" })
            .arg(database)
            .arg(&to)
            .stdin(Stdio::null());
        samples.record(Case::First, &work.measure(&mut backup, &to)?);
        Ok(())
    }
}

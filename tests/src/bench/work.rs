//! The directory in which everything happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::samples::Measured;
use crate::child;

/// The directory: a part that is kept for the next run, and a part that is emptied after every round of a peer.
pub(super) struct Work {
    dir: PathBuf,
}

impl Work {
    pub(super) fn new(dir: &Path) -> Result<Self> {
        let make = || -> std::io::Result<PathBuf> {
            std::fs::create_dir_all(dir.join("kept"))?;
            std::path::absolute(dir)
        };
        let work = Self { dir: make().with_context(|| format!("cannot make {}", dir.display()))? };
        work.clear()?;
        Ok(work)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A place that is emptied after every round of a peer.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.dir.join("scratch").join(name)
    }

    pub(super) fn clear(&self) -> Result<()> {
        let scratch = self.dir.join("scratch");
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir(&scratch)?;
        Ok(())
    }

    /// A file or directory that is made once and then kept for other runs: whatever has this name is complete.
    pub(super) fn kept(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let done = self.dir.join("kept").join(name);
        if done.exists() {
            return Ok(done);
        }
        eprintln!("bench: making {name}");
        let making = self.scratch(name);
        make(&making).with_context(|| format!("cannot make {name}"))?;
        std::fs::rename(&making, &done)?;
        Ok(done)
    }

    /// Runs and measures what is to be measured, and what it changes below `written`, after everything that was
    /// written before has reached the disk.
    pub(super) fn measure(&self, command: &mut Command, written: &Path) -> Result<Measured> {
        self.settle();
        let before = Tree::of(written)?;
        let ran = child::run(command)?;
        let written = Tree::of(written)?.written_since(&before);
        Ok(Measured {
            seconds: ran.seconds,
            written: Some(written),
            peak_rss: ran.peak_rss,
            cpu: ran.cpu,
            stdout: ran.stdout,
        })
    }

    /// Waits until what was written before is on the disk.
    fn settle(&self) {
        // Where this fails, the figures are only less steady.
        let _ = Command::new("sync").arg("-f").arg(&self.dir).stderr(Stdio::null()).status();
    }
}

/// The files below a directory: how long they are, and when they were changed.
struct Tree(BTreeMap<PathBuf, (u64, SystemTime)>);

impl Tree {
    fn of(path: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut left = vec![path.to_owned()];
        while let Some(path) = left.pop() {
            let Ok(metadata) = path.symlink_metadata() else { continue };
            if metadata.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    left.push(entry?.path());
                }
            } else {
                files.insert(path, (metadata.len(), metadata.modified()?));
            }
        }
        Ok(Self(files))
    }

    /// Bytes of the files that are new or were changed.
    fn written_since(&self, before: &Self) -> u64 {
        self.0.iter().filter(|(path, file)| before.0.get(*path) != Some(file)).map(|(_, (len, _))| len).sum()
    }
}

//! A file system whose calls fail as a test says: `tests/faulty`, built when it is asked for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};
pub use rustix::io::Errno;
use tempfile::TempDir;

use crate::guests::{self, root};

#[path = "../faulty/src/op.rs"]
mod op;
pub use op::Op;

/// A directory that is shown a second time; unmounted when dropped. Nothing is cached, so every call reaches the rules.
#[derive(Debug)]
pub struct Faulty {
    process: Mutex<(Child, BufReader<ChildStdout>)>,
    point: TempDir,
}

impl Faulty {
    /// Shows this directory somewhere else; `None` where FUSE cannot be mounted, which has been said then. Where `CI` is
    /// set that fails, for root.
    pub fn mount(directory: &Path) -> Option<Self> {
        match Self::try_mount(directory) {
            Ok(mounted) => Some(mounted),
            Err(e) => {
                let message = format!("NOT TESTED, because FUSE cannot be mounted here: {e:#}");
                let must = std::env::var_os("CI").is_some() && rustix::process::geteuid().is_root();
                assert!(!must, "{message}");
                eprintln!("{message}");
                None
            }
        }
    }

    fn try_mount(directory: &Path) -> anyhow::Result<Self> {
        if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
            bail!("it takes root on Linux");
        }
        let point = tempfile::tempdir()?;
        let mut child = Command::new(program()?)
            .arg(directory)
            .arg(point.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start it")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe was asked for")?);
        let mounted = Self { process: Mutex::new((child, answers)), point };
        let said = answer(&mut mounted.process())?;
        if said != "ok" {
            bail!("its program says why");
        }
        Ok(mounted)
    }

    /// Where it is to be found.
    pub fn path(&self) -> &Path {
        self.point.path()
    }

    /// A path in it.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path().join(path)
    }

    /// From now on this call fails for every path that matches, counted from the mounted directory, which is `""`. `*`
    /// stands for any characters, `/` among them. The first rule that fits decides.
    pub fn fail(&self, op: Op, paths: &str, errno: Errno) {
        self.fail_at(op, paths, 0..u64::MAX, errno);
    }

    /// The same for reading and writing that touches these bytes of a file.
    pub fn fail_at(&self, op: Op, paths: &str, bytes: Range<u64>, errno: Errno) {
        let Range { start, end } = bytes;
        self.order(&format!("fail\t{op:?}\t{paths}\t{start}\t{end}\t{}", errno.raw_os_error()));
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.order("heal");
    }

    /// Shows these mode bits for everything, as file systems without permissions do. Setting others does nothing, unless
    /// a rule has it fail.
    pub fn show_mode(&self, mode: u32) {
        self.order(&format!("mode\t{mode}"));
    }

    /// How often this was asked for, of paths that match.
    pub fn calls(&self, op: Op, paths: &str) -> usize {
        self.order(&format!("calls\t{op:?}\t{paths}")).parse().expect("a number")
    }

    /// Counts from nothing again.
    pub fn forget_calls(&self) {
        self.order("forget");
    }

    fn process(&self) -> MutexGuard<'_, (Child, BufReader<ChildStdout>)> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, line: &str) -> String {
        let mut process = self.process();
        let input = process.0.stdin.as_mut().expect("it is open until the end");
        input.write_all(format!("{line}\n").as_bytes()).expect("the file system has ended");
        answer(&mut process).expect("the file system has ended")
    }
}

fn answer(process: &mut (Child, BufReader<ChildStdout>)) -> anyhow::Result<String> {
    let mut line = String::new();
    process.1.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let mut process = self.process();
        // The end of its input is the end of the file system.
        drop(process.0.stdin.take());
        let _ = process.0.wait();
    }
}

/// Builds the program.
fn program() -> anyhow::Result<PathBuf> {
    let target = root().join("target/faulty");
    let mut cargo = guests::cargo();
    cargo.args([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "tests/faulty/Cargo.toml",
        "--target-dir",
    ]);
    let built = cargo.arg(&target).output().context("cargo cannot be run")?;
    if !built.status.success() {
        bail!("it does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    }
    Ok(target.join("release/strongroom-faulty"))
}

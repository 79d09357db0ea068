//! Guest components of the tests and the examples, built when they are asked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};

/// What the outer build sets for itself and the inner one must not inherit.
const SCRUB: [&str; 8] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
];

/// The directory of the whole project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Cargo in the project's directory, with nothing inherited from the build that this is part of.
pub fn cargo() -> Command {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(root());
    // Nor the clock of a run under another one, in which a build does not end.
    for name in SCRUB.into_iter().chain(["LD_PRELOAD"]) {
        cargo.env_remove(name);
    }
    cargo
}

/// Builds a package of the workspace for `wasm32-wasip2` and returns the component of this file name. All of them share
/// one target directory, so that what they have in common is built once.
pub fn component(package: &str, file: &str) -> anyhow::Result<Vec<u8>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let target = root().join("target/guests");
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--package", package, "--target", "wasm32-wasip2", "--target-dir"]);
    cargo.arg(&target);
    let built = cargo.output().context("cargo cannot be run")?;
    if !built.status.success() {
        bail!("{package} does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    }
    let path = target.join("wasm32-wasip2/release").join(file);
    std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))
}

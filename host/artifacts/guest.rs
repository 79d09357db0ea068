//! How a build script builds a component.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const TARGET: &str = "wasm32-wasip2";

/// What the outer build sets for itself and the inner one must not inherit: flags and wrappers that are meant for the
/// host, and the target directory, on whose lock the inner build would wait for ever.
const SCRUB: [&str; 7] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET_DIR",
];

/// Makes sure that the standard library for the target is there.
pub(crate) fn ensure_target(root: &Path) {
    if target_is_there() {
        return;
    }
    let toolchain = env::var("RUSTUP_TOOLCHAIN").ok();
    let mut add = vec!["target", "add", TARGET];
    if let Some(toolchain) = &toolchain {
        add.extend(["--toolchain", toolchain]);
    }
    println!("cargo::warning=the target {TARGET} is missing; running `rustup {}`", add.join(" "));
    let added = Command::new("rustup").args(&add).current_dir(root).status();
    if !matches!(added, Ok(status) if status.success()) || !target_is_there() {
        fail(&format!(
            "Strongroom's engine is a WebAssembly component, and the target {TARGET} is not installed.\n\
             Run this once, then build again:\n\n    rustup {}\n\n\
             (Without rustup: install the Rust standard library for {TARGET} as your system provides it.)",
            add.join(" ")
        ));
    }
}

fn target_is_there() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let Ok(printed) = printed else { return false };
    let dir = String::from_utf8_lossy(&printed.stdout);
    let dir = Path::new(dir.trim());
    printed.status.success() && std::fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some())
}

/// Takes a component that was put into the package `here` when it was made, because its sources are not there.
pub(crate) fn take_prebuilt(here: &Path, out: &Path, name: &str) {
    let prebuilt = here.join("prebuilt").join(name);
    println!("cargo::rerun-if-changed={}", prebuilt.display());
    if let Err(e) = std::fs::copy(&prebuilt, out.join(name)) {
        fail(&format!(
            "{} cannot be taken ({e}), and the sources of the component are not here either: this is neither a clone of \
             the repository nor a package that was made by its .ci/package",
            prebuilt.display()
        ));
    }
}

/// Builds a component below `target`, and says where it is.
pub(crate) fn build(root: &Path, target: &Path, package: &str) -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--package", package, "--target", TARGET, "--profile", "guest"]);
    for name in SCRUB {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_TARGET_DIR", target);
    // The hashes are four times as quick with SIMD, which every runtime of components has.
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C target-feature=+simd128");
    match cargo.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            fail(&format!("{package} does not build:\n{}", String::from_utf8_lossy(&output.stderr)))
        }
        Err(e) => fail(&format!("cargo cannot be run: {e}")),
    }
    target.join(TARGET).join(format!("guest/{}.wasm", package.replace('-', "_")))
}

/// Ends the build with this message.
pub(crate) fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(1);
}

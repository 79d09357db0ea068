//! Which files there are, in an order that is the same each time.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory whose files are taken, and what its files are called in the database.
pub(super) struct Root {
    pub(super) name: &'static str,
    pub(super) dir: PathBuf,
    /// How to get it if it is not there.
    pub(super) remedy: &'static str,
}

/// Where files come from, best first: text, then libraries and programs.
pub(super) fn roots() -> Vec<Root> {
    let mut roots = Vec::new();
    if let Some(cargo) = cargo_home() {
        let remedy = "`cargo fetch` in a Rust project puts sources of crates there";
        roots.push(Root { name: "crates", dir: cargo.join("registry").join("src"), remedy });
    }
    if let Some(sysroot) = sysroot() {
        let mut add = |name, dir: &str, remedy| roots.push(Root { name, dir: sysroot.join(dir), remedy });
        let fixed = "it is a part of every toolchain";
        add("library", "lib/rustlib/src", "`rustup component add rust-src`");
        add("doc", "share/doc/rust/html", "`rustup component add rust-docs`");
        add("share", "share", fixed);
        add("lib", "lib", fixed);
        add("bin", "bin", fixed);
    }
    roots
}

fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

fn sysroot() -> Option<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    Some(PathBuf::from(String::from_utf8(said.stdout).ok()?.trim()))
}

/// Goes through all files below a directory, sorted by name in each, without following links. What cannot be read is
/// passed over: here it is only missing, not lost.
pub(super) fn walk(dir: &Path, each: &mut impl FnMut(&Path) -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(true) };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        let more = match () {
            () if kind.is_dir() => walk(&entry.path(), each)?,
            () if kind.is_file() => each(&entry.path())?,
            () => true,
        };
        if !more {
            return Ok(false);
        }
    }
    Ok(true)
}

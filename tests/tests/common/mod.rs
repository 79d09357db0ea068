//! What the end-to-end tests share.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use strongroom::{Depth, Repository, Sandbox, SandboxBuilder};

pub mod map;

/// A sandbox in the making whose compiled code is kept beside the tests, so that it is compiled once for all of them.
pub fn builder() -> SandboxBuilder {
    Sandbox::builder().cache_dir(cache_dir())
}

/// Where compiled code is kept beside the tests.
pub fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The sandbox that the tests of a binary share.
pub fn sandbox() -> Sandbox {
    static SHARED: OnceLock<Sandbox> = OnceLock::new();
    SHARED.get_or_init(|| builder().build().unwrap()).clone()
}

pub fn repository(dir: impl AsRef<Path>) -> Repository {
    Repository::with_sandbox(dir, sandbox()).unwrap()
}

/// The names of all snapshots, oldest first.
pub fn names(repository: &Repository) -> Vec<String> {
    repository.snapshots().unwrap().snapshots.into_iter().map(|snapshot| snapshot.name).collect()
}

/// Every byte of every snapshot is there.
pub fn assert_whole(repository: &Repository) {
    let verified = repository.verify(None, Depth::Data).unwrap();
    assert_eq!((verified.damage, verified.warnings), (vec![], vec![]));
    assert_eq!(repository.snapshots().unwrap().damage, []);
}

/// All files and folders below a directory, by path.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// Well-mixed numbers.
pub fn mix(i: u64) -> u64 {
    (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// Bytes that do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    (0..).flat_map(|i| mix(mix(seed) ^ i).to_le_bytes()).take(len).collect()
}

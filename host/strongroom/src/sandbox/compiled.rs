//! The built-in engine as a process before this one compiled it, in a file that the system maps.
//!
//! wasmtime's own cache keeps compiled code compressed. To unpack it took a good part of the time of every short command;
//! what is mapped is read only where it runs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// The folder for this in the directory where compiled code is kept.
const FOLDER: &str = "engine";
/// So many files are kept, the newest: of other versions that may be in use as well.
const KEPT: usize = 4;

/// The built-in engine, from the directory where compiled code is kept, or else compiled and put there.
pub(super) fn load(engine: &Engine, bytes: &[u8], dir: &Path) -> wasmtime::Result<Component> {
    let dir = dir.join(FOLDER);
    let key = key(engine, bytes);
    if let Some(component) = find(engine, &dir, &key) {
        return Ok(component);
    }
    let code = engine.precompile_component(bytes)?;
    if let Err(e) = keep(&dir, &key, &code) {
        not_kept(&format!("{} cannot be written to: {e}", dir.display()));
    }
    // SAFETY: this is what the call above made, unchanged.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize(engine, &code)
    }
}

/// Says, once, that the next process must compile again, which takes a second or several.
pub(super) fn not_kept(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "the compiled engine is not kept, so every start takes a second or several longer: {why}. Set XDG_CACHE_HOME \
             (SandboxBuilder::cache_dir) to a directory that only you can write to"
        );
    });
}

/// What code depends on: the component, and what compiles it for which processor.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut hash = Xxh3Default::new();
    hash.write(bytes);
    engine.precompile_compatibility_hash().hash(&mut hash);
    format!("{:032x}", hash.digest128())
}

/// Code of this key that is as it was written: its checksum is the other part of its name.
fn find(engine: &Engine, dir: &Path, key: &str) -> Option<Component> {
    for entry in fs::read_dir(dir).ok()? {
        let path = entry.ok()?.path();
        let sum = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(key));
        let Some(sum) = sum.and_then(|rest| rest.strip_prefix('-')) else { continue };
        if checksum(&path).ok().is_none_or(|found| found != sum) {
            tracing::debug!(file = %path.display(), "compiled code is not as it was written");
            continue;
        }
        // SAFETY: the bytes are those that `keep` wrote, which come from `precompile_component`; whoever can write to
        // this directory decides what runs, which `cache_dir` says. Files are made under other names, never changed,
        // and a file that is removed stays mapped.
        #[allow(unsafe_code)]
        match unsafe { Component::deserialize_file(engine, &path) } {
            Ok(component) => return Some(component),
            Err(e) => tracing::debug!(file = %path.display(), "compiled code cannot be used: {e:#}"),
        }
    }
    None
}

/// The checksum of a file, read piece by piece: memory for all of it at once would cost more than the sum.
fn checksum(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Xxh3Default::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn keep(dir: &Path, key: &str, code: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(code)?;
    file.persist(dir.join(format!("{key}-{:032x}", xxh3_128(code))))?;
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(dir)?
        .map(|entry| entry.and_then(|entry| Ok((entry.metadata()?.modified()?, entry.path()))))
        .collect::<io::Result<_>>()?;
    files.sort_unstable();
    let old = files.len().saturating_sub(KEPT);
    files[..old].iter().try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that does nothing.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir.join(FOLDER)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_compiled_is_found_and_what_is_damaged_is_made_anew() {
        let (dir, engine) = (tempfile::tempdir().unwrap(), Engine::default());
        let found = || find(&engine, &dir.path().join(FOLDER), &key(&engine, EMPTY)).is_some();
        assert!(!found());
        load(&engine, EMPTY, dir.path()).unwrap();
        assert!(found());
        let [file] = &files(dir.path())[..] else { panic!("{:?}", files(dir.path())) };
        let code = fs::read(file).unwrap();
        for damaged in [&code[..code.len() - 1], &[0; 4096], b""] {
            fs::write(file, damaged).unwrap();
            assert!(!found());
        }
        load(&engine, EMPTY, dir.path()).unwrap();
        assert!(found());
        assert!(fs::read(file).unwrap() == code);
    }

    #[test]
    fn another_component_or_another_compiler_has_code_of_its_own() {
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        let engine = Engine::default();
        assert_ne!(key(&engine, EMPTY), key(&engine, b"another"));
        assert_ne!(key(&engine, EMPTY), key(&other, EMPTY));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..2 * KEPT {
            keep(&dir.path().join(FOLDER), &format!("{number:032x}"), b"code").unwrap();
        }
        assert_eq!(files(dir.path()).len(), KEPT);
    }

    #[test]
    fn a_directory_that_cannot_be_had_only_costs_time() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FOLDER), b"a file in its place").unwrap();
        load(&Engine::default(), EMPTY, dir.path()).unwrap();
    }
}

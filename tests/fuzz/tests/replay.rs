//! What fuzzing has kept is tried again, and some hundred inputs more that follow from it.
//!
//! A file that once made a target fail stays in `fuzz/corpus`. The fuzzing itself is `fuzz/run 1200`. Without a nightly
//! compiler, and so without a look at what each input reaches, but several times as fast:
//! `cargo test --release -p strongroom-fuzz-targets -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use strongroom_fuzz_targets::{TARGETS, Target};

/// Random inputs of each target, and how long they may take.
struct Effort {
    more: usize,
    time: Duration,
    seed: u64,
}

const SHORT: Effort = Effort { more: 400, time: Duration::from_secs(3), seed: 1 };

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Something kept with a few changes, or anything.
    fn input(&mut self, kept: &[Vec<u8>]) -> Vec<u8> {
        if kept.is_empty() || self.below(4) == 0 {
            let len = self.below(300);
            return self.bytes(len);
        }
        let mut input = kept[self.below(kept.len())].clone();
        for _ in 0..1 + self.below(4) {
            let at = self.below(input.len() + 1);
            match self.below(5) {
                0 => input.truncate(at),
                1 => {
                    let len = self.below(9);
                    input.splice(at..at, self.bytes(len));
                }
                2 => {
                    let other = &kept[self.below(kept.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len())..]);
                }
                3 => input.drain(at..).take(self.below(9)).for_each(drop),
                _ => {
                    if let Some(byte) = input.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        input
    }
}

/// Says which input it was if the target panics, and keeps it.
struct Here<'i>(&'i str, &'i [u8]);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{}", self.0));
            std::fs::write(&path, self.1).unwrap();
            eprintln!("target {} failed on {}", self.0, path.display());
        }
    }
}

fn replay(name: &str, target: Target, effort: &Effort) {
    let dir = fuzz().join("corpus").join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let kept: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!kept.is_empty(), "nothing is kept in {}", dir.display());
    for input in &kept {
        let _here = Here(name, input);
        let started = Instant::now();
        target(input);
        assert!(started.elapsed() < Duration::from_secs(20), "it takes too long");
    }
    let (started, mut random, mut more) = (Instant::now(), Random(effort.seed), 0);
    while more < effort.more && started.elapsed() < effort.time {
        let input = random.input(&kept);
        let _here = Here(name, &input);
        target(&input);
        more += 1;
    }
    println!("{name}: {} kept, {more} more", kept.len());
}

#[test]
fn what_fuzzing_kept_holds() {
    // In threads, because the whole-history target is by far the slowest.
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            scope.spawn(move || replay(name, target, &SHORT));
        }
    });
}

#[test]
#[ignore = "two minutes a target, or as many seconds as FUZZ_SECONDS says"]
fn what_fuzzing_kept_holds_long() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(120));
    // Another every time, and it is said.
    let seed = number("FUZZ_SEED").unwrap_or_else(|| std::process::id().into());
    println!("FUZZ_SEED={seed}");
    let only = std::env::var("FUZZ_TARGET").ok();
    for (name, target) in TARGETS {
        if only.as_ref().is_none_or(|only| only == name) {
            replay(name, target, &Effort { more: usize::MAX, time, seed });
        }
    }
}

#[test]
fn every_target_is_fuzzed_and_has_a_corpus() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known.len(), TARGETS.len());
    assert_eq!(names(&fuzz().join("corpus")), known);
    assert_eq!(names(&fuzz().join("fuzz_targets")), known);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in known {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}

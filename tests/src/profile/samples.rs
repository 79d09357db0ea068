//! Which functions processors were in, as `perf` saw it, put together to stages.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::child;

/// What a function belongs to: the first of these one of whose words is in its name.
const STAGES: [(&str, &[&str]); 9] = [
    ("hash: BLAKE3 of every object", &["blake3"]),
    ("compress: Snappy", &["codec::Encoder", "codec7Encoder", "snap::compress", "snap8compress"]),
    (
        "check: each object decoded from what is written, and compared",
        &[
            "codec::decode",
            "codec6decode",
            "snap::decompress",
            "snap10decompress",
            "object::equal",
            "object5equal",
        ],
    ),
    (
        "cut: ranks, leaves and the nodes above them",
        &["strongroom_engine::tree", "strongroom_engine4tree", "engine..tree", "__multi3"],
    ),
    (
        "the rest of the engine: headers and checksums of objects, packs, index",
        &["strongroom_engine", "strongroom_component", "xxh322xxh3_64_long"],
    ),
    ("store: pages, their checksums, packing entries", &["strongroom_store", "xxh", "redb"]),
    ("crossing: calls between host and component, lists lifted and lowered", &["wasmtime", "wasm[", "#"]),
    ("copies and fills of memory, on both sides", &["mem", "cabi_realloc"]),
    ("unnamed", &[""]),
];

/// The system's own part: reading and writing the page cache, syncs, page faults.
const SYSTEM: &str = "the system: page cache, file system, page faults";

/// Seconds of processors by stage.
#[derive(Debug)]
pub(super) struct Samples(Vec<(&'static str, f64)>);

impl Samples {
    /// What `perf record` left.
    pub(super) fn read(data: &Path) -> Result<Self> {
        let mut report = Command::new("perf");
        report.args(["script", "--input"]).arg(data).args(["--fields", "period,event,ip,sym,dso"]);
        let printed = child::run(&mut report).context("`perf` cannot read what it wrote")?.stdout;
        let names = STAGES.iter().map(|(name, _)| *name).chain([SYSTEM]);
        let mut stages: Vec<(&str, f64)> = names.map(|name| (name, 0.0)).collect();
        for line in printed.lines() {
            let Some(sample) = Sample::parse(line) else { continue };
            let at = sample.stage();
            if let Some((_, seconds)) = stages.get_mut(at) {
                *seconds += sample.seconds;
            }
        }
        Ok(Self(stages))
    }

    pub(super) fn stages(&self) -> &[(&'static str, f64)] {
        &self.0
    }

    pub(super) fn total(&self) -> f64 {
        self.0.iter().map(|(_, seconds)| seconds).sum()
    }
}

/// `PERIOD EVENT: ADDRESS NAME (FILE)`
struct Sample<'l> {
    seconds: f64,
    name: &'l str,
    file: &'l str,
}

impl<'l> Sample<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let (period, rest) = line.trim().split_once(' ')?;
        let (event, rest) = rest.trim().split_once(' ')?;
        let (_, rest) = rest.trim().split_once(' ')?;
        let (name, file) = rest.rsplit_once(" (")?;
        // What a clock counts is in nanoseconds.
        let nanoseconds: f64 = period.parse().ok().filter(|_| event.contains("clock"))?;
        Some(Self { seconds: nanoseconds / 1e9, name, file: file.trim_end_matches(')') })
    }

    fn stage(&self) -> usize {
        if self.file.contains("kernel") || self.file.contains("vmlinux") {
            return STAGES.len();
        }
        let known = |(_, words): &(&str, &[&str])| words.iter().any(|word| self.name.contains(word));
        STAGES.iter().position(known).unwrap_or(STAGES.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_counts_for_its_stage() {
        let stage = |line: &str| {
            let sample = Sample::parse(line).unwrap();
            let names = STAGES.iter().map(|(name, _)| *name).chain([SYSTEM]);
            (names.map(str::to_owned).collect::<Vec<_>>()[sample.stage()].clone(), sample.seconds)
        };
        let (hash, seconds) =
            stage("  200000 cpu-clock:  7f00 _ZN6blake311wasm32_simd5hash417h9E (/tmp/perf-7.map)");
        assert!(hash.starts_with("hash") && seconds == 0.0002);
        let (system, _) = stage("200000 cpu-clock: ffff copy_folio_from_iter_atomic ([kernel.kallsyms])");
        assert_eq!(system, SYSTEM);
        let (store, _) = stage("200000 cpu-clock: 55 strongroom_store::frame::push (/a/profile)");
        assert!(store.starts_with("store"), "{store}");
        assert!(Sample::parse("200000 cycles: 55 main (/a/profile)").is_none());
    }
}

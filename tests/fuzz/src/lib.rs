//! What is fuzzed: functions that take any bytes and panic if a promise does not hold.
//!
//! `cargo fuzz` runs them from `fuzz/`, a workspace of its own; the normal test run replays what is kept in `fuzz/corpus`.
//! The bodies of those that look inside of the engine are in its `testing` feature.

mod clocks;
mod frames;
mod rules;
mod shares;
mod text;

use strongroom_engine::testing::fuzz as engine;

/// Takes any bytes; panics if a promise does not hold.
pub type Target = fn(&[u8]);

/// All targets by name. Each has a folder of that name in `fuzz/corpus` and a file in `fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Target); 18] = [
    ("object", engine::object),
    ("pack", engine::pack),
    ("script", engine::script),
    ("index", engine::index),
    ("snapshot", engine::snapshot),
    ("node", engine::node),
    ("frames", engine::frames),
    ("name", engine::name),
    ("hostile", engine::hostile),
    ("history", engine::history),
    ("archive", engine::archive),
    ("repair", engine::repair),
    ("protocol", engine::protocol),
    ("host_frames", frames::host_frames),
    ("position", text::position),
    ("rules", rules::rules),
    ("clocks", clocks::clocks),
    ("shares", shares::shares),
];

/// Runs the target of this name.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, run) = found.unwrap_or_else(|| panic!("there is no target {target}"));
    run(data);
}

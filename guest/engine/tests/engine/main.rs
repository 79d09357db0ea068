//! The engine from outside: stores and vaults in memory, one module per behaviour.
#![allow(clippy::unwrap_used, reason = "tests")]

mod archive;
mod changes;
mod common;
mod compression;
mod deltas;
mod digest;
mod folding;
mod forget;
mod garbage;
mod healing;
mod history;
mod hostile_keys;
mod increments;
#[path = "../independent/mod.rs"]
mod independent;
mod index_files;
mod interrupted;
mod large;
mod lost_index;
mod lost_packs;
mod names;
mod newest;
mod opened;
mod order;
mod prune;
mod prune_history;
mod prune_interrupted;
mod repair;
mod repair_deltas;
mod round_trip;
mod sample;
mod snapshot_files;
mod tracking;
mod worn;

//! The engine from outside: stores and vaults in memory, one module per behaviour.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod garbage;
mod history;
mod hostile_keys;
mod increments;
#[path = "../independent/mod.rs"]
mod independent;
mod index_files;
mod interrupted;
mod large;
mod lost_packs;
mod names;
mod opened;
mod round_trip;
mod snapshot_files;

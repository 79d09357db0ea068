//! Strongroom as one component that needs nothing but WASI: the engine, the provider around it, and the command. And
//! the contracts, for whoever runs the engine alone.
//!
//! A crate apart from the engine's, so that applications need not build the rest.

pub use strongroom_artifacts::ENGINE;

/// The `strongroom` command: exports `wasi:cli/run` and `strongroom:backup/engine`, imports `wasi:*` alone.
pub const COMMAND: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/strongroom.wasm"));

/// The WIT packages: path and text of each file.
pub const WIT: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/wit.rs"));

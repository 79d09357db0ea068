//! Strongroom's WebAssembly components, built with this crate and embedded as bytes.

/// The engine: exports `strongroom:backup/engine`, imports the store, the sink and one directory.
pub const ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.wasm"));

/// The built-in policy: exports `strongroom:policy/select`, `admit` and `retain`, imports nothing.
pub const POLICY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/policy.wasm"));

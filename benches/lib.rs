//! Nothing but benchmarks; see `inner.rs`.

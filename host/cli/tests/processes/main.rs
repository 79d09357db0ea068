//! The command among other processes: the application at work beside it, other runs of the command, and its own end at
//! any moment.
//!
//! The long form of the kills, with its figures:
//! `cargo test --release -p strongroom-cli --test processes -- --ignored --nocapture kills`
#![allow(clippy::unwrap_used)] // Clippy knows only functions with `#[test]` as tests.

mod application;
#[cfg(target_os = "linux")]
mod full;
mod healing;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod locks;
#[path = "../command/place.rs"]
#[allow(dead_code, reason = "the other test program needs the rest")]
mod place;
mod readers;
mod short_writes;
mod victim;

//! The command as its users run it: as a process.
#![allow(clippy::unwrap_used)] // Clippy knows only functions with `#[test]` as tests.

mod archive;
mod bad_input;
mod clock;
mod config;
mod confined;
mod damage;
mod diff;
mod drill;
mod forget;
mod formats;
mod interrupt;
mod many;
mod output;
mod place;
mod policy;
mod repair;
mod report;
mod round_trip;
mod run;
mod schema;
mod seed;
mod shell;
mod sources;
#[cfg(target_os = "linux")]
mod system_calls;
mod tour;
#[cfg(target_os = "linux")]
mod unreadable;
#[cfg(target_os = "linux")]
mod verbs;
mod words;

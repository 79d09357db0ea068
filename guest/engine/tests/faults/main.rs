//! Every operation of every verb that writes is where the power fails, the process is killed, or the disk gives an
//! error. Nothing that was reported may be lost by it, and the next run must succeed.
//!
//! The normal test run takes a few seconds. The long form, and its figures:
//! `cargo test --release -p strongroom-engine --test faults -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../engine/common.rs"]
#[allow(dead_code, reason = "the other test program needs the rest")]
mod common;

mod crash;
mod disk;
mod errors;
mod full;
mod repair;
mod unreadable;
mod verbs;
mod world;

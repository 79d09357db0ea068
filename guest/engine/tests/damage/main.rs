//! A small repository with everything in it, damaged in every way at every place: `verify` says so or it does not
//! matter, nothing is restored wrongly, nothing panics, and nothing takes memory without bound.
//!
//! The normal test run tries some of the places. All of them, and the table:
//! `cargo test --release -p strongroom-engine --test damage -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../engine/common.rs"]
#[allow(dead_code, reason = "the other test program needs the rest")]
mod common;

mod allocator;
mod cases;
mod repair;
mod repository;
mod sweep;

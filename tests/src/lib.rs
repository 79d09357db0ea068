//! End-to-end tests of Strongroom, and the programs that measure it.

pub mod args;
pub mod bench;
pub mod child;
pub mod copies;
pub mod entries;
#[cfg(unix)]
pub mod faulty;
pub mod files;
pub mod guests;
pub mod increments;
pub mod large;
pub mod many;
#[cfg(unix)]
pub mod profile;
pub mod real;
pub mod steps;
pub mod strongroom_process;
pub mod target;
pub mod tools;

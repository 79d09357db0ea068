//! The built-in rules, by what they promise.
#![allow(clippy::unwrap_used)]

mod accidents;
mod calendar;
mod common;
mod promises;
mod wording;

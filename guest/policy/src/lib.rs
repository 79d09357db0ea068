//! The built-in rules: which tables to take, which snapshots to accept, which to keep.
//!
//! Rules are given as settings, (name, value). All functions know all of them, so that one list serves all three:
//!
//! | setting | value | |
//! |---|---|---|
//! | `keep-last` | number or `all` | the newest ones |
//! | `keep-hourly`, `-daily`, `-weekly`, `-monthly`, `-yearly` | number or `all` | the newest of each of the last so many hours, days, ... that have one |
//! | `keep-within` | `1y6m2w3d12h` | those not older than this, counted from the newest |
//! | `keep-name` | glob | those with such a name |
//! | `keep-every` | number | the first at or after each multiple of this position |
//! | `leave-out` | glob | tables that are not backed up |
//! | `max-loss` | percent | how many of its entries a database may lose; 50 |
//! | `may-go` | glob | tables that may go |
//! | `may-go-back` | `yes`, `no` | whether the position may |
#![cfg_attr(target_os = "wasi", no_std)]

extern crate alloc;

mod admit;
mod duration;
mod glob;
mod model;
mod period;
mod retain;
mod select;
mod settings;

#[cfg(target_os = "wasi")]
mod component;

pub use admit::{Candidate, admit};
pub use model::{Facts, Moment, Verdict};
pub use retain::retain;
pub use select::select;
pub use settings::Settings;

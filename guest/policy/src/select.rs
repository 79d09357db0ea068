//! Which tables to back up.

use alloc::format;

use crate::glob;
use crate::model::Verdict;
use crate::settings::Settings;

/// Whether to take the table of this name.
pub fn select(settings: &Settings, table: &str) -> Verdict {
    match settings.leave_out.iter().find(|pattern| glob::matches(pattern, table)) {
        Some(pattern) => Verdict::new(false, format!("leave-out {pattern}")),
        None => Verdict::new(true, "taken unless left out"),
    }
}

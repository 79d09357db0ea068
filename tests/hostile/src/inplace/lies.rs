//! Snapshots that cannot be.

use super::super::{snapshot, wit};

/// The lie of this name; without one, a snapshot as good as any.
pub(crate) fn lie(name: &str) -> wit::Snapshot {
    let mut lie = snapshot(name);
    match name {
        "a_name_that_is_a_path" => lie.name = "../../etc/cron.d/x".to_owned(),
        "a_name_for_the_terminal" => lie.name = "\x1b[2Jx".to_owned(),
        "an_id_that_is_none" => lie.id = "x".repeat(1_000_000),
        "impossible_counts" => {
            (lie.tables, lie.entries, lie.bytes, lie.bytes_added) = (u32::MAX, u64::MAX, u64::MAX, u64::MAX);
            lie.time = u64::MAX;
        }
        _ => {}
    }
    lie
}

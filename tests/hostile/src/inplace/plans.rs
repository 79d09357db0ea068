//! Plans that would cost the host more than the engine.

use super::super::{Result, wit};

pub(crate) fn plan(name: &str) -> Result<wit::Plan> {
    let mut plan = wit::Plan {
        name: name.to_owned(),
        parts: 1,
        bytes_about: 1,
        entries: 1,
        moved_from: None,
        state: Vec::new(),
    };
    match name {
        "four_thousand_million_parts" => plan.parts = u32::MAX,
        "a_plan_of_a_hundred_million_bytes" => plan.state = vec![1; 100_000_000],
        "impossible_counts" => (plan.bytes_about, plan.entries) = (u64::MAX, u64::MAX),
        _ => {}
    }
    Ok(plan)
}

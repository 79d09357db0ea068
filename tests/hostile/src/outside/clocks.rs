//! Clocks: what time it is, and how long something takes.

use wasip2::clocks::{monotonic_clock, wall_clock};

pub(super) fn run() -> String {
    let (wall, began) = (wall_clock::now(), monotonic_clock::now());
    let mut steps = std::collections::BTreeSet::new();
    while steps.len() < 4 {
        steps.insert(monotonic_clock::now());
    }
    let finest = steps.iter().zip(steps.iter().skip(1)).map(|(a, b)| b - a).min().unwrap_or_default();
    let after = wall_clock::now();
    assert!(wall.seconds == after.seconds && wall.nanoseconds == after.nanoseconds, "ESCAPED: it moves");
    assert!(finest >= 10_000_000, "ESCAPED: steps of {finest} ns");
    assert!(began < 60_000_000_000, "ESCAPED: it knows when the machine was started");
    "the wall clock stands still, the other one runs in steps of 10 ms or more".to_owned()
}

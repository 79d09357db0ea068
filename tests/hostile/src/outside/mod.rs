//! Attacks on what a plugin has no business with.

use crate::attacks::attacks;

attacks![
    environment,
    connect,
    resolve,
    sleep_for_years,
    clocks,
    much_randomness,
    pollables,
    output_flood,
    exit_code
];

//! `latest` as of now. The engine has no clock; the host's stands still from the beginning of a run.

use strongroom_engine::{self as engine, Result};

use crate::vault::vault;

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    wasip2::clocks::wall_clock::now().seconds
}

/// What the engine takes for a snapshot: `latest` becomes the name of the one that it means now.
pub(crate) fn meant(which: String) -> Result<String> {
    match which.as_str() {
        "latest" => Ok(engine::find_as_of(vault()?, &which, now())?.name),
        _ => Ok(which),
    }
}

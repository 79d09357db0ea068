//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use strongroom::Cancel;

/// The first signal sets the token, the second ends the process at once. SIGHUP is left as it is, so that `nohup` works.
pub(crate) fn listen() -> anyhow::Result<Cancel> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the flag that the first signal sets is what arms the exit.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
            .context("cannot listen to signals")?;
    }
    Ok(Cancel::from(asked))
}

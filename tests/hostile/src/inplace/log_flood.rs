//! Messages to the log, without an end.

use crate::bindings::strongroom::backup::progress;

pub(super) fn run() -> String {
    loop {
        progress::log(progress::Level::Warn, &"flood ".repeat(1000));
        progress::advance(&"\x1b[2J".repeat(1000), u64::MAX, u64::MAX);
    }
}

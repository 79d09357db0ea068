//! What the process has open, by way of `/proc`.

use super::{all_refused, error, fs};

pub(super) fn run() -> String {
    all_refused([
        ("list /proc/self/fd", error(fs::read_dir("/proc/self/fd"))),
        ("read /proc/self/environ", error(fs::read("/proc/self/environ"))),
        ("read a link to /proc/self/environ", error(fs::read("/data/out-proc"))),
    ])
}

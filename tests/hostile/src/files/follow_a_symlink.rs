//! Follows links out that somebody else made.

use super::{all_refused, error, fs};

pub(super) fn run() -> String {
    all_refused([
        ("read a link to ../secret", error(fs::read("/data/out-file"))),
        ("list a link to ..", error(fs::read_dir("/data/out-dir"))),
        ("read through a link to ..", error(fs::read("/data/out-dir/secret"))),
        ("write through a link to nothing", error(fs::write("/data/dangling", "x"))),
    ])
}

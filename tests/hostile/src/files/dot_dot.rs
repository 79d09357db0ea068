//! Up and out.

use super::{all_refused, error, fs};

pub(super) fn run() -> String {
    all_refused([
        ("read /data/../secret", error(fs::read("/data/../secret"))),
        ("write /data/../new", error(fs::write("/data/../new", "x"))),
        ("list /data/../..", error(fs::read_dir("/data/../.."))),
        ("remove /data/inside/../../secret", error(fs::remove_file("/data/inside/../../secret"))),
    ])
}

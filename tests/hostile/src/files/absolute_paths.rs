//! Paths from the root, also as seen from a directory that it has.

use super::{PathFlags, all_refused, directory, error, fs};
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags};

pub(super) fn run() -> String {
    let data = directory("/data");
    let open = data.open_at(PathFlags::empty(), "/etc/passwd", OpenFlags::empty(), DescriptorFlags::READ);
    all_refused([
        ("read /etc/passwd", error(fs::read("/etc/passwd"))),
        ("open-at(/data, \"/etc/passwd\")", open.err().map(|e| e.name().to_owned())),
    ])
}

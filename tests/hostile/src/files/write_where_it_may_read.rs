//! Changes what it may only read, in every way there is.

use super::{PathFlags, all_refused, directory, error, fs};
use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags};

pub(super) fn run() -> String {
    let readonly = directory("/readonly");
    let name = |e: wasip2::filesystem::types::ErrorCode| e.name().to_owned();
    let truncate = readonly.open_at(PathFlags::empty(), "file", OpenFlags::TRUNCATE, DescriptorFlags::READ);
    let times = readonly.set_times_at(PathFlags::empty(), "file", NewTimestamp::Now, NewTimestamp::Now);
    all_refused([
        ("write", error(fs::write("/readonly/file", "x"))),
        ("create", error(fs::write("/readonly/new", "x"))),
        ("truncate while opening to read", truncate.err().map(name)),
        ("remove", error(fs::remove_file("/readonly/file"))),
        ("make a directory", error(fs::create_dir("/readonly/new"))),
        ("set its times", times.err().map(name)),
        ("make a link", readonly.symlink_at("file", "link").err().map(name)),
    ])
}

//! Second names: for files it may only read, for files outside.

use super::{PathFlags, all_refused, directory};

pub(super) fn run() -> String {
    let (data, readonly) = (directory("/data"), directory("/readonly"));
    let name = |e: wasip2::filesystem::types::ErrorCode| e.name().to_owned();
    all_refused([
        (
            "link /readonly/file to /data",
            readonly.link_at(PathFlags::empty(), "file", &data, "linked").err().map(name),
        ),
        ("link ../secret to /data", data.link_at(PathFlags::empty(), "../secret", &data, "linked").err().map(name)),
        (
            "link the target of a symlink to ../secret",
            data.link_at(PathFlags::SYMLINK_FOLLOW, "out-file", &data, "linked").err().map(name),
        ),
    ])
}

//! Slashes at the end of paths, which escaped twice this year.

use super::{PathFlags, all_refused, directory};
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags};

pub(super) fn run() -> String {
    let data = directory("/data");
    let name = |e: wasip2::filesystem::types::ErrorCode| e.name().to_owned();
    let open = |path: &str, open: OpenFlags| {
        data.open_at(PathFlags::SYMLINK_FOLLOW, path, open, DescriptorFlags::READ).err().map(name)
    };
    // Renaming the link itself is allowed, renaming what it leads to is not.
    let renamed = data.rename_at("out-dir/", &data, "../moved/").err().map(name);
    all_refused([
        ("open out-dir/", open("out-dir/", OpenFlags::DIRECTORY)),
        ("open ..//", open("..//", OpenFlags::DIRECTORY)),
        ("open out-dir/./secret/", open("out-dir/./secret/", OpenFlags::empty())),
        ("create out-dir/new/", data.create_directory_at("out-dir/new/").err().map(name)),
        ("remove out-dir/outside/", data.remove_directory_at("out-dir/outside/").err().map(name)),
        ("rename out-dir/ to ../moved/", renamed),
    ])
}

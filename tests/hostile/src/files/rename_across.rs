//! Moves files between directories of different rights, and out.

use super::{all_refused, directory};

pub(super) fn run() -> String {
    let (data, readonly) = (directory("/data"), directory("/readonly"));
    let name = |e: wasip2::filesystem::types::ErrorCode| e.name().to_owned();
    all_refused([
        ("/readonly/file to /data", readonly.rename_at("file", &data, "taken").err().map(name)),
        ("/data/inside to /readonly", data.rename_at("inside", &readonly, "given").err().map(name)),
        ("/data/inside to ../moved", data.rename_at("inside", &data, "../moved").err().map(name)),
        ("../secret to /data", data.rename_at("../secret", &data, "taken").err().map(name)),
    ])
}

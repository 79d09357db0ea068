//! Makes links and follows them.

use super::{all_refused, directory, error, fs};

pub(super) fn run() -> String {
    let data = directory("/data");
    let absolute = data.symlink_at("/etc/passwd", "absolute");
    let made = data.symlink_at("../secret", "relative").is_ok();
    let attempts = [
        ("make a link to /etc/passwd", absolute.err().map(|e| e.name().to_owned())),
        ("read a link of its own to ../secret", error(fs::read("/data/relative"))),
        ("write through it", error(fs::write("/data/relative", "x"))),
    ];
    format!("{} (the link itself was {})", all_refused(attempts), if made { "made" } else { "refused" })
}

//! Removes all that it can reach.

use super::fs;

pub(super) fn run() -> String {
    let mut gone = 0;
    for root in ["/", ".", "/data", "/readonly", "/backups"] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let path = entry.path();
            let removed = fs::remove_file(&path).is_ok() || fs::remove_dir_all(&path).is_ok();
            assert!(!removed || path.starts_with("/data"), "ESCAPED: {}", path.display());
            gone += u32::from(removed);
        }
    }
    format!("removed {gone} of the things in /data, which it may, and nothing else")
}

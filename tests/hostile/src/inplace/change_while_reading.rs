//! A verb that only reads, and an engine that removes what is there.

use std::fs;

pub(super) fn run() -> String {
    let mut open = vec![std::path::PathBuf::from("/backups")];
    let mut seen = 0;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            seen += 1;
            assert!(fs::remove_file(&path).is_err(), "ESCAPED: removed {}", path.display());
            assert!(fs::rename(&path, "/backups/moved").is_err(), "ESCAPED: moved {}", path.display());
            assert!(fs::write(&path, "x").is_err(), "ESCAPED: wrote to {}", path.display());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    assert!(seen > 4, "there is nothing to attack");
    assert!(fs::write("/backups/lock", "x").is_err(), "ESCAPED: made the lock");
    format!("/backups/lock: {}", fs::File::create("/backups/lock").err().map_or("ESCAPED".into(), |e| e.to_string()))
}

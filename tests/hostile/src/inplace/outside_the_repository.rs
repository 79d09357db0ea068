//! Everything beside the one directory.

use std::fs;

pub(super) fn run() -> String {
    let attempts = [
        ("read /backups/../secret", fs::read("/backups/../secret").err()),
        ("write /backups/../new", fs::write("/backups/../new", "x").err()),
        ("read /etc/passwd", fs::read("/etc/passwd").err()),
        ("move the repository's files out", fs::rename("/backups/config.json", "/backups/../taken").err()),
    ];
    let said = attempts.map(|(what, e)| match e {
        Some(e) => format!("{what}: {e}"),
        None => format!("ESCAPED: {what}"),
    });
    said.join("; ")
}

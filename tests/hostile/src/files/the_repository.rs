//! The repository, which a plugin must not have at all.

use super::{all_refused, error, fs};

pub(super) fn run() -> String {
    all_refused([
        ("list /backups", error(fs::read_dir("/backups"))),
        ("open /backups/lock", error(fs::File::create("/backups/lock"))),
        ("remove /data/../backups/config.json", error(fs::remove_file("/data/../backups/config.json"))),
        ("remove the database", error(fs::remove_file("/data/../app.redb"))),
    ])
}

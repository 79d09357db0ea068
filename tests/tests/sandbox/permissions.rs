//! Who may see what is written.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom::{Backup, ErrorCode, Restore};

use crate::common::map::Maps;
use crate::common::{files_below, repository};

#[test]
#[cfg(unix)]
fn what_is_written_is_for_the_owner_alone_whatever_the_mask() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let mask = rustix::fs::Mode::from_raw_mode(0o022);
    rustix::process::umask(mask);
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("new/backups"));
    let maps = Maps::filled(&[("large", 300, 100_000)]);
    repository.backup(&Arc::new(maps), &Backup::new().threads(3)).unwrap();
    for path in files_below(&dir.path().join("new")) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    assert_eq!(mode(&dir.path().join("new")), 0o700, "also those above it that were made");

    let app = dir.path().join("app.redb");
    let db = redb::Database::create(&app).unwrap();
    repository.backup(&db, &Backup::new().name("app")).unwrap();
    let target = dir.path().join("restored.redb");
    repository.restore("app", &target, &Restore::new()).unwrap();
    assert_eq!(mode(&target), 0o600, "a restored database holds the same data");

    // The application's own mask is as it was.
    let own = dir.path().join("own");
    std::fs::File::create(&own).unwrap().write_all(b"own").unwrap();
    assert_eq!(mode(&own), 0o644);
    assert_eq!(rustix::process::umask(mask), mask);
}

#[test]
#[cfg(unix)]
fn a_repository_that_others_can_look_into_is_refused_unless_told_otherwise() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backups");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let repository = repository(&path);
    let maps = Arc::new(Maps::filled(&[("a", 3, 3)]));
    let error = repository.backup(&maps, &Backup::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Denied);
    assert!(error.to_string().contains("0755") && error.to_string().contains("chmod 700"), "{error}");
    assert_eq!(files_below(&path), Vec::<PathBuf>::new());
    repository.backup(&maps, &Backup::new().override_permissions(true)).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

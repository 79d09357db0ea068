//! The faulty file system is the directory behind it, but for what its rules say.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use strongroom_tests::faulty::{Errno, Faulty, Op};

#[test]
fn without_rules_it_is_the_directory_behind() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    fs::create_dir_all(disk.join("a/b")).unwrap();
    let mut file =
        File::options().read(true).write(true).create_new(true).open(disk.join("a/b/one")).unwrap();
    file.write_all(&vec![7; 300_000]).unwrap();
    file.sync_all().unwrap();
    file.set_len(299_999).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 299_999);
    fs::rename(disk.join("a/b/one"), disk.join("a/two")).unwrap();
    file.seek(SeekFrom::Start(299_990)).unwrap();
    let mut end = Vec::new();
    file.read_to_end(&mut end).unwrap();
    assert_eq!(end, [7; 9]);
    fs::set_permissions(disk.join("a/two"), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(fs::metadata(behind.path().join("a/two")).unwrap().mode() & 0o777, 0o640);
    std::os::unix::fs::symlink("two", disk.join("a/link")).unwrap();
    assert_eq!(fs::read(disk.join("a/link")).unwrap().len(), 299_999);
    fs::hard_link(disk.join("a/two"), disk.join("a/three")).unwrap();
    for i in 0..500 {
        fs::write(disk.join(format!("a/b/{i}")), []).unwrap();
    }
    assert_eq!(fs::read_dir(disk.join("a/b")).unwrap().count(), 500);
    fs::remove_file(disk.join("a/two")).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 1);
    File::open(disk.join("a")).unwrap().sync_all().unwrap();
    fs::remove_dir_all(disk.join("a")).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 299_999, "an open file stays");
    assert_eq!(fs::read_dir(behind.path()).unwrap().count(), 0);
}

#[test]
fn calls_fail_as_the_rules_say() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    fs::create_dir(disk.join("packs")).unwrap();
    fs::write(disk.join("packs/ab"), vec![1; 20_000]).unwrap();
    fs::write(disk.join("closed"), []).unwrap();
    disk.fail_at(Op::Read, "packs/*", 8192..8193, Errno::IO);
    disk.fail(Op::Open, "closed", Errno::ACCESS);
    disk.fail(Op::Stat, "*bad*", Errno::IO);
    disk.fail(Op::SyncDir, "packs", Errno::INVAL);
    disk.fail(Op::Lock, "lock", Errno::NOLCK);
    disk.fail(Op::ReadDir, "packs", Errno::IO);
    disk.fail(Op::Create, "new*", Errno::NOSPC);
    disk.fail(Op::Rename, "packs/ab", Errno::ROFS);
    disk.fail(Op::Owner, "*", Errno::PERM);

    let fails = |result: std::io::Result<()>, errno: Errno| {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(errno.raw_os_error()));
    };
    let mut file = File::open(disk.join("packs/ab")).unwrap();
    file.read_exact(&mut [0; 8192]).unwrap();
    fails(file.read_exact(&mut [0; 1]), Errno::IO);
    file.seek(SeekFrom::Start(8193)).unwrap();
    file.read_exact(&mut [0; 100]).unwrap();
    fails(File::open(disk.join("closed")).map(drop), Errno::ACCESS);
    fails(fs::metadata(disk.join("a bad one")).map(drop), Errno::IO);
    let packs = File::open(disk.join("packs")).unwrap();
    fails(packs.sync_all(), Errno::INVAL);
    let listed =
        fs::read_dir(disk.join("packs")).and_then(|mut entries| entries.try_for_each(|e| e.map(drop)));
    fails(listed, Errno::IO);
    match File::create(disk.join("lock")).unwrap().try_lock().unwrap_err() {
        TryLockError::Error(e) => fails(Err(e), Errno::NOLCK),
        TryLockError::WouldBlock => panic!("nobody holds it"),
    }
    fails(fs::write(disk.join("new"), []), Errno::NOSPC);
    fails(fs::rename(disk.join("packs/ab"), disk.join("ab")), Errno::ROFS);
    fails(std::os::unix::fs::chown(disk.join("lock"), Some(1), None), Errno::PERM);
    assert_eq!((disk.calls(Op::SyncDir, "packs"), disk.calls(Op::Rename, "*")), (1, 1));
    disk.heal();
    packs.sync_all().unwrap();
    assert_eq!(disk.calls(Op::SyncDir, "*"), 2);
}

#[test]
fn locks_are_those_of_the_directory_behind() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    let first = File::create(disk.join("lock")).unwrap();
    first.try_lock().unwrap();
    for path in [disk.join("lock"), behind.path().join("lock")] {
        assert!(matches!(File::open(path).unwrap().try_lock(), Err(TryLockError::WouldBlock)));
    }
    drop(first);
    File::open(disk.join("lock")).unwrap().lock().unwrap();
}

#[test]
fn a_file_system_without_permissions_shows_the_same_bits_always() {
    let behind = tempfile::tempdir().unwrap();
    let Some(disk) = Faulty::mount(behind.path()) else { return };
    disk.show_mode(0o777);
    fs::create_dir(disk.join("dir")).unwrap();
    fs::set_permissions(disk.join("dir"), PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(fs::metadata(disk.join("dir")).unwrap().mode() & 0o777, 0o777);
    disk.fail(Op::Mode, "*", Errno::PERM);
    let set = fs::set_permissions(disk.join("dir"), PermissionsExt::from_mode(0o700));
    assert_eq!(set.unwrap_err().raw_os_error(), Some(Errno::PERM.raw_os_error()));
}

//! No file and no backup, however damaged, makes a panic: what comes of it is an error or entries.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Backwards, Seven, drain, filled};
use redb::{Database, TableDefinition};
use std::fs;
use std::path::Path;
use strongroom_store::redb::{RedbSink, RedbStore};
use strongroom_store::{ErrorCode, Result, Sink, Store};

/// Reads all that a file has, in every way there is.
fn read_all(path: &Path) -> Result<usize> {
    let store = RedbStore::open(path)?;
    let mut bytes = store.template()?.len();
    for table in store.tables()? {
        // One table's damage is not another's.
        let marks = store.split(&table.name, 4);
        let scanned = store.scan(&table.name, None, None).and_then(|entries| drain(entries, 1 << 20));
        if let (Ok(scanned), Ok(_)) = (scanned, marks) {
            bytes += scanned.len();
        }
        let _ = store.position(&format!("{}/1", table.name));
    }
    Ok(bytes)
}

fn small(path: &Path) {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut plain = txn.open_table(TableDefinition::<u64, &str>::new("plain")).unwrap();
        let mut users = txn.open_table(TableDefinition::<Backwards, Option<Seven>>::new("users")).unwrap();
        let multi = redb::MultimapTableDefinition::<&str, u64>::new("multi");
        let mut multi = txn.open_multimap_table(multi).unwrap();
        for i in 0..600 {
            plain.insert(i, format!("value {i}").as_str()).unwrap();
            users.insert(Backwards(vec![i as u8; i as usize % 7]), Some(Seven::of(i as usize))).unwrap();
            multi.insert(["a", "b"][i as usize % 2], i).unwrap();
        }
    }
    txn.commit().unwrap();
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    assert_eq!(read_all(&path).unwrap_err().code, ErrorCode::NotFound);
    fs::write(&path, b"").unwrap();
    assert_eq!(read_all(&path).unwrap_err().code, ErrorCode::Unsupported);
    fs::write(&path, vec![7; 100_000]).unwrap();
    assert_eq!(read_all(&path).unwrap_err().code, ErrorCode::Unsupported);
    assert_eq!(read_all(dir.path()).unwrap_err().code, ErrorCode::Unsupported);
    fs::write(&path, b"redb\x1a\x0a\xa9\x0d\x0a").unwrap();
    read_all(&path).unwrap_err();
    let mut zeroes = b"redb\x1a\x0a\xa9\x0d\x0a".to_vec();
    zeroes.resize(1 << 20, 0);
    fs::write(&path, &zeroes).unwrap();
    read_all(&path).unwrap_err();
}

#[cfg(not(feature = "redb2"))]
#[test]
fn a_database_of_an_older_format_says_how_to_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    small(&path);
    let mut bytes = fs::read(&path).unwrap();
    // The first byte of both commit slots is the file format; one that is wrong is looked at before its checksum.
    (bytes[64], bytes[192]) = (2, 2);
    fs::write(&path, &bytes).unwrap();
    let error = read_all(&path).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
    assert!(error.message.contains("upgrade()") && error.message.contains("format 2"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    small(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read all.
    if fs::File::open(&path).is_err() {
        assert_eq!(read_all(&path).unwrap_err().code, ErrorCode::Denied);
    }
}

#[test]
fn a_truncated_database_is_an_error_or_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    small(&path);
    let bytes = fs::read(&path).unwrap();
    let cut = dir.path().join("cut.redb");
    let mut refused = 0;
    let ends = (0..bytes.len()).step_by(4096).chain((0..700).step_by(13));
    for end in ends {
        fs::write(&cut, &bytes[..end]).unwrap();
        refused += usize::from(read_all(&cut).is_err());
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn flipped_bits_are_an_error_or_some_entries() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    small(&path);
    let bytes = fs::read(&path).unwrap();
    let flipped = dir.path().join("flipped.redb");
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let at = (0..320)
        .step_by(3)
        .chain((0..used).step_by(64).filter(|at| bytes[*at] != 0))
        .chain((4096..used).step_by(4096));
    for (round, at) in at.enumerate() {
        let mut bytes = bytes.clone();
        bytes[at] ^= if round % 2 == 0 { 0xff } else { 1 << (round / 2 % 8) };
        fs::write(&flipped, &bytes).unwrap();
        let _ = read_all(&flipped);
    }
}

#[test]
fn a_damaged_template_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = filled(&dir.path().join("a.redb"), &[]);
    {
        let txn = database.begin_write().unwrap();
        txn.open_table(TableDefinition::<u64, Backwards>::new("table")).unwrap();
        txn.commit().unwrap();
    }
    let template = RedbStore::live(&database).unwrap().template().unwrap();
    let target = dir.path().join("restored.redb");
    for bad in [&b""[..], b"garbage", &template[..20], &template[..template.len() / 2], &[0xff; 4000]] {
        let mut sink = RedbSink::new(&target, false).unwrap();
        assert!(sink.create(bad).is_err());
    }
    assert!(template.len() < 64 << 10, "{}", template.len());
    for at in (0..template.len()).step_by(61) {
        let mut bad = template.clone();
        bad[at] ^= 0xff;
        let mut sink = RedbSink::new(&target, false).unwrap();
        let _ = sink.create(&bad);
    }
    drop(database);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only the source is there");
}

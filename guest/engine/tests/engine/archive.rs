//! A snapshot as one file: it goes out, it comes in anywhere, and whatever is wrong with it is found.

use std::collections::BTreeMap;

use proptest::prelude::*;
use strongroom_engine::testing::{MemoryVault, ModelStore, ModelTable, Restored, RestoringSink, Tells};
use strongroom_engine::{
    Bytes, Code, Depth, Import, Repair, RestoreArchive, Result, Silent, Sink, Snapshot, Vault,
};

use crate::common::{Entries, Random, assert_holds, backup, files, forget, one_table, plain, prune, verify};

pub(crate) fn export(vault: &dyn Vault, which: &str) -> Result<Vec<u8>> {
    read_off(vault, which, 1 << 20)
}

fn read_off(vault: &dyn Vault, which: &str, max: u32) -> Result<Vec<u8>> {
    let mut export = strongroom_engine::export(vault, which, &Silent)?;
    let mut archive = Vec::new();
    loop {
        let bytes = export.read(max)?;
        if bytes.is_empty() {
            return Ok(archive);
        }
        assert!(bytes.len() <= max as usize);
        archive.extend_from_slice(&bytes);
    }
}

pub(crate) fn import(vault: &dyn Vault, archive: &[u8], name: Option<&str>) -> Result<Snapshot> {
    import_in(vault, archive, name, 1 << 20)
}

fn import_in(vault: &dyn Vault, archive: &[u8], name: Option<&str>, piece: usize) -> Result<Snapshot> {
    let mut import = Import::new(vault, name, None, &Silent)?;
    archive.chunks(piece).try_for_each(|piece| import.take(piece))?;
    import.finish()
}

fn restore(archive: &[u8], tables: Option<&[String]>, piece: usize) -> Result<Restored> {
    let mut restored = Restored::new();
    let into = &mut restored;
    let mut restore = RestoreArchive::new(tables, &Silent, move |template: &[u8]| {
        assert_eq!(template, b"a template");
        Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
    });
    archive.chunks(piece).try_for_each(|piece| restore.take(piece))?;
    restore.finish()?;
    Ok(restored)
}

/// Everything that a snapshot takes along.
fn what_it_is(snapshot: &Snapshot) -> impl PartialEq + std::fmt::Debug + use<> {
    let Snapshot { name, id, source, parent, seq, time, position, tables, .. } = snapshot.clone();
    let Snapshot { tables_left_out, entries, bytes, labels, .. } = snapshot.clone();
    ((name, id, source, parent, seq, time), (position, tables, tables_left_out, entries, bytes, labels))
}

fn entries() -> impl Strategy<Value = Entries> {
    let key = prop::collection::vec(any::<u8>(), 0..40);
    let value = prop_oneof![
        40 => prop::collection::vec(any::<u8>(), 0..300),
        4 => (any::<u8>(), 0usize..40_000).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 250_000usize..600_000).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec((key, value), 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_out_comes_in_anywhere_and_is_the_same(
        first in entries(), pairs in entries(), more in entries(), other in entries(),
        max in 1u32..100_000, piece in 1usize..100_000,
    ) {
        let mut store = ModelStore::new([
            ("empty", ModelTable::default()),
            ("pairs", ModelTable { multimap: true, entries: pairs }),
            ("plain", plain(first)),
        ]);
        store.tells = Some(Tells { run: 3, seed: 1, wide: 5, read_max: 0, lie: None });
        let vault = MemoryVault::default();
        let mut snapshots = vec![(backup(&vault, &store, "one", 2), store.tables.clone())];
        // What is stored as deltas goes out whole.
        let table = store.tables.get_mut("plain").unwrap();
        table.entries.splice(table.entries.len() / 2.., more);
        snapshots.push((backup(&vault, &store, "two", 1), store.tables.clone()));

        let overlapping = MemoryVault::default();
        store.tables.insert("other".into(), plain(other));
        // Of another source: its number is that of an archive with other data.
        crate::common::try_backup(&overlapping, &store, &strongroom_engine::Job { source: "other".into(), ..crate::common::job("there", 1) }).unwrap();
        let fresh = MemoryVault::default();
        for (snapshot, tables) in snapshots {
            let archive = read_off(&vault, &snapshot.name, max).unwrap();
            prop_assert!(archive == export(&vault, &snapshot.name).unwrap());
            prop_assert_eq!(&restore(&archive, None, piece).unwrap(), &tables);
            for vault in [&fresh, &overlapping] {
                let imported = import_in(vault, &archive, None, piece).unwrap();
                prop_assert_eq!(&imported, &strongroom_engine::find(vault, &snapshot.name).unwrap());
                prop_assert_eq!(what_it_is(&imported), what_it_is(&snapshot));
                prop_assert_eq!(&crate::common::restore(vault, &snapshot.name).unwrap(), &tables);
                let verified = strongroom_engine::verify(vault, None, Depth::Data, &Silent).unwrap();
                prop_assert!(verified.damage.is_empty(), "{:?}", verified.damage);
            }
        }
    }
}

/// A snapshot with a few of everything, and its archive, which is small.
fn small() -> (MemoryVault, ModelStore, Vec<u8>) {
    let value = |n: u8| vec![n; 40 * usize::from(n)];
    let entries: Entries = (0..30u8).map(|n| (vec![n], value(n))).collect();
    archive_of(ModelStore::new([
        ("empty", ModelTable::default()),
        ("pairs", ModelTable { multimap: true, entries: vec![(b"k".to_vec(), b"1".to_vec()); 3] }),
        ("plain", plain(entries)),
        ("spilled", plain(vec![(vec![7; 300_000], vec![8; 270_000]), (b"k".to_vec(), b"v".to_vec())])),
    ]))
}

fn archive_of(store: ModelStore) -> (MemoryVault, ModelStore, Vec<u8>) {
    let vault = MemoryVault::default();
    backup(&vault, &store, "x", 1);
    let archive = export(&vault, "x").unwrap();
    (vault, store, archive)
}

/// Whatever is done to an archive: an error that says where, and nothing is there.
fn assert_refused(archive: &[u8], what: &str) {
    let vault = MemoryVault::default();
    let e = import_in(&vault, archive, None, 4096).expect_err(what);
    assert!(matches!(e.code, Code::Damaged | Code::NewerFormat), "{what}: {e:?}");
    assert!(e.message.contains("archive"), "{what}: {e}");
    assert!(files(&vault, "snapshots").is_empty(), "{what} published something");
    if vault.get("repository.json").is_some() {
        assert!(strongroom_engine::snapshots(&vault).unwrap().0.is_empty(), "{what}");
        assert!(verify(&vault).damage.is_empty(), "{what}");
    }
    let e = restore(archive, None, 4096).expect_err(what);
    assert!(matches!(e.code, Code::Damaged | Code::NewerFormat), "{what}: {e:?}");
}

#[test]
fn a_cut_archive_is_refused_wherever_it_ends() {
    let (_, _, archive) = small();
    let ends = (0..archive.len()).filter(|end| end % 7 == 0 || archive.len() - end < 100 || *end < 1500);
    for end in ends {
        assert_refused(&archive[..end], &format!("cut at {end} of {}", archive.len()));
    }
    let e = import(&MemoryVault::default(), &archive[..archive.len() / 2], None).unwrap_err();
    let at = format!("cut off: it ends at byte {}, in table", archive.len() / 2);
    assert!(e.message.contains(&at), "{e}");
    let e = import(&MemoryVault::default(), &[], None).unwrap_err();
    assert!(e.message.contains("empty"), "{e}");
}

#[test]
fn a_flipped_bit_anywhere_in_an_archive_is_found() {
    // Every bit of a small one, and some of one with pieces.
    let entries: Entries = (0..9u8).map(|n| (vec![n], vec![n; 8 << n])).collect();
    let (_, _, tiny) = archive_of(ModelStore::new([("a", plain(vec![])), ("plain", plain(entries))]));
    assert!(tiny.len() < 3000, "{}", tiny.len());
    let (_, _, large) = small();
    for (archive, step) in [(tiny, 1), (large, 401)] {
        for bit in (0..archive.len() * 8).step_by(step) {
            let mut archive = archive.clone();
            archive[bit / 8] ^= 1 << (bit % 8);
            assert_refused(&archive, &format!("bit {bit}"));
        }
    }
}

#[test]
fn objects_that_are_exchanged_left_out_or_given_twice_are_found() {
    let (_, _, archive) = small();
    let starts: Vec<usize> = (0..archive.len()).filter(|at| archive[*at..].starts_with(b"SRo1")).collect();
    let ends: Vec<usize> = starts[1..].iter().copied().chain([archive.len() - 16]).collect();
    let objects: Vec<&[u8]> = starts.iter().zip(&ends).map(|(start, end)| &archive[*start..*end]).collect();
    let (head, tail) = (&archive[..starts[0]], &archive[archive.len() - 16..]);
    let put_together = |objects: &[&[u8]]| [head, &objects.concat(), tail].concat();
    assert!(put_together(&objects) == archive && objects.len() > 8);
    for at in 0..objects.len() {
        let mut changed = objects.clone();
        changed.remove(at);
        assert_refused(&put_together(&changed), "one is left out");
        let mut changed = objects.clone();
        changed.insert(at, objects[at]);
        assert_refused(&put_together(&changed), "one is there twice");
        for other in 0..at {
            let mut changed = objects.clone();
            changed.swap(at, other);
            if changed != objects {
                assert_refused(&put_together(&changed), "two are exchanged");
            }
        }
    }
    assert_refused(&[&archive[..], b"x"].concat(), "more behind the end");
    assert_refused(&[&archive[..], &archive[..]].concat(), "two in one");
}

#[test]
fn an_archive_of_another_version_or_of_something_else_says_so() {
    let (_, _, mut archive) = small();
    let e = import(&MemoryVault::default(), b"PK, a text file of some kind", None).unwrap_err();
    assert!(e.message.contains("no archive"), "{e}");
    archive[8] = 7;
    let vault = MemoryVault::default();
    let e = import(&vault, &archive, None).unwrap_err();
    assert_eq!(e.code, Code::NewerFormat);
    assert!(e.message.contains("version 7") && e.message.contains("knows version 1"), "{e}");
    assert!(vault.paths().is_empty(), "something was written for it");
}

/// The archive with another name in what it says of its snapshot, all checksums right.
fn renamed(archive: &[u8], name: &str) -> Vec<u8> {
    let len = u32::from_le_bytes(archive[12..16].try_into().unwrap()) as usize;
    let file = std::str::from_utf8(&archive[16..16 + len]).unwrap();
    let rest = &file[r#"{"checksum":"",""#.len() + 63..];
    let (before, after) = rest.split_once(r#""name":"x""#).unwrap();
    let name = name.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    let rest = format!(r#"{before}"name":"{}"{after}"#, name.collect::<String>());
    let file = format!(r#"{{"checksum":"{}",{rest}"#, blake3::hash(rest.as_bytes()));
    let len = (file.len() as u32).to_le_bytes();
    [&archive[..12], &len, file.as_bytes(), &archive[16 + archive_len(archive)..]].concat()
}

fn archive_len(archive: &[u8]) -> usize {
    u32::from_le_bytes(archive[12..16].try_into().unwrap()) as usize
}

#[test]
fn a_hostile_name_is_refused_and_another_can_be_given() {
    let (_, store, archive) = small();
    assert_eq!(import(&MemoryVault::default(), &renamed(&archive, "y"), None).unwrap().name, "y");
    let long = "x".repeat(201);
    for name in
        ["../x", "/etc/passwd", "a\\b", "..", "", "latest", "tmp-x", "a\nb", "\u{1b}[2J", "-rf", &long]
    {
        let hostile = renamed(&archive, name);
        let vault = MemoryVault::default();
        let e = import(&vault, &hostile, None).unwrap_err();
        assert_eq!(e.code, Code::Invalid, "{name:?}: {e}");
        assert!(e.message.contains("--name") && !e.message.contains(char::is_control), "{name:?}: {e:?}");
        assert!(vault.paths().is_empty(), "{name:?} left {:?}", vault.paths());
        assert_eq!(import(&vault, &hostile, Some("good")).unwrap().name, "good");
        assert_holds(&vault, "good", &store);
    }
    for name in ["../x", ""] {
        assert_eq!(
            Import::new(&MemoryVault::default(), Some(name), None, &Silent).err().unwrap().code,
            Code::Invalid
        );
    }
}

#[test]
fn a_name_that_is_taken_is_refused_and_costs_nothing() {
    let (vault, store, archive) = small();
    let before = vault.deep_clone();
    let e = import(&vault, &archive, None).unwrap_err();
    assert_eq!(e.code, Code::Exists);
    assert!(e.message.contains("with the same data") && e.message.contains("--name"), "{e}");
    let other = MemoryVault::default();
    backup(&other, &one_table(vec![]), "x", 1);
    let e = import(&other, &archive, None).unwrap_err();
    assert!(e.message.contains("with other data"), "{e}");
    assert_eq!((vault.paths(), vault.bytes()), (before.paths(), before.bytes()));
    // Under another name it is there twice and takes the room of one.
    let again = import(&vault, &archive, Some("again")).unwrap();
    assert_eq!((again.bytes_added, &*again.name), (0, "again"));
    assert_eq!(files(&vault, "packs"), files(&before, "packs"));
    assert_holds(&vault, "again", &store);
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let (_, _, archive) = small();
    let vault = MemoryVault::default();
    vault.put("letter.txt", b"dear".to_vec());
    assert_eq!(import(&vault, &archive, None).unwrap_err().code, Code::NoRepository);
    assert_eq!(vault.paths(), ["letter.txt"]);
}

/// Its snapshot is the newest of its source; the backup after it reads everything, and the one after that builds on it.
#[test]
fn backups_go_on_after_an_import() {
    let (_, mut store, archive) = small();
    let vault = MemoryVault::default();
    import(&vault, &archive, None).unwrap();
    store.tells = Some(Tells { run: 3, seed: 1, wide: 5, read_max: 0, lie: None });
    let next = backup(&vault, &store, "next", 2);
    assert_eq!((next.parent.as_deref(), next.seq), (Some("x"), 2));
    store.tables.get_mut("plain").unwrap().entries.remove(3);
    let scanned = store.bytes_scanned();
    assert!(scanned > 0);
    backup(&vault, &store, "after", 1);
    // Of the store only the template was read.
    assert!(store.bytes_scanned() < scanned + 100);
    assert_holds(&vault, "after", &store);
    forget(&vault, &["next", "after"]);
    prune(&vault, 0);
    assert!(verify(&vault).damage.is_empty());
    assert!(
        export(&vault, "x").unwrap()[16 + archive_len(&archive)..] == archive[16 + archive_len(&archive)..]
    );
}

/// What a repair took out of the index, the archive brings back.
#[test]
fn an_import_heals_what_a_repair_found_lost() {
    let (vault, store, archive) = small();
    let packs = files(&vault, "packs");
    let (path, mut pack) =
        packs.iter().map(|path| (path, vault.get(path).unwrap())).max_by_key(|(_, pack)| pack.len()).unwrap();
    let object = (0..pack.len()).find(|at| pack[*at..].starts_with(b"SRo1")).unwrap();
    pack[object + 57] ^= 1;
    vault.put(path, pack);
    assert!(!verify(&vault).damage.is_empty());
    strongroom_engine::repair(&vault, Repair::default(), &Silent).unwrap();
    import(&vault, &archive, Some("healer")).unwrap();
    assert_holds(&vault, "x", &store);
    assert_holds(&vault, "healer", &store);
}

#[test]
fn only_the_tables_that_are_asked_for_come_out_of_an_archive() {
    let (_, store, archive) = small();
    let globs = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let some = restore(&archive, Some(&globs(&["p*", "empty"])), 1000).unwrap();
    let expected: BTreeMap<_, _> = store
        .tables
        .iter()
        .filter(|(name, _)| *name != "spilled")
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    assert!(some == expected);
    let e = restore(&archive, Some(&globs(&["nothing*"])), 1000).unwrap_err();
    assert!(e.code == Code::NotFound && e.message.contains("spilled"), "{e}");
}

#[test]
fn a_snapshot_without_tables_and_one_that_is_damaged() {
    let vault = MemoryVault::default();
    backup(&vault, &ModelStore::new([]), "nothing", 1);
    let archive = export(&vault, "nothing").unwrap();
    let fresh = MemoryVault::default();
    import_in(&fresh, &archive, None, 1).unwrap();
    assert_holds(&fresh, "nothing", &ModelStore::new([]));

    let random = Random(5).bytes(100_000);
    backup(&vault, &one_table(vec![(b"k".to_vec(), random)]), "hurt", 1);
    for path in files(&vault, "packs") {
        let mut pack = vault.get(&path).unwrap();
        if pack.len() > 100_000 {
            pack[50_000] ^= 1;
            vault.put(&path, pack);
        }
    }
    let e = export(&vault, "hurt").unwrap_err();
    assert!(e.code == Code::Damaged && e.message.contains("snapshot \"hurt\": table \"table\""), "{e}");
    assert_eq!(export(&vault, "missing").unwrap_err().code, Code::NotFound);
}

//! The number is the order, whatever a clock shows.

use strongroom_engine::testing::{MemoryVault, Tells};
use strongroom_engine::{Code, Import, Job, Result, Silent, Snapshot, Vault};

use crate::archive::export;
use crate::common::{assert_holds, forget, job, one_table, restore, try_backup};

const NOW: u64 = 1_700_000_000;
const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

fn at(vault: &MemoryVault, source: &str, name: &str, time: u64, value: u8) -> Snapshot {
    let wanted = Job { source: source.into(), time, ..job(name, 1) };
    try_backup(vault, &one_table(vec![(vec![value], vec![value])]), &wanted).unwrap()
}

fn import(vault: &dyn Vault, archive: &[u8], name: Option<&str>, source: Option<&str>) -> Result<Snapshot> {
    let mut import = Import::new(vault, name, source, &Silent)?;
    import.take(archive)?;
    import.finish()
}

fn names(vault: &MemoryVault) -> Vec<String> {
    let (listed, _) = strongroom_engine::snapshots_as_of(vault, NOW).unwrap();
    listed.into_iter().map(|snapshot| snapshot.name).collect()
}

fn latest(vault: &MemoryVault) -> String {
    strongroom_engine::find_as_of(vault, "latest", NOW).unwrap().name
}

#[test]
fn latest_follows_the_number_and_not_the_time() {
    for wrong in [0, 1, NOW - YEAR, NOW, NOW + DAY, NOW + 5 * YEAR, 1 << 63, u64::MAX] {
        let vault = MemoryVault::default();
        for (number, time) in (1..).zip([NOW - 3 * DAY, wrong, NOW - 2 * DAY, wrong, NOW - DAY, NOW]) {
            let snapshot = at(&vault, "app", "{seq:02}", time, number);
            assert_eq!((snapshot.seq, &*snapshot.name), (number.into(), &*format!("0{number}")), "{wrong}");
            assert_eq!(snapshot.parent, (number > 1).then(|| format!("0{}", number - 1)), "{wrong}");
            assert_eq!(strongroom_engine::find(&vault, "latest").unwrap().name, snapshot.name, "{wrong}");
            assert_eq!(latest(&vault), snapshot.name, "{wrong}");
        }
        assert_eq!(names(&vault), ["01", "02", "03", "04", "05", "06"], "{wrong}");
        // Without the newest the one before it is the newest again, and its successor's number comes again.
        forget(&vault, &["06"]);
        assert_eq!(latest(&vault), "05", "{wrong}");
        assert_eq!(at(&vault, "app", "again", wrong, 9).seq, 6);
        assert_eq!(latest(&vault), "again", "{wrong}");
    }
}

#[test]
fn among_sources_a_time_that_is_past_now_does_not_count() {
    let vault = MemoryVault::default();
    at(&vault, "future", "f1", NOW + YEAR, 1);
    at(&vault, "app", "a1", NOW - DAY, 2);
    assert_eq!((names(&vault), latest(&vault)), (vec!["f1".into(), "a1".into()], "a1".into()));
    // One that is borne out by what came before it.
    at(&vault, "other", "o1", NOW - 10, 3);
    at(&vault, "other", "o2", NOW + YEAR, 4);
    at(&vault, "app", "a2", NOW - 20, 5);
    assert_eq!(names(&vault), ["f1", "a1", "a2", "o1", "o2"]);
    assert_eq!(latest(&vault), "o2");
}

#[test]
fn one_wrong_clock_costs_one_full_scan() {
    for wrong in [0, NOW - 8 * DAY, NOW + YEAR, 1 << 63] {
        let vault = MemoryVault::default();
        let mut scans = 0;
        let mut read = 0;
        let mut store = one_table((0..200u8).map(|n| (vec![n], vec![n; 100])).collect());
        store.tells = Some(Tells { run: 7, ..Tells::default() });
        for number in 0..12 {
            store.tables.get_mut("table").unwrap().entries[number].1[0] ^= 1;
            let time = if number == 4 { wrong } else { NOW + number as u64 * 3600 };
            let wanted = Job { time, ..job(&number.to_string(), 1) };
            try_backup(&vault, &store, &wanted).unwrap();
            scans += u32::from(store.bytes_scanned() > read + 10_000);
            read = store.bytes_scanned();
        }
        // The first one, the wrong one, and the one after it.
        assert!(scans <= 3, "{wrong}: {scans} scans");
        assert_holds(&vault, "11", &store);
    }
    // A clock that is set back a little costs none.
    let vault = MemoryVault::default();
    let mut store = one_table((0..200u8).map(|n| (vec![n], vec![n; 100])).collect());
    store.tells = Some(Tells { run: 7, ..Tells::default() });
    for (name, time) in [("a", NOW), ("b", NOW - 3600), ("c", NOW - 2 * 3600)] {
        try_backup(&vault, &store, &Job { time, ..job(name, 1) }).unwrap();
    }
    assert!(store.bytes_scanned() < 2 * 21_000, "{}", store.bytes_scanned());
}

#[test]
fn an_import_never_displaces_what_was_made_here() {
    for time in [0, NOW - DAY, NOW + 5 * YEAR, 1 << 63] {
        let elsewhere = MemoryVault::default();
        (1..=9).for_each(|number| drop(at(&elsewhere, "app", "e{seq}", time, number)));
        let archive = export(&elsewhere, "e9").unwrap();
        let vault = MemoryVault::default();
        at(&vault, "app", "one", NOW - 20, 1);
        let imported = import(&vault, &archive, None, None).unwrap();
        assert!(imported.imported && imported.seq == 9);
        assert_eq!((latest(&vault), names(&vault).len()), ("one".into(), 2), "{time}");
        assert_eq!(strongroom_engine::find(&vault, "latest").unwrap().name, "one", "{time}");
        let next = at(&vault, "app", "two", NOW - 10, 2);
        assert_eq!((next.parent.as_deref(), next.seq, next.imported), (Some("one"), 2, false), "{time}");
        assert_eq!(latest(&vault), "two", "{time}");
        // What is exported again is what came in.
        assert!(export(&vault, "e9").unwrap() == archive);
    }
}

#[test]
fn imports_alone_are_a_history() {
    let elsewhere = MemoryVault::default();
    (1..=3).for_each(|number| drop(at(&elsewhere, "app", "e{seq}", NOW - u64::from(number), number)));
    let vault = MemoryVault::default();
    for name in ["e3", "e1", "e2"] {
        import(&vault, &export(&elsewhere, name).unwrap(), None, None).unwrap();
    }
    assert_eq!(names(&vault), ["e1", "e2", "e3"]);
    // The hint of the newest says the same.
    let next = at(&vault, "app", "{seq}", NOW, 7);
    assert_eq!((next.parent.as_deref(), next.seq), (Some("e3"), 4));
    assert_eq!(latest(&vault), "4");
}

/// The archive as if its snapshot had another number.
fn renumbered(archive: &[u8], seq: u64) -> Vec<u8> {
    let len = u32::from_le_bytes(archive[12..16].try_into().unwrap()) as usize;
    let file = std::str::from_utf8(&archive[16..16 + len]).unwrap();
    let (_, rest) = file.split_once("\",").unwrap();
    let rest = rest.replace("\"seq\":1,", &format!("\"seq\":{seq},"));
    let file = format!(r#"{{"checksum":"{}",{rest}"#, blake3::hash(rest.as_bytes()));
    let len = (file.len() as u32).to_le_bytes();
    [&archive[..12], &len, file.as_bytes(), &archive[16 + archive_len(archive)..]].concat()
}

fn archive_len(archive: &[u8]) -> usize {
    u32::from_le_bytes(archive[12..16].try_into().unwrap()) as usize
}

#[test]
fn a_number_that_cannot_be_is_refused_and_another_source_takes_the_archive() {
    let elsewhere = MemoryVault::default();
    at(&elsewhere, "app", "theirs", NOW, 1);
    let archive = export(&elsewhere, "theirs").unwrap();
    let vault = MemoryVault::default();
    at(&vault, "app", "ours", NOW, 2);
    let too_great = renumbered(&archive, (1 << 53) + 1);
    for (archive, code) in [
        (&archive, Code::Exists),
        (&too_great, Code::Invalid),
        (&renumbered(&archive, u64::MAX), Code::Invalid),
    ] {
        let before = vault.paths();
        let refused = import(&vault, archive, None, None).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
        assert!(refused.message.contains("import it as another --source"), "{refused}");
        assert_eq!(vault.paths(), before);
        let taken = import(&vault, archive, None, Some("theirs")).unwrap();
        assert_eq!((&*taken.source, taken.seq), ("theirs", 1));
        assert!(restore(&vault, "theirs").unwrap() == restore(&elsewhere, "theirs").unwrap());
        forget(&vault, &["theirs"]);
        assert_eq!(latest(&vault), "ours");
    }
    // The same data under the same number is the same snapshot.
    import(&vault, &export(&vault, "ours").unwrap(), Some("copy"), None).unwrap();
    assert_eq!(latest(&vault), "ours");
    // A source that only an archive has is backed up all the same.
    let fresh = MemoryVault::default();
    import(&fresh, &renumbered(&archive, 1 << 53), None, None).unwrap();
    assert_eq!(at(&fresh, "app", "first", NOW, 3).seq, 1);
    assert_eq!(latest(&fresh), "first");
}

#[test]
fn a_name_with_the_number_gives_way_to_one_that_is_there() {
    let vault = MemoryVault::default();
    at(&vault, "app", "{source}-{seq}", NOW, 1);
    at(&vault, "other", "app-2", NOW, 1);
    vault.put("snapshots/app-3.json", b"cannot be read".to_vec());
    let next = at(&vault, "app", "{source}-{seq}", NOW, 2);
    assert_eq!((&*next.name, next.seq, next.parent.as_deref()), ("app-4", 4, Some("app-1")));
    let taken = Job { source: "app".into(), ..job("app-4", 1) };
    assert_eq!(try_backup(&vault, &one_table(vec![]), &taken).unwrap_err().code, Code::Exists);
}

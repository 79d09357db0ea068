//! A repository that was written once and must stay readable, and a reader that knows FORMAT.md but not the engine.
//!
//! `STRONGROOM_WRITE_GOLDEN=1 cargo test -p strongroom-engine --test golden` writes `tests/golden` anew. That is a
//! change of the format, unless only the compression changed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod independent;

use std::path::{Path, PathBuf};

use independent::{Entry, Files, Repository, Table, hex};
use strongroom_engine::testing::{
    MemoryVault, ModelStore, ModelTable, Restored, RestoringSink, backup_with_deltas,
};
use strongroom_engine::{Bytes as _, Depth, FULL_SCAN_DAYS, FULL_SCAN_SNAPSHOTS, Import, Job, Silent, Sink};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Bytes that compress a little.
fn filler(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 28) as u8
    };
    (0..len).map(step).collect()
}

/// Snapshots that are stored as deltas, where a number of parts would be.
const DELTAS: u32 = 0;
const VERSIONS: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];

/// What the golden repository holds: in the order in which they were backed up, a name, in how many parts, and the
/// tables.
fn contents() -> Vec<(&'static str, u32, ModelStore)> {
    let mut rows: Vec<Entry> =
        (0..1000u32).map(|n| (n.to_be_bytes().to_vec(), filler(n, (n % 37) as usize))).collect();
    // Entries of a rank of 5 and of 4: the tree has six levels.
    rows.insert(300, (913_520_409u64.to_be_bytes().to_vec(), vec![0; 16_368]));
    rows.insert(700, (23_370_913u64.to_be_bytes().to_vec(), vec![1; 16_368]));
    let pairs = (0..40u32).map(|n| (vec![(n / 7) as u8], filler(n, 9)));
    let large = vec![
        (b"a small key".to_vec(), vec![7; 600_000]),
        (b"".to_vec(), b"".to_vec()),
        (vec![8; 262_145], b"a small value".to_vec()),
        (b"just not spilled".to_vec(), vec![9; 262_144]),
    ];
    let table = |multimap, entries| ModelTable { multimap, entries };
    let first = ModelStore::new([
        ("empty", ModelTable::default()),
        ("large", table(false, large.clone())),
        ("large pairs", table(true, large)),
        ("no pairs", table(true, Vec::new())),
        ("pairs", table(true, pairs.collect())),
        ("rows", table(false, rows.clone())),
    ]);
    let mut second = first.clone();
    rows.remove(800);
    rows[17].1 = b"changed".to_vec();
    rows.push((b"new".to_vec(), b"row".to_vec()));
    second.tables.get_mut("rows").unwrap().entries = rows;
    second.tables.remove("empty");
    // Rows that change again and again, so that chains of deltas come to an end.
    let version = |number: u32| {
        let mut store = second.clone();
        let rows = &mut store.tables.get_mut("rows").unwrap().entries;
        for (at, row) in rows.iter_mut().enumerate().skip(40).step_by(97).take(4) {
            row.1 = filler(number * 1000 + at as u32, 30 + (number * 7) as usize % 20);
        }
        rows.insert(500, ((500_000 + number).to_be_bytes().to_vec(), filler(number, 20)));
        store
    };
    let mut all =
        vec![("first", 1, first), ("nothing", 0, ModelStore::default()), ("second", 4, second.clone())];
    all.extend(VERSIONS.into_iter().zip(1..).map(|(name, number)| (name, DELTAS, version(number))));
    all
}

fn make() -> MemoryVault {
    let vault = MemoryVault::default();
    for (number, (name, parts, store)) in (1..).zip(contents()) {
        let job = Job {
            name: name.into(),
            source: "golden".into(),
            only_source: false,
            origin: None,
            tables: None,
            leave_out: Vec::new(),
            position: None,
            time: 1_750_000_000 + number,
            parts,
            part_min: 1,
            full_scan: false,
            full_scan_snapshots: FULL_SCAN_SNAPSHOTS,
            full_scan_days: FULL_SCAN_DAYS,
            folding: strongroom_engine::Folding { files: 3, ..Default::default() },
            compression: strongroom_engine::Compression::default(),
        };
        if VERSIONS.contains(&name) {
            backup_with_deltas(&vault, &store, &job).unwrap();
            continue;
        }
        let plan = strongroom_engine::prepare(&vault, &store, &job, &Silent).unwrap();
        assert_eq!(plan.parts, parts);
        let copy = |part| strongroom_engine::copy(&vault, &store, &plan.state, part, &Silent).unwrap();
        let receipts: Vec<_> = (0..plan.parts).map(copy).collect();
        let draft = strongroom_engine::seal(&vault, &store, &plan.state, &receipts, &Silent).unwrap();
        strongroom_engine::publish(&vault, &draft.state).unwrap();
    }
    vault
}

/// Snapshots of which there are archives too.
const ARCHIVES: [&str; 2] = ["nothing", "k"];

fn archive(vault: &MemoryVault, name: &str) -> Vec<u8> {
    let mut export = strongroom_engine::export(vault, name, &Silent).unwrap();
    let mut archive = Vec::new();
    loop {
        let bytes = export.read(100_000).unwrap();
        if bytes.is_empty() {
            return archive;
        }
        archive.extend_from_slice(&bytes);
    }
}

fn files_of(vault: &MemoryVault) -> Files {
    vault.paths().into_iter().map(|path| (path.clone(), vault.get(&path).unwrap())).collect()
}

fn golden() -> Files {
    if std::env::var_os("STRONGROOM_WRITE_GOLDEN").is_some() {
        let _ = std::fs::remove_dir_all(dir());
        for (path, content) in files_of(&make()) {
            let path = dir().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    if std::env::var_os("STRONGROOM_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(dir().join("archives")).unwrap();
        for name in ARCHIVES {
            std::fs::write(dir().join("archives").join(name), archive(&make(), name)).unwrap();
        }
    }
    let mut files = Files::new();
    for sub in ["", "packs", "index", "snapshots"] {
        for entry in std::fs::read_dir(dir().join(sub)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let path = Path::new(sub).join(entry.file_name()).to_str().unwrap().replace('\\', "/");
                files.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

fn tables(store: &ModelStore) -> Vec<Table> {
    let table = |(name, table): (&String, &ModelTable)| Table {
        name: name.clone(),
        multimap: table.multimap,
        identity: b"model".to_vec(),
        types: ("bytes".into(), "bytes".into()),
        entries: table.entries.clone(),
    };
    store.tables.iter().map(table).collect()
}

/// The vectors that a reader needs first, asked of the one that does not know the engine.
#[test]
fn the_vectors_of_the_format_are_right() {
    let page = include_str!("../FORMAT.md");
    let vectors = page.split("```vectors\n").nth(1).unwrap().split("```").next().unwrap();
    let bytes = |text: &str| {
        let (digits, times) = text.split_once('*').unwrap_or((text, "1"));
        independent::unhex(digits.trim_start_matches('-')).repeat(times.parse().unwrap())
    };
    let mut asked = 0;
    for (question, expected) in vectors.lines().map(|line| line.split_once(" = ").unwrap()) {
        let words: Vec<&str> = question.split(' ').collect();
        let found = match words[..] {
            ["rank", length, identity] => {
                independent::rank(&bytes(identity), length.parse().unwrap()).to_string()
            }
            ["id", kind, level, content] => {
                let label = format!("strongroom 1 {kind}");
                hex(&independent::keyed(&label, level.parse().unwrap(), &bytes(content)))
            }
            ["table", kind, ref entries @ ..] => {
                let entry = |entry: &&str| {
                    entry.split_once(':').map(|(key, value)| (bytes(key), bytes(value))).unwrap()
                };
                let entries: Vec<Entry> = entries.iter().map(entry).collect();
                match independent::root_of(&entries, kind == "multimap", 1) {
                    None => "none".to_owned(),
                    Some((level, root)) => {
                        let (items, entries, bytes, rank) = (root.items, root.entries, root.bytes, root.rank);
                        format!("{level} {items} {entries} {bytes} {rank} {}", hex(&root.id))
                    }
                }
            }
            ["content", object] => {
                let object = bytes(object);
                hex(&independent::read_object(object[16..48].try_into().unwrap(), &object, None).2)
            }
            ["delta", object, base] => {
                let (object, base) = (bytes(object), bytes(base));
                let base = Some((object[4], object[5], &base[..]));
                hex(&independent::read_object(object[16..48].try_into().unwrap(), &object, base).2)
            }
            ["apply", script, base, _] if expected != "none" => {
                hex(&independent::apply(&bytes(script), &bytes(base)))
            }
            _ => continue,
        };
        assert_eq!(found, expected, "{question}");
        asked += 1;
    }
    assert!(asked > 25, "{asked}");
}

/// All of it in one test, so that no other reads what this one may just be writing.
#[test]
fn the_golden_repository_is_read_by_whoever_knows_the_format() {
    let files = golden();
    assert!(files.values().map(Vec::len).sum::<usize>() < 150_000);

    // By one who knows the format alone.
    let repository = Repository::open(&files);
    repository.check_index();
    let snapshots = repository.snapshots();
    assert_eq!(snapshots.len(), contents().len());
    assert_eq!(repository.depths(), (0..=8).collect());
    for (name, _, store) in contents() {
        let snapshot = &snapshots[name];
        assert!(snapshot.tables == tables(&store), "{name} holds something else");
        assert_eq!(snapshot.template, b"a template");
        assert_eq!(snapshot.file["source"], "golden");
        let (id, levels) = independent::id_of_tables(&snapshot.tables);
        assert_eq!(snapshot.file["id"], hex(&id));
        assert!(name == "nothing" || levels.last() == Some(&Some(5)), "{levels:?}");
    }
    assert_eq!(snapshots["second"].file["parent"], "nothing");

    // By the engine.
    let vault = MemoryVault::default();
    files.iter().for_each(|(path, content)| vault.put(path, content.clone()));
    let verified = strongroom_engine::testing::verify(&vault, None, Depth::Data, &Silent).unwrap();
    assert!(verified.damage.is_empty() && verified.snapshots as usize == contents().len(), "{verified:?}");
    for (name, _, store) in contents() {
        let mut restored = Restored::new();
        let into = &mut restored;
        strongroom_engine::restore(&vault, name, None, false, &Silent, move |_| {
            Ok(Box::new(RestoringSink::new(into)) as Box<dyn Sink>)
        })
        .unwrap();
        assert!(restored == store.tables, "{name}");
    }

    for name in ARCHIVES {
        let golden = std::fs::read(dir().join("archives").join(name)).unwrap();
        let (_, _, store) = contents().into_iter().find(|(known, _, _)| *known == name).unwrap();
        for archive in [&golden, &archive(&vault, name)] {
            assert!(independent::archive(name, archive).tables == tables(&store), "{name}");
            let fresh = MemoryVault::default();
            let mut import = Import::new(&fresh, None, None, &Silent).unwrap();
            import.take(archive).unwrap();
            assert_eq!(import.finish().unwrap().id, strongroom_engine::find(&vault, name).unwrap().id);
        }
    }

    // And the engine of today makes the same ids of the same data.
    let fresh = make();
    for (name, _, _) in contents() {
        let (old, new) =
            (strongroom_engine::find(&vault, name).unwrap(), strongroom_engine::find(&fresh, name).unwrap());
        assert_eq!(old.id, new.id, "{name}");
        assert_eq!(
            (old.entries, old.bytes, old.seq, old.parent),
            (new.entries, new.bytes, new.seq, new.parent)
        );
    }
    let fresh = files_of(&fresh);
    let repository = Repository::open(&fresh);
    repository.check_index();
    assert_eq!(repository.snapshots().len(), contents().len());
}

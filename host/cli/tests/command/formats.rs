//! Snapshots as JSON Lines and as SQLite databases, and databases in redb's file format 2.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _};
use serde_json::Value;
use strongroom_tests::tools::tool;

use crate::place::{ACCOUNTS, BLOBS, Place, TAGS, lines, random};

/// What the `sqlite3` program answers, if there is one.
fn sqlite3(file: &Path, query: &str) -> Option<String> {
    tool(Command::new("sqlite3").arg("--version"))?;
    let ran = Command::new("sqlite3").arg("-batch").arg(file).arg(query).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    Some(String::from_utf8(ran.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn a_snapshot_becomes_json_lines_in_a_file_or_a_pipe() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    let said = place.ok("restore one out.jsonl --to-jsonl");
    assert!(said.starts_with("one  to ") && said.contains("2,013 entries"), "{said}");
    assert_eq!(fs::metadata(place.path("out.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(place.path("out.jsonl")).unwrap();
    let all = lines(&text);
    assert_eq!(all.len(), 4 + 2013 + 1);
    let head = r#"{"table":"accounts","kind":"table","entries":2000,"key_type":"&str","value_type":"u64"}"#;
    let first = r#"{"table":"accounts","kind":"table","key":"account-0000","value":0}"#;
    assert_eq!(text.lines().take(2).collect::<Vec<_>>(), [head, first]);
    assert!(text.contains("{\"table\":\"blobs\",\"kind\":\"table\",\"key\":1,\"value\":\"ff000a\"}\n"));
    assert!(text.contains("{\"table\":\"tags\",\"kind\":\"multimap\",\"key\":\"even\",\"value\":8}\n"));
    let last = all.last().unwrap();
    assert_eq!((&last["snapshot"], &last["entries"]), (&"one".into(), &2013.into()));
    assert_eq!(last["id"], place.json("snapshots")[0]["id"]);

    let piped = place.run("restore one - --to-jsonl --json");
    assert_eq!(piped.code, Some(0), "{piped:?}");
    assert!(piped.stdout == text.as_bytes());
    let told = &lines(&piped.stderr)[0];
    assert_eq!(
        (&told["type"], &told["to"], &told["form"]),
        (&"restored".into(), &Value::Null, &"jsonl".into())
    );
    place.ok("export one one.archive");
    let archived = place.run("restore --archive one.archive - --to-jsonl -q");
    assert!(archived.stdout == text.as_bytes() && archived.stderr.is_empty(), "{}", archived.stderr);
    let some = place.run("restore one - --to-jsonl --table tags -q");
    assert_eq!(String::from_utf8(some.stdout).unwrap().lines().count(), 1 + 10 + 1);

    // Whoever has seen enough may go.
    let mut command = place.command(["restore", "one", "-", "--to-jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_snapshot_becomes_a_sqlite_database() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    place.ok("export one one.archive");
    let restored = &place.json("restore one out.sqlite --to-sqlite")[0];
    assert_eq!((&restored["form"], &restored["entries"]), (&"sqlite".into(), &2013.into()));
    place.ok("restore --archive one.archive same.sqlite --to-sqlite");
    let (out, same) = (place.path("out.sqlite"), place.path("same.sqlite"));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&out).unwrap() == fs::read(&same).unwrap());
    let id = place.json("snapshots")[0]["id"].as_str().unwrap().to_owned();
    for (query, answer) in [
        ("PRAGMA integrity_check", "ok"),
        ("SELECT count(*), sum(value), max(key) FROM accounts", "2000|1999000|account-1999"),
        ("SELECT hex(value) FROM blobs WHERE key = 1", "FF000A"),
        ("SELECT length(value), typeof(value) FROM blobs WHERE key = 2", "3000000|blob"),
        ("SELECT group_concat(value) FROM tags WHERE key = 'odd'", "1,3,5,7,9"),
        ("SELECT value FROM strongroom WHERE name = 'id'", &id),
        ("SELECT value LIKE '%left-behind%savepoints%' FROM strongroom WHERE name = 'labels'", "1"),
        (
            "SELECT kind, key_type, value_type, entries FROM strongroom_tables WHERE name = 'tags'",
            "multimap|&str|u64|10",
        ),
    ] {
        let Some(said) = sqlite3(&out, query) else { return };
        assert_eq!(said, answer, "{query}");
    }
}

#[test]
fn what_is_there_stays_and_what_makes_no_sense_is_refused() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    for form in ["--to-jsonl", "--to-sqlite"] {
        fs::write(place.path("out"), "mine").unwrap();
        place.fails(&format!("restore one out {form}"), 1, &["out", "exists", "--force"]);
        place.fails(&format!("restore nothing new {form}"), 1, &["nothing"]);
        place.fails(&format!("restore one new {form} --table nothing"), 1, &["nothing"]);
        assert_eq!(fs::read(place.path("out")).unwrap(), b"mine");
        place.ok(&format!("restore one out {form} --force"));
        assert!(fs::metadata(place.path("out")).unwrap().len() > 1000);
    }
    for wrong in ["restore one -", "restore one - --to-sqlite", "restore one - --to-jsonl --skip-damaged"] {
        place.fails(wrong, 2, &["file"]);
    }
    place.fails("restore one new --to-jsonl --to-sqlite", 2, &["--to-sqlite"]);
    let there: Vec<_> = place.files(".").into_keys().filter(|path| path.ends_with("new")).collect();
    assert!(there.is_empty() && !place.path("-").exists(), "{there:?}");
}

#[test]
fn a_run_that_is_killed_leaves_nothing_of_that_name() {
    let place = Place::empty();
    let db = Database::create(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut blobs = txn.open_table(BLOBS).unwrap();
        for i in 0..40_000 {
            blobs.insert(i, random(u64::from(i), 3000).as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
    drop(db);
    place.ok("backup app.redb --name one");
    for (form, name) in [("--to-jsonl", "out.jsonl"), ("--to-sqlite", "out.sqlite")] {
        let partial = place.path(&format!("{name}.strongroom-partial"));
        let mut child = place.command(["restore", "one", name, form]).spawn().unwrap();
        let began = Instant::now();
        while !fs::metadata(&partial).is_ok_and(|metadata| metadata.len() > 1 << 20) {
            assert!(began.elapsed() < Duration::from_secs(60), "it never began");
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it could be killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!place.path(name).exists());
        // What it left is in nobody's way.
        place.ok(&format!("restore one {name} {form}"));
        assert!(place.path(name).exists() && !partial.exists());
    }
}

const OLD: redb2::TableDefinition<'_, &str, u64> = redb2::TableDefinition::new("accounts");
const OLD_TAGS: redb2::MultimapTableDefinition<'_, &str, u64> = redb2::MultimapTableDefinition::new("tags");

#[test]
fn a_database_in_file_format_2_is_migrated_by_backup_and_restore() {
    let place = Place::empty();
    let path = place.path("old.redb");
    let old = redb2::Database::create(&path).unwrap();
    let txn = old.begin_write().unwrap();
    txn.persistent_savepoint().unwrap();
    {
        let mut accounts = txn.open_table(OLD).unwrap();
        let mut tags = txn.open_multimap_table(OLD_TAGS).unwrap();
        for i in 0..2000 {
            accounts.insert(format!("account-{i:04}").as_str(), i).unwrap();
            tags.insert(["odd", "even"][i as usize % 2], i).unwrap();
        }
    }
    txn.commit().unwrap();
    place.fails("backup old.redb --name one", 11, &["old.redb", "open in another process"]);
    drop(old);
    let before = fs::read(&path).unwrap();
    let files = place.files("old.redb");
    assert_eq!((before[64], before[192]), (2, 2), "the file formats of its commit slots");

    let first = &place.json("backup old.redb --name one")[0];
    let second = &place.json("backup old.redb --name two")[0];
    assert_eq!(first["id"], second["id"]);
    assert!(second["bytes_added"].as_u64().unwrap() < 2000, "{second}");
    let shown = place.ok("snapshots one");
    for word in ["left-behind", "savepoints", "opened", "file format 2", "4,000"] {
        assert!(shown.contains(word), "{word} is not in {shown}");
    }
    place.ok("verify one --against old.redb");
    place.ok("drill one");
    place.ok("diff one old.redb");
    place.ok("restore one new.redb");
    assert!(fs::read(&path).unwrap() == before && place.files("old.redb") == files, "it was written to");

    let new = Database::open(place.path("new.redb")).unwrap();
    let bytes = fs::read(place.path("new.redb")).unwrap();
    assert_eq!((bytes[64], bytes[192]), (3, 3));
    let txn = new.begin_read().unwrap();
    assert_eq!(txn.open_table(ACCOUNTS).unwrap().get("account-0007").unwrap().unwrap().value(), 7);
    assert_eq!(txn.open_multimap_table(TAGS).unwrap().len().unwrap(), 2000);
    drop((txn, new));
    // The same data of redb 4 has the same id.
    assert_eq!(place.json("backup new.redb --name three")[0]["id"], first["id"]);
}

#[test]
fn formats_that_nobody_reads_are_named() {
    let place = Place::small();
    let bytes = fs::read(place.path("app.redb")).unwrap();
    for version in [1, 4] {
        let mut bytes = bytes.clone();
        (bytes[64], bytes[192]) = (version, version);
        fs::write(place.path("app.redb"), bytes).unwrap();
        place.fails("backup app.redb", 1, &["app.redb", &format!("file format {version}")]);
        assert!(!place.path("backups").exists());
    }
}

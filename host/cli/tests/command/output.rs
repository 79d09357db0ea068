//! What is printed: for people, for programs, into pipes.

use std::io::Read;
use std::process::Stdio;

use redb::Database;

use crate::place::{ACCOUNTS, Place, lines};

#[test]
fn every_verb_speaks_json() {
    let place = Place::new();
    let made = &place.json("backup app.redb --name one --position head/slot")[0];
    assert_eq!(
        (&made["type"], &made["name"], &made["position"]),
        (&"snapshot".into(), &"one".into(), &345.into())
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(id.len(), 64);
    let listed = place.json("snapshots");
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &made["id"]));
    let tables = place.json("tables latest");
    assert_eq!(tables.len(), 4);
    assert_eq!(tables[0]["key_type"], "&str");
    assert_eq!(tables[3]["multimap"], true);
    let entries = place.json(&format!("cat {} accounts", &id[..8]));
    assert_eq!(entries.len(), 2000);
    assert_eq!(
        entries[7].to_string(),
        r#"{"key":"account-0007","type":"entry","value":"7","value_b64":"BwAAAAAAAAA="}"#
    );
    assert_eq!(place.json("get one blobs 1")[0]["value_b64"], "/wAK");
    let verified = &place.json("verify --read-data")[0];
    assert_eq!((&verified["type"], &verified["damage"]), (&"verified".into(), &0.into()));
    assert!(verified["bytes"].as_u64().unwrap() > 1_000_000);
    let restored = &place.json("restore one out.redb")[0];
    assert_eq!((&restored["type"], &restored["entries"]), (&"restored".into(), &2013.into()));
}

#[test]
fn errors_are_json_too() {
    let place = Place::empty();
    for (args, code, exit) in [
        ("snapshots", "no-repository", 10),
        ("backup missing.redb", "not-found", 1),
        ("frobnicate", "usage", 2),
        ("verify --sample 7", "usage", 2),
        ("backup $NO_SUCH_VARIABLE/x", "usage", 2),
    ] {
        let ran = place.run(&format!("{args} --json"));
        assert_eq!((ran.code, ran.stdout.len()), (Some(exit), 0), "{args}");
        let said = &lines(&ran.stderr)[0];
        assert_eq!(
            (&said["type"], &said["code"], &said["exit"]),
            (&"error".into(), &code.into(), &exit.into()),
            "{args}"
        );
        assert!(!said["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn keys_are_found_in_the_words_of_their_types() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    assert_eq!(place.ok("get one accounts account-0042"), "42\n");
    assert_eq!(place.ok("get one accounts 0x6163636f756e742d30303432"), "42\n");
    assert_eq!(place.ok("get one blobs 1"), "0xff000a\n");
    assert_eq!(place.ok("get one blobs 0x01000000"), "0xff000a\n");
    assert_eq!(place.run("get one blobs 1 --raw").stdout, [0xff, 0, 0x0a]);
    assert_eq!(place.run("get one blobs 2 --raw").stdout.len(), 3_000_000);
    assert_eq!(place.ok("get one tags odd"), "1\n3\n5\n7\n9\n");
    place.fails("get one accounts nobody", 1, &["nobody", "accounts", "one"]);
    place.fails("get one blobs 0x05000000", 1, &["blobs"]);
    place.fails("get one blobs x", 1, &["u32", "0x"]);
    place.fails("get one blobs -1", 1, &["u32"]);
    place.fails("get one nothing x", 1, &["nothing", "accounts, blobs, head, tags"]);
}

#[test]
fn tables_are_printed_as_text() {
    let place = Place::new();
    let db = Database::open(place.path("app.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(ACCOUNTS).unwrap().insert("\x1b[31m\t\n", 1).unwrap();
    txn.commit().unwrap();
    drop(db);
    place.ok("backup app.redb --name one");
    let printed = place.ok("cat one accounts");
    assert_eq!(printed.lines().count(), 2001);
    assert!(printed.starts_with("\\u{1b}[31m\\t\\n\t1\naccount-0000\t0\n"), "{}", &printed[..60]);
    let tables = place.ok("tables one");
    let rows: Vec<&str> = tables.lines().collect();
    assert_eq!(rows.len(), 5);
    assert!(rows[0].starts_with("NAME      KIND      ENTRIES"), "{tables}");
    assert!(rows[4].starts_with("tags      multimap       10"), "{tables}");
}

#[test]
fn a_pipe_gets_no_progress_and_quiet_says_nothing() {
    let place = Place::new();
    let ran = place.run("backup app.redb --name one");
    assert_eq!(ran.stderr, "");
    assert_eq!(String::from_utf8(ran.stdout).unwrap().lines().count(), 1);
    for args in ["backup app.redb --name two -q", "verify -q", "restore two out.redb -q"] {
        assert_eq!(place.ok(args), "", "{args}");
    }
    // Asked for, so not left out.
    assert_eq!(place.ok("get two accounts account-0001 -q"), "1\n");
    let ran = place.run("backup app.redb --name three -v");
    assert!(ran.stderr.contains("Writing backup database.") && ran.stderr.contains("three"), "{ran:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    for args in ["cat one accounts", "cat one accounts --json", "get one blobs 2", "help backup", "--help"] {
        let mut command = place.command(args.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut some = [0; 16];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0), "{args}: {ended:?}");
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let place = Place::empty();
    let help = place.ok("--help");
    assert!(help.contains("EXIT CODES") && help.contains("interrupted"), "{help}");
    let verbs = help.lines().skip_while(|line| *line != "Verbs:").skip(1).take_while(|line| !line.is_empty());
    // What a verb is, may take more lines, which stand further in.
    let verbs = verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs: Vec<&str> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 15 && verbs.contains(&"backup") && verbs.contains(&"help"), "{verbs:?}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help").chain(["policy check", "policy simulate"]) {
        let help = place.ok(&format!("help {verb}"));
        assert!(help.contains("EXAMPLES:\n    strongroom "), "{help}");
    }
}

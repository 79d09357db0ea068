//! What errors say: each kind of them, found out by trying all of its cases.
//!
//! What no error says is looked at wherever a test makes the command fail: [`crate::place::Ran::failed`].

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use redb::Database;

use crate::place::{Place, Ran, random, sound_words};

/// Runs the command with these variables set.
fn with(place: &Place, variables: &[(&str, &str)], args: &[&str]) -> Ran {
    place.command(args.iter().copied()).envs(variables.iter().copied()).output().unwrap().into()
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = place
        .path("")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The whole-file damage that a database is found with, by what it is called.
fn damaged(sound: &[u8]) -> Vec<(String, Vec<u8>)> {
    let cuts =
        [0, 5, 9, 100, 319, 320, 4095, 4096, 8192, 12_288, sound.len() / 4, sound.len() / 2, sound.len() - 1];
    let cut = cuts.into_iter().map(|end| (format!("cut after {end}"), sound[..end].to_vec()));
    let flipped = (0..24).map(|i| {
        let (at, mut bytes) = (4096 + i * (sound.len() - 4096) / 24, sound.to_vec());
        for byte in &mut bytes[at..][..64] {
            *byte ^= 0x55;
        }
        (format!("changed at {at}"), bytes)
    });
    let noise = |from: usize, len: usize| {
        let mut bytes = sound.to_vec();
        bytes[from..][..len].copy_from_slice(&random(7, len));
        (format!("noise from {from}"), bytes)
    };
    let all = cut.chain(flipped);
    all.chain([noise(9, 300), noise(64, 100), noise(320, 3000), noise(4096, sound.len() - 4096)]).collect()
}

#[test]
fn errors_of_reading_name_the_database_and_not_the_repository() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    place.ok("backup app.redb --repo other --name one");
    let sound = fs::read(place.path("app.redb")).unwrap();
    let mut failed = 0;
    for (damage, bytes) in damaged(&sound) {
        for args in [
            "backup app.redb --repo other --full-scan",
            "backup app.redb --repo other",
            "backup app.redb --repo other --position head/slot",
            "backup app.redb --repo new",
            "verify --against app.redb",
            "diff latest app.redb",
        ] {
            fs::write(place.path("app.redb"), &bytes).unwrap();
            let ran = place.run(args);
            if ran.code == Some(0) {
                continue;
            }
            failed += 1;
            assert!(matches!(ran.code, Some(1 | 12)), "{damage}, {args}: {ran:?}");
            let said = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
            assert!(said.contains("app.redb"), "{damage}, {args}: {said}");
            for repository in ["backups", "other", "/new"] {
                assert!(!said.contains(repository), "{damage}, {args}: {said}");
            }
            sound_words(&ran.stderr);
        }
    }
    assert!(failed > 100, "{failed}");
    fs::write(place.path("app.redb"), &sound).unwrap();
    place.ok("verify --read-data");
}

#[test]
fn a_database_that_was_cut_off_says_so() {
    let place = Place::small();
    let sound = fs::read(place.path("app.redb")).unwrap();
    for end in [8192, sound.len() / 2] {
        fs::write(place.path("app.redb"), &sound[..end]).unwrap();
        place.fails("backup app.redb", 12, &["app.redb", "cut off"]);
    }
}

#[test]
fn a_database_of_redb_0_is_old_and_not_new() {
    let place = Place::empty();
    let slots: [&[usize]; 3] = [&[64, 192], &[128, 256], &[128, 320]];
    for (slots, version) in slots.iter().flat_map(|slots| [100, 107, 121].map(|version| (slots, version))) {
        let mut file = b"redb\x1a\x0a\xa9\x0d\x0a".to_vec();
        file.resize(1 << 16, 0);
        slots.iter().for_each(|slot| file[*slot] = version);
        fs::write(place.path("old.redb"), file).unwrap();
        let said = place.fails("backup old.redb", 1, &["old.redb", &version.to_string(), "redb before 1.0"]);
        assert!(!said.contains("newer"), "{said}");
    }
    let mut file = b"redb\x1a\x0a\xa9\x0d\x0a".to_vec();
    file.resize(1 << 16, 0);
    (file[64], file[192]) = (4, 4);
    fs::write(place.path("new.redb"), file).unwrap();
    place.fails("backup new.redb", 1, &["new.redb", "newer"]);
}

#[test]
fn an_option_that_comes_from_a_variable_is_named_as_the_variable() {
    let place = Place::small();
    for (variable, option, value) in [
        ("STRONGROOM_REPO", "--repo", ""),
        ("STRONGROOM_CONFIG", "--config", ""),
        ("STRONGROOM_MEMORY", "--memory", ""),
        ("STRONGROOM_TIMEOUT", "--timeout", ""),
        ("STRONGROOM_MEMORY", "--memory", "lots"),
        ("STRONGROOM_TIMEOUT", "--timeout", "0"),
    ] {
        for verb in [&["backup", "app.redb"][..], &["snapshots"], &["snapshots", "--json"]] {
            let ran = with(&place, &[(variable, value)], verb);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            let words = if value.is_empty() { "empty" } else { value };
            for word in [variable, option, words] {
                assert!(ran.stderr.contains(word), "{word} {ran:?}");
            }
        }
    }
    assert_eq!(names(&place), ["app.redb"]);
    // What is given goes before it.
    let ran = with(&place, &[("STRONGROOM_REPO", "")], &["backup", "app.redb", "--repo", "given"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = with(&place, &[("STRONGROOM_MEMORY", "9999")], &["snapshots", "--memory", "lots"]);
    assert!(ran.code == Some(2) && !ran.stderr.contains("STRONGROOM"), "{ran:?}");
    assert_eq!(with(&place, &[("STRONGROOM_REPO", "")], &["--help"]).code, Some(0));
}

#[test]
fn a_name_with_a_dollar_sign_that_exists_is_meant_as_it_is() {
    let place = Place::small();
    for (literal, meant) in
        [("$HOME.redb", "$HOME.redb"), ("${X}.redb", "${X}.redb"), ("a$NO_SUCH.redb", "a$NO_SUCH.redb")]
    {
        fs::copy(place.path("app.redb"), place.path(literal)).unwrap();
        let ran = with(&place, &[], &["backup", literal, "--repo", "b", "--source", "x", "--full-scan"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(place.path(meant).exists());
        fs::remove_file(place.path(literal)).unwrap();
        let ran = with(&place, &[], &["backup", literal, "--repo", "b", "--source", "x"]);
        assert!(ran.code != Some(0), "{ran:?}");
    }
    // Where there is none, it is filled in.
    let home = place.path("").to_string_lossy().into_owned();
    let ran = with(
        &place,
        &[("PLACE", &home)],
        &["backup", "$PLACE/app.redb", "--repo", "${PLACE}/b", "--source", "y"],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(&place), ["app.redb", "b"]);
}

#[test]
fn an_address_makes_no_directory() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    fs::write(place.path("p.wasm"), "").unwrap();
    let before = names(&place);
    for address in [
        "s3://bucket/x",
        "S3://bucket",
        "gs://b/x",
        "az://b",
        "sftp://h/x",
        "rest:http://h/",
        "file:///tmp/x",
    ] {
        let refused = |ran: Ran| {
            let said = ran.failed(2, &[address, "not supported", "directory"]);
            assert_eq!(names(&place), before, "{said}");
        };
        for args in [
            &["backup", "app.redb", "--repo", address][..],
            &["snapshots", "--repo", address],
            &["import", "p.wasm", "--repo", address],
            &["prune", "--repo", address],
            &["drill", "--repo", address],
            &["backup", address],
            &["verify", "--against", address],
            &["restore", "one", address],
            &["export", "one", address],
            &["report", "--html", address],
            &["component", address],
        ] {
            refused(with(&place, &[], args));
        }
        for verb in [&["backup", "app.redb"][..], &["snapshots"]] {
            refused(with(&place, &[("STRONGROOM_REPO", address)], verb));
            fs::write(place.path("set.toml"), format!("repo = {address:?}\n")).unwrap();
            let ran = with(&place, &[], &[verb, &["--config", "set.toml"]].concat());
            fs::remove_file(place.path("set.toml")).unwrap();
            refused(ran);
        }
    }
}

#[test]
fn a_file_after_which_nothing_can_be_named_says_how_to_name_it() {
    let place = Place::small();
    let long = format!("{}.redb", "x".repeat(190));
    let wrong = [
        ".x.redb",
        ".redb",
        "-x.redb",
        " x.redb",
        "tmp-x.redb",
        "a\\b.redb",
        &long,
        "a\nb.redb",
        "a\u{7}.redb",
    ];
    let wrong = wrong.map(OsString::from).into_iter().chain([OsString::from_vec(b"\xff\xfe.redb".to_vec())]);
    for name in wrong {
        let file = place.path("").join(&name);
        fs::copy(place.path("app.redb"), &file).unwrap();
        let run = |more: &[&str]| -> Ran {
            let mut command = place.command(["backup", "--repo", "b"]);
            command.args(more).arg("--").arg(&file).output().unwrap().into()
        };
        let said = run(&[]).stderr;
        // A source that cannot be is refused before a name is made of it.
        let no_source = name.to_string_lossy().contains(char::is_control);
        assert!(said.contains("--source") && (no_source || said.contains("--name")), "{name:?}: {said}");
        assert!(!place.path("b/snapshots").exists(), "{name:?}");
        // The remedy works.
        let ran = run(&["--source", "app"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        fs::remove_dir_all(place.path("b")).unwrap();
        fs::remove_file(&file).unwrap();
    }
    // A name that was given is another matter.
    let said = place.fails("backup app.redb --name {nonsense}", 1, &["{nonsense}"]);
    assert!(!said.contains("--source"), "{said}");
}

#[test]
fn force_is_advised_where_it_helps_and_only_there() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    fs::create_dir(place.path("dir")).unwrap();
    symlink("nowhere", place.path("dangling")).unwrap();
    symlink("app.redb", place.path("link")).unwrap();
    let _socket = UnixListener::bind(place.path("socket")).unwrap();
    fs::copy(place.path("app.redb"), place.path("open")).unwrap();
    let _open = Database::open(place.path("open")).unwrap();
    let make = |to: &str| fs::write(place.path(to), "something").unwrap();
    let verbs = [
        "restore one OUT",
        "restore one OUT --to-jsonl",
        "restore one OUT --to-sqlite",
        "export one OUT",
        "component OUT",
        "component --composed OUT",
        "report --html OUT",
        "policy simulate --every 1d --for 9d --keep-last 1 --svg OUT",
    ];
    for verb in verbs {
        for to in ["dir", "dangling", "link", "socket", "open", "file"] {
            make("file");
            let args: Vec<&str> = verb.split(' ').map(|arg| if arg == "OUT" { to } else { arg }).collect();
            let ran = with(&place, &[], &args);
            if ran.code == Some(0) {
                continue;
            }
            let said = ran.failed(1, &[to]);
            let forced = with(&place, &[], &[&args[..], &["--force"]].concat());
            let helps = forced.code == Some(0);
            assert_eq!(said.contains("--force"), helps, "{args:?}: {said} {forced:?}");
        }
    }
}

#[test]
fn what_the_repository_answers_is_told_in_plain_words() {
    let place = Place::small();
    place.ok("backup app.redb --name one");
    let read = [
        "snapshots",
        "verify",
        "restore one x.redb",
        "tables one",
        "export one x.archive",
        "diff one app.redb",
    ];
    let write = ["backup app.redb", "forget one --allow-empty", "prune", "repair"];
    let mut failed = 0;
    for spoilt in ["packs", "index", "snapshots", "repository.json", "snapshots/one.json", "lock"] {
        let (path, aside) = (place.path("backups").join(spoilt), place.path("aside"));
        for how in ["loop", "dangling", "file", "directory", "away", "closed"] {
            let there = fs::rename(&path, &aside).is_ok();
            match how {
                "loop" => symlink(path.file_name().unwrap(), &path).unwrap(),
                "dangling" => symlink("/nowhere/at/all", &path).unwrap(),
                "file" => fs::write(&path, "something").unwrap(),
                "directory" => fs::create_dir(&path).unwrap(),
                "closed" => {
                    fs::create_dir(&path).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
                }
                _ => {}
            }
            for args in read.iter().chain(&write) {
                let _ = fs::remove_file(place.path("x.redb"));
                let _ = fs::remove_file(place.path("x.archive"));
                let ran = place.run(args);
                if ran.code != Some(0) {
                    failed += 1;
                    sound_words(&ran.stderr);
                }
                if spoilt != "lock" && args.contains("repair") {
                    break;
                }
            }
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
            if there {
                fs::rename(&aside, &path).unwrap();
            }
            let _ = fs::remove_dir_all(place.path("backups"));
            place.ok("backup app.redb --name one");
        }
    }
    assert!(failed > 100, "{failed}");
}

#[test]
fn compiled_code_that_cannot_be_kept_is_said_once() {
    let place = Place::small();
    fs::write(place.path("file"), "").unwrap();
    let file = place.path("file").to_string_lossy().into_owned();
    for (variables, removed) in [
        (&[("XDG_CACHE_HOME", file.as_str())][..], &[][..]),
        (&[("HOME", "/dev/null")], &["XDG_CACHE_HOME"]),
        (&[("HOME", "relative")], &["XDG_CACHE_HOME"]),
        (&[], &["XDG_CACHE_HOME", "HOME"]),
    ] {
        let run = |args: &[&str]| -> Ran {
            let mut command = place.command(args.iter().copied());
            for name in removed {
                command.env_remove(name);
            }
            command.envs(variables.iter().copied()).output().unwrap().into()
        };
        let ran = run(&["backup", "app.redb", "--full-scan"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let [line] = lines[..] else { panic!("{ran:?}") };
        assert!(line.starts_with("warning: ") && line.contains("XDG_CACHE_HOME"), "{line}");
        assert_eq!(run(&["snapshots", "-q"]).stderr, "");
    }
    // With one there is nothing to say.
    place.ok("snapshots");
}

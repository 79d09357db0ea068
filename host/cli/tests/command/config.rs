//! `strongroom.toml`, the environment, and colours.

use std::fs;

use crate::place::{Place, Ran};

fn with(place: &Place, text: &str) {
    fs::write(place.path("strongroom.toml"), text).unwrap();
}

#[test]
fn the_file_is_asked_where_nothing_else_is_given() {
    let place = Place::new();
    with(
        &place,
        "repo = \"from-file\"\n[backup]\nname = \"of-file\"\nsource = \"ledger\"\ntable = [\"acc*\", \"head\"]\n",
    );
    place.ok("init");
    let made = &place.json("backup app.redb")[0];
    assert_eq!(
        (&made["name"], &made["source"], &made["tables"]),
        (&"of-file".into(), &"ledger".into(), &2.into())
    );
    assert!(place.path("from-file/snapshots/of-file.json").exists());
    // The environment goes before the file, the command line before both.
    let run = |args: &str| -> Ran {
        let mut command = place.command(args.split_whitespace());
        command.env("STRONGROOM_REPO", "from-env").output().unwrap().into()
    };
    assert_eq!(run("backup app.redb --init").code, Some(0));
    assert!(place.path("from-env/snapshots/of-file.json").exists());
    assert_eq!(run("backup app.redb --repo from-flag --name given --table tags").code, Some(0));
    let listed = &place.json("snapshots --repo from-flag")[0];
    assert_eq!((&listed["name"], &listed["tables"]), (&"given".into(), &1.into()));
}

#[test]
fn a_repository_that_settings_or_the_environment_name_is_not_made_in_silence() {
    let place = Place::new();
    let named = |args: &str| -> Ran {
        let mut command = place.command(args.split_whitespace());
        command.env("STRONGROOM_REPO", "mnt/disk/backups").output().unwrap().into()
    };
    place.ok("backup app.redb --name first --repo elsewhere");
    place.ok("export first app.archive --repo elsewhere");
    for empty_directory in [false, true] {
        if empty_directory {
            fs::create_dir_all(place.path("mnt/disk/backups")).unwrap();
        }
        for args in ["backup app.redb", "import app.archive"] {
            named(args)
                .failed(10, &["mnt/disk/backups", "STRONGROOM_REPO", "strongroom init", "--init", "mount"]);
            with(&place, "repo = \"mnt/disk/backups\"");
            place.fails(args, 10, &["mnt/disk/backups", "settings", "strongroom init"]);
            fs::remove_file(place.path("strongroom.toml")).unwrap();
        }
        assert_eq!(place.path("mnt").exists(), empty_directory);
        assert!(!place.path("mnt/disk/backups/repository.json").exists());
    }
    fs::remove_dir_all(place.path("mnt")).unwrap();
    // What is advised has an effect, and once is enough; a second time says so.
    let made = named("init");
    assert!(
        made.code == Some(0) && String::from_utf8_lossy(&made.stdout).contains("is a repository now"),
        "{made:?}"
    );
    let files =
        || place.files("mnt/disk/backups").into_iter().filter(|(path, _)| path.is_file()).collect::<Vec<_>>();
    let before = files();
    let again = named("init");
    assert!(again.code == Some(0) && String::from_utf8_lossy(&again.stdout).contains("already"), "{again:?}");
    assert_eq!(files(), before);
    assert_eq!(named("backup app.redb").code, Some(0));
    fs::remove_dir_all(place.path("mnt")).unwrap();
    assert_eq!(named("backup app.redb --init").code, Some(0));
    assert_eq!(named("import app.archive").code, Some(0));
    assert_eq!(named("verify --read-data").code, Some(0));
    place.fails("init --repo app.redb", 1, &["app.redb"]);
    // The command line is taken at its word, and so is the default.
    place.ok("backup app.redb --repo given");
    place.ok("backup app.redb");
}

#[test]
fn a_file_that_is_named_goes_before_the_one_that_is_here() {
    let place = Place::new();
    with(&place, "nonsense");
    fs::write(place.path("other.toml"), "[backup]\nname = \"other\"\n").unwrap();
    place.ok("backup app.redb --config other.toml");
    place.ok("--config other.toml snapshots");
    assert!(place.path("backups/snapshots/other.json").exists());
    let ran = place.command(["snapshots"]).env("STRONGROOM_CONFIG", "other.toml").output().unwrap();
    assert!(ran.status.success());
    place.fails("snapshots --config missing.toml", 2, &["missing.toml"]);
    place.fails("snapshots", 2, &["strongroom.toml", "line 1"]);
}

#[test]
fn what_is_given_rules_out_what_the_file_has() {
    let place = Place::new();
    with(&place, "[verify]\nsample = \"5%\"\n[forget]\nkeep-last = 1\n[backup]\nname = \"{source}-{seq}\"\n");
    for _ in 0..3 {
        place.ok("backup app.redb");
    }
    let sampled = place.json("verify")[0]["bytes"].as_u64().unwrap();
    assert!(place.json("verify --read-data")[0]["bytes"].as_u64().unwrap() > sampled);
    place.ok("forget app-1");
    assert_eq!(place.json("snapshots").len(), 2);
    place.ok("forget");
    assert_eq!(place.json("snapshots").len(), 1);
}

#[test]
fn a_file_that_makes_no_sense_is_a_mistake_of_usage_and_nothing_is_done() {
    let place = Place::new();
    for (text, words) in [
        ("[backup]\nnaem = \"x\"", ["backup.naem", "name"]),
        ("[bakcup]\nname = \"x\"", ["[bakcup]", "backup"]),
        ("memory = 0", ["memory", "0"]),
        ("[backup]\naccept = true", ["backup.accept", "--accept"]),
        ("component = \"x.wasm\"", ["component", "for good"]),
        ("no-landlock = true", ["no-landlock", "for good"]),
        ("[backup]\nthreads = \"all\"", ["backup.threads", "all"]),
    ] {
        with(&place, text);
        place.fails("backup app.redb", 2, &[&["strongroom.toml"], &words[..]].concat());
        assert!(!place.path("backups").exists(), "{text}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_everybody_can_change_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    with(&place, "");
    fs::set_permissions(place.path("strongroom.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    place.fails("snapshots", 2, &["strongroom.toml", "chmod o-w"]);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let place = Place::empty();
    let said = |variables: &[(&str, &str)]| {
        let mut command = place.command(["snapshots"]);
        let ran: Ran = command.envs(variables.iter().copied()).output().unwrap().into();
        assert_eq!(ran.code, Some(10));
        ran.stderr
    };
    assert!(said(&[]).starts_with("error: "), "a pipe");
    assert!(said(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1;31merror:\u{1b}[0m "));
    assert!(said(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).starts_with("error: "));
}

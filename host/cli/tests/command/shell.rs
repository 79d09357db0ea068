//! Completions and manual pages, and the nearest name to one that is mistyped.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::place::Place;

const VERBS: [&str; 22] = [
    "backup",
    "cat",
    "completions",
    "component",
    "demo",
    "diff",
    "drill",
    "export",
    "forget",
    "get",
    "import",
    "man",
    "policy",
    "prune",
    "repair",
    "report",
    "restore",
    "run",
    "snapshots",
    "tables",
    "verify",
    "help",
];

#[test]
fn every_shell_learns_every_verb_and_takes_the_script() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.ok(&format!("completions {shell}"));
        for verb in VERBS {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
        assert!(script.contains("--keep-daily") || script.contains("keep-daily"), "{shell}");
        // Where the shell is, it must take the script.
        let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn() else { continue };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{shell} does not take its script");
    }
}

#[test]
fn fish_completes_verbs_options_and_shells() {
    let place = Place::empty();
    std::fs::write(place.path("script"), place.ok("completions fish")).unwrap();
    let complete = |line: &str| {
        let program = format!("source ./script; complete -C '{line}'");
        let fish =
            Command::new("fish").args(["--no-config", "-c", &program]).current_dir(place.path(".")).output();
        fish.map(|ran| String::from_utf8(ran.stdout).unwrap())
    };
    // The first word of a line is what is offered.
    let offers =
        |offered: &str, word: &str| offered.lines().any(|line| line.split_whitespace().next() == Some(word));
    let Ok(verbs) = complete("strongroom re") else { return };
    assert!(offers(&verbs, "restore"), "{verbs}");
    let options = complete("strongroom forget --keep-").unwrap();
    assert!(offers(&options, "--keep-daily"), "{options}");
    let shells = complete("strongroom completions ").unwrap();
    assert!(offers(&shells, "zsh") && !offers(&shells, "script"), "{shells}");
}

#[test]
fn bash_completes_verbs_and_options() {
    let place = Place::empty();
    std::fs::write(place.path("script"), place.ok("completions bash")).unwrap();
    let complete = |words: &str, at: usize| {
        let program = format!(
            "source ./script; COMP_WORDS=({words}); COMP_CWORD={at}; _strongroom strongroom \"${{COMP_WORDS[{at}]}}\" x; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let bash = Command::new("bash").args(["-c", &program]).current_dir(place.path(".")).output();
        bash.map(|ran| String::from_utf8(ran.stdout).unwrap())
    };
    let Ok(verbs) = complete("strongroom re", 1) else { return };
    assert!(verbs.split_whitespace().any(|word| word == "restore"), "{verbs}");
    let options = complete("strongroom forget --keep-", 2).unwrap();
    assert!(options.split_whitespace().any(|word| word == "--keep-daily"), "{options}");
}

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let place = Place::empty();
    assert!(place.ok("man").contains(".TH strongroom 1"));
    place.ok("man pages");
    for verb in VERBS.iter().filter(|verb| **verb != "help") {
        let page = std::fs::read_to_string(place.path(&format!("pages/strongroom-{verb}.1"))).unwrap();
        assert!(page.contains("SYNOPSIS"), "{verb}");
    }
    assert!(std::fs::read_to_string(place.path("pages/strongroom-backup.1")).unwrap().contains("EXAMPLES"));
}

#[test]
fn a_slip_of_the_pen_is_answered_with_the_nearest_name() {
    let place = Place::new();
    place.fails("bakcup app.redb", 2, &["bakcup", "'backup'"]);
    place.fails("forget --keep-dayly 3", 2, &["--keep-dayly", "--keep-daily"]);
}

//! `run`: a plugin over a database, and over a backup of it.

use std::path::PathBuf;

use crate::place::{Place, lines};

/// Exits with this code.
fn exits_with(code: u8) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:cli/exit@0.2.12" (instance $exit
                (export "exit-with-code" (func (param "status-code" u8)))))
            (core func $exit (canon lower (func $exit "exit-with-code")))
            (core module $m
                (import "wasi" "exit" (func $exit (param i32)))
                (func (export "run") (result i32) (call $exit (i32.const {code})) (i32.const 0)))
            (core instance $i (instantiate $m (with "wasi" (instance (export "exit" (func $exit))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $command (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $command)))"#
    );
    wat::parse_str(text).unwrap()
}

/// Runs these instructions and exits with what they leave: 0 is well.
pub(crate) fn does(instructions: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m (func (export "run") (result i32) {instructions}))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $command (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $command)))"#
    );
    wat::parse_str(text).unwrap()
}

fn plugin(place: &Place, name: &str, bytes: &[u8]) -> PathBuf {
    let path = place.path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_exit_code_is_the_plugins() {
    let place = Place::new();
    place.ok("backup app.redb --name one");
    for (name, bytes, code) in [
        ("well.wasm", does("i32.const 0"), 0),
        ("badly.wasm", does("i32.const 1"), 1),
        ("thirteen.wasm", exits_with(13), 13),
        ("ten.wasm", exits_with(10), 10),
    ] {
        plugin(&place, name, &bytes);
        for from in ["--store app.redb", "--snapshot latest"] {
            let ran = place.run(&format!("run {name} {from}"));
            assert_eq!((ran.code, ran.stdout.len(), &*ran.stderr), (Some(code), 0, ""), "{name} {from}");
        }
    }
}

#[test]
fn what_goes_wrong_has_codes_of_the_commands_own() {
    let place = Place::new();
    std::fs::write(place.path("noise.wasm"), "noise").unwrap();
    plugin(&place, "loop.wasm", &does("loop $again br $again end unreachable"));
    plugin(&place, "trap.wasm", &does("unreachable"));
    for (args, exit, code, text) in [
        ("run trap.wasm", 2, "usage", "--store"),
        ("run trap.wasm --store app.redb --snapshot latest", 2, "usage", "--snapshot"),
        ("run trap.wasm --store app.redb --dir data", 2, "usage", "::"),
        ("run trap.wasm --store missing.redb", 1, "not-found", "missing.redb"),
        ("run trap.wasm --snapshot latest", 10, "no-repository", "backups"),
        ("run trap.wasm --store app.redb --dir missing::/data", 1, "not-found", "missing"),
        ("run noise.wasm --store app.redb", 1, "invalid", "noise"),
        ("run trap.wasm --store app.redb", 1, "other", "plugin \"trap\""),
        ("run loop.wasm --store app.redb --timeout 1", 14, "budget", "--timeout"),
        ("run loop.wasm --store app.redb --timeout 1 --no-landlock", 14, "budget", "--timeout"),
    ] {
        let ran = place.run(&format!("{args} --json"));
        assert_eq!(ran.code, Some(exit), "{args}: {}", ran.stderr);
        let said = lines(&ran.stderr).pop().unwrap();
        assert_eq!(said["code"], code, "{args}: {said}");
        assert!(said["message"].as_str().unwrap().contains(text), "{args}: {said}");
    }
}

#[test]
fn the_kernels_wall_is_reported() {
    let place = Place::new();
    plugin(&place, "well.wasm", &does("i32.const 0"));
    let said = place.run("run well.wasm --store app.redb -v").stderr;
    assert!(said.contains("Landlock"), "{said}");
    let said = place.run("run well.wasm --store app.redb -v --no-landlock").stderr;
    assert!(said.contains("--no-landlock"), "{said}");
}

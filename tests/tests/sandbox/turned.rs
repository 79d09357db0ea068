//! The real engine with a few instructions of somebody else's.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom::{Backup, ENGINE, ErrorCode, Repository, Sandbox};

use crate::common::{builder, files_below};
use crate::{assert_unharmed, budgets, state_of, with_a_snapshot};

/// The engine with other instructions at the beginning of one of its exported functions. `IMPORT name` in them stands
/// for the imported function of that name.
fn turned_hostile(function: &str, instructions: &str) -> Sandbox {
    let text = wasmprinter::print_bytes(ENGINE).unwrap();
    let export = &format!("(export \"strongroom:backup/engine@0.1.0#{function}\" (func ");
    let at = text.find(export).expect("the function is exported") + export.len();
    let function = text[at..].split(')').next().unwrap();
    let head = if function.starts_with('$') {
        format!("(func {function} ")
    } else {
        format!("(func (;{function};) ")
    };
    // Within the module that exports it.
    let module = text[..at].rfind("(core module").unwrap();
    let start = module + text[module..].find(&head).expect("the function is defined");
    let mut end = start + text[start..].find('\n').unwrap() + 1;
    while text[end..].trim_start().starts_with("(local ") {
        end += text[end..].find('\n').unwrap() + 1;
    }
    let mut instructions = instructions.to_owned();
    while let Some(at) = instructions.find("IMPORT ") {
        let name = instructions[at + 7..].split_whitespace().next().unwrap();
        let import =
            &text[module..][text[module..].find(&format!("\"{name}\" (func ")).expect("it is imported")..];
        let index = import.split("(;").nth(1).and_then(|rest| rest.split(";)").next()).unwrap();
        instructions = instructions.replace(&format!("IMPORT {name}"), index);
    }
    let hostile = [&text[..end], &instructions, "\n", &text[end..]].concat();
    let budgets = budgets(|budgets| budgets.time = Some(Duration::from_millis(1500)));
    builder().component(wat::parse_str(hostile).unwrap()).budgets(budgets).build().unwrap()
}

#[test]
fn an_engine_that_turned_hostile_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let forever = "loop br 0 end";
    let greedy = "loop i32.const 16 memory.grow drop br 0 end";
    let trap = "unreachable";
    let cases = [
        (forever, ErrorCode::Budget, "--timeout"),
        (greedy, ErrorCode::Budget, "--memory"),
        (trap, ErrorCode::Other, "earlier snapshots are as they were"),
    ];
    for (instructions, code, text) in cases {
        let hostile =
            Repository::with_sandbox(repository.dir(), turned_hostile("snapshots", instructions)).unwrap();
        let started = Instant::now();
        let error = hostile.snapshots().unwrap_err();
        assert_eq!(error.code(), code, "{instructions}: {error}");
        assert!(error.to_string().contains(text), "{instructions}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{instructions} took {:?}", started.elapsed());
        // The functions that were left as they are still work.
        assert_eq!(hostile.find("first").unwrap().name, "first");
    }
    assert_unharmed(&repository, &first);
}

/// Makes a directory of this path, of up to eight bytes, with the rights that the component has.
fn make_directory(path: &str) -> String {
    let mut bytes = [0; 8];
    bytes[..path.len()].copy_from_slice(path.as_bytes());
    format!(
        "(local $page i32)
        i32.const 1 memory.grow i32.const 65536 i32.mul local.set $page
        local.get $page call IMPORT get-directories
        local.get $page i64.const {} i64.store offset=64
        local.get $page i32.load i32.load
        local.get $page i32.const 64 i32.add i32.const {}
        local.get $page i32.const 128 i32.add
        call IMPORT [method]descriptor.create-directory-at",
        i64::from_le_bytes(bytes),
        path.len()
    )
}

#[test]
fn an_engine_that_turned_hostile_writes_nothing_where_it_may_only_read_and_nothing_outside_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, first, _) = with_a_snapshot(dir.path());
    let before = state_of(dir.path());
    for path in ["evil", "../evil", "/evil"] {
        let hostile = turned_hostile("snapshots", &make_directory(path));
        let hostile = Repository::with_sandbox(repository.dir(), hostile).unwrap();
        assert_eq!(hostile.snapshots().unwrap().snapshots.len(), 1, "it was denied, and went on");
        assert!(state_of(dir.path()) == before, "{path}");
    }
    let back_up_with = |path| {
        let hostile = turned_hostile("publish", &make_directory(path));
        let hostile = Repository::with_sandbox(repository.dir(), hostile).unwrap();
        hostile.backup(&Arc::new(first.clone()), &Backup::new().name("next")).unwrap();
        std::fs::remove_file(repository.dir().join("snapshots/next.json")).unwrap();
    };
    for path in ["../evil", "/evil"] {
        back_up_with(path);
        assert!(!files_below(dir.path()).iter().any(|path| path.ends_with("evil")), "{path}");
        assert!(!Path::new("/evil").exists());
    }
    // So that it is the sandbox that denied it: where a verb writes, the same instructions do.
    back_up_with("evil");
    assert!(repository.dir().join("evil").is_dir());
    std::fs::remove_dir(repository.dir().join("evil")).unwrap();
    assert_unharmed(&repository, &first);
}

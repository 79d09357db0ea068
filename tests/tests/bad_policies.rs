//! Policies that do harm, or would: each is stopped by a budget or found out, keeps everything, and is reported.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use strongroom::{Backup, ErrorCode, POLICY, Policy, PolicyBudgets};

use common::map::Maps;
use common::{assert_whole, names, repository};

/// No policy is let run for longer than this, on a busy machine and in the slowest case.
const PATIENCE: Duration = Duration::from_secs(60);

/// The built-in policy, of which one function begins with these instructions. `SELF` in them is that function.
fn turned_bad(function: &str, instructions: &str) -> Policy {
    let text = wasmprinter::print_bytes(POLICY).unwrap();
    let export = &format!("(export \"strongroom:policy/{function}@0.1.0#{function}\" (func ");
    let at = text.find(export).expect("the function is exported") + export.len();
    let name = text[at..].split(')').next().unwrap();
    let head = if name.starts_with('$') { format!("(func {name} ") } else { format!("(func (;{name};) ") };
    let module = text[..at].rfind("(core module").unwrap();
    let start = module + text[module..].find(&head).expect("the function is defined");
    let mut end = start + text[start..].find('\n').unwrap() + 1;
    while text[end..].trim_start().starts_with("(local ") {
        end += text[end..].find('\n').unwrap() + 1;
    }
    let bad = [&text[..end], &instructions.replace("SELF", name), "\n", &text[end..]].concat();
    let budgets = PolicyBudgets::default().memory(200 << 20);
    let builder = Policy::builder().cache_dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    builder.budgets(budgets).bytes("bad.wasm", &wat::parse_str(bad).unwrap()).unwrap()
}

/// An answer: whether it is an error, and where its list or text lies. It stands in what is stack, at 1024.
fn answer(is_error: bool, at: u32, len: u32) -> String {
    format!(
        "i32.const 1024 i32.const {} i32.store8 i32.const 1028 i32.const {at} i32.store i32.const 1032 i32.const {len} \
         i32.store i32.const 1024 return",
        u8::from(is_error)
    )
}

#[test]
fn a_policy_that_misbehaves_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let repository = repository(dir.path().join("backups"));
    for name in ["a", "b", "c"] {
        repository.backup(&Arc::new(Maps::filled(&[("t", 9, 9)])), &Backup::new().name(name)).unwrap();
    }
    let arguments = (0..16).map(|i| format!("local.get {i} ")).collect::<String>();
    let says = |bytes: u64| format!("i32.const 2048 i64.const {bytes} i64.store {}", answer(true, 2048, 8));
    let escapes = u64::from_le_bytes(*b"\x1b[2Ja\nb\t");
    let grow = "i32.const 3000 memory.grow drop ";
    let cases = [
        (
            "loops for ever",
            "loop br 0 end".to_owned(),
            ErrorCode::Budget,
            "units of fuel (2000 and 5 for each of 3",
        ),
        (
            "copies for ever",
            "loop i32.const 0 i32.const 0 i32.const 1000000 memory.copy br 0 end".to_owned(),
            ErrorCode::Budget,
            "--policy-fuel",
        ),
        (
            "calls itself for ever",
            format!("{arguments} call SELF return"),
            ErrorCode::Other,
            "call stack exhausted",
        ),
        (
            "wants all memory",
            "loop i32.const 16 memory.grow drop br 0 end".to_owned(),
            ErrorCode::Budget,
            "memory than its budget of 200 MiB",
        ),
        ("gives up", "unreachable".to_owned(), ErrorCode::Other, "`unreachable`"),
        ("answers at no place", "i32.const -4 return".to_owned(), ErrorCode::Other, "it failed"),
        ("gives no verdict", answer(false, 4096, 0), ErrorCode::Other, "it gave 0 verdicts for 3 snapshots"),
        (
            "gives too many verdicts",
            answer(false, 4096, 4),
            ErrorCode::Other,
            "it gave 4 verdicts for 3 snapshots",
        ),
        (
            "gives 15 million verdicts",
            format!("{grow}{}", answer(false, 8, 15_000_000)),
            ErrorCode::Budget,
            "its answer is larger than the budget of 32 MiB",
        ),
        ("gives more than there is", answer(false, 8, 100_000_000), ErrorCode::Other, "it failed"),
        ("turns the terminal around", says(escapes), ErrorCode::Other, "\\u{1b}[2Ja\\nb\\t"),
        ("says what is no text", says(u64::MAX), ErrorCode::Other, "it failed"),
        ("never stops talking", answer(true, 4096, 900_000), ErrorCode::Other, "it has no answer"),
    ];
    for (what, instructions, code, words) in cases {
        let policy = turned_bad("retain", &instructions);
        let started = Instant::now();
        let plan = repository.retention(&policy, SystemTime::now()).unwrap();
        let took = started.elapsed();
        println!("{what}: {took:?}: {}", plan.failures[0].error);
        assert!(took < PATIENCE, "{what}: {took:?}");
        assert!(plan.to_forget().is_empty(), "{what}");
        assert_eq!(plan.snapshots.len(), 3);
        let [failure] = &plan.failures[..] else { panic!("{what}: {:?}", plan.failures) };
        let said = failure.error.to_string();
        assert_eq!((failure.source.as_str(), failure.error.code()), ("database", code), "{what}: {said}");
        assert!(said.starts_with("policy bad.wasm: ") && said.contains(words), "{what}: {said}");
        assert!(said.len() < 8000 && !said.contains('\u{1b}') && !said.contains('\n'), "{what}: {said}");
    }
    assert_eq!(names(&repository), ["a", "b", "c"]);
    assert_whole(&repository);
}

#[test]
fn a_policy_that_misbehaves_lets_backups_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let repository = repository(dir.path().join("backups"));
    let repository = repository.on_warning(move |warning| tell.lock().unwrap().push(warning.to_owned()));
    let maps = Arc::new(Maps::filled(&[("t", 9, 9), ("u", 9, 9)]));
    for (number, function) in ["select", "admit"].into_iter().enumerate() {
        for (letter, instructions) in
            [('a', "unreachable"), ('b', "loop br 0 end"), ('c', "i32.const -4 return")]
        {
            let policy = turned_bad(function, instructions);
            let name = format!("{number}{letter}");
            let snapshot = repository.backup(&maps, &Backup::new().name(&name).policy(&policy)).unwrap();
            assert_eq!((snapshot.name, snapshot.tables), (name, 2));
            let told = std::mem::take(&mut *told.lock().unwrap());
            assert!(told.len() == 1 && told[0].starts_with("policy bad.wasm: "), "{told:?}");
        }
    }
    assert_eq!(names(&repository).len(), 6);
    assert_whole(&repository);
}

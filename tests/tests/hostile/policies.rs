//! Policies that do harm, or would. What they say does not count then: everything is kept, taken and published, and
//! whoever asked is told.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use strongroom::{Backup, POLICY, Policy, PolicyBudgets, PolicyBuilder};

use crate::common::map::Maps;
use crate::common::{self, assert_whole, names, repository};
use crate::page::Place;
use crate::world::World;
use crate::{Attack, Seen};

/// How policies are loaded here.
pub fn policy() -> PolicyBuilder {
    let budgets = PolicyBudgets::default().fuel(500_000_000).fuel_per_item(0).memory(64 << 20);
    Policy::builder().budgets(budgets).cache_dir(common::cache_dir())
}

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
    policy().bytes("hostile", &wat::parse_str(bad).unwrap()).unwrap()
}

/// An answer: whether it is an error, and where its list or text lies. It stands in what is stack, at 1024.
fn answer(is_error: bool, at: u32, len: u32) -> String {
    format!(
        "i32.const 1024 i32.const {} i32.store8 i32.const 1028 i32.const {at} i32.store i32.const 1032 i32.const {len} \
         i32.store i32.const 1024 return",
        u8::from(is_error)
    )
}

/// What a policy does when it is asked what to keep.
fn instructions() -> Vec<(&'static str, String)> {
    let arguments = (0..16).map(|i| format!("local.get {i} ")).collect::<String>();
    let says = |bytes: u64| format!("i32.const 2048 i64.const {bytes} i64.store {}", answer(true, 2048, 8));
    let grow = "i32.const 800 memory.grow drop ";
    vec![
        ("a loop that calls nothing", "loop br 0 end".to_owned()),
        (
            "copies without end, of a megabyte each",
            "loop i32.const 0 i32.const 0 i32.const 1000000 memory.copy br 0 end".to_owned(),
        ),
        ("a function that calls itself without end", format!("{arguments} call SELF return")),
        ("all the memory there is", "loop i32.const 16 memory.grow drop br 0 end".to_owned()),
        ("the instruction `unreachable`", "unreachable".to_owned()),
        ("an answer at no place", "i32.const -4 return".to_owned()),
        ("no verdict", answer(false, 4096, 0)),
        ("one verdict too many", answer(false, 4096, 2)),
        ("four million verdicts", format!("{grow}{}", answer(false, 8, 4_000_000))),
        ("more verdicts than there is memory", answer(false, 8, 100_000_000)),
        ("sequences that terminals act on", says(u64::from_le_bytes(*b"\x1b[2Ja\n\tb"))),
        ("a reason that is no text", says(u64::MAX)),
        ("a reason of 900,000 bytes", answer(true, 4096, 900_000)),
    ]
}

pub fn attacks() -> Vec<Attack> {
    let attack = |(tried, instructions): (&'static str, String)| Attack {
        place: Place::Policy,
        tried,
        run: Box::new(move |world| retain(world, &turned_bad("retain", &instructions))),
    };
    instructions().into_iter().map(attack).collect()
}

/// Asks what to keep.
fn retain(world: &World, policy: &Policy) -> Seen {
    let plan = world.repository().retention(policy, SystemTime::now()).unwrap();
    if !plan.to_forget().is_empty() || plan.snapshots.len() != 1 {
        return Seen { text: "ESCAPED: something would be forgotten".to_owned(), exit: 0 };
    }
    match &plan.failures[..] {
        [failure] => Seen::of_error(&failure.error),
        other => Seen { text: format!("ESCAPED: it is not told: {other:?}"), exit: 0 },
    }
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
            assert!(told.len() == 1 && told[0].starts_with("policy hostile: "), "{told:?}");
        }
    }
    assert_eq!(names(&repository).len(), 6);
    assert_whole(&repository);
}

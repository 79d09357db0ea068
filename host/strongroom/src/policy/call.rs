//! One question to a policy, in a fresh instance that sees nothing but the question.

use std::time::{Duration, Instant};

use wasmtime::{Store, Trap};

use super::Policy;
use crate::sandbox::{Budgets, Exceeded, Limiter, Memory, advice, is_refusal, readable, root_cause};
use crate::{Error, ErrorCode, Result};

/// No reason is longer.
const REASON_MAX: usize = 500;

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// Fuel that was used.
    pub fuel: u64,
    /// Fuel that there was.
    pub fuel_budget: u64,
    /// How long it took.
    pub time: Duration,
}

/// Asks a policy. `items` is how many snapshots and tables the question names; `ask` makes an instance and calls it.
pub(crate) fn ask<T>(
    policy: &Policy,
    items: usize,
    ask: impl FnOnce(&mut Store<Limiter>) -> wasmtime::Result<std::result::Result<T, String>>,
) -> Result<(T, Cost)> {
    let budgets = policy.budgets();
    let limits =
        Budgets { memory: budgets.memory, table_elements: budgets.table_elements, ..Budgets::default() };
    let mut store = Store::new(&policy.compiled().engine, Limiter::new(Memory::new(budgets.memory), &limits));
    store.limiter(|limiter| limiter);
    store.set_hostcall_fuel(budgets.reply_bytes);
    store.set_max_component_handles(limits.handles);
    let fuel_budget = budgets.fuel_for(items);
    let fueled = store.set_fuel(fuel_budget);
    let started = Instant::now();
    let answer = fueled.and_then(|()| ask(&mut store));
    let time = started.elapsed();
    let fuel = fuel_budget.saturating_sub(store.get_fuel().unwrap_or(0));
    match answer {
        Ok(Ok(answer)) => Ok((answer, Cost { fuel, fuel_budget, time })),
        Ok(Err(said)) => Err(Error::new(
            ErrorCode::Other,
            format!("policy {}: it has no answer: {}", policy.name(), one_line(&said)),
        )),
        Err(e) => Err(failure(policy, items, &e)),
    }
}

/// What ended it: the budget and what raises it, or a trap.
fn failure(policy: &Policy, items: usize, e: &wasmtime::Error) -> Error {
    let (name, budgets) = (policy.name(), policy.budgets());
    let budget = |what: String| Error::new(ErrorCode::Budget, format!("policy {name}: {what}"));
    let trap = e.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        let (base, each) = (budgets.fuel / 1_000_000, budgets.fuel_per_item / 1_000_000);
        return budget(format!(
            "it was not done within its budget of {} million units of fuel ({base} and {each} for each of {items} \
             snapshots and tables). Raise it with --policy-fuel or PolicyBudgets::fuel",
            budgets.fuel_for(items) / 1_000_000
        ));
    }
    match Exceeded::of(e) {
        Some(Exceeded::Memory) => budget(format!(
            "it wanted more memory than its budget of {} MiB. Raise it with --policy-memory or PolicyBudgets::memory",
            budgets.memory >> 20
        )),
        Some(Exceeded::CallBytes) => budget(format!(
            "its answer is larger than the budget of {} MiB. Raise it with PolicyBudgets::reply_bytes",
            budgets.reply_bytes >> 20
        )),
        Some(Exceeded::TableElements) => budget(format!(
            "it wanted more than its budget of {} table elements. Raise it with PolicyBudgets::table_elements",
            budgets.table_elements
        )),
        // Nothing that the policy did: it was not asked.
        _ if is_refusal(e) => Error::new(
            ErrorCode::Io,
            format!("policy {name} could not be started here: {}{}", one_line(&root_cause(e)), advice(e)),
        ),
        _ => {
            let why = one_line(&root_cause(e));
            // Compilers end a panic so, and nothing of its message comes here.
            let more = match e.downcast_ref::<wasmtime::Trap>() {
                Some(wasmtime::Trap::UnreachableCodeReached) => {
                    ". That is a panic, or an exception that is not the contract's error; a policy cannot print, so return \
                     an error with a message: docs/policies.md"
                }
                _ => "",
            };
            Error::new(ErrorCode::Other, format!("policy {name}: it failed: {why}{more}"))
        }
    }
}

/// As many verdicts as there are things to judge.
pub(crate) fn check_count(policy: &Policy, what: &str, verdicts: usize, asked: usize) -> Result<()> {
    if verdicts == asked {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Other,
        format!("policy {}: it gave {verdicts} verdicts for {asked} {what}", policy.name()),
    ))
}

/// What a component says, on one line of bounded length, with nothing in it that a terminal would act on.
pub(crate) fn one_line(said: &str) -> String {
    let mut end = said.len().min(REASON_MAX);
    while !said.is_char_boundary(end) {
        end -= 1;
    }
    let mut line = readable(&said.as_bytes()[..end]).replace('\n', "\\n").replace('\t', "\\t");
    if end < said.len() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_not_the_policys_failure() {
        let policy = Policy::built_in().unwrap();
        let refused = wasmtime::Error::from(std::io::Error::from_raw_os_error(12)).context("mmap failed");
        let refused = failure(&policy, 1, &refused);
        assert_eq!(refused.code(), ErrorCode::Io);
        assert!(refused.to_string().contains("ulimit -v"), "{refused}");
        for trap in [Trap::UnreachableCodeReached, Trap::OutOfFuel] {
            assert_ne!(failure(&policy, 1, &wasmtime::Error::from(trap)).code(), ErrorCode::Io);
        }
    }

    #[test]
    fn what_a_policy_says_stays_on_its_line() {
        assert_eq!(one_line("a\nb\x1b[2J\tc"), "a\\nb\\u{1b}[2J\\tc");
        let long = one_line(&"é".repeat(10_000));
        assert_eq!(long.chars().count(), REASON_MAX / 2 + 3);
    }
}

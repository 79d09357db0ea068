//! What a run says that was ended from outside: the component, the budget, what it was and what raises it.

use std::fmt;

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use super::limits::Budgets;
use crate::{Error, ErrorCode};
use strongroom_core::{excerpt, readable};

/// The budget that a run went past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory,
    TableElements,
    Instances,
    ComponentBytes,
    CallBytes,
    Handles,
    ReplyBytes,
    OutputBytes,
    Time,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the budget {self:?} is used up")
    }
}

impl std::error::Error for Exceeded {}

/// The run was asked to stop while the component was at work.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Stopped {}

impl Exceeded {
    /// The budget that this trap is about.
    pub(crate) fn of(e: &wasmtime::Error) -> Option<Self> {
        if let Some(exceeded) = e.downcast_ref::<Self>() {
            return Some(*exceeded);
        }
        if e.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
            return Some(Self::Time);
        }
        if matches!(e.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) {
            return Some(Self::Handles);
        }
        // The runtime has no types for these; a test per budget sees to it that the words are still these.
        e.chain().map(ToString::to_string).find_map(|cause| match cause.as_str() {
            cause if cause.contains("fuel allocated for hostcalls") => Some(Self::CallBytes),
            cause if cause.contains("handle limit exceeded") => Some(Self::Handles),
            cause if cause.starts_with("resource limit exceeded") => Some(Self::Instances),
            _ => None,
        })
    }

    /// What happened, and what to do.
    pub(crate) fn explain(self, component: &str, budgets: &Budgets, unharmed: &str) -> Error {
        let seconds = budgets.time.map_or(0.0, |time| time.as_secs_f64());
        let (did, raise) = match self {
            Self::Memory => {
                let did = format!("wanted more memory than its budget of {}", size(budgets.memory as u64));
                (did, "--memory or Budgets::memory")
            }
            Self::TableElements => {
                let did = format!("wanted more than its budget of {} table elements", budgets.table_elements);
                (did, "Budgets::table_elements")
            }
            Self::Instances => {
                let did = format!("has more parts than its budget of {} instances", budgets.instances);
                (did, "Budgets::instances")
            }
            Self::ComponentBytes => {
                let limit = size(budgets.component_bytes as u64);
                (format!("is a file larger than its budget of {limit}"), "Budgets::component_bytes")
            }
            Self::CallBytes => {
                let limit = size(budgets.call_bytes as u64);
                (
                    format!("handed over more in one call than its budget of {limit}"),
                    "--memory or Budgets::call_bytes",
                )
            }
            Self::Handles => {
                (format!("holds more than its budget of {} handles", budgets.handles), "Budgets::handles")
            }
            Self::ReplyBytes => {
                let limit = size(budgets.reply_bytes as u64);
                (
                    format!("asked for a reply larger than its budget of {limit}"),
                    "--memory or Budgets::reply_bytes",
                )
            }
            Self::OutputBytes => {
                let limit = size(budgets.output_bytes);
                (
                    format!("printed more than its budget of {limit}"),
                    "--output-limit or Budgets::output_bytes",
                )
            }
            Self::Time => {
                (format!("took longer than its budget of {seconds} s"), "--timeout or Budgets::time")
            }
        };
        Error::new(ErrorCode::Budget, format!("{component} {did}; {unharmed}. Raise it with {raise}"))
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// Bytes of a component's last words that are shown.
const LAST_WORDS: usize = 2 << 10;

/// Why a call into a component ended without an answer.
pub(crate) fn failure(
    e: &wasmtime::Error,
    component: &str,
    printed: &[u8],
    budgets: &Budgets,
    unharmed: &str,
) -> Error {
    if let Some(exceeded) = Exceeded::of(e) {
        return exceeded.explain(component, budgets, unharmed);
    }
    if e.downcast_ref::<Stopped>().is_some() {
        return Error::new(ErrorCode::Cancelled, format!("stopped on request; {unharmed}"));
    }
    let printed = readable(&printed[printed.len().saturating_sub(LAST_WORDS)..]);
    let last_words = if printed.is_empty() { String::new() } else { format!("\nIt said: {printed}") };
    let cause = excerpt(&root_cause(e), LAST_WORDS);
    let advice = advice(e);
    Error::new(ErrorCode::Other, format!("{component} failed: {cause}; {unharmed}.{advice}{last_words}"))
}

/// Whether it was the system that refused something to the runtime, not a component that failed.
pub(crate) fn is_refusal(e: &wasmtime::Error) -> bool {
    e.downcast_ref::<Trap>().is_none()
        && e.chain().any(|cause| cause.is::<std::io::Error>() || is_mapping(cause))
}

/// The runtime tells of its mappings in words alone.
fn is_mapping(cause: &(dyn std::error::Error + 'static)) -> bool {
    let said = cause.to_string();
    ["mmap", "mprotect", "os error"].iter().any(|word| said.contains(word))
}

/// What to do where the system refuses memory to the runtime.
pub(crate) fn advice(e: &wasmtime::Error) -> &'static str {
    if !is_refusal(e) {
        return "";
    }
    let said = root_cause(e);
    if said.contains("os error 12") {
        " The sandbox reserves addresses, 4 GiB for each memory, and uses few of them: lift the limit of the address space \
         (`ulimit -v unlimited`, LimitAS= of systemd)"
    } else if said.contains("os error 1)") || said.contains("os error 13") {
        " The sandbox runs code that it has compiled, and this process may not map such code: take \
         MemoryDenyWriteExecute= out of the systemd unit, or allow it in the filter of system calls"
    } else {
        ""
    }
}

/// Without the lines of the backtrace.
pub(crate) fn root_cause(e: &wasmtime::Error) -> String {
    let causes: Vec<String> = e.chain().map(ToString::to_string).collect();
    let causes = causes.iter().filter(|cause| !cause.starts_with("error while executing"));
    let text = causes.map(String::as_str).collect::<Vec<_>>().join(": ");
    if text.is_empty() { e.to_string() } else { text }
}

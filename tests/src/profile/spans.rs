//! The time of the component's calls on files: the runtime opens a span for each.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::clock::{self, Call};

/// What the runtime calls these spans.
const NAME: &str = "wit-bindgen import";

/// Takes the time of the spans of calls on files.
#[derive(Default)]
pub(super) struct Spans {
    /// What each span is, by its id less one.
    kinds: Mutex<Vec<Option<Call>>>,
}

thread_local! {
    /// The spans that this thread is in, and since when. The outermost counts.
    static OPEN: RefCell<Vec<Instant>> = const { RefCell::new(Vec::new()) };
}

/// Finds which function a span is of.
#[derive(Default)]
struct Function {
    module: String,
    function: String,
}

impl Visit for Function {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn Debug) {}
}

impl Function {
    fn call(&self) -> Option<Call> {
        // The interfaces of `wasi:filesystem`.
        if !["types", "preopens"].contains(&self.module.as_str()) {
            return None;
        }
        Some(match self.function.rsplit('.').next().unwrap_or_default() {
            "write" => Call::Write,
            // The request to write early is part of writing.
            "advise" => Call::Write,
            "sync" | "sync-data" => Call::Sync,
            _ => Call::Files,
        })
    }
}

impl Spans {
    fn kind(&self, id: &Id) -> Option<Call> {
        let at = usize::try_from(id.into_u64() - 1).ok()?;
        self.kinds.lock().ok()?.get(at).copied()?
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == NAME
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut function = Function::default();
        span.record(&mut function);
        let mut kinds = self.kinds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kinds.push(function.call());
        Id::from_u64(kinds.len() as u64)
    }

    fn enter(&self, id: &Id) {
        if self.kind(id).is_some() {
            OPEN.with_borrow_mut(|open| open.push(Instant::now()));
        }
    }

    fn exit(&self, id: &Id) {
        let Some(call) = self.kind(id) else { return };
        OPEN.with_borrow_mut(|open| {
            if let Some(since) = open.pop()
                && open.is_empty()
            {
                clock::add(call, since.elapsed());
            }
        });
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}

//! `progress`: the bar and the messages on stderr.

use std::cell::{Cell, RefCell};
use std::io::Write as _;

use strongroom_core::{Bar, Progress, readable};

use crate::Component;
use crate::bindings::exports::strongroom::backup::progress as wit;

/// How to speak, and how far the run is.
struct Listener {
    bar: Option<Bar>,
    json: bool,
    verbosity: u8,
    done: (u64, u64),
    expected: (u64, u64),
}

thread_local! {
    static LISTENER: RefCell<Listener> = const {
        RefCell::new(Listener { bar: None, json: false, verbosity: 1, done: (0, 0), expected: (0, 0) })
    };
    static IS_JSON: Cell<bool> = const { Cell::new(false) };
}

/// From here on speaks like this.
pub(crate) fn speak(bar: bool, json: bool, verbosity: u8) {
    IS_JSON.set(json);
    LISTENER.with_borrow_mut(|listener| {
        listener.bar = bar.then(|| Bar::visible(|| None));
        (listener.json, listener.verbosity) = (json, verbosity);
    });
}

/// Whether errors are for programs. To be asked at any time.
pub(crate) fn is_json() -> bool {
    IS_JSON.get()
}

/// A verb begins, which has this much to do.
pub(crate) fn expect(bytes: u64, entries: u64) {
    LISTENER.with_borrow_mut(|listener| {
        listener.done = (0, 0);
        listener.expected = (bytes, entries);
    });
}

/// Takes the bar off the terminal and says how many entries are done.
pub(crate) fn clear(for_good: bool) -> u64 {
    LISTENER.with_borrow_mut(|listener| {
        if let Some(bar) = &listener.bar {
            bar.clear();
        }
        if for_good {
            listener.bar = None;
        }
        listener.done.1
    })
}

/// Says something to people, or to programs.
pub(crate) fn tell(level: wit::Level, message: &str) {
    LISTENER.with_borrow(|listener| {
        let (needed, name) = match level {
            wit::Level::Warn => (1, "warning"),
            wit::Level::Info => (2, "info"),
            wit::Level::Debug => (3, "debug"),
        };
        if listener.verbosity < needed {
            return;
        }
        if let Some(bar) = &listener.bar {
            bar.clear();
        }
        let line = if listener.json {
            serde_json::json!({ "type": name, "message": message }).to_string()
        } else {
            format!("{name}: {message}")
        };
        // Nobody is left to tell if that fails.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    });
}

impl wit::Guest for Component {
    fn advance(phase: String, bytes: u64, entries: u64) -> bool {
        if phase.is_empty() {
            return crate::directory::may_change();
        }
        LISTENER.with_borrow_mut(|listener| {
            let done = &mut listener.done;
            *done = (done.0.saturating_add(bytes), done.1.saturating_add(entries));
            if let Some(bar) = &listener.bar {
                let mut progress = Progress::default();
                progress.phase = &phase;
                (progress.bytes, progress.entries) = listener.done;
                (progress.bytes_total, progress.entries_total) = listener.expected;
                bar.show(progress);
            }
        });
        crate::directory::alive();
        // Whoever wants to stop it ends the whole runtime.
        true
    }

    fn log(level: wit::Level, message: String) {
        tell(level, &readable(message.as_bytes()));
    }
}

//! The messages of a run, as far as its budget goes: what is more is dropped and counted, and never ends the run. What
//! several steps of a run find is said once.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use strongroom_core::text::{counted, size};

/// What all instances of a run have said.
#[derive(Default)]
pub(crate) struct Log(Mutex<Said>);

#[derive(Default)]
struct Said {
    /// Bytes that were shown of details, and of all else: details must not crowd out a warning.
    details: usize,
    others: usize,
    dropped: u64,
    dropped_bytes: u64,
    /// All but details that were shown, within the budget too.
    shown: HashSet<String>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    Shown,
    /// It was shown before.
    Again,
    /// There is no room for it.
    Dropped,
}

impl Log {
    /// Whether a message may be shown; one for which there is no room is counted.
    pub(crate) fn admit(&self, detail: bool, message: &str, budget: usize) -> Admitted {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !detail && said.shown.contains(message) {
            return Admitted::Again;
        }
        let bytes = message.len();
        let shown = if detail { &mut said.details } else { &mut said.others };
        if bytes > budget.saturating_sub(*shown) {
            said.dropped += 1;
            said.dropped_bytes = said.dropped_bytes.saturating_add(bytes as u64);
            return Admitted::Dropped;
        }
        *shown += bytes;
        if !detail {
            said.shown.insert(message.to_owned());
        }
        Admitted::Shown
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let said = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if said.dropped > 0 {
            let (messages, bytes) = (counted(said.dropped, "more message"), size(said.dropped_bytes));
            tracing::warn!(
                component = "engine",
                "{messages} ({bytes}) were dropped: the log of one run has a limit"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Admitted, Log};

    #[test]
    fn details_do_not_crowd_out_a_warning() {
        let log = Log::default();
        assert_eq!(log.admit(true, "0123456789", 10), Admitted::Shown);
        assert_eq!(log.admit(true, "a", 10), Admitted::Dropped);
        assert_eq!(log.admit(false, "0123456789", 10), Admitted::Shown);
        assert_eq!(log.admit(false, "0123456789", 10), Admitted::Again);
        assert_eq!(log.admit(false, "another one", 10), Admitted::Dropped);
        let said = log.0.lock().unwrap();
        assert_eq!((said.dropped, said.dropped_bytes), (2, 12));
    }
}

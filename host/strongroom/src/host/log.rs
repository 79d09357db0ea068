//! The messages of a run, as far as its budget goes: what is more is dropped and counted, and never ends the run.

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
}

impl Log {
    /// Whether a message of this length may be shown; otherwise it is counted.
    pub(crate) fn admit(&self, detail: bool, bytes: usize, budget: usize) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = if detail { &mut said.details } else { &mut said.others };
        if bytes <= budget.saturating_sub(*shown) {
            *shown += bytes;
            return true;
        }
        said.dropped += 1;
        said.dropped_bytes = said.dropped_bytes.saturating_add(bytes as u64);
        false
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
    use super::Log;

    #[test]
    fn details_do_not_crowd_out_a_warning() {
        let log = Log::default();
        assert!(log.admit(true, 10, 10));
        assert!(!log.admit(true, 1, 10));
        assert!(log.admit(false, 10, 10));
        assert!(!log.admit(false, 1 << 30, 10));
        let said = log.0.lock().unwrap();
        assert_eq!((said.dropped, said.dropped_bytes), (2, 1 + (1 << 30)));
    }
}

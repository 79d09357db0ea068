//! Budgets: how much a run may use before it is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use wasmtime::ResourceLimiter;

/// How much one run may use. A run that goes past a budget ends with [`ErrorCode::Budget`](crate::ErrorCode::Budget);
/// the repository stays as it was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Budgets {
    /// Bytes of memory of all instances of the run together. 256 MiB.
    pub memory: usize,
    /// How long the run may take. No limit.
    pub time: Option<Duration>,
    /// Entries of all tables of an instance. 100,000.
    pub table_elements: usize,
    /// Bytes that one call into the host may hand over. 32 MiB.
    pub call_bytes: usize,
    /// Handles that an instance may hold. 10,000.
    pub handles: usize,
    /// Bytes of what a component prints that are kept. 64 KiB.
    pub log_bytes: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            time: None,
            table_elements: 100_000,
            call_bytes: 32 << 20,
            handles: 10_000,
            log_bytes: 64 << 10,
        }
    }
}

/// The memory of all instances of a run.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Shared>);

struct Shared {
    used: AtomicUsize,
    max: usize,
    /// Somebody wanted more than was left.
    refused: AtomicBool,
}

impl Memory {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Shared { used: AtomicUsize::new(0), max, refused: AtomicBool::new(false) }))
    }

    pub(crate) fn was_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.0.max);
        let taken = self.0.used.try_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if !taken {
            self.0.refused.store(true, Ordering::Relaxed);
        }
        taken
    }
}

/// What one instance has of the memory, and what else it may grow.
pub(crate) struct Limiter {
    memory: Memory,
    mine: usize,
    table_elements: usize,
}

impl Limiter {
    pub(crate) fn new(memory: Memory, budgets: &Budgets) -> Self {
        Self { memory, mine: 0, table_elements: budgets.table_elements }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.mine, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let granted = self.memory.take(more);
        if granted {
            self.mine += more;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

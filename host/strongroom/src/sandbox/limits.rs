//! Budgets: how much a run may use before it is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::exceeded::Exceeded;

/// How much one run may use. A run that goes past a budget ends with [`ErrorCode::Budget`](crate::ErrorCode::Budget);
/// the repository and the database stay as they were.
///
/// ```
/// # use strongroom::Budgets;
/// let budgets = Budgets::plugin().memory(1 << 30).output_bytes(64 << 30).no_time();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Budgets {
    /// Bytes of memory of all instances of the run together. 256 MiB.
    pub memory: usize,
    /// How long the run may take. No limit for the engine, 10 minutes for a plugin.
    pub time: Option<Duration>,
    /// Entries of each table of an instance. 100,000.
    pub table_elements: usize,
    /// Core instances of which a component may be made. 64.
    pub instances: usize,
    /// Bytes of the file of a component from outside, which is compiled before it can be limited otherwise. 64 MiB.
    pub component_bytes: usize,
    /// Bytes that one call into the host may hand over: 256 MiB for the engine, whose plans grow with the number of tables;
    /// 32 MiB for a plugin.
    pub call_bytes: usize,
    /// Handles that an instance may hold. 10,000.
    pub handles: usize,
    /// Bytes of one answer of the host's, such as the list of all tables. 256 MiB for the engine, 64 MiB for a plugin.
    pub reply_bytes: usize,
    /// Bytes that a component may report: stderr and log messages. 64 KiB for the engine, 1 MiB for a plugin. What is more
    /// is dropped and counted, and does not end the run.
    pub log_bytes: usize,
    /// Bytes that a plugin may print to stdout. 1 GiB.
    pub output_bytes: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            time: None,
            table_elements: 100_000,
            instances: 64,
            component_bytes: 64 << 20,
            call_bytes: 256 << 20,
            handles: 10_000,
            reply_bytes: 256 << 20,
            log_bytes: 64 << 10,
            output_bytes: 1 << 30,
        }
    }
}

impl Budgets {
    /// What a plugin has unless it is given more.
    pub fn plugin() -> Self {
        Self {
            time: Some(Duration::from_secs(600)),
            call_bytes: 32 << 20,
            reply_bytes: 64 << 20,
            log_bytes: 1 << 20,
            ..Self::default()
        }
    }

    /// Bytes of memory of all instances of the run together.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// How long the run may take.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// The run may take as long as it likes.
    #[must_use]
    pub fn no_time(mut self) -> Self {
        self.time = None;
        self
    }

    /// Entries of each table of an instance.
    #[must_use]
    pub fn table_elements(mut self, elements: usize) -> Self {
        self.table_elements = elements;
        self
    }

    /// Core instances of which a component may be made.
    #[must_use]
    pub fn instances(mut self, instances: usize) -> Self {
        self.instances = instances;
        self
    }

    /// Bytes of the file of a component from outside.
    #[must_use]
    pub fn component_bytes(mut self, bytes: usize) -> Self {
        self.component_bytes = bytes;
        self
    }

    /// Bytes that one call into the host may hand over.
    #[must_use]
    pub fn call_bytes(mut self, bytes: usize) -> Self {
        self.call_bytes = bytes;
        self
    }

    /// Handles that an instance may hold.
    #[must_use]
    pub fn handles(mut self, handles: usize) -> Self {
        self.handles = handles;
        self
    }

    /// Bytes of one answer of the host's.
    #[must_use]
    pub fn reply_bytes(mut self, bytes: usize) -> Self {
        self.reply_bytes = bytes;
        self
    }

    /// Bytes that a component may report: stderr and log messages. What is more is dropped and counted.
    #[must_use]
    pub fn log_bytes(mut self, bytes: usize) -> Self {
        self.log_bytes = bytes;
        self
    }

    /// Bytes that a plugin may print to stdout.
    #[must_use]
    pub fn output_bytes(mut self, bytes: u64) -> Self {
        self.output_bytes = bytes;
        self
    }
}

/// The memory of all instances of a run.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Shared>);

struct Shared {
    used: AtomicUsize,
    max: usize,
}

impl Memory {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Shared { used: AtomicUsize::new(0), max }))
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.0.max);
        self.0.used.try_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// What one instance has of the memory, and what else it may grow. Wanting more ends it at once: a component that is
/// told "no" instead may go on asking.
pub(crate) struct Limiter {
    memory: Memory,
    mine: usize,
    table_elements: usize,
    instances: usize,
}

impl Limiter {
    pub(crate) fn new(memory: Memory, budgets: &Budgets) -> Self {
        Self { memory, mine: 0, table_elements: budgets.table_elements, instances: budgets.instances }
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
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // More than it has reserved for itself, whatever the budget.
            return Ok(false);
        }
        let more = desired.saturating_sub(current);
        if !self.memory.take(more) {
            return Err(Exceeded::Memory.into());
        }
        self.mine += more;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if desired > self.table_elements {
            return Err(Exceeded::TableElements.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    // Each instance has about one of either.
    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

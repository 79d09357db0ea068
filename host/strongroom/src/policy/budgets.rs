//! How much a policy may use for one answer.

/// How much a policy may use for one answer. One that goes past a budget has failed: everything is kept, all tables are
/// taken, the new snapshot is accepted.
///
/// Time is counted as fuel, about one unit for each instruction, so that the same question has the same answer on every
/// machine, however busy it is. A second is about a thousand million units.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyBudgets {
    /// Fuel for an answer: 2,000 million.
    pub fuel: u64,
    /// Fuel for each snapshot and each table that the question names: 5 million.
    pub fuel_per_item: u64,
    /// Bytes of memory: 256 MiB.
    pub memory: usize,
    /// Entries of each of its tables (of functions, not of a database): 100,000.
    pub table_elements: usize,
    /// Bytes of the answer: 32 MiB.
    pub reply_bytes: usize,
    /// Bytes of the component: 64 MiB. Whoever compiles it has no other limit on the time that takes.
    pub component_bytes: u64,
}

impl Default for PolicyBudgets {
    fn default() -> Self {
        Self {
            fuel: 2_000_000_000,
            fuel_per_item: 5_000_000,
            memory: 256 << 20,
            table_elements: 100_000,
            reply_bytes: 32 << 20,
            component_bytes: 64 << 20,
        }
    }
}

impl PolicyBudgets {
    /// Fuel for an answer.
    #[must_use]
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// Fuel for each snapshot and each table that the question names.
    #[must_use]
    pub fn fuel_per_item(mut self, fuel_per_item: u64) -> Self {
        self.fuel_per_item = fuel_per_item;
        self
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// Entries of each of its tables.
    #[must_use]
    pub fn table_elements(mut self, table_elements: usize) -> Self {
        self.table_elements = table_elements;
        self
    }

    /// Bytes of the answer.
    #[must_use]
    pub fn reply_bytes(mut self, reply_bytes: usize) -> Self {
        self.reply_bytes = reply_bytes;
        self
    }

    /// Bytes of the component.
    #[must_use]
    pub fn component_bytes(mut self, component_bytes: u64) -> Self {
        self.component_bytes = component_bytes;
        self
    }

    /// The fuel for a question that names so many snapshots and tables.
    pub(crate) fn fuel_for(&self, items: usize) -> u64 {
        self.fuel.saturating_add(self.fuel_per_item.saturating_mul(items as u64))
    }
}

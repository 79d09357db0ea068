//! A vault and a store in memory, for tests of whatever stands on the engine.

mod memory;
mod model;

pub use memory::MemoryVault;
pub use model::{ModelStore, ModelTable, Restored, RestoringSink};

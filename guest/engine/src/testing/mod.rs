//! Vaults and a store in memory, for tests of whatever stands on the engine.

pub mod disk;
pub mod fuzz;
mod memory;
mod model;

pub use memory::MemoryVault;
pub use model::{ModelStore, ModelTable, Restored, RestoringSink};

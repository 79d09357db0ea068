//! Vaults and a store in memory, for tests of whatever stands on the engine.

pub mod disk;
pub mod fuzz;
mod memory;
mod model;
mod tells;

pub use crate::backup::backup_with_deltas;
pub use memory::MemoryVault;
pub use model::{ModelStore, ModelTable, Restored, RestoringSink};
pub use tells::{Lie, Stream, Tells, Wrong};

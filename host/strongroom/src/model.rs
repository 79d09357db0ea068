//! What the verbs answer.

pub use strongroom_core::{Damage, Depth, Progress, Pruned, Restored, Snapshot, Snapshots, Table, Verified};

strongroom_core::from_wit!(crate::sandbox::wit);

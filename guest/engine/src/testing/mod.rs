//! Vaults and a store in memory, for tests of whatever stands on the engine.

pub mod disk;
pub mod fuzz;
pub mod inner;
mod memory;
mod model;
mod tells;

pub use crate::backup::backup_with_deltas;
pub use memory::MemoryVault;
pub use model::{ModelStore, ModelTable, Restored, RestoringSink};
pub use tells::{Lie, Stream, Tells, Wrong};

use crate::{Damage, Depth, Note, Progress, Result, Vault, Verified};

/// [`verify`](crate::verify), for which whatever costs nobody anything is damage too.
pub fn verify(
    vault: &dyn Vault,
    which: Option<&str>,
    depth: Depth,
    progress: &dyn Progress,
) -> Result<Verified> {
    let mut verified = crate::verify(vault, which, depth, progress)?;
    let strict =
        |Note { file, what }| Damage { file, what, snapshots: Vec::new(), tables: Vec::new(), entries: None };
    verified.damage.extend(verified.warnings.drain(..).map(strict));
    verified.damage.sort_by(|a, b| (&a.file, &a.what).cmp(&(&b.file, &b.what)));
    Ok(verified)
}

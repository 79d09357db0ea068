//! What the library, the command and the provider share: the words in which verbs answer and fail, and the directory
//! of a repository as whoever runs the engine sees it, with its permissions and its lock.
//!
//! Applications use the `strongroom` crate, which has all of the words.

pub mod archive;
mod bar;
pub mod checks;
mod comparison;
mod diff;
pub mod directory;
mod error;
mod from_wit;
mod lock;
mod log;
mod model;
mod owner;
pub mod text;

pub use bar::Bar;
pub use checks::{Checks, DrillRecord, Look, Verification};
pub use comparison::{Comparison, Difference, Drilled};
pub use diff::{EntryDifference, Happened, TableDifference, TableSide, Told};
pub use error::{Error, ErrorCode, NOTHING_LEFT, Result};
pub use lock::{LOCK_LOST, Lock, Locking};
pub use log::{Filter, excerpt, message, readable};
pub use model::{
    Archived, Damage, Depth, Loss, Note, Progress, Pruned, Repaired, Restored, Snapshot, Snapshots, Table,
    Verified,
};
pub use owner::AsOwner;

//! What the verbs answer.

pub use strongroom_core::{
    Archived, Checks, Comparison, Damage, Depth, Difference, DrillRecord, Drilled, EntryDifference, Happened,
    Look, Loss, Note, Progress, Pruned, Repaired, Restored, Snapshot, Snapshots, Table, TableDifference,
    TableSide, Told, Verification, Verified,
};

use crate::sandbox::wit;
use crate::{Error, ErrorCode, Result};
use strongroom_core::excerpt;

strongroom_core::from_wit!(crate::sandbox::wit);
strongroom_core::diff_from_wit!(crate::sandbox::wit_diff);

/// No file system has longer names.
const NAME_MAX: usize = 255;

/// What an engine says of a snapshot. One from outside may say anything; the name and the id are what a caller acts on,
/// so these must be possible.
pub(crate) fn checked(snapshot: wit::Snapshot) -> Result<Snapshot> {
    let snapshot = Snapshot::from(snapshot);
    let names_a_file = |name: &str| {
        let separates = |c: char| c.is_control() || matches!(c, '/' | '\\');
        !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && !name.contains(separates)
    };
    let Snapshot { name, parent, id, .. } = &snapshot;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if names_a_file(name) && parent.as_deref().is_none_or(names_a_file) && is_id {
        return Ok(snapshot);
    }
    let message = format!(
        "the engine spoke of a snapshot that cannot be: \"{}\" with the id \"{}\"",
        excerpt(name, NAME_MAX),
        excerpt(id, 64)
    );
    Err(Error::new(ErrorCode::Invalid, message))
}

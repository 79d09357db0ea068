//! A file that a verb makes for its user.

use std::io::Write as _;
use std::path::Path;

use strongroom_core::{Error, Result};
use strongroom_store::redb::Partial;

use crate::exit::by_force;

/// Fails where [`publish`] would refuse.
pub fn check(file: &Path, force: bool) -> Result<()> {
    Partial::check(file, force).map_err(|e| by_force(e.into()))
}

/// Whoever looks meanwhile sees what was there before or the whole new file. A file that is there is refused unless
/// `force`, and one that somebody has open in any case.
pub fn publish(file: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let (partial, mut out) = Partial::create(file, force).map_err(|e| by_force(e.into()))?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(|e| Error::io("write", file, &e))?;
    drop(out);
    Ok(partial.publish()?)
}

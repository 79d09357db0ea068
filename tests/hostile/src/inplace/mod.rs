//! Attacks of a component that was given the engine's place.

mod lies;
mod plans;
mod sinks;

pub(crate) use lies::lie;
pub(crate) use plans::plan;
pub(crate) use sinks::{is_restore, restore};

use crate::attacks::attacks;

attacks![outside_the_repository, change_while_reading, the_store_while_reading, log_flood];

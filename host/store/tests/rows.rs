//! What is restored as JSON Lines and to SQLite loses nothing: the stored bytes follow from what was written and the type.
#![allow(clippy::unwrap_used)]

#[path = "rows/json.rs"]
mod json;
#[path = "rows/model.rs"]
mod model;
#[path = "rows/sinks.rs"]
mod sinks;
#[cfg(feature = "sqlite")]
#[path = "rows/sqlite.rs"]
mod sqlite;

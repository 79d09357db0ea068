//! Backups of embedded key-value databases, while they are in use.
//!
//! The backup logic is a WebAssembly component. It sees the database only as entries that come in, and can touch
//! nothing but the directory of backups. This crate runs it.
//!
//! ```
//! use strongroom::{Backup, Depth, Repository, Restore};
//! use redb::{Database, ReadableDatabase, TableDefinition};
//!
//! const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let dir = tempfile::tempdir()?;
//!     let db = Database::create(dir.path().join("app.redb"))?;
//!     let write = db.begin_write()?;
//!     write.open_table(ACCOUNTS)?.insert("alice", 100)?;
//!     write.commit()?;
//!
//!     // Back up, beside whatever else the application does with the database.
//!     let repository = Repository::at(dir.path().join("backups"))?;
//!     let snapshot = repository.backup(&db, &Backup::new())?;
//!     assert_eq!(snapshot.entries, 1);
//!
//!     // Is all of it there, byte by byte?
//!     assert!(repository.verify(None, Depth::Data)?.damage.is_empty());
//!
//!     // Restore to a new file, which the application opens with its own definitions.
//!     let restored = dir.path().join("restored.redb");
//!     repository.restore("latest", &restored, &Restore::new())?;
//!     let db = Database::open(&restored)?;
//!     let accounts = db.begin_read()?.open_table(ACCOUNTS)?;
//!     assert_eq!(accounts.get("alice")?.map(|balance| balance.value()), Some(100));
//!     Ok(())
//! }
//! ```
//!
//! Databases other than redb come in through the [`Store`] trait, and restores go out to them through [`Sink`]:
//! [`JsonLinesSink`] is one, for whoever wants to look.
//!
//! Two features are off without being asked for: `redb2` also reads databases in redb's file format 2, which redb 4 refuses,
//! and `sqlite` has a sink that makes SQLite databases.

mod admission;
mod archive;
mod backup;
mod compare;
mod diff;
mod drill;
mod forget;
mod host;
mod model;
mod origin;
mod plugin;
mod policy;
mod prune;
mod read;
mod repair;
mod repository;
mod restore;
mod sandbox;
mod scratch;
mod snapshot_store;
mod source;

pub use archive::Import;
pub use backup::{Backup, Compression};
pub use diff::Diff;
pub use drill::Drill;
pub use forget::Forget;
pub use host::progress::{Cancel, OnProgress};
pub use model::{
    Archived, Checks, Comparison, Damage, Depth, Difference, DrillRecord, Drilled, EntryDifference, Happened,
    Look, Loss, Note, Progress, Pruned, Repaired, Restored, Snapshot, Snapshots, Table, TableDifference,
    TableSide, Told, Verification, Verified,
};
pub use plugin::{Plugin, PluginBuilder, Run};
pub use policy::{
    Cost, Decision, Judged, Policy, PolicyBudgets, PolicyBuilder, PolicyFailure, PolicyReport, Retention,
    Simulation, TimeZone, Timeline, Trial,
};
pub use prune::Prune;
pub use repair::Repair;
pub use repository::Repository;
pub use restore::Restore;
pub use sandbox::{Budgets, Landlock, Sandbox, SandboxBuilder, confine};
pub use source::{LiveFile, Source};
pub use strongroom_artifacts::{ENGINE, POLICY};
pub use strongroom_core::{Error, ErrorCode, Result};
pub use strongroom_store as store;
pub use strongroom_store::redb::{RedbSink, RedbStore};
pub use strongroom_store::rows::JsonLinesSink;
#[cfg(feature = "sqlite")]
pub use strongroom_store::rows::SqliteSink;
pub use strongroom_store::{Entries, Origin, Sink, Store};

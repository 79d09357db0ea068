//! redb behind the traits: any database of redb 4.5, without knowing its types.
//!
//! [`RedbStore`] reads one moment of a database, in the application's own process or from another one. [`RedbSink`]
//! makes a new database with the same tables, which the application opens with its own definitions.
//!
//! **Types.** redb's tables are typed and an open must name the types. Three opens that are meant to fail tell a
//! table's stored type names and widths; a type that takes name and width from a slot at run time then opens it as raw
//! bytes.
//!
//! **Order.** Nobody here knows how a user's key type orders its keys, and nobody needs to: a scan is in the table's
//! order already, a restore appends in that order, and a table is cut into parts by steering a descent to a share of
//! it instead of to a key.
//!
//! **Changes.** redb has no call for what changed since a moment, so its pages are read beside it, down to those that
//! differ; every page is checked, and any doubt means that a table is scanned. A scan of a plain table reads the pages
//! too, and goes on with redb itself after any doubt.
//!
//! **Damage.** redb trusts a file that was closed cleanly, and may panic on a damaged one. Every call that reads one is
//! contained: a panic becomes [`ErrorCode::Corrupt`](crate::ErrorCode::Corrupt).

mod batched;
mod check;
mod contain;
mod driver;
mod fault;
#[cfg(feature = "redb2")]
mod format2;
mod open;
mod order;
#[cfg(any(feature = "redb2", not(target_family = "wasm")))]
mod overlay;
mod packer;
mod pages;
mod part;
mod pinned;
mod position;
mod publish;
#[cfg(feature = "redb2")]
mod recode;
mod scan;
mod schema;
mod sink;
mod size;
mod slots;
mod store;
mod template;
mod text;
mod typed;
#[cfg(not(target_family = "wasm"))]
mod unclean;
pub(crate) mod value;
mod watched;
mod writer;

pub(crate) use fault::io_fault;

pub use check::check_file;
pub use contain::is_contained;
pub use publish::Partial;
pub use sink::RedbSink;
pub use store::RedbStore;
pub use text::{key_from_text, to_text};

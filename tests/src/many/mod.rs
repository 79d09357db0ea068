//! Databases of many tables and repositories of many snapshots, and every verb of the command over them: nothing that
//! grows with the data may reach a fixed budget.

mod make;
mod verbs;

pub use make::{change, snapshots, tables, unreadable};
pub use verbs::{Verb, over_snapshots, over_tables};

/// The plugin that is run: the example, which reads all there is.
pub fn plugin() -> anyhow::Result<Vec<u8>> {
    crate::guests::component("to-jsonl", "to-jsonl.wasm")
}

//! The verbs, one file for each: its options, and what it does.

pub(crate) mod backup;
pub(crate) mod cat;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod forget;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod prune;
pub(crate) mod repair;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod snapshots;
pub(crate) mod tables;
pub(crate) mod verify;

//! What the verbs stand on. The native command has the library; the component has what it imports.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use strongroom_core::Told;
use strongroom_core::{
    Archived, Bar, Comparison, Depth, Pruned, Repaired, Restored, Result, Snapshot, Snapshots, Table,
    Verified,
};

use crate::args::Global;
use crate::policy::PolicyArgs;
use crate::session::Session;

/// A program that has the verbs, and perhaps some of its own.
pub trait Program: Host + Sized {
    /// The verbs that only this program has.
    type Own: clap::Subcommand;

    /// Gets ready, knowing what was asked for.
    fn start(global: &Global) -> anyhow::Result<Self>;

    /// Does what only this program can do.
    fn own(&self, session: &Session<'_>, verb: Self::Own) -> anyhow::Result<()>;

    /// Changes the command line before it is parsed: its help, say.
    fn adapt(command: clap::Command) -> clap::Command {
        command
    }

    /// Gives options that `args` do not give the values that they have here every time.
    fn configured(command: clap::Command, _args: &[OsString]) -> anyhow::Result<clap::Command> {
        Ok(command)
    }
}

/// What a verb needs besides its arguments.
pub trait Host {
    /// The repository in this directory, which need not exist yet. Whoever opens it shows on `bar` how far its verbs are.
    fn repository(&self, dir: &Path, bar: &Bar) -> anyhow::Result<Box<dyn Repository + '_>>;

    /// The path by which messages and other processes know this one.
    fn absolute(&self, path: &Path) -> Result<PathBuf>;

    /// The progress bar; `seen` is whether there is somebody to show it to.
    fn bar(&self, seen: bool) -> Bar;

    /// Whether somebody asked the run to stop.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Why this option means nothing here; `None` where it does.
    fn refuses(&self, option: Special) -> Option<&'static str> {
        let _ = option;
        None
    }
}

/// An option that needs more than every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// `--memory`, `--timeout`, `--no-landlock`: the sandbox is the command's own.
    Budgets,
    /// `--component`: so is the engine.
    Component,
    /// `--threads`: there are threads.
    Threads,
    /// `--permission-override`: files have permissions.
    Permissions,
    /// `--policy`, `--accept` and the like: there is a sandbox for policies.
    Policies,
    /// `--to-jsonl`, `--to-sqlite`: something other than redb can be made.
    Forms,
}

/// What to back up, and as what.
#[derive(Debug, Clone)]
pub struct Backup<'a> {
    /// The database file.
    pub database: &'a Path,
    /// The name of the snapshot, or a template for it.
    pub name: &'a str,
    /// Which database this is among those that share the repository.
    pub source: &'a str,
    /// Only tables whose names match one of these globs; none is all.
    pub tables: &'a [String],
    /// Where the database says how far it is.
    pub position: Option<&'a str>,
    /// How many threads copy.
    pub threads: Option<usize>,
    /// Takes the directory away from others instead of refusing one that they can see.
    pub override_permissions: bool,
    /// Which policy is asked.
    pub policy: &'a PolicyArgs,
    /// Publishes the snapshot also if the policy refuses it.
    pub accept: bool,
    /// Reads all tables in full instead of asking the database what changed.
    pub full_scan: bool,
    /// How what is new is stored.
    pub compression: Compression,
}

/// How a backup stores what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Compression {
    /// With Snappy, where that saves at least an eighth
    #[default]
    Snappy,
    /// As it is
    None,
}

/// What to restore, and how.
#[derive(Debug, Clone)]
pub struct Restore<'a> {
    /// A name, the beginning of an id, or `latest`.
    pub snapshot: &'a str,
    /// The file to make.
    pub to: &'a Path,
    /// What it is to be.
    pub form: Form,
    /// Only tables whose names match one of these globs; none is all.
    pub tables: &'a [String],
    /// Puts it in the place of a file that is there.
    pub overwrite: bool,
    /// Leaves out tables that cannot be read in full.
    pub skip_damaged: bool,
}

/// What a snapshot becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A redb database.
    Redb,
    /// A file of JSON Lines.
    JsonLines,
    /// JSON Lines on standard output, and no file.
    Printed,
    /// A SQLite database.
    Sqlite,
}

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Diff<'a> {
    /// A name, the beginning of an id, or `latest`.
    pub before: &'a str,
    /// With what.
    pub after: After<'a>,
    /// Only tables whose names match one of these globs; none is all.
    pub tables: &'a [String],
    /// Whether entries are told of.
    pub keys: bool,
}

/// What a snapshot is compared with.
#[derive(Debug, Clone, Copy)]
pub enum After<'a> {
    /// Another one.
    Snapshot(&'a str),
    /// A database file, as it is now.
    Database(&'a Path),
}

/// Is told what differs; it may want no more.
pub type Tell<'t> = dyn FnMut(Told) -> Result<ControlFlow<()>> + Send + 't;

/// Where an archive comes from.
pub struct Incoming<'a> {
    /// What is read, from its beginning to its end.
    pub from: &'a mut (dyn Read + Send),
    /// How many bytes that is, or 0 if it is not known.
    pub bytes: u64,
}

/// What is told of each entry, key and value; it may want no more.
pub type Each<'e> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + Send + 'e;

/// The engine's verbs on one repository.
pub trait Repository {
    /// Backs up.
    fn backup(&self, backup: &Backup<'_>) -> anyhow::Result<Snapshot>;
    /// Makes a repository without snapshots; `false` if it is one already.
    fn init(&self) -> Result<bool>;
    /// All snapshots.
    fn snapshots(&self) -> Result<Snapshots>;
    /// The one snapshot that is meant: a name, the beginning of an id, or `latest`.
    fn find(&self, which: &str) -> Result<Snapshot>;
    /// The tables of a snapshot, sorted by name.
    fn tables(&self, snapshot: &str) -> Result<Vec<Table>>;
    /// Restores.
    fn restore(&self, restore: &Restore<'_>) -> Result<Restored>;
    /// Restores an archive instead of the snapshot that `restore` names; no repository is needed.
    fn restore_archive(&self, archive: Incoming<'_>, restore: &Restore<'_>) -> Result<Restored>;
    /// Writes a snapshot as one archive. `dir` is where the file is made, unless it goes elsewhere.
    fn export(&self, snapshot: &str, to: &mut (dyn Write + Send), dir: Option<&Path>) -> Result<Archived>;
    /// Takes an archive in, under this name and source or its own.
    fn import(
        &self,
        archive: Incoming<'_>,
        name: Option<&str>,
        source: Option<&str>,
        override_permissions: bool,
    ) -> Result<Archived>;
    /// Looks whether all is there that the snapshots need, or what one of them needs.
    fn verify(&self, snapshot: Option<&str>, depth: Depth) -> Result<Verified>;
    /// Takes snapshots away, by their names.
    fn forget(&self, names: &[String], dry_run: bool, allow_empty: bool) -> Result<()>;
    /// Frees what no snapshot needs; packs of which more than so many thousandths are unused are rewritten.
    fn prune(&self, max_unused: u32, dry_run: bool, allow_empty: bool) -> Result<Pruned>;
    /// Makes again what can be made again, and says what cannot.
    fn repair(&self, dry_run: bool) -> Result<Repaired>;
    /// Compares a database file with a snapshot.
    fn compare(&self, snapshot: &str, database: &Path) -> Result<Comparison>;
    /// Tells what differs between a snapshot and another, or a database file; the other snapshot, if it is one.
    fn diff(&self, diff: &Diff<'_>, tell: &mut Tell<'_>) -> Result<(Snapshot, Option<Snapshot>)>;
    /// Goes through the entries of a table of a snapshot, in its own order.
    fn scan(&self, snapshot: &str, table: &str, each: &mut Each<'_>) -> Result<()>;
}

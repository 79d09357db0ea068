//! What differs between a snapshot and another, or a database: tables, and in them entries.
//!
//! Nobody here knows the order of the keys. What is known: both sides of a table are in the *same* order, each key once
//! (in a multimap, each pair). From that all of this follows.
//!
//! - A node with the same id on both sides holds the same entries, so these differ in nothing, wherever it stands. It is
//!   left out unread.
//! - It also parts what comes before it from what comes behind: a key that is before it on one side is not behind it on
//!   the other. So nodes between two that are common to both sides, a *run*, need be compared with the nodes between the
//!   same two on the other side only ([`Merge`](merge::Merge)). What is below these is cut into runs again, down to the
//!   leaves: the cuts of the trees follow from the entries alone, so only nodes above something that changed, or beside
//!   it, are read. The time is that of the difference.
//! - In the leaves of a run, a key that both sides have parts what comes before it from what comes behind in the same way
//!   ([`Join`](join::Join)). So a key that has not turned up on the other side by then is on one side alone, and what is
//!   held is what lies between two common keys.
//!
//! Runs are cut short where they would be too long to be held. What then is the same on both sides and falls into
//! different pieces is read, and found to be the same by its keys: this costs time, and changes nothing. Where there are
//! more keys between two common ones than can be held, the table is gone through several times, each time with a share
//! of the keys that follows from their hashes.

mod join;
mod merge;
mod nodes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::catalog::{self, Table};
use crate::error::{Error, Place, Result};
use crate::globs;
use crate::open::{Opened, open};
use crate::progress::{Progress, advance};
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::vault::Vault;

use join::Join;
use merge::{Levels, Merge};
use nodes::{Live, Nodes, Source};

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// Both have the key, with another value each.
    Changed,
}

/// An entry that is not the same on both sides. In a multimap this is a pair, which never is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDiff {
    /// What happened to it.
    pub what: What,
    /// The key; empty if it has more than 262,144 bytes.
    pub key: Vec<u8>,
    /// How many bytes the key has.
    pub key_len: u32,
    /// How many bytes the value has on the first side.
    pub before: Option<u32>,
    /// How many bytes the value has on the second side.
    pub after: Option<u32>,
}

/// A table that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDiff {
    /// Its name.
    pub name: String,
    /// The table on the first side.
    pub before: Option<Side>,
    /// The table on the second side.
    pub after: Option<Side>,
    /// Entries that only the second side has; all of them if the types or the kind of the table are not the same.
    pub added: u64,
    /// Entries that only the first side has.
    pub removed: u64,
    /// Entries with the same key and another value.
    pub changed: u64,
}

/// A table on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// One key may have several values.
    pub multimap: bool,
    /// How many entries.
    pub entries: u64,
    /// How people call the types of keys and values.
    pub types: (String, String),
}

impl Side {
    fn of(multimap: bool, entries: u64, key_type: &str, value_type: &str) -> Self {
        Self { multimap, entries, types: (key_type.to_owned(), value_type.to_owned()) }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Entries of this table follow; nothing is counted yet.
    Begin(TableDiff),
    /// An entry of that table.
    Entry(EntryDiff),
    /// All of a table.
    Table(TableDiff),
}

/// Tells what differs, one thing after another.
pub struct Diff<'a> {
    sources: [Source<'a>; 2],
    snapshots: (Snapshot, Option<Snapshot>),
    store: Option<&'a dyn Store>,
    progress: &'a dyn Progress,
    /// Whether entries are told of.
    keys: bool,
    limits: Limits,
    todo: std::vec::IntoIter<Pair>,
    now: Option<Comparing<'a>>,
}

/// Both sides of a table, or one.
struct Pair {
    name: String,
    before: Option<Table>,
    after: Option<After>,
}

enum After {
    Stored(Table),
    Live(crate::store::Table),
}

/// How much of a table is held at most: see [`Join`].
fn most_held(entries: u64, bytes: u64) -> u64 {
    bytes.saturating_mul(3).saturating_add(entries.saturating_mul(join::OVERHEAD as u64))
}

impl Pair {
    /// Not with two sides of which the types differ.
    fn same_types(&self) -> bool {
        let before = self.before.as_ref().map(|table| (table.multimap, &table.identity));
        let after = self.after.as_ref().map(|after| match after {
            After::Stored(table) => (table.multimap, &table.identity),
            After::Live(table) => (table.multimap, &table.identity),
        });
        before.is_none() || after.is_none() || before == after
    }
}

/// The table at hand.
struct Comparing<'a> {
    pair: Pair,
    diff: TableDiff,
    join: Join,
    levels: Levels<'a>,
    /// This pass of so many, and whether it tells.
    pass: u32,
    passes: u32,
    tells: bool,
    /// It was said that its entries follow.
    begun: bool,
}

/// What is compared with a snapshot.
pub enum Other<'a, 'n> {
    /// Another snapshot: a name, the beginning of an id, or `latest`.
    Snapshot(&'n str),
    /// A store, as it is now.
    Store(&'a dyn Store),
}

/// No table is gone through more often; what then must be held is held.
const PASSES_MAX: u32 = 1 << 12;

/// What is held of each side at once, at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Nodes of a level.
    nodes: usize,
    /// Bytes of those that come with their content.
    bytes: usize,
    /// Bytes of keys, of both sides together, and what is noted of their values.
    held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 1 << 15, bytes: 16 << 20, held: 48 << 20 }
    }
}

/// Begins to tell what differs between a snapshot and another side, in these tables or in all. With `keys`, of entries
/// too.
pub fn diff<'a>(
    vault: &'a dyn Vault,
    which: &str,
    other: Other<'a, '_>,
    tables: Option<&[String]>,
    keys: bool,
    progress: &'a dyn Progress,
) -> Result<Diff<'a>> {
    let first = open(vault, which)?;
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    let pair = |name: &String| Pair { name: name.clone(), before: None, after: None };
    for table in first.tables() {
        pairs.entry(table.name.clone()).or_insert_with(|| pair(&table.name)).before = Some(table.clone());
    }
    let (mut second, mut store) = (None, None);
    match other {
        Other::Snapshot(which) => {
            let opened = open(vault, which)?;
            for table in opened.tables() {
                let after = Some(After::Stored(table.clone()));
                pairs.entry(table.name.clone()).or_insert_with(|| pair(&table.name)).after = after;
            }
            second = Some(opened.snapshot().clone());
        }
        Other::Store(live) => {
            let all = live.tables()?;
            catalog::check(&all)?;
            for table in all {
                let entry = pairs.entry(table.name.clone()).or_insert_with(|| pair(&table.name));
                entry.after = Some(After::Live(table));
            }
            store = Some(live);
        }
    }
    let pairs: Vec<Pair> = pairs.into_values().collect();
    let chosen: Vec<String> =
        globs::choose(&pairs, tables, |pair| &pair.name)?.into_iter().map(|pair| pair.name.clone()).collect();
    let mut todo = pairs;
    todo.retain(|pair| chosen.binary_search(&pair.name).is_ok());
    let snapshot = Opened::snapshot(&first).clone();
    Ok(Diff {
        sources: [Source::open(vault)?, Source::open(vault)?],
        snapshots: (snapshot, second),
        store,
        progress,
        keys,
        limits: Limits::default(),
        todo: todo.into_iter(),
        now: None,
    })
}

impl<'a> Diff<'a> {
    /// The snapshot, and the one that it is compared with.
    pub fn snapshots(&self) -> (&Snapshot, Option<&Snapshot>) {
        (&self.snapshots.0, self.snapshots.1.as_ref())
    }

    /// How many nodes were read of the repository so far.
    pub fn nodes_read(&self) -> u64 {
        self.sources.iter().map(Source::reads).sum()
    }

    /// What is told next; nothing at the end.
    pub fn tell(&mut self) -> Result<Option<Told>> {
        loop {
            let Some(comparing) = &mut self.now else {
                match self.todo.next() {
                    None => return Ok(None),
                    Some(pair) => {
                        let place = format!("table {:?}", pair.name);
                        self.now = self.begin(pair).place(place)?;
                        continue;
                    }
                }
            };
            if self.keys && comparing.tells && !comparing.begun && !comparing.join.told.is_empty() {
                comparing.begun = true;
                return Ok(Some(Told::Begin(comparing.diff.clone())));
            }
            if let Some(entry) = comparing.join.told.pop_front() {
                let diff = &mut comparing.diff;
                match entry.what {
                    What::Added => diff.added += 1,
                    What::Removed => diff.removed += 1,
                    What::Changed => diff.changed += 1,
                }
                if self.keys && comparing.tells {
                    return Ok(Some(Told::Entry(entry)));
                }
                continue;
            }
            let place = format!("table {:?}", comparing.pair.name);
            if let Some(told) = self.step().place(place)? {
                return Ok(Some(told));
            }
        }
    }

    /// Begins a table, unless it is the same on both sides.
    fn begin(&self, pair: Pair) -> Result<Option<Comparing<'a>>> {
        let side = |t: &Table| Side::of(t.multimap, t.entries, &t.key_type, &t.value_type);
        let before = pair.before.as_ref();
        let after = pair.after.as_ref().map(|after| match after {
            After::Stored(table) => side(table),
            After::Live(table) => Side::of(table.multimap, table.entries, &table.key_type, &table.value_type),
        });
        if let (Some(before), Some(After::Stored(after))) = (before, &pair.after)
            && pair.same_types()
            && before.id() == after.id()
        {
            return Ok(None);
        }
        let diff = TableDiff {
            name: pair.name.clone(),
            before: before.map(side),
            after,
            added: 0,
            removed: 0,
            changed: 0,
        };
        // Where more may have to be held than there is room for, it is first found out how often the table must be gone
        // through.
        let after = match &pair.after {
            None => 0,
            Some(After::Stored(table)) => most_held(table.entries, table.bytes),
            Some(After::Live(table)) => most_held(table.entries, table.bytes_about),
        };
        let before = before.map_or(0, |table| most_held(table.entries, table.bytes));
        let tells = !self.keys || before.saturating_add(after) < self.limits.held as u64;
        self.pass(pair, diff, 0, 1, tells).map(Some)
    }

    fn pass(
        &self,
        pair: Pair,
        diff: TableDiff,
        pass: u32,
        passes: u32,
        tells: bool,
    ) -> Result<Comparing<'a>> {
        let multimap = diff.before.iter().chain(&diff.after).any(|side| side.multimap);
        let (root, limits) = (pair.before.as_ref().and_then(|table| table.root), self.limits);
        let (after, level) = match &pair.after {
            None => (Nodes::none(), root.map_or(0, |root| root.level)),
            Some(After::Stored(table)) => {
                let levels = root.iter().chain(&table.root).map(|root| root.level);
                let level = levels.min().unwrap_or(0);
                (Nodes::tree(table.root, level), level)
            }
            Some(After::Live(table)) => {
                let store = self.store.ok_or_else(|| Error::invalid("there is no store"))?;
                (Nodes::Live(Box::new(Live::new(store, table)?)), 0)
            }
        };
        let before = Nodes::tree(root, level);
        let levels = Levels::new(if pair.same_types() {
            vec![Merge::of(before, after, level, limits)]
        } else {
            // Not even the order is the same: one after the other.
            vec![
                Merge::of(Nodes::none(), after, level, limits),
                Merge::of(before, Nodes::none(), level, limits),
            ]
        });
        let join = Join::new(multimap, pass, passes, limits.held);
        Ok(Comparing { pair, diff, join, levels, pass, passes, tells, begun: false })
    }

    /// Goes on with the table at hand; a table that is over is told of.
    fn step(&mut self) -> Result<Option<Told>> {
        let Some(comparing) = &mut self.now else { return Ok(None) };
        // Of what was told nothing may be told again; it fits, unless a store has more than it says.
        let told = self.keys && comparing.tells;
        if comparing.join.is_full() && comparing.passes < PASSES_MAX && !told {
            // More than can be held: from the beginning, in more passes.
            let Some(comparing) = self.now.take() else { return Ok(None) };
            let Comparing { pair, diff, passes, tells, .. } = comparing;
            let diff = TableDiff { added: 0, removed: 0, changed: 0, ..diff };
            self.now = Some(self.pass(pair, diff, 0, passes.saturating_mul(2), tells)?);
            return Ok(None);
        }
        let (join, levels) = (&mut comparing.join, &mut comparing.levels);
        let entries = join.entries;
        let mut over = false;
        if !join.step(&self.sources)? {
            match levels.next(&self.sources)? {
                Some(run) => join.begin(run),
                None => over = true,
            }
        }
        let (bytes, entries) = (join.take_bytes(), join.entries - entries);
        advance(self.progress, "diff", bytes, entries)?;
        if !over {
            return Ok(None);
        }
        let Some(comparing) = self.now.take() else { return Ok(None) };
        let Comparing { pair, diff, pass, passes, tells, begun, .. } = comparing;
        if pass + 1 < passes {
            let next = self.pass(pair, diff, pass + 1, passes, tells)?;
            self.now = Some(Comparing { begun, ..next });
        } else if !tells {
            let diff = TableDiff { added: 0, removed: 0, changed: 0, ..diff };
            self.now = Some(self.pass(pair, diff, 0, passes, true)?);
        } else {
            let both = pair.before.is_some() && pair.after.is_some() && pair.same_types();
            let differs = !both || (diff.added, diff.removed, diff.changed) != (0, 0, 0);
            return Ok(differs.then_some(Told::Table(diff)));
        }
        Ok(None)
    }
}

//! What a report tells, gathered once: the page, the summary and the JSON line all come from it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use strongroom_core::{Checks, Error, ErrorCode, Result, Snapshot, Table};

use super::findings::{Finding, Findings, Status};
use crate::host::Repository;

/// Of so many sources the tables are looked at; the structure too.
const SOURCES: usize = 16;
/// Lists of tables that are read, and of one source.
const LISTS: usize = 32;
const LISTS_OF_SOURCE: usize = 12;

/// What a report tells.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// Where the repository is.
    pub(crate) repository: String,
    /// As of when: seconds since 1970, UTC.
    pub(crate) time: u64,
    pub(crate) status: Status,
    /// What is wrong, the worst first.
    pub(crate) findings: Vec<Finding>,
    /// How many snapshots can be read.
    pub(crate) snapshots: usize,
    /// Bytes of keys and values of all of them.
    pub(crate) bytes: u64,
    pub(crate) stored: Stored,
    /// Sorted by name.
    pub(crate) sources: Vec<Source>,
    /// Of the newest snapshot of each source, the largest first.
    pub(crate) tables: Vec<TableFacts>,
    pub(crate) retention: Option<Retention>,
    pub(crate) checks: Checks,
    /// The snapshots themselves, oldest first.
    #[serde(skip)]
    pub(crate) all: Vec<Snapshot>,
}

/// What the repository takes.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stored {
    pub(crate) bytes: u64,
    pub(crate) packs: u64,
    pub(crate) pack_bytes: u64,
    pub(crate) index_bytes: u64,
    pub(crate) snapshot_bytes: u64,
}

/// One database among those that share the repository.
#[derive(Debug, Serialize)]
pub(crate) struct Source {
    pub(crate) source: String,
    pub(crate) snapshots: usize,
    pub(crate) oldest_time: u64,
    pub(crate) newest: String,
    pub(crate) newest_time: u64,
    /// Of the newest.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// By all of its snapshots that are there.
    pub(crate) bytes_added: u64,
    /// Of its first backup, if that is still there: its data, and what it added.
    pub(crate) first: Option<First>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct First {
    pub(crate) bytes: u64,
    pub(crate) bytes_added: u64,
}

/// A table, now and before.
#[derive(Debug, Serialize)]
pub(crate) struct TableFacts {
    pub(crate) source: String,
    pub(crate) table: String,
    pub(crate) multimap: bool,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// In some of the snapshots, oldest first; the last is the newest.
    pub(crate) history: Vec<Then>,
}

/// How large a table was; 0 where there was none.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Then {
    pub(crate) time: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// What rules say.
#[derive(Debug, Default, Serialize)]
pub struct Retention {
    /// The rules, as they would be given to `forget`.
    pub rules: String,
    /// Whose calendar they follow.
    pub zone: String,
    /// Every snapshot, by name: whether it is kept, and why.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Of which sources nothing would be left.
    pub emptied: Vec<String>,
    /// Why some source was not judged.
    pub failures: Vec<String>,
}

/// What rules say of a snapshot.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Whether to keep it.
    pub keep: bool,
    /// Why.
    pub reason: String,
}

impl Retention {
    /// Whether a snapshot would be forgotten.
    pub(crate) fn drops(&self, snapshot: &str) -> bool {
        self.verdicts.get(snapshot).is_some_and(|verdict| !verdict.keep)
    }
}

/// Looks at a repository. Its snapshot files are read, its newest snapshots looked at, some lists of tables read, and no
/// data.
pub(crate) fn gather(
    repository: &dyn Repository,
    dir: &Path,
    now: u64,
    retention: Option<Retention>,
) -> Result<Facts> {
    let found = repository.snapshots()?;
    let mut findings = Findings::new(now, dir);
    findings.unreadable(&found.damage);
    let all = found.snapshots;
    let sources = sources(&all);
    let mut newest_first: Vec<&Source> = sources.iter().collect();
    newest_first.sort_by_key(|source| std::cmp::Reverse(source.newest_time));
    let mut tables = Vec::new();
    for source in newest_first.iter().take(SOURCES) {
        match repository.verify(Some(&source.newest), strongroom_core::Depth::Structure) {
            Ok(verified) => findings.looked(&verified),
            Err(e) => findings.without_tables(vec![(source.newest.clone(), passable(e)?)]),
        }
        let lists = (LISTS / sources.len().min(SOURCES)).clamp(2, LISTS_OF_SOURCE);
        let of_source: Vec<&Snapshot> = all.iter().filter(|s| s.source == source.source).collect();
        let (mut read, mut failed) = (Vec::new(), Vec::new());
        for snapshot in spread(&of_source, lists) {
            match repository.tables(&snapshot.name) {
                Ok(tables) => read.push((snapshot, tables)),
                Err(e) => failed.push((snapshot.name.clone(), passable(e)?)),
            }
        }
        findings.without_tables(failed);
        findings.vanished(&read);
        tables.extend(history(&read));
    }
    tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.table.cmp(&b.table)));
    let checks = Checks::read(dir);
    findings.remembered(&checks, &all, &found.damage);
    for source in &sources {
        findings.rhythm(source, &all);
    }
    if let Some(retention) = &retention {
        findings.retention(retention);
    }
    let (status, findings) = findings.end();
    Ok(Facts {
        repository: dir.display().to_string(),
        time: now,
        status,
        findings,
        snapshots: all.len(),
        bytes: all.iter().fold(0, |sum, snapshot| snapshot.bytes.saturating_add(sum)),
        stored: stored(dir),
        sources,
        tables,
        retention,
        checks,
        all,
    })
}

/// What is wrong with a snapshot is a finding; whatever else goes wrong ends the report.
fn passable(e: Error) -> Result<String> {
    match e.code() {
        ErrorCode::Damaged | ErrorCode::NewerFormat | ErrorCode::NotFound => Ok(e.to_string()),
        _ => Err(e),
    }
}

fn sources(all: &[Snapshot]) -> Vec<Source> {
    let mut sources: BTreeMap<&str, Source> = BTreeMap::new();
    for snapshot in all {
        let source = sources.entry(&snapshot.source).or_insert_with(|| Source {
            source: snapshot.source.clone(),
            snapshots: 0,
            oldest_time: snapshot.time,
            newest: String::new(),
            newest_time: 0,
            entries: 0,
            bytes: 0,
            bytes_added: 0,
            first: None,
        });
        source.snapshots += 1;
        source.newest.clone_from(&snapshot.name);
        (source.newest_time, source.entries, source.bytes) =
            (snapshot.time, snapshot.entries, snapshot.bytes);
        source.bytes_added = source.bytes_added.saturating_add(snapshot.bytes_added);
        if snapshot.parent.is_none() && source.first.is_none() {
            source.first = Some(First { bytes: snapshot.bytes, bytes_added: snapshot.bytes_added });
        }
    }
    sources.into_values().collect()
}

/// So many of them at most: the first, the last two, and others between.
fn spread<'s>(snapshots: &[&'s Snapshot], most: usize) -> Vec<&'s Snapshot> {
    if snapshots.len() <= most {
        return snapshots.to_vec();
    }
    let (others, last) = snapshots.split_at(snapshots.len() - 2);
    let rest = most.saturating_sub(2);
    // The first of all, then at equal distances.
    let chosen = (0..rest).map(|number| others[number * others.len() / rest.max(1)]);
    chosen.chain(last.iter().copied()).collect()
}

/// The tables of the last of some snapshots, with what they were in those before.
fn history(read: &[(&Snapshot, Vec<Table>)]) -> Vec<TableFacts> {
    let Some((newest, tables)) = read.last() else { return Vec::new() };
    let then = |snapshot: &Snapshot, tables: &[Table], name: &str| {
        // Sorted by name.
        let table = tables.binary_search_by(|table| table.name.as_str().cmp(name)).ok().map(|at| &tables[at]);
        let (entries, bytes) = table.map_or((0, 0), |table| (table.entries, table.bytes));
        Then { time: snapshot.time, entries, bytes }
    };
    let facts = tables.iter().map(|table| TableFacts {
        source: newest.source.clone(),
        table: table.name.clone(),
        multimap: table.multimap,
        entries: table.entries,
        bytes: table.bytes,
        history: read.iter().map(|(snapshot, tables)| then(snapshot, tables, &table.name)).collect(),
    });
    facts.collect()
}

/// What the files take, as far as they can be seen.
fn stored(dir: &Path) -> Stored {
    let folder = |name: &str| {
        let files = std::fs::read_dir(dir.join(name)).into_iter().flatten().flatten();
        let lengths = files.filter_map(|file| file.metadata().ok()).filter(|metadata| metadata.is_file());
        lengths.fold((0, 0), |(count, bytes), metadata| (count + 1, bytes + metadata.len()))
    };
    let ((packs, pack_bytes), (_, index_bytes), (_, snapshot_bytes)) =
        (folder("packs"), folder("index"), folder("snapshots"));
    Stored {
        bytes: pack_bytes + index_bytes + snapshot_bytes,
        packs,
        pack_bytes,
        index_bytes,
        snapshot_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_snapshots_the_ends_and_some_between_are_looked_at() {
        let all: Vec<Snapshot> = (0..1000)
            .map(|time| {
                let mut snapshot = Snapshot::default();
                snapshot.time = time;
                snapshot
            })
            .collect();
        let all: Vec<&Snapshot> = all.iter().collect();
        for most in [2, 3, 12, 999] {
            let chosen: Vec<u64> = spread(&all, most).iter().map(|snapshot| snapshot.time).collect();
            assert_eq!(chosen.len(), most);
            assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.ends_with(&[998, 999]), "{chosen:?}");
            assert!(most == 2 || chosen[0] == 0);
        }
        assert_eq!(spread(&all[..5], 12).len(), 5);
        assert_eq!(spread(&all[..0], 12).len(), 0);
    }
}

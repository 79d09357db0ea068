//! Looks at the repository and at the store, and says what is to be done.

use std::collections::HashSet;

use super::increment::{self, Increment, Outcome};
use super::{Job, Part, Plan, PlannedTable, Range, State, plan_to_bytes};
use crate::error::{Code, Error, Result};
use crate::index;
use crate::progress::{Few, Level, Progress};
use crate::snapshot::name::{self, Facts};
use crate::snapshot::{Newest, Snapshot};
use crate::store::{Store, Table};
use crate::vault::{Vault, check_answers};
use crate::{catalog, globs, repository, snapshot};

/// No run has more parts.
const PARTS_MAX: u32 = 1024;

/// Makes the directory a repository if it is empty, and plans the backup of a store.
///
/// The name is settled before anything is written: a position that is not there, or a name that is taken, leaves even
/// an empty directory as it was.
pub fn prepare(vault: &dyn Vault, store: &dyn Store, job: &Job, progress: &dyn Progress) -> Result<Plan> {
    check_source(&job.source)
        .map_err(|e| Error::new(e.code, format!("{e}; give another with --source (Backup::source)")))?;
    let there = match repository::check(vault) {
        Ok(()) => true,
        Err(e) if e.code == Code::NoRepository => false,
        Err(e) => return Err(e),
    };
    let (parent, newest, unreadable) =
        if there { Newest::find(vault, &job.source)? } else { (None, Newest::none(), Vec::new()) };
    let parent = parent.as_ref();
    if let Some(file) = unreadable.iter().find(|file| file.error.is_unreadable()) {
        check_answers(vault, snapshot::DIR, &file.error)?;
    }
    if let Some(other) = newest.other(&job.source).filter(|_| job.only_source) {
        return Err(Error::invalid(format!(
            "the repository holds snapshots of {other:?}, so this database needs a name of its own; give it with \
             Backup::source (--source)"
        )));
    }
    let mut warnings = Few::new(progress);
    unreadable.iter().for_each(|file| warnings.warn(&format!("{}; `verify` says more", file.error)));
    warnings.end("snapshot files that cannot be read");
    let position = job.position.as_deref().map(|at| store.position(at)).transpose()?;
    let mut facts = Facts { source: &job.source, time: job.time, position, seq: snapshot::next_seq(parent)? };
    let name = settle_name(vault, there, &job.name, &mut facts)?;

    let all = store.tables()?;
    catalog::check(&all)?;
    let mut chosen = globs::choose(&all, job.tables.as_deref(), |table| &table.name)?;
    let leave_out: HashSet<&str> = job.leave_out.iter().map(String::as_str).collect();
    chosen.retain(|table| !leave_out.contains(table.name.as_str()));

    repository::prepare(vault)?;
    let tracking = parent.and_then(|parent| parent.tracking.as_ref());
    let listed = tracking.map_or(&[][..], |tracking| &tracking.index);
    let mended = index::mend(vault, job.full_scan || parent.is_none(), listed, progress)?;
    // Where something is known to be lost, all is scanned anyway.
    let losses = index::losses(vault)?;
    if let Some(parent) = parent.filter(|parent| mended.lacks_one && parent.trusts(&losses)) {
        increment::look_for_loss(vault, parent, progress)?;
    }
    // Only now: what was just found lost must be written again.
    let moved_from = parent.and_then(|parent| moved_from(parent, job));
    let full_scan = match &moved_from {
        Some(_) if !job.full_scan => Some("the database's file was moved".to_owned()),
        _ => increment::full_scan(vault, parent, job)?,
    };
    if full_scan.is_some() && !job.full_scan && parent.is_some() {
        index::mend(vault, true, &[], progress)?;
    }
    let increment =
        increment::run(vault, store, parent, &chosen, full_scan.as_deref(), job.compression, progress)?;
    let summary = increment::summary(&increment.tables);
    progress.log(Level::Info, &format!("Backup of {:?}: {summary}", job.source));
    let Increment { tables: outcomes, packs, bytes_added } = increment;
    let all_scanned = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Scan(..)));
    let tracking = tracking.filter(|_| !all_scanned);
    let tables: Vec<_> =
        chosen.iter().zip(outcomes).map(|(table, outcome)| PlannedTable::new(table, outcome)).collect();
    let to_scan: Vec<(u32, &Table)> = (0..)
        .zip(&chosen)
        .filter(|(number, _)| tables[*number as usize].done.is_none())
        .map(|(number, table)| (number, *table))
        .collect();

    let bytes_about: u64 = to_scan.iter().map(|(_, table)| weight(table)).fold(0, u64::saturating_add);
    let parts: Vec<Part> = divide(store, &to_scan, bytes_about, job)?
        .into_iter()
        .map(|ranges| Part { compression: job.compression, ranges })
        .collect();
    let state = State {
        name: name.clone(),
        source: job.source.clone(),
        parent: parent.map(|parent| parent.name.clone()),
        seq: facts.seq,
        origin: job.origin.clone().or_else(|| known_origin(parent?).map(str::to_owned)),
        time: job.time,
        position,
        newest,
        folding: job.folding,
        compression: job.compression,
        left_out: (all.len() - chosen.len()) as u32,
        tables,
        parent_tables: parent.and_then(|parent| parent.root),
        parent_tracking: parent.and_then(|parent| Some(parent.tracking.as_ref()?.root)),
        packs,
        bytes_added,
        full_scan: tracking.map_or(job.time, |tracking| tracking.full_scan),
        increments: tracking.map_or(0, |tracking| tracking.increments.saturating_add(1)),
        losses: index::losses(vault)?,
        unreadable: mended.unreadable,
        summary: parent.map(|_| summary),
    };
    Ok(Plan {
        name,
        parts: parts.len() as u32,
        bytes_about: to_scan.iter().map(|(_, table)| table.bytes_about).fold(0, u64::saturating_add),
        entries: to_scan.iter().map(|(_, table)| table.entries).fold(0, u64::saturating_add),
        moved_from,
        state: plan_to_bytes(&parts, &state)?,
    })
}

/// The file that a snapshot is of. One that was imported is of a file elsewhere, whatever is here under that path.
fn known_origin(snapshot: &Snapshot) -> Option<&str> {
    snapshot.origin.as_deref().filter(|_| !snapshot.imported)
}

/// The file that the source was before, if it is another one now.
fn moved_from(parent: &Snapshot, job: &Job) -> Option<String> {
    let (before, now) = (known_origin(parent)?, job.origin.as_deref()?);
    (before != now).then(|| before.to_owned())
}

impl PlannedTable {
    fn new(table: &Table, outcome: Outcome) -> Self {
        let (done, expected) = match outcome {
            Outcome::Unchanged(done) | Outcome::Edited(done) => (Some(done), None),
            Outcome::Scan(_, expected) => (None, expected),
        };
        Self {
            name: table.name.clone(),
            multimap: table.multimap,
            entries: table.entries,
            identity: table.identity.clone(),
            key_type: table.key_type.clone(),
            value_type: table.value_type.clone(),
            done,
            expected,
        }
    }
}

/// Fails unless a source can have this name.
pub(crate) fn check_source(source: &str) -> Result<()> {
    if source.is_empty() || source.len() > 200 || source.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "{source:?} cannot be the name of a source: it must have 1 to 200 bytes and no control characters"
        )));
    }
    Ok(())
}

/// The name of the snapshot, and its number. A name that is made from either gives way to one that is there: it may be that
/// of an import, or of a file that cannot be read. All others are refused.
fn settle_name(vault: &dyn Vault, there: bool, template: &str, facts: &mut Facts<'_>) -> Result<String> {
    let source = facts.source;
    let made_of_source = |e: Error| match template.contains("{source}") && name::is_of_name(&e) {
        true => Error::new(
            e.code,
            format!(
                "{e}. It is made of the source, {:?}: give another --source (Backup::source), or a --name (Backup::name)",
                source
            ),
        ),
        false => e,
    };
    let name = name::fill(template, *facts).map_err(made_of_source)?;
    if !there || !snapshot::exists(vault, &name)? {
        return Ok(name);
    }
    if name::has_seq(template) {
        let next = facts.seq.saturating_add(1);
        for seq in next..next.saturating_add(1000).min(snapshot::SEQ_MAX) {
            let other = name::fill(template, Facts { seq, ..*facts })?;
            if !snapshot::exists(vault, &other)? {
                facts.seq = seq;
                return Ok(other);
            }
        }
    }
    if template.contains("{time}") {
        for number in 2..1000 {
            let other = format!("{name}-{number}");
            name::check(&other).map_err(made_of_source)?;
            if !snapshot::exists(vault, &other)? {
                return Ok(other);
            }
        }
    }
    Err(Error::new(Code::Exists, format!("there is a snapshot {name:?} already; give another --name")))
}

/// What a table counts when parts are made even.
fn weight(table: &Table) -> u64 {
    table.bytes_about.saturating_add(table.entries.saturating_mul(8)).saturating_add(1)
}

/// Cuts the tables into parts of about equal size.
fn divide(store: &dyn Store, tables: &[(u32, &Table)], total: u64, job: &Job) -> Result<Vec<Vec<Range>>> {
    let parts = u64::from(job.parts.clamp(1, PARTS_MAX)).min((total / job.part_min.max(1)).saturating_add(1));
    let part_size = (total / parts).saturating_add(1);
    let mut divided: Vec<Vec<Range>> = (0..parts).map(|_| Vec::new()).collect();
    let mut before: u64 = 0;
    for (number, table) in tables {
        let size = weight(table);
        let stretches = size.div_ceil(part_size).saturating_add(u64::from(size > part_size)).min(parts);
        let marks = if stretches > 1 { store.split(&table.name, stretches as u32)? } else { Vec::new() };
        let count = marks.len() as u64 + 1;
        let mut from = None;
        for (i, to) in (0u64..).zip(marks.into_iter().map(Some).chain([None])) {
            // Where its middle lies among all.
            let middle = before.saturating_add(size / count * i + size / count / 2);
            let part = usize::try_from(middle / part_size).unwrap_or(usize::MAX).min(divided.len() - 1);
            match divided[part].last_mut() {
                Some(last) if last.table == *number && last.to == from => last.to = to.clone(),
                _ => {
                    let (name, multimap) = (table.name.clone(), table.multimap);
                    divided[part].push(Range { table: *number, name, multimap, from, to: to.clone() });
                }
            }
            from = to;
        }
        before = before.saturating_add(size);
    }
    divided.retain(|part| !part.is_empty());
    Ok(divided)
}

//! Tables that need not be scanned: those that a store says are as they were, and those of which it says what changed.
//!
//! Whatever gives rise to doubt costs a table a scan, never the backup.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::stock::Stock;
use super::{Done, Job};
use crate::catalog::{self, Table};
use crate::codec::Compression;
use crate::delta::Base;
use crate::error::{Code, Error, Place as _, Result};
use crate::id::{Id, Kind, Tree};
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::{self, Pack};
use crate::progress::{Few, Level, Progress, advance};
use crate::snapshot::{Snapshot, Tracking};
use crate::store::{self, Changes, Store};
use crate::tracking::{self, Track, Tracked};
use crate::tree::edits::Edits;
use crate::tree::node::Ref;
use crate::tree::old::{Bases, OldTree};
use crate::tree::walk::{Get, Walk};
use crate::vault::{Vault, check_answers};

/// Bytes of edits that are asked for at once.
const READ: u32 = 1 << 20;
/// What progress calls this.
const PHASE: &str = "changes";
const DAY: u64 = 24 * 60 * 60;

const NO_TRACKING: &str = "no tracking data";
const CONTRADICTION: &str = "the store contradicts itself";

/// What was found out without a scan.
#[derive(Default)]
pub(super) struct Increment {
    /// For each table in the order in which they were given.
    pub(super) tables: Vec<Outcome>,
    pub(super) packs: Vec<Pack>,
    pub(super) bytes_added: u64,
}

/// What is to be done with a table.
pub(super) enum Outcome {
    /// Nothing more.
    Unchanged(Done),
    Edited(Done),
    /// It must be scanned, for this reason. If the store said what changed in it, the id that it must then have.
    Scan(String, Option<Id>),
}

/// Why a table, or all of them, cannot be done without a scan.
enum Stop {
    Scan(&'static str),
    /// The store failed or contradicts itself, in this way.
    Doubt(&'static str, Error),
    /// Something that the repository should have cannot be read.
    Damage(Error),
    Fail(Error),
}

/// What the parent has.
struct Parent {
    tables: BTreeMap<String, Table>,
    tracked: BTreeMap<String, Tracked>,
}

/// Why all tables must be scanned, if they must; nothing is looked at for it that grows with the repository.
pub(super) fn full_scan(vault: &dyn Vault, parent: Option<&Snapshot>, job: &Job) -> Result<Option<String>> {
    let Some(parent) = parent else { return Ok(Some("first snapshot".to_owned())) };
    let Some(tracking) = &parent.tracking else { return Ok(Some("the parent tracks nothing".to_owned())) };
    let Tracking { full_scan, increments, losses, .. } = tracking;
    Ok(if job.full_scan {
        Some("asked for".to_owned())
    } else if *losses != index::losses(vault)? {
        Some("something was lost since the parent".to_owned())
    } else if *increments >= job.full_scan_snapshots {
        Some(format!("due after {increments} increments"))
    } else {
        // Whichever way the clock went: one that lies far ahead must not put the next scan off for years.
        let apart = job.time.abs_diff(*full_scan);
        let is_due = apart >= u64::from(job.full_scan_days).saturating_mul(DAY);
        is_due.then(|| match job.time < *full_scan {
            true => format!("the last one is {} days in the future", apart / DAY),
            false => format!("due after {} days", apart / DAY),
        })
    })
}

/// An index file is gone that nobody replaced, and perhaps packs that only it named: no other file would tell of them. Where
/// the parent lacks something, that is noted, and all tables are scanned.
pub(super) fn look_for_loss(vault: &dyn Vault, parent: &Snapshot, progress: &dyn Progress) -> Result<()> {
    progress.log(Level::Info, "An index file is gone; the structure of the parent is checked");
    if crate::verify::lacks_something(vault, parent, progress)? {
        index::note_loss(vault)?;
    }
    Ok(())
}

/// Does what can be done without a scan. With `full_scan` all tables are still to be scanned afterwards.
pub(super) fn run(
    vault: &dyn Vault,
    store: &dyn Store,
    parent: Option<&Snapshot>,
    tables: &[&store::Table],
    full_scan: Option<&str>,
    compression: Compression,
    progress: &dyn Progress,
) -> Result<Increment> {
    let objects = Objects::open(vault)?;
    let watched = Watched { objects: &objects, failed: RefCell::default() };
    let known = match parent {
        Some(snapshot) => read_parent(&watched, snapshot),
        None => Err(Stop::Scan("first snapshot")),
    };
    let stock = || Stock::over(vault, "prepare", objects.index().beside()).compressing(compression);
    let done = match (known, full_scan) {
        (Err(Stop::Fail(e)), _) => return Err(e),
        (Ok(known), _) => all(stock(), store, &known, tables, &watched, progress),
        // A scan would find that what is damaged is there.
        (Err(stop @ Stop::Damage(_)), Some(_)) | (Err(stop), None) => Err(stop),
        (Err(_), Some(reason)) => return Ok(all_scanned(tables, reason)),
    };
    let done = match (done, full_scan) {
        (Ok(increment), Some(reason)) => return under_scan(vault, increment, reason),
        (done, _) => done,
    };
    let wrong = match done {
        Ok(increment) => return Ok(increment),
        Err(Stop::Fail(e)) => return Err(e),
        Err(Stop::Scan(reason) | Stop::Doubt(reason, _)) => return Ok(all_scanned(tables, reason)),
        Err(Stop::Damage(wrong)) => wrong,
    };
    let message = format!("{wrong}; all tables are scanned, so that what is lost is written again");
    progress.log(Level::Warn, &message);
    let mut change = Change::default();
    for (kind, id) in watched.failed.take() {
        for place in objects.places(&id)? {
            match objects.read_at(kind, id, place) {
                Err(e) if e.is_unreadable() => {
                    check_answers(vault, pack::DIR, &e)?;
                    match pack::entries(vault, place.pack) {
                        Err(e) if e.is_unreadable() => change.lost.insert(place.pack),
                        _ => change.bad.insert((id, place.pack)),
                    };
                }
                Err(e) if e.code == Code::Damaged => drop(change.bad.insert((id, place.pack))),
                _ => {}
            }
        }
    }
    if !change.bad.is_empty() || !change.lost.is_empty() {
        // From now on it counts as absent.
        change.also = index::others(vault, &objects.index(), &mut change.lost, progress)?;
    }
    drop(objects);
    if !change.bad.is_empty() || !change.lost.is_empty() {
        index::update(vault, Change { whole: true, ..change })?;
    }
    index::mend(vault, true, &[], progress)?;
    Ok(all_scanned(tables, full_scan.unwrap_or("the parent is damaged")))
}

fn all_scanned(tables: &[&store::Table], reason: &str) -> Increment {
    let tables = tables.iter().map(|_| Outcome::Scan(reason.to_owned(), None)).collect();
    Increment { tables, ..Increment::default() }
}

/// A scan of all tables after an increment of them: it finds what the increment wrote, as small as that is, writes only
/// what the increment left wrong, and shows what a store said that is not so.
fn under_scan(vault: &dyn Vault, increment: Increment, reason: &str) -> Result<Increment> {
    let Increment { tables, packs, bytes_added } = increment;
    if !packs.is_empty() {
        // Only what the index names is found. Should the run end here, it is what any run leaves that did not end.
        let needed = packs.iter().map(|pack| pack.id).collect();
        index::update(vault, Change { needed, ..Change::default() }).place("while the index is written")?;
    }
    let scan = |outcome| match outcome {
        Outcome::Unchanged(done) | Outcome::Edited(done) => {
            Outcome::Scan(reason.to_owned(), Some(catalog::id_of_table(done.root)))
        }
        scanned => scanned,
    };
    Ok(Increment { tables: tables.into_iter().map(scan).collect(), packs: Vec::new(), bytes_added })
}

fn read_parent(watched: &Watched<'_, '_>, snapshot: &Snapshot) -> Result<Parent, Stop> {
    // Also where it tracks nothing: the new snapshot shares the list of tables, unless it was changed.
    let tables = catalog::read_tree(watched, snapshot).map_err(in_repository)?;
    let tracking = snapshot.tracking.as_ref();
    let tracking = tracking.ok_or(Stop::Scan("the parent tracks nothing"))?;
    let tracked = tracking::read(watched, Some(tracking.root)).map_err(in_repository)?;
    Ok(Parent { tables: tables.into_iter().map(|table| (table.name.clone(), table)).collect(), tracked })
}

/// The table as the parent has it, if it is still the same and was tracked.
fn find<'p>(known: &'p Parent, table: &store::Table) -> Result<(&'p Table, &'p Track), &'static str> {
    let before = known.tables.get(&table.name).ok_or("new table")?;
    if before.multimap != table.multimap || before.identity != table.identity {
        return Err("made anew");
    }
    let tracked = known.tracked.get(&table.name).filter(|tracked| tracked.id == before.id());
    Ok((before, &tracked.ok_or("no baseline")?.track))
}

/// All tables, one after the other.
fn all(
    mut stock: Stock<'_>,
    store: &dyn Store,
    known: &Parent,
    tables: &[&store::Table],
    watched: &Watched<'_, '_>,
    progress: &dyn Progress,
) -> Result<Increment, Stop> {
    let mut outcomes = Vec::with_capacity(tables.len());
    let mut doubts = Few::new(progress);
    for table in tables {
        let outcome = match one(store, known, table, watched, &mut stock, progress) {
            Err(Stop::Scan(reason)) => Outcome::Scan(reason.to_owned(), None),
            Err(Stop::Doubt(reason, e)) => {
                doubts.warn(&format!("table {:?} is scanned, because {reason}: {e}", table.name));
                Outcome::Scan(reason.to_owned(), None)
            }
            done => done?,
        };
        let said = match &outcome {
            Outcome::Unchanged(_) => "is as it was".to_owned(),
            Outcome::Edited(_) => "was changed by edits".to_owned(),
            Outcome::Scan(reason, _) => format!("is scanned: {reason}"),
        };
        progress.log(Level::Debug, &format!("table {:?} {said}", table.name));
        outcomes.push(outcome);
        advance(progress, PHASE, 0, 0)?;
    }
    doubts.end("tables that are scanned for such a reason");
    let (packs, bytes_added) = stock.finish()?;
    Ok(Increment { tables: outcomes, packs, bytes_added })
}

fn one(
    store: &dyn Store,
    known: &Parent,
    table: &store::Table,
    watched: &Watched<'_, '_>,
    stock: &mut Stock<'_>,
    progress: &dyn Progress,
) -> Result<Outcome, Stop> {
    let scan = |reason| Err(Stop::Scan(reason));
    let in_edits = |e| watched.in_edits(e);
    let (before, track) = find(known, table).map_err(Stop::Scan)?;
    let stamp = tracking::stamp(store, &table.name).map_err(in_store)?;
    let Some(stamp) = stamp else { return scan("the store cannot tell") };
    if stamp == track.stamp {
        if before.entries != table.entries {
            let message = "the stamp is the old one, the number of entries is not";
            return Err(Stop::Doubt(CONTRADICTION, Error::invalid(message)));
        }
        return Ok(Outcome::Unchanged(Done { root: before.root, track: Some(track.clone()) }));
    }
    let Some(baseline) = track.baseline else { return scan("no baseline") };
    let changes = store.changes(&table.name, &track.stamp).map_err(in_store)?;
    let Some(mut changes) = changes else { return scan("the store cannot tell") };
    let mut old_and_new = Pair {
        entries: Edits::new(OldTree::new(Tree::Table, before.root, watched), before.multimap),
        baseline: Edits::new(OldTree::new(Tree::Baseline, baseline, watched), true),
    };
    let mut walk = Walk::of(Tree::Baseline, baseline);
    loop {
        let leaf = walk.next(watched).map_err(in_repository)?;
        let offered = leaf.as_ref().map_or(&[][..], |(_, content)| content);
        changes.offer(offered).map_err(in_store)?;
        old_and_new.drain(changes.as_mut(), watched, stock, progress)?;
        if leaf.is_none() {
            break;
        }
    }
    drop(changes);
    let Pair { entries, baseline } = old_and_new;
    let root = entries.finish(stock).map_err(in_edits)?;
    let counted = root.map_or(0, |root| root.node.entries);
    if counted != table.entries {
        let message = format!("what it says of changes gives {counted} entries, it counts {}", table.entries);
        return Err(Stop::Doubt(CONTRADICTION, Error::invalid(message)));
    }
    let baseline = Some(baseline.finish(stock).map_err(in_edits)?);
    Ok(Outcome::Edited(Done { root, track: Some(Track { stamp, baseline }) }))
}

/// The two sequences that are edited at once.
struct Pair<'a> {
    entries: Edits<'a>,
    baseline: Edits<'a>,
}

impl Pair<'_> {
    /// Takes all edits that there are for now.
    fn drain(
        &mut self,
        changes: &mut dyn Changes,
        watched: &Watched<'_, '_>,
        stock: &mut Stock<'_>,
        progress: &dyn Progress,
    ) -> Result<(), Stop> {
        let in_edits = |e| watched.in_edits(e);
        loop {
            let entries = changes.entries(READ).map_err(in_store)?;
            self.entries.push(&entries, stock).map_err(in_edits)?;
            let baseline = changes.baseline(READ).map_err(in_store)?;
            self.baseline.push(&baseline, stock).map_err(in_edits)?;
            advance(progress, PHASE, 0, 0)?;
            if entries.is_empty() && baseline.is_empty() {
                return Ok(());
            }
        }
    }
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Stop::Fail(e)
    }
}

/// Whatever a store says went wrong, a scan may do without.
fn in_store(e: Error) -> Stop {
    match e.code {
        Code::Cancelled => Stop::Fail(e),
        Code::Unsupported => Stop::Scan("the store cannot tell"),
        _ => Stop::Doubt("the store failed", e),
    }
}

/// What cannot be read of the parent, a scan does without; what is damaged, it writes again, if the store still has it.
fn in_repository(e: Error) -> Stop {
    match e.code {
        Code::Cancelled => Stop::Fail(e),
        Code::Unsupported => Stop::Scan(NO_TRACKING),
        _ => Stop::Damage(e),
    }
}

/// Notes what cannot be read.
struct Watched<'o, 'v> {
    objects: &'o Objects<'v>,
    failed: RefCell<Vec<(Kind, Id)>>,
}

impl Watched<'_, '_> {
    /// After an error in writing, what was written so far is of no use.
    fn in_edits(&self, e: Error) -> Stop {
        match e.code {
            Code::Invalid => Stop::Doubt(CONTRADICTION, e),
            Code::Unsupported => Stop::Scan(NO_TRACKING),
            _ if self.failed.borrow().is_empty() => Stop::Fail(e),
            _ => in_repository(e),
        }
    }

    fn note<T>(&self, kind: Kind, node: &Ref, read: Result<T>) -> Result<T> {
        let Err(e) = read else { return read };
        let tracks = matches!(kind, Kind::Tracking { .. } | Kind::Baseline { .. });
        if tracks && e.code == Code::Damaged && self.objects.find(&node.id)?.is_none() {
            // A prune takes it from all snapshots but the newest, and this one may not always have been that.
            return Err(Error::new(Code::Unsupported, NO_TRACKING));
        }
        self.failed.borrow_mut().push((kind, node.id));
        Err(e)
    }
}

impl Bases for Watched<'_, '_> {
    fn base(&self, kind: Kind, node: &Ref) -> Result<Base> {
        self.note(kind, node, self.objects.base(kind, node))
    }
}

impl Get for Watched<'_, '_> {
    fn get(&self, kind: Kind, node: &Ref) -> Result<Vec<u8>> {
        self.note(kind, node, self.objects.get(kind, node))
    }
}

/// What was done, for people: `3 tables unchanged, 1 by edits, 1 scanned (no baseline)`.
pub(super) fn summary(tables: &[Outcome]) -> String {
    let (mut unchanged, mut edited, mut scanned) = (0, 0, BTreeMap::<&str, u32>::new());
    for outcome in tables {
        match outcome {
            Outcome::Unchanged(_) => unchanged += 1,
            Outcome::Edited(_) => edited += 1,
            Outcome::Scan(reason, _) => *scanned.entry(reason).or_default() += 1,
        }
    }
    let mut said = String::new();
    let mut say = |number: u32, what: &str, why: &str| {
        if number > 0 {
            let comma = if said.is_empty() { "" } else { ", " };
            let tables = match (said.is_empty(), number) {
                (true, 1) => " table",
                (true, _) => " tables",
                _ => "",
            };
            let _ = write!(said, "{comma}{number}{tables} {what}{why}");
        }
    };
    say(unchanged, "unchanged", "");
    say(edited, "by edits", "");
    for (reason, number) in scanned {
        say(number, "scanned", &format!(" ({reason})"));
    }
    said
}

//! A look at a policy: what it exports, and what its answers cost.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::call::Cost;
use super::zone::seconds;
use super::{Decision, Policy};
use crate::Result;
use crate::model::{Snapshot, Table};
use crate::sandbox::on_own_thread;

/// Each question is asked again for so long, for the shortest time.
const PATIENCE: Duration = Duration::from_millis(200);
/// How many snapshots or tables the questions name.
const SIZES: [usize; 3] = [10, 100, 1000];

/// What a look at a policy found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyReport {
    /// What it is called.
    pub policy: String,
    /// Bytes of the component.
    pub bytes: usize,
    /// The policy interfaces that it exports, with their versions. It imports nothing, or it would not have been loaded.
    pub exports: Vec<String>,
    /// What it was asked, with imagined snapshots and tables.
    pub trials: Vec<Trial>,
}

/// One question to a policy.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trial {
    /// Which decision.
    pub decision: Decision,
    /// How many snapshots or tables the question named.
    pub items: usize,
    /// What the answer cost, or why there was none.
    pub cost: Result<Cost>,
}

impl Policy {
    /// Asks the policy each question that it can answer, about 10, 100 and 1,000 imagined snapshots or tables.
    pub fn check(&self, now: SystemTime) -> Result<PolicyReport> {
        let now = if now < UNIX_EPOCH { 0 } else { seconds(now) };
        on_own_thread("check", || {
            let decisions = Decision::ALL.into_iter().filter(|decision| self.decides(*decision));
            let questions = decisions.flat_map(|decision| SIZES.map(|items| (decision, items)));
            Ok(PolicyReport {
                policy: self.name().to_owned(),
                bytes: self.compiled().len,
                exports: self.compiled().exports.clone(),
                trials: questions
                    .map(|(decision, items)| Trial {
                        decision,
                        items,
                        cost: self.try_it(decision, items, now),
                    })
                    .collect(),
            })
        })
    }

    /// The cost of an answer; of the time the shortest of several.
    fn try_it(&self, decision: Decision, items: usize, now: i64) -> Result<Cost> {
        let snapshots: Vec<Snapshot> = (0..items).map(|i| imagined(i, items, now)).collect();
        let started = Instant::now();
        let mut best: Option<Cost> = None;
        while best.is_none() || started.elapsed() < PATIENCE {
            let cost = match decision {
                Decision::Select => self.ask_select("imagined", &store_tables(items))?.1,
                Decision::Admit => {
                    let tables = tables(items);
                    let new = imagined(items, items, now);
                    self.ask_admit(&new, &tables, &snapshots, Some(&tables))?.1
                }
                Decision::Retain => {
                    let shown: Vec<_> = snapshots.iter().map(|snapshot| (snapshot, snapshot.time)).collect();
                    self.ask_retain(now, &shown)?.1
                }
            };
            best = Some(best.filter(|best| best.time <= cost.time).unwrap_or(cost));
        }
        best.ok_or_else(|| self.lacks(decision))
    }
}

/// One snapshot of so many, an hour apart, the newest of which is of this moment.
fn imagined(number: usize, of: usize, now: i64) -> Snapshot {
    let ago = 3600 * of.saturating_sub(number) as i64;
    let mut snapshot = Snapshot::default();
    snapshot.name = format!("imagined-{number:06}");
    snapshot.id = format!("{number:064x}");
    snapshot.source = "imagined".to_owned();
    snapshot.parent = number.checked_sub(1).map(|parent| format!("imagined-{parent:06}"));
    snapshot.seq = number as u64 + 1;
    snapshot.time = u64::try_from(now - ago).unwrap_or(0);
    snapshot.position = Some(number as u64);
    snapshot.tables = 10;
    snapshot.entries = 1_000_000;
    snapshot.bytes = 200_000_000;
    snapshot.bytes_added = 20_000;
    snapshot
}

fn tables(count: usize) -> Vec<Table> {
    let table = |i| {
        let mut table = Table::default();
        table.name = format!("table-{i:04}");
        (table.entries, table.bytes) = (1000, 200_000);
        (table.key_type, table.value_type) = ("&str".to_owned(), "u64".to_owned());
        table.id = format!("{i:064x}");
        table
    };
    (0..count).map(table).collect()
}

fn store_tables(count: usize) -> Vec<strongroom_store::Table> {
    let table = |table: Table| strongroom_store::Table {
        name: table.name,
        multimap: table.multimap,
        entries: table.entries,
        bytes_about: table.bytes,
        key_type: table.key_type,
        value_type: table.value_type,
        identity: Vec::new(),
    };
    tables(count).into_iter().map(table).collect()
}

//! What Strongroom is meant to reach on the artificial entries, and whether it did.

use serde::Serialize;

use super::data;
use super::peers::{COPY, REDB, RESTIC, ROCKSDB, SEED, STRONGROOM};
use super::samples::{Case, Samples, Series};

/// How many entries they are meant for.
pub(super) const ENTRIES: u64 = 1_000_000;

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    pub(super) what: &'static str,
    pub(super) bound: Bound,
    /// What was measured; nothing if a peer that it takes was missing.
    pub(super) measured: Option<f64>,
}

/// What is enough.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub(super) fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtMost(most) => measured <= most,
            Bound::AtLeast(least) => measured >= least,
        })
    }
}

/// All of them.
pub(super) fn of(samples: &Samples) -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    let series = |case, peer| samples.get(data::ENTRIES, case, peer);
    let ours = |case| series(case, STRONGROOM);
    let ratio = |one: Option<&Series>, other: Option<&Series>| Some(one?.median() / other?.median());
    let first = ours(Case::First);
    vec![
        Target {
            what: "first backup, in times of `cp` + `sync`",
            bound: AtMost(1.5),
            measured: ratio(first, series(Case::First, COPY)),
        },
        Target {
            what: "the same without compression",
            bound: AtMost(1.0),
            measured: ratio(ours(Case::FirstUncompressed), series(Case::FirstUncompressed, COPY)),
        },
        Target {
            what: "first backup, how much faster than restic",
            bound: AtLeast(5.0),
            measured: ratio(series(Case::First, RESTIC), first),
        },
        Target {
            what: "first backup, how much faster than the seed's way",
            bound: AtLeast(50.0),
            measured: ratio(series(Case::First, SEED), first),
        },
        Target {
            what: "first backup, in times of RocksDB's",
            bound: AtMost(0.5),
            measured: ratio(first, series(Case::First, ROCKSDB)),
        },
        Target {
            what: "restore, as a part of redb's bulk-load rate",
            bound: AtLeast(0.8),
            measured: ratio(series(Case::Restore, REDB), ours(Case::Restore)),
        },
        Target {
            what: "second backup with nothing changed, bytes written",
            bound: AtMost(4096.0),
            measured: ours(Case::Unchanged).and_then(Series::written),
        },
        Target {
            what: "second backup with nothing changed, seconds",
            bound: AtMost(0.036),
            measured: ours(Case::Unchanged).map(Series::median),
        },
        Target {
            what: "one row changed, seconds",
            bound: AtMost(0.05),
            measured: ours(Case::OneRow).map(Series::median),
        },
        Target {
            what: "1,000 random rows changed, seconds",
            bound: AtMost(0.2),
            measured: ours(Case::ThousandRows).map(Series::median),
        },
        Target {
            what: "`snapshots` of 1,000, seconds",
            bound: AtMost(0.04),
            measured: ours(Case::List).map(Series::median),
        },
    ]
}

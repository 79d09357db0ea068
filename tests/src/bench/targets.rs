//! What Strongroom is meant to reach on the artificial entries, and whether it did.

use super::data::{self, Data};
use super::peers::{COPY, REDB, RESTIC, ROCKSDB, SEED, STRONGROOM};
use super::samples::{Case, Samples, Series};
use crate::target::Target;

/// How many entries they are meant for.
pub(super) const ENTRIES: u64 = 1_000_000;

/// All of them.
pub(super) fn of(samples: &Samples, data: &[Data]) -> Vec<Target> {
    let series = |case, peer| samples.get(data::ENTRIES, case, peer);
    let ours = |case| series(case, STRONGROOM);
    let seconds = |case| ours(case).map(Series::median);
    let ratio = |one: Option<&Series>, other: Option<&Series>| Some(one?.median() / other?.median());
    let first = ours(Case::First);
    let bytes = data.iter().find(|data| data.name == data::ENTRIES).and_then(|data| data.bytes);
    vec![
        Target::at_most(
            "first backup, in times of `cp` + `sync`",
            1.5,
            ratio(first, series(Case::First, COPY)),
        ),
        Target::at_most(
            "the same without compression",
            1.0,
            ratio(ours(Case::FirstUncompressed), series(Case::FirstUncompressed, COPY)),
        ),
        Target::at_least(
            "first backup, how much faster than restic",
            5.0,
            ratio(series(Case::First, RESTIC), first),
        ),
        Target::at_least(
            "first backup, how much faster than the seed's way",
            50.0,
            ratio(series(Case::First, SEED), first),
        ),
        Target::at_most(
            "first backup, in times of RocksDB's",
            0.5,
            ratio(first, series(Case::First, ROCKSDB)),
        ),
        Target::at_most(
            "second backup with nothing changed, bytes written",
            4096.0,
            ours(Case::Unchanged).and_then(Series::written),
        ),
        Target::at_most("second backup with nothing changed, seconds", 0.036, seconds(Case::Unchanged)),
        Target::at_most("one row changed, seconds", 0.05, seconds(Case::OneRow)),
        Target::at_most("1,000 random rows changed, seconds", 0.2, seconds(Case::ThousandRows)),
        Target::at_most("10,000 random rows changed, seconds", 0.8, seconds(Case::TenThousandRows)),
        Target::at_least(
            "restore, as a part of redb's bulk-load rate",
            0.8,
            ratio(series(Case::Restore, REDB), ours(Case::Restore)),
        ),
        Target::at_least(
            "verify --read-data, MB/s of plain data",
            600.0,
            seconds(Case::Verify).zip(bytes).map(|(seconds, bytes)| bytes as f64 / 1e6 / seconds),
        ),
        Target::at_most("`snapshots` of 1,000, seconds", 0.04, seconds(Case::Snapshots)),
        Target::at_most("`tables` among 1,000 snapshots, seconds", 0.04, seconds(Case::Tables)),
    ]
}

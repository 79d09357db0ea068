//! What was measured.

use std::collections::{BTreeMap, BTreeSet};

/// One thing that was done once.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    /// Bytes of files that are new or changed.
    pub(super) written: Option<u64>,
    /// Most bytes of memory that the process had.
    pub(super) peak_rss: Option<u64>,
    /// Seconds of processors.
    pub(super) cpu: Option<f64>,
    /// What it printed.
    pub(super) stdout: String,
}

/// What is measured, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    First,
    FirstUncompressed,
    Unchanged,
    OneRow,
    ThousandRows,
    TenThousandRows,
    OnePercent,
    Restore,
    Verify,
    Snapshots,
    Tables,
}

impl Case {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::First => "First backup, synced",
            Self::FirstUncompressed => "First backup without compression, synced",
            Self::Unchanged => "Second backup, nothing changed",
            Self::OneRow => "One row changed",
            Self::ThousandRows => "1,000 random rows changed",
            Self::TenThousandRows => "10,000 random rows changed",
            Self::OnePercent => "1 % of the files changed",
            Self::Restore => "Restore to a new database, synced",
            Self::Verify => "Verify, reading all data",
            Self::Snapshots => "List a repository of 1,000 snapshots",
            Self::Tables => "List the tables of the newest of 1,000 snapshots",
        }
    }

    /// How many rows were changed for it.
    pub(super) fn rows(self) -> Option<u64> {
        match self {
            Self::OneRow => Some(1),
            Self::ThousandRows => Some(1000),
            Self::TenThousandRows => Some(10_000),
            _ => None,
        }
    }

    /// Whether most of the data is backed up already.
    pub(super) fn is_increment(self) -> bool {
        self.rows().is_some() || self == Self::Unchanged || self == Self::OnePercent
    }
}

/// What one peer took for one case, in every round.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) seconds: Vec<f64>,
    written: Vec<f64>,
    peak_rss: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    pub(super) fn median(&self) -> f64 {
        median(&self.seconds).unwrap_or(f64::NAN)
    }

    pub(super) fn written(&self) -> Option<f64> {
        median(&self.written)
    }

    pub(super) fn cpu(&self) -> Option<f64> {
        median(&self.cpu)
    }

    /// The largest of all rounds.
    pub(super) fn peak_rss(&self) -> Option<f64> {
        self.peak_rss.iter().copied().reduce(f64::max)
    }
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// All series, by data, case and peer.
#[derive(Debug, Default)]
pub(super) struct Samples {
    series: BTreeMap<(String, Case), Vec<(String, Series)>>,
    /// Peers whose every backup is a copy of everything.
    copying: BTreeSet<&'static str>,
}

/// What one peer took for a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'s> {
    pub(super) peer: &'s str,
    pub(super) series: &'s Series,
    /// Whether it is the peer's first backup, because an increment would be the same once more.
    pub(super) full_copy: bool,
}

impl Samples {
    /// Takes what one peer measures on one kind of data.
    pub(super) fn of<'s>(&'s mut self, data: &'s str, peer: &'s str) -> Recorder<'s> {
        Recorder { samples: self, data, peer }
    }

    /// Notes that this peer has no increments.
    pub(super) fn copies_everything(&mut self, peer: &'static str) {
        self.copying.insert(peer);
    }

    /// The cases of a kind of data, each with the peers in order of their medians.
    pub(super) fn cases(&self, data: &str) -> Vec<(Case, Vec<Taken<'_>>)> {
        let of_data = self.series.iter().filter(|((of, _), _)| of == data);
        let sorted = of_data.map(|((_, case), peers)| {
            let taken = peers.iter().map(|(peer, series)| Taken { peer, series, full_copy: false });
            let copying = self.copying.iter().filter(|_| case.is_increment()).filter_map(|peer| {
                let series = self.get(data, Case::First, peer)?;
                Some(Taken { peer, series, full_copy: true })
            });
            let mut peers: Vec<_> = taken.chain(copying).collect();
            peers.sort_by(|a, b| a.series.median().total_cmp(&b.series.median()));
            (*case, peers)
        });
        sorted.collect()
    }

    pub(super) fn get(&self, data: &str, case: Case, peer: &str) -> Option<&Series> {
        let peers = self.series.get(&(data.to_owned(), case))?;
        peers.iter().find(|(of, _)| of == peer).map(|(_, series)| series)
    }
}

/// Takes what one peer measures.
pub(super) struct Recorder<'s> {
    samples: &'s mut Samples,
    data: &'s str,
    peer: &'s str,
}

impl Recorder<'_> {
    pub(super) fn record(&mut self, case: Case, measured: &Measured) {
        let peers = self.samples.series.entry((self.data.to_owned(), case)).or_default();
        if !peers.iter().any(|(of, _)| of == self.peer) {
            peers.push((self.peer.to_owned(), Series::default()));
        }
        let Some((_, series)) = peers.iter_mut().find(|(of, _)| of == self.peer) else { return };
        series.seconds.push(measured.seconds);
        series.written.extend(measured.written.map(|bytes| bytes as f64));
        series.cpu.extend(measured.cpu);
        series.peak_rss.extend(measured.peak_rss.map(|bytes| bytes as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn an_increment_of_what_has_none_is_its_first_backup() {
        let mut samples = Samples::default();
        samples.copies_everything("cp");
        for (peer, case, seconds) in [
            ("cp", Case::First, 2.0),
            ("ours", Case::First, 3.0),
            ("ours", Case::OneRow, 1.0),
            ("ours", Case::Verify, 4.0),
        ] {
            samples.of("data", peer).record(case, &Measured { seconds, ..Measured::default() });
        }
        let cases = samples.cases("data");
        let shown = cases.iter().flat_map(|(case, taken)| {
            taken.iter().map(|taken| (*case, taken.peer, taken.series.median(), taken.full_copy))
        });
        let shown: Vec<_> = shown.collect();
        assert_eq!(
            shown,
            [
                (Case::First, "cp", 2.0, false),
                (Case::First, "ours", 3.0, false),
                (Case::OneRow, "ours", 1.0, false),
                (Case::OneRow, "cp", 2.0, true),
                (Case::Verify, "ours", 4.0, false),
            ]
        );
    }
}

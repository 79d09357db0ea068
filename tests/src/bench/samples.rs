//! What was measured.

use std::collections::BTreeMap;

/// One thing that was done once.
#[derive(Debug, Clone)]
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
    OnePercent,
    Restore,
    Verify,
    List,
}

impl Case {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::First => "First backup, synced",
            Self::FirstUncompressed => "First backup without compression, synced",
            Self::Unchanged => "Second backup, nothing changed",
            Self::OneRow => "One row changed",
            Self::ThousandRows => "1,000 random rows changed",
            Self::OnePercent => "1 % of the files changed",
            Self::Restore => "Restore to a new database, synced",
            Self::Verify => "Verify, reading all data",
            Self::List => "List a repository of 1,000 snapshots",
        }
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
pub(super) struct Samples(BTreeMap<(String, Case), Vec<(String, Series)>>);

impl Samples {
    /// Takes what one peer measures on one kind of data.
    pub(super) fn of<'s>(&'s mut self, data: &'s str, peer: &'s str) -> Recorder<'s> {
        Recorder { samples: self, data, peer }
    }

    /// The cases of a kind of data, each with the peers in order of their medians.
    pub(super) fn cases(&self, data: &str) -> Vec<(Case, Vec<(&str, &Series)>)> {
        let of_data = self.0.iter().filter(|((of, _), _)| of == data);
        let sorted = of_data.map(|((_, case), peers)| {
            let mut peers: Vec<_> = peers.iter().map(|(peer, series)| (peer.as_str(), series)).collect();
            peers.sort_by(|a, b| a.1.median().total_cmp(&b.1.median()));
            (*case, peers)
        });
        sorted.collect()
    }

    pub(super) fn get(&self, data: &str, case: Case, peer: &str) -> Option<&Series> {
        let peers = self.0.get(&(data.to_owned(), case))?;
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
        let peers = self.samples.0.entry((self.data.to_owned(), case)).or_default();
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
}

//! What increments are meant to cost, and whether they did.

use super::Series;
use crate::target::Target;

/// How many entries the targets are meant for.
pub const ENTRIES: u64 = 1_000_000;

/// All of them, of series of tables with so many entries and with ten times as many.
pub fn targets(series: &[Series], entries: u64) -> Vec<Target> {
    let find = |entries, rows| series.iter().find(|series| series.entries == entries && series.rows == rows);
    let seconds = |series: Option<&Series>| series.map(Series::seconds);
    let mean = |series: Option<&Series>| series.map(|series| series.mean_written() / 1e3);
    let most = |series: Option<&Series>| series.map(|series| series.most_written() / 1e3);
    let [none, one, thousand, ten_thousand] = [0, 1, 1000, 10_000].map(|rows| find(entries, rows));
    let over = |series: Option<&Series>, what: &str, figure: &str| {
        let count = series.map_or(0, |series| series.increments.len());
        format!("{what}, {figure} of {count} increments")
    };
    let mut targets = vec![
        Target::at_most(over(none, "nothing changed", "median seconds"), 0.036, seconds(none)),
        Target::at_most(over(none, "nothing changed", "most KB written"), 4.0, most(none)),
        Target::at_most(over(one, "1 row", "median seconds"), 0.05, seconds(one)),
        Target::at_most(over(one, "1 row", "mean KB written"), 4.0, mean(one)),
        Target::at_most(over(thousand, "1,000 rows", "median seconds"), 0.2, seconds(thousand)),
        Target::at_most(over(thousand, "1,000 rows", "mean KB written"), 1000.0, mean(thousand)),
        Target::at_most(over(thousand, "1,000 rows", "most KB written"), 2500.0, most(thousand)),
        Target::at_most(over(ten_thousand, "10,000 rows", "median seconds"), 0.8, seconds(ten_thousand)),
        Target::at_most(over(ten_thousand, "10,000 rows", "mean KB written"), 7000.0, mean(ten_thousand)),
    ];
    // Late increments write more than early ones, so only as many are compared as both have.
    let tenfold = find(entries * 10, 1000);
    let as_many = tenfold.zip(thousand).map(|(tenfold, small)| small.first(tenfold.increments.len()));
    let times = |figure: fn(&Series) -> f64| Some(figure(tenfold?) / figure(as_many.as_ref()?));
    let tenfold = "1,000 rows in a table ten times as large";
    targets.extend([
        Target::at_most(format!("{tenfold}, in times of the seconds"), 2.0, times(Series::seconds)),
        Target::at_most(format!("{tenfold}, in times of the mean written"), 2.0, times(Series::mean_written)),
    ]);
    targets
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    fn verdicts(series: &[Series]) -> Vec<Option<bool>> {
        targets(series, 1_000_000).iter().map(Target::is_met).collect()
    }

    #[test]
    fn each_target_looks_at_its_own_series() {
        const ALL: usize = 11;
        let met = [
            made(1_000_000, 0, &[(0.036, 4000)]),
            made(1_000_000, 1, &[(0.05, 1000), (0.05, 7000)]),
            made(1_000_000, 1000, &[(0.2, 600_000), (0.2, 1_400_000)]),
            made(1_000_000, 10_000, &[(0.8, 7_000_000)]),
            made(10_000_000, 1000, &[(0.4, 1_200_000)]),
        ];
        assert_eq!(verdicts(&met), [Some(true); ALL]);
        assert_eq!(verdicts(&[]), [None; ALL]);
        // A little more in one series fails its own targets and, of the tenfold one, what it is compared with.
        for (at, misses) in [(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)] {
            let mut series = met.clone();
            for increment in &mut series[at].increments {
                increment.seconds *= 1.01;
                increment.written += increment.written / 100;
            }
            let missed = verdicts(&series).iter().filter(|met| **met == Some(false)).count();
            assert_eq!(missed, misses, "{at}");
        }
        let mut series = met;
        series[2].increments[1].written = 2_500_001;
        assert!(targets(&series, 1_000_000).iter().any(|target| target.what.contains("most")
            && target.what.contains("1,000 rows")
            && target.is_met() == Some(false)));
    }

    #[test]
    fn a_table_ten_times_as_large_is_compared_with_as_many_increments() {
        let series = [
            made(1_000_000, 1000, &[(0.1, 100), (0.1, 100), (9.0, 9000)]),
            made(10_000_000, 1000, &[(0.15, 150), (0.15, 150)]),
        ];
        let all = targets(&series, 1_000_000);
        let times: Vec<f64> = all.iter().rev().take(2).filter_map(|target| target.measured).collect();
        assert_eq!(times.len(), 2);
        assert!(times.iter().all(|times| (times - 1.5).abs() < 1e-9), "{times:?}");
    }
}

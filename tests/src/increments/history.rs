//! Whether an increment takes longer the more snapshots there are.

use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

use super::{Increment, Series, seconds};
use crate::target::Target;

/// The shortest history of which anything can be said.
pub const LEAST: u64 = 40;
/// Increments on each side of a window's middle, if there are enough.
const HALF: usize = 10;

/// The increments around the first tenth of a history, and its last ones: of 1,000, those from 91 to 110 and from 981.
#[derive(Debug, Clone)]
pub struct Windows {
    /// Which they are, counted from 1.
    early: RangeInclusive<usize>,
    late: RangeInclusive<usize>,
    /// Their medians.
    seconds: [f64; 2],
}

impl Windows {
    /// Nothing of a history that is too short.
    pub fn of(series: &Series) -> Option<Self> {
        let count = series.increments.len();
        let half = HALF.min(count / 20);
        let tenth = count / 10;
        let (early, late) = (tenth - half.min(tenth) + 1..=tenth + half, count + 1 - 2 * half..=count);
        let of = |window: &RangeInclusive<usize>| -> Option<&[Increment]> {
            series.increments.get(window.start() - 1..*window.end()).filter(|window| !window.is_empty())
        };
        let seconds = [seconds(of(&early)?), seconds(of(&late)?)];
        Some(Self { early, late, seconds })
    }

    /// What is aimed at.
    pub fn target(&self) -> Target {
        let [early, late] = self.seconds;
        let what = format!(
            "increments {} to {}, seconds in times of those from {} to {}",
            self.late.start(),
            self.late.end(),
            self.early.start(),
            self.early.end()
        );
        Target::at_most(what, 1.5, Some(late / early))
    }
}

impl Display for Windows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [early, late] = self.seconds;
        write!(
            f,
            "Increments {} to {} took {early:.3} s in the median, {} to {} {late:.3} s.",
            self.early.start(),
            self.early.end(),
            self.late.start(),
            self.late.end()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn of_a_thousand_the_last_twenty_are_compared_with_those_around_the_hundredth() {
        let increments: Vec<(f64, u64)> = (1..=1000).map(|number| (f64::from(number), 0)).collect();
        let windows = Windows::of(&made(1000, 1000, &increments)).unwrap();
        assert_eq!((windows.early.clone(), windows.late.clone()), (91..=110, 981..=1000));
        assert_eq!(windows.seconds, [100.5, 990.5]);
        assert_eq!(windows.target().is_met(), Some(false));
        assert_eq!(
            windows.to_string(),
            "Increments 91 to 110 took 100.500 s in the median, 981 to 1000 990.500 s."
        );
    }

    #[test]
    fn every_history_that_is_long_enough_has_two_windows_apart() {
        for count in 0..300 {
            let increments = vec![(0.1, 0); count];
            match Windows::of(&made(1000, 1000, &increments)) {
                Some(windows) => {
                    assert!(windows.early.end() < windows.late.start(), "{count}: {windows:?}");
                    assert_eq!(windows.early.clone().count(), windows.late.clone().count());
                    assert_eq!(windows.target().is_met(), Some(true));
                }
                None => assert!((count as u64) < LEAST, "{count}"),
            }
        }
    }
}

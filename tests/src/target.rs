//! What is aimed at, and whether it was reached.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// One aim.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Of what, with its unit.
    pub what: Cow<'static, str>,
    /// What is enough.
    pub bound: Bound,
    /// What was measured; nothing if what it takes was missing.
    pub measured: Option<f64>,
}

/// What is enough.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// That or less.
    AtMost(f64),
    /// That or more.
    AtLeast(f64),
}

impl Target {
    /// That or less is aimed at.
    pub fn at_most(what: impl Into<Cow<'static, str>>, bound: f64, measured: Option<f64>) -> Self {
        Self { what: what.into(), bound: Bound::AtMost(bound), measured }
    }

    /// That or more is aimed at.
    pub fn at_least(what: impl Into<Cow<'static, str>>, bound: f64, measured: Option<f64>) -> Self {
        Self { what: what.into(), bound: Bound::AtLeast(bound), measured }
    }

    /// Whether it was reached, if it was measured.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtMost(most) => measured <= most,
            Bound::AtLeast(least) => measured >= least,
        })
    }
}

/// All of them, as a table in Markdown.
pub struct Table<'t>(pub &'t [Target]);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | wanted | measured | |\n|---|--:|--:|---|")?;
        for target in self.0 {
            let (word, bound) = match target.bound {
                Bound::AtMost(bound) => ("at most", bound),
                Bound::AtLeast(bound) => ("at least", bound),
            };
            let measured =
                target.measured.map_or_else(|| "-".to_owned(), |measured| rounded(measured).to_string());
            let verdict = match target.is_met() {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "not measured",
            };
            writeln!(f, "| {} | {word} {bound} | {measured} | {verdict} |", target.what)?;
        }
        Ok(())
    }
}

/// To a thousandth, and what is large to less.
fn rounded(measured: f64) -> f64 {
    if measured.abs() >= 100.0 { measured.round() } else { (measured * 1e3).round() / 1e3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_bound_and_not_beyond() {
        let met = |bound: fn(&'static str, f64, Option<f64>) -> Target, measured| {
            bound("seconds", 2.0, measured).is_met()
        };
        assert_eq!(
            [1.9, 2.0, 2.1].map(|s| met(Target::at_most, Some(s))),
            [Some(true), Some(true), Some(false)]
        );
        assert_eq!(
            [1.9, 2.0, 2.1].map(|s| met(Target::at_least, Some(s))),
            [Some(false), Some(true), Some(true)]
        );
        assert_eq!(met(Target::at_most, None), None);
        // What cannot be told is no success.
        assert_eq!(met(Target::at_most, Some(f64::NAN)), Some(false));
    }

    #[test]
    fn the_table_says_what_was_missed_and_what_was_not_measured() {
        let targets = [
            Target::at_most("a", 0.2, Some(0.2504)),
            Target::at_least("b", 600.0, Some(612.3)),
            Target::at_most("c", 1.5, None),
        ];
        let table = Table(&targets).to_string();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| a | at most 0.2 | 0.25 | **missed** |",
                "| b | at least 600 | 612 | met |",
                "| c | at most 1.5 | - | not measured |"
            ]
        );
    }
}

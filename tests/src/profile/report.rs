//! The report, as Markdown.

use std::fmt::{Display, Formatter, Result};

use super::Measured;
use super::clock::CALLS;
use super::samples::Samples;
use crate::bench::{Machine, median};

/// What the sandbox may cost, in times of the native engine.
const TARGET: f64 = 1.3;

pub(super) struct Report {
    pub(super) before: Machine,
    pub(super) after: Machine,
    pub(super) copies: Vec<f64>,
    /// Native and component, with one thread and with two.
    pub(super) measured: Vec<Vec<Measured>>,
    pub(super) samples: anyhow::Result<(Samples, Samples)>,
    pub(super) entries: u64,
}

/// Of all rounds.
fn middle(measured: &[Measured], what: impl Fn(&Measured) -> f64) -> f64 {
    let all: Vec<f64> = measured.iter().map(what).collect();
    median(&all).unwrap_or(f64::NAN)
}

/// The ratio of two that were measured one after the other, of all rounds.
fn ratio(one: &[Measured], other: &[Measured], what: impl Fn(&Measured) -> f64) -> f64 {
    let all: Vec<f64> = one.iter().zip(other).map(|(one, other)| what(one) / what(other)).collect();
    median(&all).unwrap_or(f64::NAN)
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let [native, component, native_2, component_2] = &self.measured[..] else { return Ok(()) };
        let loads = [self.before.load, self.after.load].map(|load| load.unwrap_or(f64::NAN));
        writeln!(f, "{}. Load {:.1} before, {:.1} after.", self.before, loads[0], loads[1])?;
        writeln!(
            f,
            "{} entries of 32-byte keys and 200-byte values, medians of {} rounds; `cp` and `sync` of the file took {:.3} s.",
            self.entries,
            native.len(),
            median(&self.copies).unwrap_or(f64::NAN)
        )?;
        writeln!(f, "\n### The sandbox against the same engine without it\n")?;
        writeln!(f, "| | native | component | ratio |\n|---|--:|--:|--:|")?;
        for (threads, native, component) in
            [("one thread", native, component), ("two", native_2, component_2)]
        {
            let seconds = |measured: &Measured| measured.once.seconds;
            // Of the whole process, its start and the loading of the component included.
            let cpu = |measured: &Measured| measured.process.cpu.unwrap_or(f64::NAN);
            for (what, of) in
                [("seconds", &seconds as &dyn Fn(&Measured) -> f64), ("CPU seconds of the process", &cpu)]
            {
                let (one, other) = (middle(native, of), middle(component, of));
                writeln!(
                    f,
                    "| {threads}: {what} | {one:.3} | {other:.3} | {:.2} |",
                    ratio(component, native, of)
                )?;
            }
        }
        let costs = ratio(component_2, native_2, |measured| measured.once.seconds);
        let verdict = if costs <= TARGET { "met" } else { "**missed**" };
        writeln!(f, "\nAim: at most {TARGET} with two threads; measured {costs:.2}: {verdict}.")?;
        writeln!(f, "\n### One thread, call by call\n")?;
        writeln!(f, "| seconds | native | component | ratio |\n|---|--:|--:|--:|")?;
        for (at, (_, name)) in CALLS.iter().enumerate() {
            let of = |measured: &Measured| measured.once.calls[at];
            let (one, other) = (middle(native, of), middle(component, of));
            writeln!(f, "| {name} | {one:.3} | {other:.3} | {:.2} |", other / one)?;
        }
        let rest = |measured: &Measured| measured.once.seconds - measured.once.calls.iter().sum::<f64>();
        let (one, other) = (middle(native, rest), middle(component, rest));
        writeln!(
            f,
            "| the engine; in the sandbox also the crossing | {one:.3} | {other:.3} | {:.2} |",
            other / one
        )?;
        writeln!(f, "\n### One thread, by what the processor was in\n")?;
        match &self.samples {
            Err(e) => writeln!(f, "Not known here: {e:#}. It takes `perf`, and to be allowed to use it."),
            Ok((native, component)) => {
                writeln!(f, "| CPU seconds, sampled by `perf` | native | component |\n|---|--:|--:|")?;
                for ((name, one), (_, other)) in native.stages().iter().zip(component.stages()) {
                    writeln!(f, "| {name} | {one:.3} | {other:.3} |")?;
                }
                writeln!(f, "| together | {:.3} | {:.3} |", native.total(), component.total())
            }
        }
    }
}

//! The report.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::chart::Chart;
use super::data::Data;
use super::machine::Machine;
use super::panels;
use super::peers::{COPY, Missing, REDB, RESTIC, STRONGROOM};
use super::samples::{Case, Samples, Taken};
use super::targets;
use crate::target::Table;

/// Above this, others take so much of the machine that only ratios mean something.
const BUSY: f64 = 0.5;

pub(super) struct Report {
    pub(super) before: Machine,
    pub(super) after: Machine,
    pub(super) rounds: u32,
    pub(super) entries: u64,
    /// How Strongroom was run.
    pub(super) strongroom: &'static str,
    pub(super) data: Vec<Data>,
    pub(super) samples: Samples,
    pub(super) missing: Vec<Missing>,
    pub(super) failed: Vec<String>,
}

impl Report {
    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{}. Medians of {} rounds, with databases that are in memory.",
            self.before, self.rounds
        )?;
        if let Some(load) = self.busy() {
            writeln!(
                out,
                "\nOthers were at work (load {load} before this began): only ratios mean something, CPU seconds more than seconds."
            )?;
        }
        writeln!(out, "\nStrongroom is {}.", self.strongroom)?;
        writeln!(
            out,
            "MB written are those of files that are new or changed. What has no increments makes a full copy each time, \
             which is measured once."
        )?;
        for data in &self.data {
            writeln!(out, "\n## {}\n\n{}.", data.name, data.described)?;
            for (case, peers) in self.samples.cases(data.name) {
                table(out, data, case, &peers)?;
            }
        }
        let targets = targets::of(&self.samples, &self.data);
        if targets.iter().any(|target| target.measured.is_some()) {
            writeln!(out, "\n## Targets")?;
            if self.entries != targets::ENTRIES {
                writeln!(
                    out,
                    "\nThey are meant for {} entries; this run had {}.",
                    targets::ENTRIES,
                    self.entries
                )?;
            }
            write!(out, "\n{}", Table(&targets))?;
        }
        if !self.missing.is_empty() {
            writeln!(out, "\nNot on this machine, so not measured:\n")?;
        }
        for Missing { what, remedy } in &self.missing {
            writeln!(out, "- {what}: {remedy}")?;
        }
        if !self.failed.is_empty() {
            writeln!(out, "\nFailed:\n")?;
        }
        self.failed.iter().try_for_each(|failed| writeln!(out, "- {failed}"))
    }

    /// How busy others kept the machine, if that is too much.
    fn busy(&self) -> Option<f64> {
        self.before.load.filter(|load| *load > BUSY)
    }

    pub(super) fn chart(&self) -> Chart {
        Chart {
            machine: self.before.to_string(),
            busy: self.busy().is_some(),
            rounds: self.rounds,
            sections: self.data.iter().map(|data| panels::section(&self.samples, data)).collect(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut cases = Vec::new();
        for data in &self.data {
            for (case, peers) in self.samples.cases(data.name) {
                for Taken { peer, series, full_copy } in peers {
                    cases.push(json!({
                        "data": data.name,
                        "case": case.title(),
                        "peer": peer,
                        "full_copy": full_copy,
                        "median_seconds": series.median(),
                        "seconds": series.seconds,
                        "cpu_seconds": series.cpu(),
                        "bytes_written": series.written(),
                        "peak_rss": series.peak_rss(),
                    }));
                }
            }
        }
        let data: Vec<Value> =
            self.data.iter().map(|data| json!({ "name": data.name, "described": data.described })).collect();
        json!({
            "machine": self.before,
            "load_after": self.after.load,
            "rounds": self.rounds,
            "strongroom": self.strongroom,
            "data": data,
            "cases": cases,
            "targets": targets::of(&self.samples, &self.data),
            "missing": self.missing,
            "failed": self.failed,
        })
    }
}

fn table(out: &mut String, data: &Data, case: Case, peers: &[Taken<'_>]) -> std::fmt::Result {
    // With what each is compared.
    let reference = match case {
        Case::First | Case::FirstUncompressed => COPY,
        Case::Restore if data.raw.is_some() => REDB,
        Case::Snapshots | Case::Tables => STRONGROOM,
        _ => RESTIC,
    };
    let reference = peers.iter().find(|taken| taken.peer == reference);
    let against = reference.map_or("", |by| by.peer.split(" (").next().unwrap_or(by.peer));
    writeln!(out, "\n### {}\n", case.title())?;
    let of_rate = if case == Case::Restore || case == Case::Verify { " | MB/s" } else { "" };
    let rule = if of_rate.is_empty() { "" } else { "--:|" };
    let ratio = if against.is_empty() { String::new() } else { format!("time against {against}") };
    writeln!(out, "| | seconds | from - to{of_rate} | CPU seconds | MB written | peak RSS, MB | {ratio} |")?;
    writeln!(out, "|---|--:|--:|{rule}--:|--:|--:|--:|")?;
    for Taken { peer, series, full_copy } in peers {
        let median = series.median();
        let least = series.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = series.seconds.iter().copied().fold(0.0, f64::max);
        let range =
            if series.seconds.len() > 1 { format!("{least:.3} - {most:.3}") } else { "once".to_owned() };
        let name = match *peer {
            STRONGROOM => format!("**{peer}**"),
            _ if *full_copy => format!("{peer}: a full copy, as the first"),
            _ => (*peer).to_owned(),
        };
        write!(out, "| {name} | {median:.3} | {range} |")?;
        if !of_rate.is_empty() {
            let rate =
                data.bytes.map_or_else(String::new, |bytes| format!("{:.0}", bytes as f64 / 1e6 / median));
            write!(out, " {rate} |")?;
        }
        let cpu = series.cpu().map_or_else(String::new, |cpu| format!("{cpu:.3}"));
        let written = series.written().map_or_else(String::new, megabytes);
        let peak = series.peak_rss().map_or_else(String::new, |bytes| format!("{:.0}", bytes / 1e6));
        let ratio = reference.map_or_else(String::new, |by| format!("{:.2}", median / by.series.median()));
        writeln!(out, " {cpu} | {written} | {peak} | {ratio} |")?;
    }
    Ok(())
}

fn megabytes(bytes: f64) -> String {
    match bytes / 1e6 {
        large if large >= 10.0 => format!("{large:.1}"),
        small => format!("{small:.4}"),
    }
}

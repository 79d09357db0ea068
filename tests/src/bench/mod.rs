//! The benchmark: Strongroom and its peers on the same entries, on one machine, in one run.

mod chart;
mod data;
mod machine;
mod panels;
mod peers;
mod report;
mod samples;
mod targets;
mod work;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use data::Data;
pub(crate) use machine::Machine;
use peers::Found;
use samples::Samples;
pub(crate) use samples::median;
use work::Work;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often each thing is done; the median counts.
    pub rounds: u32,
    /// How many entries.
    pub entries: u64,
    /// A database of `real-data`, to be measured too.
    pub real: Option<PathBuf>,
    /// Where everything is written: on the disk that is to be measured. Also kept there: what costs time to make.
    pub work: PathBuf,
    /// Only peers whose name contains one of these; all if there is none.
    pub only: Vec<String>,
    /// JSON instead of Markdown.
    pub json: bool,
    /// Where a chart is drawn, if anywhere.
    pub svg: Option<PathBuf>,
}

/// Measures, and prints what came of it. Whether nothing failed.
pub fn run(options: &Options) -> Result<bool> {
    if let Some(dir) = options.svg.as_deref().and_then(Path::parent)
        && !dir.as_os_str().is_empty()
        && !dir.is_dir()
    {
        bail!("there is no directory {} for the chart", dir.display());
    }
    let work = Work::new(&options.work)?;
    let before = Machine::look(work.dir())?;
    let mut samples = Samples::default();
    let Found { mut peers, mut missing, strongroom } = peers::find(&work)?;
    peers.retain(|peer| {
        options.only.is_empty() || options.only.iter().any(|only| peer.name().contains(only.as_str()))
    });
    missing.retain(|_| options.only.is_empty());

    let mut data = vec![Data::entries(&work, options.entries)?];
    if let Some(real) = &options.real {
        data.push(Data::real(&work, real)?);
    }
    let mut failed = Vec::new();
    for data in &data {
        let mut taking: Vec<_> = peers.iter_mut().filter(|peer| peer.takes(data)).collect();
        let mut fail = |peer: &str, e: anyhow::Error| {
            eprintln!("bench: {peer}: {e:#}");
            failed.push(format!("{peer}: {e:#}"));
        };
        for peer in taking.iter().filter(|peer| peer.copies_everything()) {
            samples.copies_everything(peer.name());
        }
        taking.retain_mut(|peer| {
            eprintln!("bench: {}: preparing {}", data.name, peer.name());
            peer.prepare(&work, data).map_err(|e| fail(peer.name(), e)).is_ok()
        });
        for round in 0..options.rounds {
            // Whoever fails takes no further part.
            taking.retain_mut(|peer| {
                if round > 0 && peer.once() {
                    return true;
                }
                eprintln!("bench: {}: round {} of {}: {}", data.name, round + 1, options.rounds, peer.name());
                let mut samples = samples.of(data.name, peer.name());
                let done = data.warm().and_then(|()| peer.round(&work, data, &mut samples));
                done.and(work.clear()).map_err(|e| fail(peer.name(), e)).is_ok()
            });
        }
    }
    let report = report::Report {
        before,
        after: Machine::look(work.dir())?,
        rounds: options.rounds,
        entries: options.entries,
        strongroom,
        data,
        samples,
        missing,
        failed,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        print!("{}", report.markdown());
    }
    if let Some(svg) = &options.svg {
        let drawn = std::fs::write(svg, report.chart().to_string());
        drawn.with_context(|| format!("cannot write {}", svg.display()))?;
    }
    Ok(report.failed.is_empty())
}

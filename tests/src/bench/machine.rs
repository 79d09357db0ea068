//! On what it was measured.

use anyhow::Result;
use serde::Serialize;

use super::work::Work;
use crate::child;

/// The machine, and how busy it is.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory: String,
    pub(super) system: String,
    pub(super) file_system: String,
    /// Processes that want to run, on average over the last minute.
    pub(super) load: Option<f64>,
}

impl Machine {
    pub(super) fn look(work: &Work) -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let kilobytes = after(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = kilobytes.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let kind = child::run(std::process::Command::new("df").arg("--output=fstype").arg(work.dir()));
        Ok(Self {
            processor: after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: kilobytes.map_or_else(unknown, |kilobytes| format!("{:.0} GB", kilobytes * 1024.0 / 1e9)),
            system: format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
            file_system: kind
                .ok()
                .and_then(|kind| Some(kind.stdout.lines().nth(1)?.to_owned()))
                .unwrap_or_else(unknown),
            load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        })
    }
}

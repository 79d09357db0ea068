//! On what it was measured.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::child;

/// The machine, and how busy it is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) system: String,
    pub(crate) file_system: String,
    /// Processes that want to run, on average over the last minute.
    pub(crate) load: Option<f64>,
}

impl Machine {
    pub(crate) fn look(work: &Path) -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let kilobytes = after(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = kilobytes.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let kind = child::run(std::process::Command::new("df").arg("--output=fstype").arg(work));
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

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory, system, file_system, load: _ } = self;
        write!(f, "{processor}, {cores} cores, {memory}, {system}, {file_system}")
    }
}

//! `/metrics`, as Prometheus reads it.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use crate::backups::{Backups, State};
use crate::pairs::Pairs;

pub(crate) fn text(pairs: &Pairs, backups: &Backups) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(&str, &dyn Display)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    metric("service_reads_total", "counter", "Keys read.", &[("", &pairs.reads.load(Ordering::Relaxed))]);
    metric(
        "service_writes_total",
        "counter",
        "Keys written.",
        &[("", &pairs.writes.load(Ordering::Relaxed))],
    );
    let totals = backups.totals();
    let ended: [(&str, &dyn Display); 2] =
        [("{result=\"done\"}", &totals.done), ("{result=\"failed\"}", &totals.failed)];
    metric("strongroom_backups_total", "counter", "Backups that have ended.", &ended);
    let (mut running, mut bytes, mut bytes_total) = (0, 0, 0);
    if let Some(status) = backups.running() {
        running = 1;
        if let State::Running { bytes: now, bytes_total: all, .. } = status.state {
            (bytes, bytes_total) = (now, all);
        }
    }
    metric("strongroom_backup_running", "gauge", "Whether one runs.", &[("", &running)]);
    metric("strongroom_backup_bytes", "gauge", "How far the one that runs is.", &[("", &bytes)]);
    metric("strongroom_backup_bytes_about", "gauge", "How much it has to do.", &[("", &bytes_total)]);
    if let Some((at, seconds, snapshot)) = &totals.last {
        let mut last = |name: &str, help: &str, value: &dyn Display| {
            metric(&format!("strongroom_backup_last_{name}"), "gauge", help, &[("", value)]);
        };
        last("success_timestamp_seconds", "When the last good one ended.", at);
        last("duration_seconds", "How long it took.", seconds);
        last("entries", "How many entries it holds.", &snapshot.entries);
        last("bytes_added", "What it added to the repository.", &snapshot.bytes_added);
    }
    out
}

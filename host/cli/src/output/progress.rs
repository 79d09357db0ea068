//! The progress bar: on a terminal only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use strongroom::Progress;

/// How often it is drawn anew, in a second.
const RATE: u8 = 10;
/// So often the time goes on even if nothing else does.
const TICK: Duration = Duration::from_millis(200);

const KNOWN: &str = "{msg:8} {percent:>3}% [{wide_bar}] {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left";
const UNKNOWN: &str = "{msg:8} {spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {elapsed}";

/// How it looks, with or without a total.
fn style(known: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(if known { KNOWN } else { UNKNOWN });
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// How far a run is. Clones show the same.
#[derive(Clone)]
pub(crate) struct Bar(Arc<Inner>);

struct Inner {
    bar: Option<ProgressBar>,
    /// The phase, and whether the total was known, when it was last drawn.
    shown: Mutex<(String, bool)>,
    entries: AtomicU64,
}

impl Bar {
    /// `visible` is whether there is somebody to show it to.
    pub(crate) fn new(visible: bool) -> Self {
        let bar =
            visible.then(|| ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(RATE)));
        let bar = bar.filter(|bar| !bar.is_hidden());
        if let Some(bar) = &bar {
            // Before anything is drawn.
            bar.set_style(style(false));
        }
        Self(Arc::new(Inner { bar, shown: Mutex::new((String::new(), false)), entries: AtomicU64::new(0) }))
    }

    /// Takes note of how far the run is.
    pub(crate) fn show(&self, progress: Progress<'_>) {
        self.0.entries.store(progress.entries, Ordering::Relaxed);
        let Some(bar) = &self.0.bar else { return };
        let known = progress.bytes_total > 0;
        // The total is only about right.
        bar.set_length(progress.bytes_total.max(progress.bytes));
        bar.set_position(progress.bytes);
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.0 != progress.phase || shown.1 != known {
            let first = shown.0.is_empty();
            *shown = (progress.phase.to_owned(), known);
            bar.set_style(style(known));
            bar.set_message(progress.phase.to_owned());
            if first {
                bar.enable_steady_tick(TICK);
            }
        }
    }

    /// Entries that were done in all.
    pub(crate) fn entries(&self) -> u64 {
        self.0.entries.load(Ordering::Relaxed)
    }

    /// Shows nothing from now on.
    pub(crate) fn hide(&self) {
        if let Some(bar) = &self.0.bar {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_ones() {
        ProgressStyle::with_template(KNOWN).unwrap();
        ProgressStyle::with_template(UNKNOWN).unwrap();
    }
}

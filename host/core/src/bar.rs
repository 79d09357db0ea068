//! The progress bar: one line of a terminal.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Progress;
use crate::text::{duration, size};

/// How often the line is drawn anew, at most.
const EVERY: Duration = Duration::from_millis(100);
/// A terminal whose width cannot be found out.
const WIDTH: usize = 80;
/// What a bar at least takes; on a narrower terminal there is none.
const BAR: usize = 10;

/// How far a run is. Clones show the same.
#[derive(Clone)]
pub struct Bar(Arc<Mutex<Line>>);

struct Line {
    /// Tells the width of the terminal; none: there is nobody to show it to.
    width: Option<fn() -> Option<usize>>,
    started: Instant,
    drawn: Option<Instant>,
    entries: u64,
}

impl Bar {
    /// A bar on stderr, which is a terminal of this width.
    pub fn visible(width: fn() -> Option<usize>) -> Self {
        Self::new(Some(width))
    }

    /// One that shows nothing.
    pub fn hidden() -> Self {
        Self::new(None)
    }

    fn new(width: Option<fn() -> Option<usize>>) -> Self {
        Self(Arc::new(Mutex::new(Line { width, started: Instant::now(), drawn: None, entries: 0 })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Line) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of how far the run is.
    pub fn show(&self, progress: Progress<'_>) {
        self.with(|line| {
            line.entries = progress.entries;
            let Some(width) = line.width else { return };
            if line.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
                return;
            }
            // The last column stays free: a terminal may go on to the next line after it.
            let width = width().unwrap_or(WIDTH).saturating_sub(1);
            draw(&text(progress, line.started.elapsed(), width));
            line.drawn = Some(Instant::now());
        });
    }

    /// Entries that were done in all.
    pub fn entries(&self) -> u64 {
        self.with(|line| line.entries)
    }

    /// Shows nothing from now on.
    pub fn hide(&self) {
        self.clear();
        self.with(|line| line.width = None);
    }

    /// Takes the bar off the terminal. What is shown next counts its time from here.
    pub fn clear(&self) {
        self.with(|line| {
            if line.drawn.take().is_some() {
                draw("");
            }
            line.started = Instant::now();
        });
    }
}

/// Puts this in the place of the line.
fn draw(text: &str) {
    // At once, and nobody is left to tell if it fails.
    let _ = io::stderr().lock().write_all(format!("\r\x1b[K{text}").as_bytes());
}

fn text(progress: Progress<'_>, elapsed: Duration, width: usize) -> String {
    let Progress { phase, bytes, bytes_total, .. } = progress;
    let per_second = bytes as f64 / elapsed.as_secs_f64().max(0.001);
    let rate = size(per_second as u64);
    let line = if bytes_total == 0 {
        format!("{phase:8} {}  {rate}/s  {}", size(bytes), duration(elapsed))
    } else {
        // The total is only about right.
        let total = bytes_total.max(bytes);
        let left =
            Duration::try_from_secs_f64((total - bytes) as f64 / per_second.max(1.0)).unwrap_or_default();
        let percent = u128::from(bytes) * 100 / u128::from(total);
        let before = format!("{phase:8} {percent:>3}% ");
        let after = format!("  {} of {}  {rate}/s  {} left", size(bytes), size(total), duration(left));
        let room = width.saturating_sub(before.chars().count() + after.chars().count() + 2);
        if room < BAR {
            format!("{before}{}", after.trim_start())
        } else {
            let done = (u128::from(bytes) * room as u128 / u128::from(total)) as usize;
            let head = if done < room { ">" } else { "" };
            format!("{before}[{:room$}]{after}", format!("{}{head}", "=".repeat(done)))
        }
    };
    line.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64, bytes_total: u64, width: usize) -> String {
        let progress = Progress { phase: "copy", bytes, bytes_total, ..Progress::default() };
        text(progress, Duration::from_secs(2), width)
    }

    #[test]
    fn a_line_says_how_far_it_is_and_fits() {
        assert_eq!(
            at(50_000_000, 200_000_000, 80),
            "copy      25% [=====>              ]  50.0 MB of 200.0 MB  25.0 MB/s  6.0 s left"
        );
        assert_eq!(at(50_000_000, 0, 80), "copy     50.0 MB  25.0 MB/s  2.0 s");
        assert_eq!(at(50_000_000, 200_000_000, 30), "copy      25% 50.0 MB of 200.0");
        assert!(at(300, 200, 80).contains("100% [="));
        for width in 0..120 {
            assert!(at(1, 3, width).chars().count() <= width);
        }
    }
}

//! A report on a repository: what is there, how it grew, what is wrong.
//!
//! Facts are gathered once; the page, the summary and the JSON line show them.

mod calendar;
mod chart;
mod checks;
mod escape;
mod facts;
mod findings;
mod page;
mod storage;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use facts::{Facts, gather};
pub use facts::{Retention, Verdict};
pub(crate) use findings::{Finding, Severity, Status};
pub(crate) use page::page;

/// Whether a file begins as a report does.
pub(crate) fn is_report(beginning: &[u8]) -> bool {
    beginning.windows(page::MARK.len()).any(|window| window == page::MARK.as_bytes())
}

//! The page: one file, without scripts, that needs nothing from elsewhere.

use std::fmt::{Result, Write};
use std::path::Path;

use strongroom_core::text::{count, counted, size};

use super::calendar::{machine, moment, stretch};
use super::escape::{Cut, Escaped, Name};
use super::facts::Facts;
use super::findings::{Finding, Severity, Status};
use super::{checks, storage, tables, timeline};

const STYLE: &str = include_str!("style.css");
/// Stands near the beginning of every page, so that a report can be told from other files.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"strongroom report ";

/// All of it.
pub(crate) fn page(facts: &Facts) -> String {
    let mut out = String::with_capacity(64 << 10);
    // Nothing but the style is allowed, so that even a mistake in escaping loads nothing and runs nothing.
    let written = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         {MARK}{version}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}: backups</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#findings\">To the content</a>\n",
        version = Escaped(env!("CARGO_PKG_VERSION")),
        title = Cut(&title(facts)),
    )
    .and_then(|()| body(facts, &mut out));
    // A String takes all that is written.
    debug_assert!(written.is_ok());
    out
}

/// What people call the repository: its directory, or that above it if it is called as all are.
fn title(facts: &Facts) -> String {
    let path = Path::new(&facts.repository);
    let names: Vec<_> =
        path.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
    match &names[..] {
        [name, above] if name == "backups" && above != "/" => format!("{above}/{name}"),
        [name, ..] => name.to_string(),
        [] => "backups".to_owned(),
    }
}

fn body(facts: &Facts, out: &mut String) -> Result {
    write!(
        out,
        "<header>\n<h1>{}</h1>\n<p class=\"place\"><bdi>{}</bdi></p>\n<p>As of {}. All times are UTC.</p>\n</header>\n<main>\n",
        Name(&title(facts)),
        Escaped(&facts.repository),
        Moment(facts.time),
    )?;
    status(facts, out)?;
    tiles(facts, out)?;
    let sections = [
        ("timeline", "Timeline"),
        ("snapshots", "Snapshots"),
        ("tables", "Tables"),
        ("storage", "Storage"),
        ("retention", "Retention"),
        ("checks", "Checks"),
    ];
    out.push_str("<nav aria-label=\"Sections\"><ul>");
    for (id, name) in sections {
        write!(out, "<li><a href=\"#{id}\">{name}</a></li>")?;
    }
    out.push_str("</ul></nav>\n");
    timeline::timeline(facts, out)?;
    timeline::snapshots(facts, out)?;
    tables::tables(facts, out)?;
    storage::storage(facts, out)?;
    storage::retention(facts, out)?;
    checks::checks(facts, out)?;
    write!(
        out,
        "</main>\n<footer><p>Made by <code>strongroom report</code> {} from what the repository holds and remembers. \
         Sizes are decimal: 1 MB is 1,000,000 bytes.</p></footer>\n</body>\n</html>\n",
        Escaped(env!("CARGO_PKG_VERSION")),
    )
}

/// How the repository is, in a word, and what is wrong.
fn status(facts: &Facts, out: &mut String) -> Result {
    let damaged = facts.findings.iter().filter(|finding| finding.severity == Severity::Damage).count();
    let (class, said) = match facts.status {
        Status::Ok if facts.snapshots == 0 => ("attention", "There is no snapshot yet".to_owned()),
        Status::Ok => ("ok", "Nothing is known to be wrong".to_owned()),
        Status::Attention => ("attention", "Something needs attention".to_owned()),
        Status::Damaged => ("damaged", format!("Damaged: {}", counted(damaged as u64, "finding"))),
    };
    write!(
        out,
        "<section class=\"status {class}\" id=\"findings\" aria-labelledby=\"findings-title\">\n\
         <h2 id=\"findings-title\"><span class=\"sign\" aria-hidden=\"true\">{}</span> {said}</h2>\n",
        match class {
            "ok" => "✓",
            "attention" => "!",
            _ => "✕",
        }
    )?;
    if facts.status == Status::Damaged {
        out.push_str(
            "<p>Tables that are whole restore with <code>restore --skip-damaged</code>; <code>repair</code> puts right what \
             can be, and says what cannot.</p>\n",
        );
    }
    if !facts.findings.is_empty() {
        out.push_str("<ul class=\"findings\">\n");
        let shown = facts.findings.iter().take(SHOWN);
        shown.clone().try_for_each(|finding| one(finding, facts.time, out))?;
        let more = facts.findings.len().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(
                out,
                "<li class=\"hint\">and {more} more; <code>strongroom verify</code> names all damage</li>"
            )?;
        }
        out.push_str("</ul>\n");
    }
    out.push_str(
        "<p class=\"small\">Looked at just now: every snapshot file, and whether all is there that the newest snapshot of \
         each source needs. Whether every byte is as it was written, <a href=\"#checks\">verify and drill</a> find out.</p>\n\
         </section>\n",
    );
    Ok(())
}

/// Findings that are shown.
const SHOWN: usize = 30;
/// Names of a finding that are shown.
const NAMES: usize = 8;

fn one(finding: &Finding, now: u64, out: &mut String) -> Result {
    let (class, word) = match finding.severity {
        Severity::Damage => ("damage", "Damage"),
        Severity::Attention => ("attention", "Attention"),
        Severity::Hint => ("hint", "Hint"),
    };
    write!(out, "<li class=\"{class}\"><b>{word}</b> ")?;
    if !finding.file.is_empty() {
        write!(out, "<code>{}</code>: ", Cut(&finding.file))?;
    }
    write!(out, "{}", Message(&finding.what))?;
    for (what, names) in [("snapshot", &finding.snapshots), ("table", &finding.tables)] {
        if names.is_empty() {
            continue;
        }
        write!(
            out,
            "<br><span class=\"small\">{}: ",
            if names.len() == 1 { what.to_owned() } else { format!("{what}s") }
        )?;
        for (number, name) in names.iter().take(NAMES).enumerate() {
            write!(out, "{}{}", if number > 0 { ", " } else { "" }, Name(name))?;
        }
        if names.len() > NAMES {
            write!(out, " and {} more", count((names.len() - NAMES) as u64))?;
        }
        out.push_str("</span>");
    }
    if let Some(found) = finding.found {
        write!(out, "<br><span class=\"small\">found {}</span>", Ago(found, now))?;
    }
    out.push_str("</li>\n");
    Ok(())
}

/// What there is to know at a glance.
fn tiles(facts: &Facts, out: &mut String) -> Result {
    out.push_str("<dl class=\"tiles\">\n");
    let mut tile = |name: &str, value: &dyn std::fmt::Display, more: &dyn std::fmt::Display| {
        writeln!(out, "<div><dt>{name}</dt><dd><b>{value}</b> <span>{more}</span></dd></div>")
    };
    let newest = facts.sources.iter().max_by_key(|source| source.newest_time);
    tile(
        "Snapshots",
        &count(facts.snapshots as u64),
        &format!("of {}", counted(facts.sources.len() as u64, "database")),
    )?;
    match newest {
        Some(newest) => tile(
            "Newest",
            &format!("{} ago", stretch(facts.time.saturating_sub(newest.newest_time))),
            &Moment(newest.newest_time),
        )?,
        None => tile("Newest", &"none", &"")?,
    }
    let bytes = facts.sources.iter().fold(0_u64, |sum, source| sum.saturating_add(source.bytes));
    tile("Data now", &size(bytes), &"in the newest of each source")?;
    tile("On disk", &size(facts.stored.bytes), &format!("for {} in all snapshots", size(facts.bytes)))?;
    let read = [&facts.checks.data, &facts.checks.sample].into_iter().flatten().max_by_key(|v| v.time);
    match read {
        Some(v) => tile(
            "Verified",
            &format!("{} ago", stretch(facts.time.saturating_sub(v.time))),
            &checks::depth(v),
        )?,
        None => tile("Verified", &"not known", &"no data was read")?,
    }
    match &facts.checks.drill {
        Some(drill) => tile(
            "Drilled",
            &format!("{} ago", stretch(facts.time.saturating_sub(drill.time))),
            &if drill.equal { "every table came back" } else { "not the same" },
        )?,
        None => tile("Drilled", &"not known", &"no restore was tried")?,
    }
    out.push_str("</dl>\n");
    Ok(())
}

/// A moment that programs understand too.
pub(super) struct Moment(pub(super) u64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        let said = moment(self.0);
        let (day, clock) = said.split_once(' ').unwrap_or((&said, ""));
        // Where room is scarce, a line may end between them.
        write!(f, "<time datetime=\"{}\"><span>{day}</span> <span>{clock}</span></time>", machine(self.0))
    }
}

/// A moment, and how long before another it was.
pub(super) struct Ago(pub(super) u64, pub(super) u64);

impl std::fmt::Display for Ago {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        let Self(time, now) = *self;
        write!(f, "{}, {} before this report", Moment(time), stretch(now.saturating_sub(time)))
    }
}

/// What a message says; words between backquotes are what somebody would type.
pub(super) struct Message<'m>(pub(super) &'m str);

impl std::fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        const MOST: usize = 1000;
        let end = self.0.floor_char_boundary(MOST);
        let pieces: Vec<&str> = self.0[..end].split('`').collect();
        for (number, piece) in pieces.iter().enumerate() {
            match number % 2 {
                1 if number + 1 < pieces.len() => write!(f, "<code>{}</code>", Escaped(piece))?,
                // One without an end is no more than it is.
                1 => write!(f, "`{}", Escaped(piece))?,
                _ => write!(f, "{}", Escaped(piece))?,
            }
        }
        if end < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
}

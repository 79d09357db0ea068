//! The snapshots: over time, and in a table.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};

use strongroom_core::Snapshot;
use strongroom_core::text::{count, counted, short, size};

use super::calendar::moment;
use super::chart::{Axis, Scale, area, bars};
use super::escape::{Cut, Escaped, Name};
use super::facts::{Facts, Source};
use super::page::Moment;

/// Sources that are drawn.
const DRAWN: usize = 8;
/// Snapshots that have a row of their own: at once, and when they are asked for.
const ROWS: usize = 25;
const MORE_ROWS: usize = 175;
/// Months, or years, of those before.
const PERIODS: usize = 60;

/// What each snapshot added, and how large the data was, source by source.
pub(super) fn timeline(facts: &Facts, out: &mut String) -> Result {
    out.push_str("<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n<h2 id=\"timeline-title\">Timeline</h2>\n");
    let Some(axis) = Axis::of(&facts.all, facts.time) else {
        out.push_str(
            "<p>Nothing has been backed up yet: <code>strongroom backup APP.redb</code>.</p>\n</section>\n",
        );
        return Ok(());
    };
    let scale = Scale::of(&facts.all);
    let mut sources: Vec<&Source> = facts.sources.iter().collect();
    sources.sort_by(|a, b| b.newest_time.cmp(&a.newest_time).then_with(|| a.source.cmp(&b.source)));
    out.push_str("<ul class=\"legend\"><li class=\"kept\">a snapshot, as high as what it added</li>");
    if facts.retention.is_some() {
        out.push_str("<li class=\"dropped\">would be forgotten</li>");
    }
    out.push_str("<li class=\"size\">size of the data</li></ul>\n");
    for (number, source) in sources.iter().take(DRAWN).enumerate() {
        let of_source: Vec<&Snapshot> = facts.all.iter().filter(|s| s.source == source.source).collect();
        let many = counted(of_source.len() as u64, "snapshot");
        let places = if sources.len() > 3 { 90 } else { 180 };
        writeln!(
            out,
            "<figure>\n<figcaption><h3>{}</h3> <span>{many}, newest {}</span></figcaption>",
            Name(&source.source),
            Moment(source.newest_time),
        )?;
        out.push_str("<div class=\"plot\">");
        bars(out, &of_source, (axis, scale), places, facts.retention.as_ref(), &format!("bars-{number}"))?;
        scale.write(out)?;
        out.push_str("</div>\n<div class=\"plot\">");
        let top = area(out, &of_source, axis, places, &format!("area-{number}"))?;
        writeln!(
            out,
            "<div class=\"scale\" aria-hidden=\"true\"><span style=\"top:0\">{}</span></div></div>",
            size(top)
        )?;
        axis.write(out)?;
        out.push_str("</figure>\n");
    }
    if sources.len() > DRAWN {
        let more = counted((sources.len() - DRAWN) as u64, "source");
        writeln!(out, "<p>{more} more, with older snapshots, are not drawn.</p>")?;
    }
    out.push_str("<p class=\"small\">What was added is drawn on a logarithmic scale.</p>\n</section>\n");
    Ok(())
}

/// The newest one by one, those before by month.
pub(super) fn snapshots(facts: &Facts, out: &mut String) -> Result {
    out.push_str("<section id=\"snapshots\" aria-labelledby=\"snapshots-title\">\n<h2 id=\"snapshots-title\">Snapshots</h2>\n");
    if facts.all.is_empty() {
        out.push_str("<p>None.</p>\n</section>\n");
        return Ok(());
    }
    let newest: Vec<&Snapshot> = facts.all.iter().rev().collect();
    let (at_once, rest) = newest.split_at(newest.len().min(ROWS));
    let (more, before) = rest.split_at(rest.len().min(MORE_ROWS));
    let what =
        if rest.is_empty() { "All snapshots".to_owned() } else { format!("The newest {}", at_once.len()) };
    table(facts, at_once, &format!("{what}, newest first"), out)?;
    if !more.is_empty() {
        writeln!(out, "<details><summary>{} before these</summary>", counted(more.len() as u64, "snapshot"))?;
        table(facts, more, "Snapshots before these, newest first", out)?;
        out.push_str("</details>\n");
    }
    if !before.is_empty() {
        periods(before, out)?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn table(facts: &Facts, snapshots: &[&Snapshot], caption: &str, out: &mut String) -> Result {
    let most = snapshots.iter().map(|s| s.bytes_added).max().unwrap_or(0);
    let (many, positions) = (facts.sources.len() > 1, snapshots.iter().any(|s| s.position.is_some()));
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">Snapshot</th>"
    )?;
    if many {
        out.push_str("<th scope=\"col\">Source</th>");
    }
    out.push_str("<th scope=\"col\">Time (UTC)</th>");
    if positions {
        out.push_str("<th scope=\"col\" class=\"n wide\">Position</th>");
    }
    out.push_str(
        "<th scope=\"col\" class=\"n wide\">Tables</th><th scope=\"col\" class=\"n wide\">Entries</th>\
         <th scope=\"col\" class=\"n\">Size</th><th scope=\"col\" class=\"n\">Added</th>",
    );
    if facts.retention.is_some() {
        out.push_str("<th scope=\"col\">Retention</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for snapshot in snapshots {
        write!(
            out,
            "<tr><th scope=\"row\">{} <code class=\"wide\">{}</code></th>",
            Name(&snapshot.name),
            Escaped(short(&snapshot.id))
        )?;
        if many {
            write!(out, "<td>{}</td>", Name(&snapshot.source))?;
        }
        write!(out, "<td class=\"when\">{}</td>", Moment(snapshot.time))?;
        if positions {
            write!(out, "<td class=\"n wide\">{}</td>", snapshot.position.map_or_else(String::new, count))?;
        }
        write!(
            out,
            "<td class=\"n wide\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}{}</td>",
            count(snapshot.tables.into()),
            count(snapshot.entries),
            size(snapshot.bytes),
            size(snapshot.bytes_added),
            Bar(snapshot.bytes_added, most),
        )?;
        if let Some(retention) = &facts.retention {
            match retention.verdicts.get(&snapshot.name) {
                Some(verdict) => write!(
                    out,
                    "<td class=\"{}\">{}<span class=\"wide\">: {}</span></td>",
                    if verdict.keep { "keeps" } else { "goes" },
                    if verdict.keep { "kept" } else { "goes" },
                    Cut(&verdict.reason)
                )?,
                None => out.push_str("<td></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

/// Those of which there are too many, newest first, a row for a month or, of a long time, for a year.
fn periods(before: &[&Snapshot], out: &mut String) -> Result {
    let by = |digits: usize| {
        let mut periods: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for snapshot in before {
            let moment = moment(snapshot.time);
            let period = periods.entry(moment.get(..digits).unwrap_or(&moment).to_owned()).or_default();
            *period = (period.0 + 1, period.1.saturating_add(snapshot.bytes_added));
        }
        periods
    };
    let mut periods = by(7);
    if periods.len() > PERIODS {
        periods = by(4);
    }
    let caption = "Snapshots before those, by time";
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">Time (UTC)</th><th scope=\"col\" class=\"n\">Snapshots</th>\
         <th scope=\"col\" class=\"n\">Added</th></tr></thead>\n<tbody>\n"
    )?;
    let most = periods.values().map(|period| period.1).max().unwrap_or(0);
    for (period, (snapshots, added)) in periods.iter().rev().take(PERIODS) {
        writeln!(
            out,
            "<tr><th scope=\"row\">{period}</th><td class=\"n\">{}</td><td class=\"n\">{}{}</td></tr>",
            count(*snapshots),
            size(*added),
            Bar(*added, most)
        )?;
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

/// A share, drawn; the number stands beside it.
pub(super) struct Bar(pub(super) u64, pub(super) u64);

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        let share = 100.0 * self.0 as f64 / self.1.max(1) as f64;
        write!(f, "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{share:.1}%\"></i></span>")
    }
}

//! The tables: how large they are, and how they grew.

use std::fmt::{Result, Write};

use strongroom_core::text::{count, counted, size};

use super::calendar::day;
use super::chart::spark;
use super::escape::Name;
use super::facts::{Facts, TableFacts};
use super::timeline::Bar;

/// Tables that have a row of their own.
const ROWS: usize = 40;

/// The largest first.
pub(super) fn tables(facts: &Facts, out: &mut String) -> Result {
    out.push_str(
        "<section id=\"tables\" aria-labelledby=\"tables-title\">\n<h2 id=\"tables-title\">Tables</h2>\n",
    );
    if facts.tables.is_empty() {
        out.push_str("<p>None.</p>\n</section>\n");
        return Ok(());
    }
    let many = facts.sources.len() > 1;
    let caption = "Tables of the newest snapshot of each source, largest first";
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">Table</th>{}<th scope=\"col\" class=\"n\">Entries</th>\
         <th scope=\"col\" class=\"n\">Size</th><th scope=\"col\" class=\"n\">Change</th>\
         <th scope=\"col\" class=\"wide\">Over time</th></tr></thead>\n<tbody>\n",
        if many { "<th scope=\"col\">Source</th>" } else { "" }
    )?;
    let most = facts.tables.first().map_or(0, |table| table.bytes);
    for table in facts.tables.iter().take(ROWS) {
        write!(
            out,
            "<tr><th scope=\"row\">{}{}</th>",
            Name(&table.table),
            if table.multimap { " <span class=\"kind\">multimap</span>" } else { "" }
        )?;
        if many {
            write!(out, "<td>{}</td>", Name(&table.source))?;
        }
        write!(
            out,
            "<td class=\"n\">{}</td><td class=\"n\">{}{}</td><td class=\"n\">",
            count(table.entries),
            size(table.bytes),
            Bar(table.bytes, most)
        )?;
        change(table, out)?;
        out.push_str("</td><td class=\"wide\">");
        spark(out, &table.history)?;
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if let Some(rest) = facts.tables.get(ROWS..).filter(|rest| !rest.is_empty()) {
        let bytes = rest.iter().fold(0_u64, |sum, table| sum.saturating_add(table.bytes));
        writeln!(
            out,
            "<p>{} more, with {} together, are smaller.</p>",
            counted(rest.len() as u64, "table"),
            size(bytes)
        )?;
    }
    if let Some(first) =
        facts.tables.iter().filter_map(|table| table.history.first()).map(|then| then.time).min()
    {
        writeln!(
            out,
            "<p class=\"small\">Sizes are of keys and values. Changes are since the first snapshot that is there, at the \
             earliest of {}; over time, some of the snapshots between were looked at.</p>",
            day(first)
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// `+1.2 MB`, and how much that is of what it was.
fn change(table: &TableFacts, out: &mut String) -> Result {
    let Some(first) = table.history.first() else { return Ok(()) };
    let (sign, by) = if table.bytes >= first.bytes {
        ("+", table.bytes - first.bytes)
    } else {
        ("−", first.bytes - table.bytes)
    };
    if table.history.len() < 2 {
        out.push('–');
        return Ok(());
    }
    if by == 0 {
        out.push_str("none");
        return Ok(());
    }
    write!(out, "{sign}{}", size(by))?;
    match by as f64 / first.bytes as f64 * 100.0 {
        _ if first.bytes == 0 => out.write_str(" <span class=\"small\">new</span>"),
        percent if percent < 0.1 => Ok(()),
        percent if percent < 10.0 => write!(out, " <span class=\"small\">{sign}{percent:.1} %</span>"),
        percent if percent < 1000.0 => write!(out, " <span class=\"small\">{sign}{percent:.0} %</span>"),
        percent => {
            write!(out, " <span class=\"small\">{}×</span>", count((percent / 100.0 + 1.0).round() as u64))
        }
    }
}

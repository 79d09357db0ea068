//! What the repository takes, and what rules would take away from it.

use std::fmt::{Result, Write};

use strongroom_core::text::{count, counted, size};

use super::escape::{Cut, Escaped, Name};
use super::facts::Facts;
use super::page::{Message, Moment};
use super::timeline::Bar;

/// Snapshots that are named which would be forgotten.
const NAMED: usize = 40;

/// What was saved by compression and by storing once what is equal.
pub(super) fn storage(facts: &Facts, out: &mut String) -> Result {
    out.push_str(
        "<section id=\"storage\" aria-labelledby=\"storage-title\">\n<h2 id=\"storage-title\">Storage</h2>\n",
    );
    if facts.all.is_empty() {
        out.push_str("<p>Nothing is stored yet.</p>\n</section>\n");
        return Ok(());
    }
    let stored = &facts.stored;
    let caption = "What the snapshots hold, and what they take";
    write!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">What</th><th scope=\"col\" class=\"n\">Data</th>\
         <th scope=\"col\" class=\"n\">Stored</th><th scope=\"col\" class=\"n\">Smaller by</th></tr></thead>\n<tbody>\n"
    )?;
    let mut row = |what: &dyn std::fmt::Display, data: u64, stored: u64| {
        writeln!(
            out,
            "<tr><th scope=\"row\">{what}</th><td class=\"n\">{}</td><td class=\"n\">{}{}</td><td class=\"n\">{}</td></tr>",
            size(data),
            size(stored),
            Bar(stored, data),
            times(data, stored),
        )
    };
    for source in facts.sources.iter().take(SOURCES) {
        if let Some(first) = source.first {
            row(&format!("First backup of {}", Name(&source.source)), first.bytes, first.bytes_added)?;
        }
    }
    row(&format!("All {}", counted(facts.snapshots as u64, "snapshot")), facts.bytes, stored.bytes)?;
    out.push_str("</tbody></table></div>\n");
    write!(
        out,
        "<p>A first backup is smaller by compression alone, and by what is equal in it or was there before; all snapshots \
         together mostly by what they have in common, which is stored once.</p>\n\
         <p>On disk are {} with {}, {} of index and {} of snapshot files.</p>\n</section>\n",
        counted(stored.packs, "pack"),
        size(stored.pack_bytes),
        size(stored.index_bytes),
        size(stored.snapshot_bytes),
    )
}

/// Sources whose first backup is shown.
const SOURCES: usize = 8;

/// `3.4×`
fn times(data: u64, stored: u64) -> String {
    match data as f64 / stored as f64 {
        _ if stored == 0 || data == 0 => "–".to_owned(),
        times if times < 99.95 => format!("{times:.1}×"),
        times => format!("{}×", count(times.round() as u64)),
    }
}

/// What rules would do, if they were given.
pub(super) fn retention(facts: &Facts, out: &mut String) -> Result {
    out.push_str("<section id=\"retention\" aria-labelledby=\"retention-title\">\n<h2 id=\"retention-title\">Retention</h2>\n");
    let Some(retention) = &facts.retention else {
        out.push_str(
            "<p>No rules were given to the report. With those that <code>forget</code> is given, as in \
             <code>strongroom report --keep-daily 7 --keep-monthly 24</code>, it shows what would be forgotten next.</p>\n\
             </section>\n",
        );
        return Ok(());
    };
    let goes: Vec<_> = facts.all.iter().filter(|snapshot| retention.drops(&snapshot.name)).collect();
    writeln!(
        out,
        "<p>Rules: <code>{}</code>, by the calendar of {}.</p>",
        Cut(&retention.rules),
        Escaped(&retention.zone)
    )?;
    for failure in &retention.failures {
        writeln!(out, "<p>{}</p>", Message(failure))?;
    }
    if goes.is_empty() {
        write!(
            out,
            "<p>Nothing would be forgotten: all {} are kept.</p>\n</section>\n",
            counted(facts.snapshots as u64, "snapshot")
        )?;
        return Ok(());
    }
    let caption = "What the next forget takes away, oldest first";
    write!(
        out,
        "<p>The next <code>forget</code> takes {} and keeps {}. What that frees, <code>prune</code> finds out.</p>\n\
         <div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">Snapshot</th><th scope=\"col\">Time (UTC)</th><th scope=\"col\" class=\"n\">Size</th>\
         <th scope=\"col\">Because</th></tr></thead>\n<tbody>\n",
        counted(goes.len() as u64, "snapshot"),
        count((facts.snapshots - goes.len()) as u64),
    )?;
    for snapshot in goes.iter().take(NAMED) {
        let reason = retention.verdicts.get(&snapshot.name).map_or("", |verdict| verdict.reason.as_str());
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"when\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            Name(&snapshot.name),
            Moment(snapshot.time),
            size(snapshot.bytes),
            Cut(reason)
        )?;
    }
    out.push_str("</tbody></table></div>\n");
    if goes.len() > NAMED {
        writeln!(
            out,
            "<p>And {} more: <code>strongroom forget --dry-run</code> names all.</p>",
            count((goes.len() - NAMED) as u64)
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

//! When somebody last looked.

use std::fmt::{Result, Write};

use strongroom_core::text::{counted, size};
use strongroom_core::{DrillRecord, Look, Verification};

use super::escape::{Cut, Name};
use super::facts::Facts;
use super::page::Ago;

/// The last look of each kind.
pub(super) fn checks(facts: &Facts, out: &mut String) -> Result {
    let caption = "The last look of each kind";
    write!(
        out,
        "<section id=\"checks\" aria-labelledby=\"checks-title\">\n<h2 id=\"checks-title\">Checks</h2>\n\
         <div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n\
         <thead><tr><th scope=\"col\">How</th><th scope=\"col\">When (UTC)</th><th scope=\"col\">Found</th></tr></thead>\n<tbody>\n"
    )?;
    let checks = &facts.checks;
    let verifications = [
        ("verify", "all is there", &checks.structure, "structure"),
        ("verify --sample", "a share of the data is as it was written", &checks.sample, "sample"),
        ("verify --read-data", "all data is as it was written", &checks.data, "data"),
        ("verify SNAPSHOT", "one snapshot", &checks.snapshot, "snapshot"),
    ];
    for (verb, means, record, kind) in verifications {
        // Nobody misses the look at one of them.
        if kind == "snapshot" && record.is_none() && !is_unknown(facts, kind) {
            continue;
        }
        write!(out, "<tr><th scope=\"row\"><code>{verb}</code> <span class=\"small\">{means}</span></th>")?;
        match record {
            Some(record) => {
                write!(out, "<td class=\"when\">{}</td><td>", Ago(record.time, facts.time))?;
                found(record, out)?;
                out.push_str("</td></tr>\n");
            }
            None => none(facts, kind, out)?,
        }
    }
    out.push_str("<tr><th scope=\"row\"><code>drill</code> <span class=\"small\">a restore is what was backed up</span></th>");
    match &checks.drill {
        Some(drill) => {
            write!(out, "<td class=\"when\">{}</td><td>", Ago(drill.time, facts.time))?;
            drilled(drill, out)?;
            out.push_str("</td></tr>\n");
        }
        None => none(facts, "drill", out)?,
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"small\">Whoever verifies or drills leaves a note beside the repository's lock, if \
         he may write there.</p>\n</section>\n",
    );
    Ok(())
}

fn is_unknown(facts: &Facts, kind: &str) -> bool {
    facts.checks.unknown.iter().any(|file| file.ends_with(&format!("/{kind}.json")))
}

fn none(facts: &Facts, kind: &str, out: &mut String) -> Result {
    let said = if is_unknown(facts, kind) { "unknown: the note cannot be read" } else { "no note of one" };
    writeln!(out, "<td>–</td><td>{said}</td></tr>")
}

fn found(record: &Verification, out: &mut String) -> Result {
    if let Some(snapshot) = &record.snapshot {
        write!(out, "{}: ", Name(snapshot))?;
    }
    match (record.damaged, record.warned) {
        (0, 0) => out.push_str("<b class=\"good\">no damage</b>"),
        (0, warned) => write!(out, "<b class=\"good\">all whole</b>, {}", counted(warned, "warning"))?,
        (damaged, _) => write!(out, "<b class=\"bad\">damaged</b>, {}", counted(damaged, "finding"))?,
    }
    write!(out, "; {}", counted(record.snapshots.into(), "snapshot"))?;
    write!(out, ", {}", counted(record.objects, "object"))?;
    if record.look == Look::Structure { Ok(()) } else { write!(out, ", {} read", size(record.bytes)) }
}

fn drilled(drill: &DrillRecord, out: &mut String) -> Result {
    let name = Name(&drill.snapshot);
    match (&drill.error, drill.equal) {
        (Some(error), _) => write!(out, "{name}: <b class=\"bad\">could not be restored</b>: {}", Cut(error)),
        (None, false) => write!(out, "{name}: <b class=\"bad\">not the same</b>"),
        (None, true) => write!(
            out,
            "{name}: <b class=\"good\">every table came back as it was</b>; {}, {}, in {}",
            counted(drill.entries, "entry"),
            size(drill.bytes),
            strongroom_core::text::duration(std::time::Duration::from_millis(drill.milliseconds)),
        ),
    }
}

/// How much was read, in a few words.
pub(super) fn depth(of: &Verification) -> String {
    match of.permille {
        Some(permille) => format!("{} % of the data", f64::from(permille) / 10.0),
        None => "all data was read".to_owned(),
    }
}

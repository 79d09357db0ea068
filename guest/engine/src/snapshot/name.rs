//! Names of snapshots, and templates for them.

use crate::error::{Error, Result};

/// No name has more bytes: file systems allow 255, and unfinished files have a longer one.
const LEN_MAX: usize = 200;

const CANNOT_BE: &str = "cannot be the name of a snapshot";

/// Whether [`check`] says this, not that a template makes no sense.
pub(crate) fn is_of_name(e: &Error) -> bool {
    e.message.contains(CANNOT_BE)
}

/// Fails unless a snapshot can have this name.
pub(crate) fn check(name: &str) -> Result<()> {
    let wrong = |why: &str| Err(Error::invalid(format!("{name:?} {CANNOT_BE}: {why}")));
    if name.is_empty() {
        return wrong("it is empty");
    }
    if name.len() > LEN_MAX {
        return wrong(&format!("it has {} bytes, and {LEN_MAX} is the most", name.len()));
    }
    if name.contains(['/', '\\']) {
        return wrong("it contains a slash; the directory is chosen with --repo");
    }
    if name.starts_with(['.', '-', ' ']) || name.ends_with(' ') {
        return wrong("it must not begin with a dot, a dash or a space, nor end with a space");
    }
    if name.starts_with(crate::repository::UNFINISHED) {
        return wrong("names that begin with \"tmp-\" are for unfinished files");
    }
    if name.chars().any(char::is_control) {
        return wrong("it contains control characters");
    }
    if name == "latest" {
        return wrong("`latest` always means the newest one");
    }
    Ok(())
}

/// What a template is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) source: &'a str,
    /// Seconds since 1970, UTC.
    pub(crate) time: u64,
    pub(crate) position: Option<u64>,
    pub(crate) seq: u64,
}

/// Whether names made from a template tell the number.
pub(crate) fn has_seq(template: &str) -> bool {
    let unfilled = template.replace("{{", "");
    unfilled.contains("{seq}") || unfilled.contains("{seq:")
}

/// Fills a template: `{source}`, `{time}`, `{position}` and `{seq}`, numbers also as `{position:07}`; `{{` is a brace.
pub(crate) fn fill(template: &str, facts: Facts<'_>) -> Result<String> {
    let mut name = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        name.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(doubled) = rest.strip_prefix(brace) {
            name.push_str(brace);
            rest = doubled;
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{").ok_or_else(|| {
            Error::invalid(format!(
                "the name {template:?} has a brace without its partner; `{{{{` and `}}}}` are braces"
            ))
        })?;
        name.push_str(&field(template, &rest[..end], facts)?);
        rest = &rest[end + 1..];
    }
    name.push_str(rest);
    check(&name)?;
    Ok(name)
}

fn field(template: &str, field: &str, facts: Facts<'_>) -> Result<String> {
    let (field, width) = match field.split_once(':') {
        Some((field, width)) => {
            let width = width.parse().ok().filter(|width| *width <= 20);
            let width: usize = width.ok_or_else(|| {
                Error::invalid(format!(
                    "the name {template:?} has a width that is not a number up to 20, as in {{position:07}}"
                ))
            })?;
            (field, width)
        }
        None => (field, 0),
    };
    Ok(match field {
        "source" if width == 0 => facts.source.to_owned(),
        "time" if width == 0 => time(facts.time),
        "position" => {
            let position = facts.position.ok_or_else(|| {
                Error::invalid(format!(
                    "the name {template:?} has a position; say where it is with --position TABLE/KEY"
                ))
            })?;
            format!("{position:0width$}")
        }
        "seq" => format!("{:0width$}", facts.seq),
        _ => {
            return Err(Error::invalid(format!(
                "the name {template:?} has {{{field}}}, which is none of {{source}}, {{time}}, {{position}}, {{seq}}"
            )));
        }
    })
}

/// A moment in UTC, in the basic format of ISO 8601, which has no colons: `20260131T235959Z`.
fn time(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp
        .map_or_else(|| seconds.to_string(), |timestamp| timestamp.strftime("%Y%m%dT%H%M%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> = Facts { source: "app", time: 1_780_000_000, position: Some(345), seq: 12 };

    #[test]
    fn templates_are_filled() {
        let fill = |template| fill(template, FACTS).unwrap();
        assert_eq!(fill("{source}-{time}"), "app-20260528T202640Z");
        assert_eq!(
            fill("prysm_beacondb_at_slot_{position:07}.backup"),
            "prysm_beacondb_at_slot_0000345.backup"
        );
        assert_eq!(fill("{seq:3}{{x}}"), "012{x}");
        assert_eq!(fill("plain"), "plain");
    }

    #[test]
    fn a_position_wider_than_asked_for_is_not_cut() {
        let facts = Facts { position: Some(123_456_789), ..FACTS };
        assert_eq!(fill("{position:07}", facts).unwrap(), "123456789");
    }

    #[test]
    fn bad_templates_and_names_are_refused() {
        for template in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "{sourc}",
            "{position",
            "position}",
            "{position:x}",
            "{position:99}",
            "a\nb",
            "a\\b",
            "tmp-x",
            "latest",
            "-x",
            " x",
            "x ",
            "{}",
            "{time:3}",
            "a\0b",
        ] {
            assert!(fill(template, FACTS).is_err(), "{template:?}");
        }
        assert!(fill(&"x".repeat(201), FACTS).is_err());
        assert!(fill("{position}", Facts { position: None, ..FACTS }).is_err());
        assert!(fill("{source}", Facts { source: "../../etc", ..FACTS }).is_err());
    }
}

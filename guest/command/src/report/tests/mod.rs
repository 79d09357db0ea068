//! Reports on repositories that are made up.
#![allow(clippy::unwrap_used)]

mod made;

use std::fs;
use std::path::Path;

use strongroom_core::{Damage, Snapshot, Table};

use super::*;
use made::Made;

const NOW: u64 = 1_780_000_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// What a report on it says.
fn facts(made: &Made) -> Facts {
    judged(made, None)
}

fn judged(made: &Made, retention: Option<Retention>) -> Facts {
    gather(made, Path::new("/nowhere/backups"), NOW, retention).unwrap()
}

/// Rules that keep what the function keeps.
fn rules(made: &Made, keep: impl Fn(usize) -> bool) -> Retention {
    let verdict = |(i, snapshot): (usize, &Snapshot)| {
        let reason = if keep(i) { "daily, monthly" } else { "no rule keeps it" };
        (snapshot.name.clone(), Verdict { keep: keep(i), reason: reason.to_owned() })
    };
    Retention {
        rules: "--keep-daily 7".to_owned(),
        zone: "UTC".to_owned(),
        verdicts: made.snapshots.snapshots.iter().enumerate().map(verdict).collect(),
        ..Retention::default()
    }
}

/// Whatever elements a page has: opened and closed in order, attributes quoted, ids unique, nothing from elsewhere.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 2] = ["meta", "br"];
    const KNOWN: [&str; 45] = [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "h1",
        "h2",
        "h3",
        "p",
        "bdi",
        "time",
        "main",
        "section",
        "span",
        "ul",
        "li",
        "b",
        "i",
        "code",
        "br",
        "dl",
        "div",
        "dt",
        "dd",
        "nav",
        "figure",
        "figcaption",
        "svg",
        "path",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "footer",
        "abbr",
        "small",
        "strong",
    ];
    let page = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let (before, rest) = page.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    for from_elsewhere in ["url(", "@import", "expression", "http", "//"] {
        assert!(!style.contains(from_elsewhere), "{from_elsewhere}");
    }
    let (mut open, mut ids, mut targets) = (Vec::new(), std::collections::BTreeSet::new(), Vec::new());
    for piece in [before, after].concat().split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("{piece}"));
        assert!(!text.contains('>'), "{piece}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
        assert!(KNOWN.contains(&name), "{tag}");
        while let Some((attribute, rest)) = attributes.trim_start().split_once("=\"") {
            let (value, rest) = rest.split_once('"').unwrap();
            assert!(attribute.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'), "{tag}");
            assert!(!attribute.starts_with("on") && attribute != "src", "{tag}");
            match attribute {
                "id" => assert!(ids.insert(value.to_owned()), "{value} is there twice"),
                "href" => targets.push(value.strip_prefix('#').unwrap().to_owned()),
                "aria-labelledby" => targets.push(value.to_owned()),
                _ => {}
            }
            attributes = rest;
        }
        assert!(matches!(attributes.trim(), "" | "/"), "{tag}");
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
    for target in targets {
        assert!(ids.contains(&target), "{target} is nowhere");
    }
    for entity in page.split('&').skip(1) {
        assert!(
            ["lt;", "gt;", "amp;", "quot;", "#39;"].iter().any(|known| entity.starts_with(known)),
            "{entity:.20}"
        );
    }
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("role=\"img\"").count(), page.matches("-title\"><title").count());
}

#[test]
fn every_page_is_well_formed_and_needs_nothing_from_elsewhere() {
    let mut several = Made::history("app", 40, DAY);
    several.add("billing", 12, 3 * DAY);
    several.add("sessions", 9, HOUR);
    let many = Made::history("app", 1000, HOUR);
    for made in [&Made::default(), &Made::history("app", 1, DAY), &several, &many] {
        for retention in [None, Some(rules(made, |i| i % 2 == 0)), Some(rules(made, |_| true))] {
            let page = page(&judged(made, retention));
            assert_well_formed(&page);
            assert!(is_report(&page.as_bytes()[..1024]));
        }
    }
    assert!(!is_report(b"<!DOCTYPE html><html>"));
}

#[test]
fn a_page_does_not_grow_without_bounds() {
    let mut made = Made::history("app", 1000, HOUR);
    let few = page(&judged(&made, Some(rules(&made, |i| i > 900)))).len();
    assert!(few < 200_000, "{few}");
    for i in 0..100 {
        made.add(&format!("source{i:02}"), 100, DAY);
    }
    made.names = (0..10_000).map(|i| format!("table {i}")).collect();
    let facts = judged(&made, Some(rules(&made, |i| i % 3 == 0)));
    assert!(made.calls.get() < 64, "{} calls", made.calls.get());
    let much = page(&facts).len();
    assert!(much < 400_000, "{much}");
}

#[test]
fn hostile_names_are_text() {
    let hostile = [
        "<script>document.title = 'taken'</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></style></svg><b>",
        "<!-- ",
        "]]>",
        "&lt;b&gt;&#60;",
        "\u{202e}desrever\u{2066}",
        "\0\u{1b}[2J\r\n\u{85}\u{feff}\u{ffff}",
        "javascript:alert(1)",
        "",
    ];
    let mut made = Made::history("app", 5, DAY);
    made.names = hostile.iter().map(|name| (*name).to_owned()).collect();
    made.names.push("x".repeat(10 << 20));
    for (i, snapshot) in made.snapshots.snapshots.iter_mut().enumerate() {
        snapshot.source = hostile[i].to_owned();
        snapshot.labels = vec![(hostile[i].to_owned(), hostile[i].to_owned())];
        snapshot.id = hostile[i].to_owned();
    }
    let mut damage = Damage::default();
    (damage.file, damage.what) =
        (hostile[1].to_owned(), hostile[0].to_owned() + &"`".repeat(7) + &"y".repeat(1 << 20));
    damage.snapshots = hostile.iter().map(|name| (*name).to_owned()).collect();
    damage.tables = damage.snapshots.clone();
    made.verified.damage = vec![damage];
    let mut rules = rules(&made, |i| i % 2 == 0);
    rules.rules = hostile[1].to_owned();
    rules.failures = vec![hostile[0].to_owned()];
    rules.emptied = vec![hostile[3].to_owned()];
    for verdict in rules.verdicts.values_mut() {
        verdict.reason = hostile[2].to_owned();
    }
    let page = page(&judged(&made, Some(rules)));
    assert_well_formed(&page);
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
    assert!(page.contains("&lt;script&gt;document.title = &#39;taken&#39;&lt;/script&gt;"));
    assert!(page.contains("<i>empty</i>"));
    assert!(page.len() < 200_000, "{}", page.len());
}

fn what(facts: &Facts) -> Vec<(Severity, &str)> {
    facts.findings.iter().map(|finding| (finding.severity, finding.what.as_str())).collect()
}

#[test]
fn what_is_wrong_is_told_the_worst_first() {
    let mut made = Made::history("app", 10, DAY);
    let healthy = facts(&made);
    assert_eq!(healthy.status, Status::Ok);
    assert_eq!(what(&healthy).len(), 2, "verify and drill: {:?}", what(&healthy));
    let mut damage = Damage::default();
    (damage.file, damage.what) = ("packs/ab".to_owned(), "it is gone".to_owned());
    damage.snapshots = vec!["app-0009".to_owned()];
    made.verified.damage = vec![damage];
    let facts = facts(&made);
    assert_eq!(facts.status, Status::Damaged);
    assert_eq!(what(&facts)[0], (Severity::Damage, "it is gone"));
    let page = page(&facts);
    assert!(page.contains("Damaged: 1 finding") && page.contains("packs/ab"));
}

#[test]
fn what_is_the_matter_with_many_snapshots_is_told_once() {
    let mut made = Made::history("app", 10, DAY);
    made.lost = true;
    let facts = facts(&made);
    let damage: Vec<&str> = what(&facts)
        .into_iter()
        .filter(|(severity, _)| *severity == Severity::Damage)
        .map(|(_, what)| what)
        .collect();
    assert_eq!(
        damage,
        [
            "10 of the snapshots that were looked at do not tell their tables: the tables of snapshot \"app-0000\": gone"
        ]
    );
    assert_eq!(facts.findings[0].snapshots.len(), 10);
    assert_well_formed(&page(&facts));
}

#[test]
fn snapshots_that_stop_coming_are_noticed() {
    let mut made = Made::history("app", 30, HOUR);
    for snapshot in &mut made.snapshots.snapshots {
        snapshot.time -= 10 * HOUR;
    }
    let facts = facts(&made);
    assert_eq!(facts.status, Status::Attention);
    assert_eq!(
        what(&facts)[0].1,
        "no snapshot of app for 10 hours; before that, one came about every 60 min"
    );
}

#[test]
fn what_was_found_before_counts_until_a_look_as_close_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("checks")).unwrap();
    let note =
        |kind: &str, text: &str| fs::write(dir.path().join(format!("checks/{kind}.json")), text).unwrap();
    let made = Made::history("app", 3, DAY);
    let status = || gather(&made, dir.path(), NOW, None).unwrap().status;
    let of = |snapshot: &str, time: u64| {
        format!(
            r#"{{"time":{time},"look":"data","damaged":1,"damage":[{{"file":"packs/ab","what":"it is not what was written","snapshots":["{snapshot}"]}}]}}"#
        )
    };
    note("data", &of("app-0001", NOW - DAY));
    assert_eq!(status(), Status::Damaged);
    // One that does not read it says nothing about it.
    note("structure", &format!(r#"{{"time":{},"look":"structure"}}"#, NOW - HOUR));
    assert_eq!(status(), Status::Damaged);
    note("data", &format!(r#"{{"time":{},"look":"data"}}"#, NOW - HOUR));
    assert_eq!(status(), Status::Ok);
    note("snapshot", &of("app-0001", NOW - DAY));
    assert_eq!(status(), Status::Ok);
    // The snapshot is gone, and the damage with it.
    fs::remove_file(dir.path().join("checks/snapshot.json")).unwrap();
    note("data", &of("app-9999", NOW - HOUR));
    assert_eq!(status(), Status::Ok);
    note("drill", &format!(r#"{{"time":{NOW},"snapshot":"app-0002","equal":false}}"#));
    assert_eq!(status(), Status::Damaged);
    // What cannot be read is not known, and no more.
    for kind in ["structure", "data", "snapshot", "drill"] {
        note(kind, "{");
    }
    assert_eq!(status(), Status::Ok);
    let facts = gather(&made, dir.path(), NOW, None).unwrap();
    assert_eq!(facts.checks.unknown.len(), 4);
    assert!(page(&facts).contains("unknown: the note cannot be read"));
}

#[test]
fn what_the_rules_would_forget_is_marked_everywhere() {
    let made = Made::history("app", 10, DAY);
    let facts = judged(&made, Some(rules(&made, |i| i >= 4)));
    let page = page(&facts);
    assert_eq!(page.matches("; would be forgotten</title>").count(), 4);
    assert_eq!(page.matches("class=\"goes\"").count(), 4);
    assert!(page.contains("takes 4 snapshots and keeps 6"), "{page}");
}

#[test]
fn a_table_that_is_gone_is_noticed() {
    let newest = ["a", "b"].map(|name| {
        let mut table = Table::default();
        (table.name, table.entries) = (name.to_owned(), 7);
        table
    });
    let (mut before, mut after) = (Snapshot::default(), Snapshot::default());
    (before.name, after.name, after.source) = ("one".to_owned(), "two".to_owned(), "app".to_owned());
    let said = |after: &Snapshot| {
        let mut findings = findings::Findings::new(NOW, Path::new("/nowhere"));
        findings.vanished(&[(&before, newest.to_vec()), (after, newest[..1].to_vec())]);
        findings.end().1
    };
    let found = said(&after);
    assert_eq!(
        found[0].what,
        "1 table of app with 7 entries, which the snapshot before it has, is not in its newest snapshot"
    );
    assert_eq!(found[0].tables, ["b"]);
    after.tables_left_out = 1;
    assert_eq!(said(&after), []);
}

/// How bright a colour is, as WCAG 2 has it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn text_stands_out_from_what_is_behind_it_in_light_and_in_dark() {
    let style = include_str!("../style.css");
    let schemes: Vec<&str> =
        style.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let colour = |name: &str| {
            let value = scheme.split(&format!("--{name}: ")).nth(1).unwrap();
            luminance(value.split(';').next().unwrap())
        };
        let cards = ["page", "card", "good-card", "warn-card", "bad-card"];
        for text in ["text", "muted", "accent", "good", "warn", "bad"] {
            for card in cards {
                let (a, b) = (colour(text), colour(card));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {card}: {contrast:.2}");
            }
        }
    }
}

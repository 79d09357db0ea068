//! What a chart shows, read back from the picture.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::data::{Data, ENTRIES};
use super::super::panels;
use super::super::peers::{COPY, REDB, RESTIC, ROCKSDB, SEED, STRONGROOM};
use super::super::samples::{Case, Measured, Samples};
use super::*;

fn data(described: &str) -> Data {
    Data {
        name: ENTRIES,
        described: described.to_owned(),
        base: PathBuf::new(),
        changes: Vec::new(),
        bytes: Some(232_000_000),
        raw: None,
        prefix: String::new(),
    }
}

/// Figures as one may measure them.
fn samples() -> Samples {
    let mut samples = Samples::default();
    samples.copies_everything(COPY);
    samples.copies_everything("LMDB, mdb_copy");
    let mut record = |case, taken: &[(&'static str, f64, u64)]| {
        for (peer, seconds, written) in taken {
            let measured = Measured { seconds: *seconds, written: Some(*written), ..Measured::default() };
            samples.of(ENTRIES, peer).record(case, &measured);
        }
    };
    const MB: u64 = 1_000_000;
    record(
        Case::First,
        &[
            (STRONGROOM, 0.45, 163 * MB),
            (COPY, 0.195, 243 * MB),
            ("LMDB, mdb_copy", 0.21, 276 * MB),
            ("bbolt, CopyFile", 0.41, 276 * MB),
            ("SQLite, .backup", 0.83, 274 * MB),
            (ROCKSDB, 0.42, 155 * MB),
            ("borg", 1.9, 150 * MB),
            (RESTIC, 2.65, 140 * MB),
            (SEED, 37.6, 525 * MB),
        ],
    );
    record(Case::FirstUncompressed, &[(STRONGROOM, 0.51, 243 * MB), (COPY, 0.195, 243 * MB)]);
    for (case, ours, written) in [
        (Case::Unchanged, 0.016, 1200),
        (Case::OneRow, 0.02, 3700),
        (Case::ThousandRows, 0.22, 490_000),
        (Case::TenThousandRows, 0.87, 4_900_000),
    ] {
        let others = [("borg", 0.77, 145 * MB), (RESTIC, 2.69, 140 * MB), (ROCKSDB, 0.036, 160_000)];
        record(case, &[&[(STRONGROOM, ours, written)][..], &others].concat());
    }
    record(Case::Restore, &[(STRONGROOM, 1.3, 270 * MB), (REDB, 0.93, 270 * MB), (RESTIC, 1.1, 243 * MB)]);
    record(Case::Verify, &[(STRONGROOM, 0.38, 0), (RESTIC, 1.6, 0)]);
    record(Case::Snapshots, &[(STRONGROOM, 0.031, 0)]);
    record(Case::Tables, &[(STRONGROOM, 0.033, 0)]);
    samples
}

fn drawn(samples: &Samples, machine: &str, described: &str) -> String {
    let sections = vec![panels::section(samples, &data(described))];
    Chart { machine: machine.to_owned(), busy: true, rounds: 7, sections }.to_string()
}

/// An element, with its attributes and the text directly in it.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn number(&self, attribute: &str) -> f64 {
        self.attributes[attribute].parse().unwrap()
    }

    fn all<'e>(&'e self, name: &str) -> Vec<&'e Self> {
        let inside = self.children.iter().flat_map(|child| child.all(name));
        let own = (self.name == name).then_some(self);
        own.into_iter().chain(inside).collect()
    }

    fn has_class(&self, class: &str) -> bool {
        self.attributes.get("class").is_some_and(|classes| classes.split(' ').any(|one| one == class))
    }
}

/// Reads the part of XML that a chart is made of; anything else fails.
fn parsed(xml: &str) -> Element {
    let unescaped = |text: &str| {
        let mut pieces = text.split('&');
        let first = pieces.next().unwrap().to_owned();
        pieces.fold(first, |text, piece| {
            let (entity, rest) = piece.split_once(';').expect("an entity ends");
            let known = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"')];
            let (_, c) = known.iter().find(|(name, _)| *name == entity).expect("a known entity");
            format!("{text}{c}{rest}")
        })
    };
    let mut open = vec![Element::default()];
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>') && !text.contains(|c: char| c.is_control() && c != '\n'), "{piece}");
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().unwrap();
            assert_eq!(done.name, name);
            open.last_mut().unwrap().children.push(done);
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{tag}");
        let mut element = Element { name: name.to_owned(), text: unescaped(text), ..Element::default() };
        while let Some((attribute, more)) = rest.split_once("=\"") {
            let (value, more) = more.split_once('"').unwrap();
            let was = element.attributes.insert(attribute.trim().to_owned(), unescaped(value));
            assert!(was.is_none(), "{tag}");
            rest = more;
        }
        assert_eq!(rest.trim(), "", "{tag}");
        if is_empty {
            open.last_mut().unwrap().children.push(element);
        } else {
            open.push(element);
        }
    }
    assert_eq!(open.len(), 1, "something was left open");
    let mut roots = open.remove(0).children;
    assert_eq!(roots.len(), 1);
    roots.remove(0)
}

/// The bars of a picture: full name with seconds, and the length.
fn bars(svg: &Element) -> Vec<(String, f64, bool)> {
    let bars = svg.all("g").into_iter().map(|bar| {
        let rect = bar.all("rect")[0];
        (
            bar.all("title")[0].text.clone(),
            rect.number("width"),
            bar.all("path").iter().any(|p| p.has_class("cut")),
        )
    });
    bars.collect()
}

#[test]
fn every_series_has_a_bar_with_its_median() {
    let samples = samples();
    let svg = parsed(&drawn(&samples, "a machine", "entries"));
    let shown = bars(&svg);
    for (case, taken) in samples.cases(ENTRIES) {
        for taken in taken.iter().filter(|taken| !taken.full_copy) {
            let title = format!("{}: {}", taken.peer, Seconds(taken.series.median()));
            assert!(shown.iter().any(|(shown, ..)| *shown == title), "{case:?}: {title}: {shown:?}");
        }
    }
    // Of what has no increments, the copy is beside each increment; nothing else is there twice.
    let cases = samples.cases(ENTRIES);
    let count = cases.iter().map(|(_, taken)| taken.iter().filter(|t| !t.full_copy).count());
    assert_eq!(shown.len(), count.sum::<usize>() - 1 + 4);
    let texts: Vec<String> = svg.all("text").into_iter().map(|text| text.text.clone()).collect();
    assert!(texts.join(" ").contains("a full copy, as with LMDB."), "what is left out is named: {texts:?}");
}

#[test]
fn a_bar_is_as_long_as_its_seconds_unless_it_shows_a_gap() {
    let samples = samples();
    for panel in panels::section(&samples, &data(""))
        .whole
        .iter()
        .chain(&panels::section(&samples, &data("")).increments)
    {
        let mut out = String::new();
        Pen { out: &mut out, y: 0.0 }.panel(0.0, panel).unwrap();
        let shown = bars(&parsed(&format!("<svg>{out}</svg>")));
        assert_eq!(shown.len(), panel.bars.len());
        let unit = LONGEST / panel.bars.iter().map(|bar| bar.seconds).fold(0.0, f64::max);
        let cut = shown.iter().filter(|(.., is_cut)| *is_cut).count();
        assert!(cut <= 1, "{}", panel.title);
        let units = panel.bars.iter().zip(&shown).filter(|(_, (.., is_cut))| !is_cut);
        let units: Vec<f64> = units.map(|(bar, (_, length, _))| length / bar.seconds).collect();
        for of_one in &units {
            assert!((of_one / units[0] - 1.0).abs() < 0.01, "{}: {units:?}", panel.title);
        }
        if cut == 0 {
            assert!((units[0] / unit - 1.0).abs() < 0.01, "{}: the longest fills the panel", panel.title);
        } else {
            assert_eq!(shown.last().map(|(_, length, _)| *length), Some(LONGEST));
        }
    }
}

#[test]
fn only_what_dwarfs_everything_else_is_cut() {
    let bar = |seconds| Bar {
        name: "a".into(),
        peer: "a".into(),
        kind: Kind::Peer,
        seconds,
        rounds: 1,
        columns: [String::new(), String::new()],
    };
    let cut = |all: &[f64]| {
        let bars: Vec<Bar> = all.iter().copied().map(bar).collect();
        all.iter().filter(|seconds| Scale::of(&bars).length(**seconds).1).count()
    };
    assert_eq!(cut(&[0.2, 0.4, 2.6, 37.6]), 1);
    assert_eq!(cut(&[0.2, 0.4, 2.6, 3.7]), 0);
    // Of two or three, the difference is what is to be seen.
    assert_eq!(cut(&[0.02, 37.6]), 0);
    assert_eq!(cut(&[0.02, 0.03, 37.6]), 0);
    assert_eq!(cut(&[]), 0);
    for (length, is_cut) in [f64::NAN, f64::INFINITY, -1.0, 0.0].map(|s| Scale::of(&[bar(s)]).length(s)) {
        assert!(length == 0.0 && !is_cut);
    }
}

#[test]
fn whatever_text_says_it_stays_text() {
    let hostile = "<script>&amp;\"'\u{0}\u{1b}]]>\u{ffff}é漢";
    let mut samples = Samples::default();
    let measured = Measured { seconds: 1.0, ..Measured::default() };
    samples.of(ENTRIES, hostile).record(Case::First, &measured);
    let svg = parsed(&drawn(&samples, hostile, hostile));
    let safe = "<script>&amp;\"'\u{fffd}\u{fffd}]]>\u{fffd}é漢";
    assert_eq!(svg.all("g")[0].all("title")[0].text, format!("{safe}: 1.00 s"));
    assert_eq!(svg.all("script").len(), 0);
    let texts = svg.all("text");
    assert!(texts.iter().filter(|text| text.text.contains(safe)).count() >= 2);
    assert!(texts.iter().any(|text| text.text == short(safe)), "{texts:?}");
}

#[test]
fn a_chart_needs_nothing_from_elsewhere_and_follows_light_and_dark() {
    let drawn = drawn(&samples(), "a machine", "entries");
    let svg = parsed(&drawn);
    assert_eq!(svg.attributes["xmlns"], "http://www.w3.org/2000/svg");
    let names = svg.children.iter().map(|child| child.name.as_str());
    assert_eq!(names.take(4).collect::<Vec<_>>(), ["title", "desc", "style", "rect"]);
    for from_elsewhere in ["url(", "@import", "@font-face", "href", "<script", "<image", "<foreignObject"] {
        assert!(!drawn.contains(from_elsewhere), "{from_elsewhere}");
    }
    let style = &svg.all("style")[0].text;
    let (light, dark) = style.split_once("@media (prefers-color-scheme:dark){").unwrap();
    // Whatever has a colour has another one in the dark.
    for rule in light.split('}').filter(|rule| rule.contains("fill:#") || rule.contains("stroke:#")) {
        let selector = rule.split('{').next().unwrap();
        let selector = if selector == ".ours" { "text.ours" } else { selector };
        assert!(dark.contains(&format!("{selector}{{")), "{selector}");
    }
    let label = svg.attributes["aria-labelledby"].split(' ').collect::<Vec<_>>();
    let ids: Vec<&String> = svg.children.iter().filter_map(|child| child.attributes.get("id")).collect();
    assert_eq!(ids, label);
    assert!(
        svg.all("desc")[0].text.contains("One row changed: Strongroom 0.020 s, RocksDB, ldb backup 0.036 s")
    );
}

#[test]
fn nothing_stands_outside_or_in_the_way() {
    // Of the widest fonts, a character takes so much.
    const CHAR: f64 = 7.6;
    let machine =
        "AMD EPYC 7763 64-Core Processor with a name, 2 cores, 8 GB, linux 6.12.0-cloud, ext4 ".repeat(4);
    let svg = parsed(&drawn(&samples(), &machine, &"entries of so many bytes, ".repeat(20)));
    let (width, height) = (svg.number("width"), svg.number("height"));
    let mut taken: Vec<(f64, f64, f64, &str)> = Vec::new();
    for text in svg.all("text") {
        let (x, y) = (text.number("x"), text.number("y"));
        let length = text.text.chars().count() as f64 * CHAR;
        let (from, to) = if text.has_class("end") { (x - length, x) } else { (x, x + length) };
        assert!(y > 10.0 && y < height, "{}", text.text);
        let is_line = text.text.chars().count() > 60;
        assert!(is_line || (from >= 0.0 && to <= width), "{}", text.text);
        for (left, right, line, other) in &taken {
            let apart = (line - y).abs() >= 14.0 || to <= *left || from >= *right;
            assert!(apart, "{:?} is in the way of {other:?}", text.text);
        }
        taken.push((from, to, y, &text.text));
    }
}

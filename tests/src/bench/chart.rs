//! The chart: an SVG that reads at a glance, in light and in dark, and needs nothing from elsewhere.

use std::fmt::{self, Display, Formatter, Write as _};

use super::panels::{Bar, Kind, Panel, Section};

/// All of it, in the units of the picture.
const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 28.0;
const GUTTER: f64 = 40.0;
const PANEL: f64 = (WIDTH - 2.0 * MARGIN - GUTTER) / 2.0;
/// From the left of a panel: where names end, and where bars begin.
const NAMES: f64 = 138.0;
const BARS: f64 = 146.0;
/// The longest bar; its seconds and two columns stand beside it.
const LONGEST: f64 = 150.0;
const COLUMNS: [f64; 2] = [PANEL - 64.0, PANEL];
const ROW: f64 = 21.0;
const THICK: f64 = 13.0;
const LINE: f64 = 19.0;
/// Characters of a line of text, of one in the small font, and of a name, that surely fit.
const LINE_CHARS: usize = 136;
const SMALL_CHARS: usize = 142;
const NAME_CHARS: usize = 19;
/// A bar is cut when it would leave the others, if they are at least so many, less than one part in so many.
const OTHERS: usize = 3;
const PARTS: f64 = 6.0;

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;fill:#1d2126}\
.page{fill:#fff;stroke:#dcd9d2}.title{font-size:21px;font-weight:650}.section{font-size:16px;font-weight:650}\
.panel{font-size:14px;font-weight:650}.muted{fill:#59616b}.small{font-size:12px}.end{text-anchor:end}\
.name{font-size:12.5px}.ours{font-weight:700;fill:#0b5c8f}.base{stroke:#b4bac2}.rule{stroke:#e4e1db}\
.bar{fill:#a9b5c1}.bar.ours{fill:#0b5c8f}.bar.copy{fill:#fff;stroke:#a9b5c1;stroke-dasharray:3 2}\
.cut{stroke:#fff;stroke-width:2.5;fill:none}\
@media (prefers-color-scheme:dark){text{fill:#e7e9ec}.page{fill:#161a1f;stroke:#363c45}.muted{fill:#a5adb8}\
text.ours{fill:#7cc0ee}.base{stroke:#59616b}.rule{stroke:#2b3138}.bar{fill:#57626f}.bar.ours{fill:#56a8dd}\
.bar.copy{fill:#161a1f;stroke:#7b8794}.cut{stroke:#161a1f}}";

/// What is drawn.
pub(super) struct Chart {
    /// On what it was measured.
    pub(super) machine: String,
    /// Whether others were at work there.
    pub(super) busy: bool,
    /// How often.
    pub(super) rounds: u32,
    pub(super) sections: Vec<Section>,
}

impl Display for Chart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut body = String::new();
        let mut pen = Pen { out: &mut body, y: 48.0 };
        pen.text(MARGIN, "title", "What backups cost: Strongroom and its peers")?;
        pen.y += 24.0;
        pen.lines(
            "muted",
            &format!(
                "Seconds, shorter is better: {}. {}.{}",
                if self.rounds == 1 {
                    "one round".into()
                } else {
                    format!("medians of {} rounds in one run", self.rounds)
                },
                self.machine,
                if self.busy {
                    " Others were at work there meanwhile: only ratios mean something."
                } else {
                    ""
                }
            ),
        )?;
        for section in &self.sections {
            pen.section(section)?;
        }
        pen.notes(&self.sections, self.rounds)?;
        let height = pen.y + 8.0;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title desc\">"
        )?;
        writeln!(f, "<title id=\"title\">What backups cost: Strongroom and its peers</title>")?;
        writeln!(f, "<desc id=\"desc\">{}</desc>", Escaped(&self.description()))?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(
            f,
            "<rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{:.0}\" rx=\"10\"/>",
            WIDTH - 1.0,
            height - 1.0
        )?;
        writeln!(f, "{body}</svg>")
    }
}

impl Chart {
    /// For those who do not see it: of every panel, who is the quickest, and where Strongroom stands.
    fn description(&self) -> String {
        let mut out = format!("Bars of seconds, measured on {}.", self.machine);
        for section in &self.sections {
            let _ = write!(out, " {}:", section.name);
            for panel in section.whole.iter().chain(&section.increments) {
                let bars = panel.bars.iter().map(|bar| format!("{} {}", bar.name, Seconds(bar.seconds)));
                let _ = write!(out, " {}: {}.", panel.title, bars.collect::<Vec<_>>().join(", "));
            }
        }
        out
    }
}

struct Pen<'o> {
    out: &'o mut String,
    y: f64,
}

impl Pen<'_> {
    fn text(&mut self, x: f64, class: &str, text: &str) -> fmt::Result {
        writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"{class}\">{}</text>",
            self.y,
            Escaped(text)
        )
    }

    /// As many lines as it takes.
    fn lines(&mut self, class: &str, text: &str) -> fmt::Result {
        let most = if class.contains("small") { SMALL_CHARS } else { LINE_CHARS };
        for line in wrapped(text, most) {
            self.text(MARGIN, class, &line)?;
            self.y += LINE;
        }
        Ok(())
    }

    fn section(&mut self, section: &Section) -> fmt::Result {
        self.y += 6.0;
        let rule = self.y - 12.0;
        writeln!(self.out, "<path class=\"rule\" d=\"M{MARGIN} {rule:.1}H{}\"/>", WIDTH - MARGIN)?;
        self.y += 14.0;
        self.text(MARGIN, "section", &section.name)?;
        self.y += LINE + 2.0;
        self.lines("muted small", &format!("{}.", section.described))?;
        self.y += 16.0;
        let (top, mut bottom) = (self.y, self.y);
        for (x, panels) in [(MARGIN, &section.whole), (MARGIN + PANEL + GUTTER, &section.increments)] {
            self.y = top;
            for panel in panels {
                self.panel(x, panel)?;
                self.y += 24.0;
            }
            bottom = bottom.max(self.y);
        }
        self.y = bottom;
        Ok(())
    }

    fn panel(&mut self, x: f64, panel: &Panel) -> fmt::Result {
        self.text(x, "panel", &panel.title)?;
        for (column, head) in COLUMNS.iter().zip(panel.columns).filter(|(_, head)| !head.is_empty()) {
            self.text(x + column, "muted small end", head)?;
        }
        self.y += 9.0;
        let top = self.y;
        let scale = Scale::of(&panel.bars);
        for bar in &panel.bars {
            self.bar(x, bar, scale)?;
        }
        writeln!(self.out, "<path class=\"base\" d=\"M{:.1} {top:.1}V{:.1}\"/>", x + BARS, self.y)
    }

    fn bar(&mut self, x: f64, bar: &Bar, scale: Scale) -> fmt::Result {
        let (class, name) = match bar.kind {
            Kind::Ours => ("ours", "name end ours"),
            Kind::Peer => ("peer", "name end"),
            Kind::FullCopy => ("copy", "name end muted"),
        };
        let top = self.y + (ROW - THICK) / 2.0;
        let (length, is_cut) = scale.length(bar.seconds);
        let left = x + BARS;
        writeln!(self.out, "<g><title>{}: {}</title>", Escaped(&bar.peer), Seconds(bar.seconds))?;
        writeln!(
            self.out,
            "<rect class=\"bar {class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.2}\" height=\"{THICK}\"/>"
        )?;
        if is_cut {
            let (from, height) = (left + length - 24.0, THICK + 4.0);
            let strokes = [from, from + 6.0].map(|x| format!("M{x:.1} {:.1}l6 -{height}", top + THICK + 2.0));
            writeln!(self.out, "<path class=\"cut\" d=\"{}\"/>", strokes.concat())?;
        }
        self.y += ROW;
        let baseline = self.y - 6.0;
        let mut text = |x: f64, class: &str, text: &str| match text {
            "" => Ok(()),
            _ => writeln!(
                self.out,
                "<text x=\"{x:.1}\" y=\"{baseline:.1}\" class=\"{class}\">{}</text>",
                Escaped(text)
            ),
        };
        text(x + NAMES, name, &short(&bar.name))?;
        let (of_value, of_column) = match bar.kind {
            Kind::Ours => ("small ours", "small end ours"),
            _ => ("small", "muted small end"),
        };
        text(left + length + 6.0, of_value, &Seconds(bar.seconds).to_string())?;
        for (column, what) in COLUMNS.iter().zip(&bar.columns) {
            text(x + column, of_column, what)?;
        }
        self.out.push_str("</g>\n");
        Ok(())
    }

    fn notes(&mut self, sections: &[Section], rounds: u32) -> fmt::Result {
        let panels = || sections.iter().flat_map(|section| section.whole.iter().chain(&section.increments));
        let bars = || panels().flat_map(|panel| &panel.bars);
        let mut notes = "Every panel has a linear scale of its own, from 0.".to_owned();
        if panels().any(|panel| panel.bars.iter().any(|bar| Scale::of(&panel.bars).length(bar.seconds).1)) {
            notes += " A bar with a gap is cut short.";
        }
        if bars().any(|bar| bar.name.ends_with(", raw")) {
            notes += " Raw: without compression.";
        }
        if bars().any(|bar| bar.kind == Kind::FullCopy) {
            notes += " Dashed: no increments, so each backup is a full copy";
            if let Some(section) = sections.iter().find(|section| !section.also_copying.is_empty()) {
                let _ = write!(notes, ", as with {}", section.also_copying.join(", "));
            }
            notes += ".";
        }
        if panels().any(|panel| panel.columns.contains(&"× cp")) {
            notes += " × cp: in times of cp and sync of the database file. Written: bytes of files that are new or changed.";
        }
        if panels().any(|panel| panel.columns.contains(&"MB/s")) {
            notes += " MB/s: of keys and values.";
        }
        let mut names: Vec<String> = Vec::new();
        for bar in bars().filter(|bar| bar.peer.contains('(') || bar.rounds < rounds as usize) {
            let fewer = match bar.rounds {
                1 if rounds > 1 => ", measured once",
                some if some < rounds as usize => ", in fewer rounds",
                _ => "",
            };
            let name = format!("{}{fewer}", bar.peer);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if !names.is_empty() {
            let _ = write!(notes, " In full: {}.", names.join("; "));
        }
        self.lines("muted small", &notes)
    }
}

/// How long bars are.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// What the longest stands for.
    most: f64,
}

impl Scale {
    /// As long as the longest, unless that would leave nothing of the others.
    fn of(bars: &[Bar]) -> Self {
        let mut seconds: Vec<f64> = bars.iter().map(|bar| bar.seconds).filter(|s| s.is_finite()).collect();
        seconds.sort_by(|a, b| b.total_cmp(a));
        let most = match seconds[..] {
            [longest, next, ..] if seconds.len() > OTHERS && longest > next * PARTS => next * 1.3,
            [longest, ..] => longest,
            [] => 0.0,
        };
        Self { most: most.max(f64::MIN_POSITIVE) }
    }

    /// The length, and whether it is cut.
    fn length(self, seconds: f64) -> (f64, bool) {
        let part = if seconds.is_finite() { seconds.max(0.0) / self.most } else { 0.0 };
        (part.min(1.0) * LONGEST, part > 1.0)
    }
}

/// As exact as it is of use.
struct Seconds(f64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(seconds) = *self;
        let digits = match seconds {
            few if few < 0.0995 => 3,
            some if some < 9.95 => 2,
            _ => 1,
        };
        write!(f, "{seconds:.digits$} s")
    }
}

/// Text in the content of an element.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            // XML has no way to say them.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

/// A name that fits beside its bar.
fn short(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS) {
        None => name.to_owned(),
        Some(_) => name.chars().take(NAME_CHARS - 1).chain(['…']).collect(),
    }
}

/// Lines of so many characters at the most, unless a word is longer.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;

//! A simulation as a picture: the whole time, its end enlarged twice, and how many snapshots there were.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::simulate::Simulation;
use super::zone::TimeZone;

const WIDTH: f64 = 1200.0;
/// The left and the right end of every time axis.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 1160.0;
const BAND: f64 = 44.0;
/// From the top of one band to that of the next.
const STEP: f64 = 118.0;
const CHART: f64 = 120.0;
/// Colours that people tell apart who see fewer (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b"];

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

impl Simulation {
    /// A picture in SVG: which snapshots are left of the whole time and, enlarged, of its end; and how many there were.
    pub fn svg(&self) -> String {
        Picture { simulation: self, groups: groups(self), out: String::new() }.draw()
    }
}

struct Picture<'s> {
    simulation: &'s Simulation,
    /// What keeps each of the snapshots that are left, and how it is coloured.
    groups: Groups,
    out: String,
}

struct Groups {
    of: Vec<usize>,
    names: Vec<(String, usize)>,
}

impl Groups {
    /// Those first that reach back least, so that colours and legend follow the rules from hours to years.
    fn by_reach(self) -> Self {
        let oldest = |group: usize| self.of.iter().position(|of| *of == group);
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_key(|group| std::cmp::Reverse(oldest(*group)));
        let place = |group: usize| order.iter().position(|of| *of == group).unwrap_or(0);
        Self {
            of: self.of.iter().map(|group| place(*group)).collect(),
            names: order.iter().map(|group| self.names[*group].clone()).collect(),
        }
    }
}

/// Snapshots by the last of their reasons, which is that of the rule that keeps them longest.
fn groups(simulation: &Simulation) -> Groups {
    let is_number = |word: &&str| word.bytes().all(|b| b.is_ascii_digit());
    // Without numbers, or each snapshot that is kept for its position would have a rule of its own.
    let last = |reason: &str| {
        let last = reason.rsplit(", ").next().unwrap_or_default();
        last.split(' ').filter(|word| !is_number(word)).collect::<Vec<_>>().join(" ")
    };
    let first_word = |reason: &str| last(reason).split(' ').next().unwrap_or_default().to_owned();
    let all = |_: &str| "kept".to_owned();
    // What others mean by a comma is not known.
    let whole = |reason: &str| match simulation.policy.as_str() {
        "built-in" => last(reason),
        _ => reason.to_owned(),
    };
    let attempts: [&dyn Fn(&str) -> String; 4] = [&whole, &last, &first_word, &all];
    for name in attempts {
        let mut names: Vec<(String, usize)> = Vec::new();
        let mut of = Vec::new();
        for judged in &simulation.kept {
            let name = name(&judged.reason);
            let at = names.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                names.push((name, 0));
                names.len() - 1
            });
            names[at].1 += 1;
            of.push(at);
        }
        if names.len() <= COLOURS.len() {
            return Groups { of, names }.by_reach();
        }
    }
    Groups { of: vec![0; simulation.kept.len()], names: vec![("kept".to_owned(), simulation.kept.len())] }
}

impl Picture<'_> {
    fn draw(mut self) -> String {
        let (start, end) = self.simulation.time;
        let every = self.simulation.every.as_secs() as i64;
        let mut windows = vec![end - start];
        for window in [60 * DAY, 2 * DAY] {
            if window * 2 <= windows[windows.len() - 1] && window >= 6 * every {
                windows.push(window);
            }
        }
        let top = self.heading();
        let chart = top + STEP * windows.len() as f64 + 20.0;
        let height = chart + CHART + 60.0;
        for (number, window) in windows.iter().enumerate() {
            let y = top + STEP * number as f64;
            if let Some(next) = windows.get(number + 1) {
                self.wedge(*window, *next, y + BAND, y + STEP);
            }
            self.band(end - window, end, y, number == 0);
        }
        self.chart(chart);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.out
        )
    }

    /// Returns where there is room below it.
    fn heading(&mut self) -> f64 {
        let s = self.simulation;
        let left = s.kept.len();
        self.text(LEFT, 34.0, 20, "start", "#111", &format!("What policy {} keeps", s.policy));
        let summary = format!(
            "{} backups, one each {}, for {}. {left} are left at the end, never more than {}. Time zone {}.",
            grouped(s.made),
            span(s.every.as_secs() as i64).trim_start_matches("1 "),
            span(s.time.1 - s.time.0),
            grouped(s.most()),
            s.zone,
        );
        self.text(LEFT, 58.0, 14, "start", "#444", &summary);
        let mut at = (LEFT, 86.0);
        for (i, (name, count)) in self.groups.names.clone().into_iter().enumerate() {
            let swatch = format!("width=\"12\" height=\"12\" fill=\"{}\"", COLOURS[i]);
            self.legend(&mut at, &swatch, &format!("{}: {count}", shortened(&name, 30)));
        }
        self.legend(&mut at, "width=\"2\" height=\"10\" fill=\"#b5b5b5\"", "forgotten");
        at.1 + 44.0
    }

    /// One more entry of the legend, on a new line if need be.
    fn legend(&mut self, at: &mut (f64, f64), swatch: &str, label: &str) {
        let width = 44.0 + 8.2 * label.chars().count() as f64;
        if at.0 + width > RIGHT + 26.0 {
            *at = (LEFT, at.1 + 20.0);
        }
        let (x, y) = *at;
        let _ = writeln!(self.out, "<rect x=\"{x}\" y=\"{}\" {swatch}/>", y - 11.0);
        self.text(x + 18.0, y, 13, "start", "#222", label);
        at.0 += width;
    }

    /// A stretch of time, with a line for every snapshot that is left of it.
    fn band(&mut self, from: i64, to: i64, y: f64, whole: bool) {
        let title =
            if whole { format!("all {}", span(to - from)) } else { format!("the last {}", span(to - from)) };
        self.text(LEFT, y - 8.0, 13, "start", "#222", &title);
        let _ = writeln!(
            self.out,
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{}\" height=\"{BAND}\" fill=\"#f1f1f1\"/>",
            RIGHT - LEFT
        );
        self.made(from, to, y);
        // Those of the rule that keeps longest are drawn last, over the others.
        for (group, colour) in COLOURS.iter().enumerate() {
            let mut path = String::new();
            for (judged, of) in self.simulation.kept.iter().zip(&self.groups.of) {
                let at = judged.snapshot.time as i64;
                if *of == group && at >= from {
                    let _ = write!(path, "M{:.1} {y}v{BAND}", x_of(at, from, to));
                }
            }
            if !path.is_empty() {
                let _ = writeln!(
                    self.out,
                    "<path d=\"{path}\" stroke=\"{}\" stroke-width=\"3\" fill=\"none\"/>",
                    colour
                );
            }
        }
        self.axis(from, to, y + BAND);
    }

    /// Every backup that was made, where there is room for them.
    fn made(&mut self, from: i64, to: i64, y: f64) {
        let (start, end) = self.simulation.time;
        let every = self.simulation.every.as_secs() as i64;
        let first = (from - start).div_euclid(every).max(0);
        if (to - from) / every > 300 {
            return;
        }
        let mut path = String::new();
        let times = (first..).map(|number| start + number * every).take_while(|at| *at <= end);
        for at in times.filter(|at| *at >= from) {
            let _ = write!(path, "M{:.1} {}v{}", x_of(at, from, to), y + BAND - 10.0, 10);
        }
        let _ =
            writeln!(self.out, "<path d=\"{path}\" stroke=\"#b5b5b5\" stroke-width=\"1.5\" fill=\"none\"/>");
    }

    /// From a stretch of one band to the whole of the next.
    fn wedge(&mut self, window: i64, next: i64, from: f64, to: f64) {
        let left = RIGHT - (RIGHT - LEFT) * next as f64 / window as f64;
        let _ = writeln!(
            self.out,
            "<path d=\"M{left:.1} {from}L{LEFT} {to}H{RIGHT}V{from}Z\" fill=\"#0072b2\" fill-opacity=\"0.07\"/>"
        );
    }

    fn axis(&mut self, from: i64, to: i64, y: f64) {
        for (at, label) in ticks(from, to, &self.simulation.zone) {
            let x = x_of(at, from, to);
            let _ = writeln!(self.out, "<path d=\"M{x:.1} {y}v5\" stroke=\"#555\" fill=\"none\"/>");
            self.text(x.clamp(LEFT + 20.0, RIGHT - 20.0), y + 19.0, 12, "middle", "#444", &label);
        }
    }

    /// How many snapshots there were.
    fn chart(&mut self, y: f64) {
        let (from, to) = self.simulation.time;
        let most = self.simulation.most();
        let bottom = y + CHART;
        let height = |count: usize| bottom - CHART * count as f64 / most.max(1) as f64;
        self.text(
            LEFT,
            y - 10.0,
            13,
            "start",
            "#222",
            "how many there are, each time after the policy was asked",
        );
        let mut by_pixel: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (at, count) in &self.simulation.counts {
            // Of all that fall on one pixel the highest, or a peak would be lost.
            let (x, top) = (x_of(*at, from, to), height(*count));
            let point = by_pixel.entry(x.round() as i64).or_insert((x, top));
            point.1 = point.1.min(top);
        }
        let mut path = format!("M{LEFT} {bottom}");
        for (x, top) in by_pixel.values() {
            let _ = write!(path, "L{x:.1} {top:.1}");
        }
        let _ = writeln!(
            self.out,
            "<path d=\"{path}V{bottom}Z\" fill=\"#0072b2\" fill-opacity=\"0.18\" stroke=\"none\"/>\n\
             <path d=\"{path}\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"1.5\"/>\n\
             <path d=\"M{LEFT} {bottom}H{RIGHT}\" stroke=\"#555\" fill=\"none\"/>"
        );
        self.text(LEFT - 6.0, y + 5.0, 12, "end", "#444", &grouped(most));
        self.text(LEFT - 6.0, bottom + 4.0, 12, "end", "#444", "0");
        if let Some((_, last)) = self.simulation.counts.last() {
            self.text(RIGHT + 6.0, height(*last) + 4.0, 12, "start", "#0072b2", &grouped(*last));
        }
        self.axis(from, to, bottom);
    }

    fn text(&mut self, x: f64, y: f64, size: u32, anchor: &str, colour: &str, text: &str) {
        let _ = writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
            escaped(text)
        );
    }
}

fn x_of(at: i64, from: i64, to: i64) -> f64 {
    LEFT + (RIGHT - LEFT) * (at - from) as f64 / (to - from).max(1) as f64
}

/// Moments to name on an axis, with their names: whole hours, days or months of the zone's calendar.
fn ticks(from: i64, to: i64, zone: &TimeZone) -> Vec<(i64, String)> {
    const MONTH: i64 = 30 * DAY;
    let steps = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
    let months = [1, 2, 3, 6, 12, 24, 60, 120];
    let room = (to - from) / 11;
    let moment = |at| zone.moment(at);
    // An hour in which the sought one begins is looked for; zones that are off by minutes begin within it.
    let step = steps.into_iter().find(|step| *step >= room);
    let months = months.into_iter().find(|months| months * MONTH >= room).unwrap_or(600);
    let mut found = Vec::new();
    let mut at = from - from.rem_euclid(HOUR);
    while at <= to {
        let m = moment(at);
        let name = match step {
            Some(step) if step < DAY => {
                let wanted = i64::from(m.hour) % (step / HOUR) == 0;
                let date = format!("{} {}", m.day, month(m.month));
                wanted.then(|| if m.hour == 0 { date } else { format!("{:02}:00", m.hour) })
            }
            Some(step) => {
                let wanted = m.hour == 0 && i64::from(m.day_number).rem_euclid(step / DAY) == 0;
                wanted.then(|| format!("{} {}", m.day, month(m.month)))
            }
            None => {
                let number = i64::from(m.year) * 12 + i64::from(m.month) - 1;
                let wanted = m.day == 1 && m.hour == 0 && number.rem_euclid(months) == 0;
                wanted.then(|| {
                    if months >= 12 { m.year.to_string() } else { format!("{} {}", month(m.month), m.year) }
                })
            }
        };
        let begin = at - i64::from(m.minute) * 60;
        match name {
            Some(name) if begin >= from => {
                found.push((begin, name));
                at += if step.is_some_and(|step| step < DAY) { HOUR } else { 20 * HOUR };
            }
            _ => at += HOUR,
        }
    }
    found
}

fn month(number: u8) -> &'static str {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES[usize::from(number.clamp(1, 12)) - 1]
}

/// `2 years`, `60 days`, `1 h`
fn span(seconds: i64) -> String {
    let units = [(365 * DAY, "year"), (DAY, "day"), (HOUR, "hour"), (60, "minute"), (1, "second")];
    // The largest unit of which it is a whole number.
    let (unit, name) =
        units.into_iter().find(|(unit, _)| seconds >= *unit && seconds % unit == 0).unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {name}"),
        number => format!("{} {name}s", grouped(number as usize)),
    }
}

/// `17,520`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 3).chain("...".chars()).collect()
    }
}

/// Text that means nothing else in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! The pictures: what each snapshot added and how large the data was, over time, and how a table grew.
//!
//! They have no text inside, because they are stretched to the width that there is; what they name stands beside them.

use std::fmt::{Result, Write};

use strongroom_core::Snapshot;
use strongroom_core::text::{counted, size};

use super::calendar::{LATEST, moment, ticks};
use super::escape::{Cut, Escaped};
use super::facts::{Retention, Then};

/// The inner width and height of a picture.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
const HOUR: u64 = 3600;
/// How close to the ends a bar may stand.
const MARGIN: f64 = 8.0;
/// The lowest power of ten on the scale of what was added.
const LOWEST: u32 = 2;

/// The stretch of time that pictures show.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    from: u64,
    to: u64,
}

impl Axis {
    /// From the first snapshot to now, unless that is so long ago that nothing could be seen.
    pub(super) fn of(snapshots: &[Snapshot], now: u64) -> Option<Self> {
        let times = || snapshots.iter().map(|snapshot| snapshot.time.min(LATEST));
        let (from, newest) = (times().min()?, times().max()?);
        let length = newest - from;
        let to = if now > newest && now - newest <= length { now } else { newest };
        // Where everything is of the same hour, nothing could be named.
        let short = if to - from < HOUR { 6 * HOUR } else { 0 };
        Some(Self { from: from.saturating_sub(short), to: to + short })
    }

    /// From 0 to 1.
    fn part(&self, time: u64) -> f64 {
        let at = time.clamp(self.from, self.to) - self.from;
        at as f64 / (self.to - self.from).max(1) as f64
    }

    fn x(&self, time: u64) -> f64 {
        MARGIN + (WIDTH - 2.0 * MARGIN) * self.part(time)
    }

    /// The names below the pictures; the words are in the pictures' descriptions.
    pub(super) fn write(&self, out: &mut String) -> Result {
        out.push_str("<div class=\"axis\" aria-hidden=\"true\">");
        for (number, (at, name)) in ticks(self.from, self.to).into_iter().enumerate() {
            let left = self.x(at) / WIDTH * 100.0;
            // One at an end would stand over.
            let side = if left < 4.0 {
                " first"
            } else if left > 96.0 {
                " last"
            } else {
                ""
            };
            let odd = if number % 2 == 1 { " odd" } else { "" };
            write!(out, "<span class=\"tick{side}{odd}\" style=\"left:{left:.2}%\">{name}</span>")?;
        }
        out.push_str("</div>\n");
        Ok(())
    }
}

/// The scale of what was added: from a hundred bytes to a power of a thousand, each as far from the one before.
#[derive(Clone, Copy)]
pub(super) struct Scale(u32);

impl Scale {
    pub(super) fn of(snapshots: &[Snapshot]) -> Self {
        let most = snapshots.iter().map(|snapshot| snapshot.bytes_added).max().unwrap_or(0).max(1);
        Self((most.ilog10() + 1).max(4).next_multiple_of(3))
    }

    /// Where so many bytes stand; what is less than the lowest still shows.
    fn y(self, bytes: u64) -> f64 {
        let low = f64::from(LOWEST);
        let power = (bytes.max(1) as f64).log10();
        HEIGHT * (1.0 - ((power - low) / (f64::from(self.0) - low)).clamp(0.05, 1.0))
    }

    /// The powers of a thousand.
    fn lines(self) -> impl Iterator<Item = u64> {
        (1..=self.0 / 3).filter_map(|thousands| 1000_u64.checked_pow(thousands))
    }

    /// The names beside the picture.
    pub(super) fn write(self, out: &mut String) -> Result {
        out.push_str("<div class=\"scale\" aria-hidden=\"true\">");
        for bytes in self.lines() {
            write!(
                out,
                "<span style=\"top:{:.1}%\">{}</span>",
                self.y(bytes),
                size(bytes).replace(".0 ", " ")
            )?;
        }
        out.push_str("</div>");
        Ok(())
    }
}

/// Snapshots that fall on one place of the axis.
struct Group<'s> {
    members: Vec<&'s Snapshot>,
    added: u64,
    dropped: usize,
}

/// A bar for each snapshot, or for several that stand too close: how much they added.
pub(super) fn bars(
    out: &mut String,
    snapshots: &[&Snapshot],
    (axis, scale): (Axis, Scale),
    most: usize,
    retention: Option<&Retention>,
    id: &str,
) -> Result {
    let mut groups: Vec<(usize, Group<'_>)> = Vec::new();
    for snapshot in snapshots {
        let place = (axis.part(snapshot.time) * most as f64) as usize;
        if groups.last().is_none_or(|(at, _)| *at != place) {
            groups.push((place, Group { members: Vec::new(), added: 0, dropped: 0 }));
        }
        let Some((_, group)) = groups.last_mut() else { continue };
        group.members.push(snapshot);
        group.added = group.added.saturating_add(snapshot.bytes_added);
        group.dropped += usize::from(retention.is_some_and(|r| r.drops(&snapshot.name)));
    }
    write!(
        out,
        "<svg class=\"bars\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-title\"><title id=\"{id}-title\">"
    )?;
    describe(out, snapshots)?;
    out.push_str("</title>\n");
    // A thousand times more from line to line.
    let lines: String = scale.lines().map(|bytes| format!("M0 {:.1}H{WIDTH}", scale.y(bytes))).collect();
    writeln!(out, "<path class=\"grid\" d=\"{lines}\"/>")?;
    for (_, group) in &groups {
        let kind = match group.dropped {
            0 => "kept",
            dropped if dropped == group.members.len() => "dropped",
            _ => "partly",
        };
        let x = group.members.iter().map(|s| axis.x(s.time)).sum::<f64>() / group.members.len() as f64;
        let top = scale.y(group.added);
        write!(out, "<path class=\"{kind}\" d=\"M{x:.1} {HEIGHT}V{top:.1}\"><title>")?;
        caption(out, group)?;
        out.push_str("</title></path>\n");
    }
    out.push_str("</svg>\n");
    Ok(())
}

fn describe(out: &mut String, snapshots: &[&Snapshot]) -> Result {
    let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return Ok(()) };
    let many = counted(snapshots.len() as u64, "snapshot");
    write!(out, "{many}, from {} to {} UTC, and what each added", moment(first.time), moment(last.time))
}

fn caption(out: &mut String, group: &Group<'_>) -> Result {
    match &group.members[..] {
        [one] => {
            write!(out, "{}: {} UTC, added {}", Cut(&one.name), moment(one.time), size(one.bytes_added))?
        }
        [first, .., last] => write!(
            out,
            "{} from {} to {} UTC, added {}",
            counted(group.members.len() as u64, "snapshot"),
            moment(first.time),
            moment(last.time),
            size(group.added)
        )?,
        [] => {}
    }
    match group.dropped {
        0 => Ok(()),
        dropped if dropped == group.members.len() => out.write_str("; would be forgotten"),
        dropped => write!(out, "; {dropped} would be forgotten"),
    }
}

/// How large the data was. Returns what the top stands for.
pub(super) fn area(
    out: &mut String,
    snapshots: &[&Snapshot],
    axis: Axis,
    most: usize,
    id: &str,
) -> std::result::Result<u64, std::fmt::Error> {
    let top = snapshots.iter().map(|snapshot| snapshot.bytes).max().unwrap_or(0);
    let points = snapshots.iter().map(|snapshot| (axis.x(snapshot.time), snapshot.bytes));
    let points = thinned(points, most);
    let y = |bytes: u64| HEIGHT - (HEIGHT - 4.0) * bytes as f64 / top.max(1) as f64;
    let line: String = points.iter().map(|(x, bytes)| format!("L{x:.1} {:.1}", y(*bytes))).collect();
    // One moment alone has no extent.
    let (first, last) = (points.first().map_or(0.0, |p| p.0), points.last().map_or(0.0, |p| p.0));
    let (first, last, line) = match points.last() {
        Some((_, bytes)) if last - first < 1.0 => {
            let (first, last) = (first - 4.0, last + 4.0);
            (first, last, format!("M{first:.1} {0:.1}L{last:.1} {0:.1}", y(*bytes)))
        }
        _ => (first, last, line.replacen('L', "M", 1)),
    };
    writeln!(
        out,
        "<svg class=\"area\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-title\"><title id=\"{id}-title\">{}</title>",
        Escaped(&extent(snapshots))
    )?;
    writeln!(
        out,
        "<path class=\"fill\" d=\"{line}L{last:.1} {HEIGHT}H{first:.1}Z\"/><path class=\"line\" d=\"{line}\"/></svg>"
    )?;
    Ok(top)
}

fn extent(snapshots: &[&Snapshot]) -> String {
    let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return String::new() };
    format!(
        "Size of the data: {} in the first snapshot, {} in the newest",
        size(first.bytes),
        size(last.bytes)
    )
}

/// Of points that stand close, the highest.
fn thinned(points: impl Iterator<Item = (f64, u64)>, most: usize) -> Vec<(f64, u64)> {
    let place = |x: f64| (x / WIDTH * most as f64) as usize;
    let mut kept: Vec<(f64, u64)> = Vec::new();
    for (x, bytes) in points {
        match kept.last_mut() {
            Some(last) if place(last.0) == place(x) => last.1 = last.1.max(bytes),
            _ => kept.push((x, bytes)),
        }
    }
    kept
}

/// How a table grew, in a line of text's height.
pub(super) fn spark(out: &mut String, history: &[Then]) -> Result {
    let (Some(first), Some(last)) = (history.first(), history.last()) else { return Ok(()) };
    let top = history.iter().map(|then| then.bytes).max().unwrap_or(0).max(1);
    let mut line = String::new();
    for (number, then) in history.iter().enumerate() {
        let x = match last.time.saturating_sub(first.time) {
            0 => 100.0 * number as f64 / (history.len() - 1).max(1) as f64,
            span => 100.0 * then.time.saturating_sub(first.time) as f64 / span as f64,
        };
        write!(
            line,
            "{}{x:.1} {:.1}",
            if line.is_empty() { 'M' } else { 'L' },
            22.0 - 20.0 * then.bytes as f64 / top as f64
        )?;
    }
    if history.len() == 1 {
        line.push_str("H100");
    }
    // The numbers stand beside it.
    write!(
        out,
        "<svg class=\"spark\" viewBox=\"0 0 100 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"line\" d=\"{line}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_and_no_size_is_too_much() {
        let all: Vec<Snapshot> = [(0, 0), (5, 1), (u64::MAX, u64::MAX)]
            .map(|(time, bytes)| {
                let mut snapshot = Snapshot::default();
                (snapshot.time, snapshot.bytes, snapshot.bytes_added) = (time, bytes, bytes);
                snapshot
            })
            .into();
        for some in [&all[..], &all[..1], &all[2..]] {
            let axis = Axis::of(some, 7).unwrap();
            let shown: Vec<&Snapshot> = some.iter().collect();
            let mut out = String::new();
            axis.write(&mut out).unwrap();
            bars(&mut out, &shown, (axis, Scale::of(&all)), 100, None, "a").unwrap();
            area(&mut out, &shown, axis, 100, "b").unwrap();
            for wrong in ["NaN", "inf", "M-", "L-", "V-", "H-", " -"] {
                assert!(!out.contains(wrong), "{out}");
            }
        }
        assert!(Axis::of(&[], 7).is_none());
    }

    #[test]
    fn what_is_drawn_does_not_grow_with_the_number_of_snapshots() {
        let all: Vec<Snapshot> = (0..100_000)
            .map(|time| {
                let mut snapshot = Snapshot::default();
                (snapshot.time, snapshot.bytes_added) = (time * 3600, time);
                snapshot
            })
            .collect();
        let axis = Axis::of(&all, 0).unwrap();
        let shown: Vec<&Snapshot> = all.iter().collect();
        let mut out = String::new();
        bars(&mut out, &shown, (axis, Scale::of(&all)), 100, None, "a").unwrap();
        area(&mut out, &shown, axis, 100, "b").unwrap();
        assert!(out.len() < 30_000, "{}", out.len());
        assert!(out.matches("<path").count() < 110);
    }
}

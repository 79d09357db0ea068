//! What the chart shows: of each kind of data, the cases on all of it and those after a change, as panels of bars.

use super::data::Data;
use super::peers::{COPY, STRONGROOM};
use super::samples::{Case, Samples, Series, Taken};

/// One kind of data.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) described: String,
    /// What concerns all of the data.
    pub(super) whole: Vec<Panel>,
    /// Backups after a change.
    pub(super) increments: Vec<Panel>,
    /// Tools without increments that have no bar among these.
    pub(super) also_copying: Vec<String>,
}

/// A case, with a bar for each peer.
pub(super) struct Panel {
    pub(super) title: String,
    /// What stands in the columns beside the bars.
    pub(super) columns: [&'static str; 2],
    pub(super) bars: Vec<Bar>,
}

/// What one peer took.
pub(super) struct Bar {
    pub(super) name: String,
    /// The name in full.
    pub(super) peer: String,
    pub(super) kind: Kind,
    /// The median.
    pub(super) seconds: f64,
    /// Of how many rounds.
    pub(super) rounds: usize,
    pub(super) columns: [String; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Peer,
    /// A full copy, where others make an increment.
    FullCopy,
}

/// Everything that was measured on this data, but of the tools that have no increments only `cp` again in these: the rest
/// stand among the first backups, with the same bar.
pub(super) fn section(samples: &Samples, data: &Data) -> Section {
    let mut section = Section {
        name: data.name.to_owned(),
        described: data.described.clone(),
        whole: Vec::new(),
        increments: Vec::new(),
        also_copying: Vec::new(),
    };
    let copy = samples.get(data.name, Case::First, COPY).map(Series::median);
    let mut lists =
        Panel { title: "A repository of 1,000 snapshots".into(), columns: [""; 2], bars: Vec::new() };
    for (case, taken) in samples.cases(data.name) {
        let bar = |taken: &Taken<'_>| bar(taken, case, data, copy);
        match case {
            // Besides, there is only the copy once more.
            Case::FirstUncompressed => {
                let Some(first) = section.whole.first_mut() else { continue };
                let ours = taken.iter().filter(|taken| taken.peer == STRONGROOM).map(bar);
                first.bars.extend(ours.map(|bar| Bar { name: format!("{}, raw", bar.name), ..bar }));
                first.bars.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            }
            Case::Snapshots | Case::Tables => {
                let verb = if case == Case::Tables { "tables" } else { "snapshots" };
                lists.bars.extend(taken.iter().map(bar).map(|bar| Bar { name: verb.to_owned(), ..bar }));
            }
            _ => {
                for left_out in taken.iter().filter(|taken| taken.full_copy && taken.peer != COPY) {
                    let name = left_out.peer.split([',', '(']).next().unwrap_or_default().trim().to_owned();
                    if !section.also_copying.contains(&name) {
                        section.also_copying.push(name);
                    }
                }
                let shown = taken.iter().filter(|taken| !taken.full_copy || taken.peer == COPY);
                let panel = Panel {
                    title: case.title().to_owned(),
                    columns: match case {
                        Case::Restore | Case::Verify => ["", "MB/s"],
                        _ => ["× cp", "written"],
                    },
                    bars: shown.map(bar).collect(),
                };
                if case.is_increment() { &mut section.increments } else { &mut section.whole }.push(panel);
            }
        }
    }
    if !lists.bars.is_empty() {
        section.whole.push(lists);
    }
    section
}

fn bar(taken: &Taken<'_>, case: Case, data: &Data, copy: Option<f64>) -> Bar {
    let Taken { peer, series, full_copy } = *taken;
    let seconds = series.median();
    let columns = match case {
        Case::Snapshots | Case::Tables => [String::new(), String::new()],
        Case::Restore | Case::Verify => {
            let rate = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6 / seconds);
            [String::new(), data.bytes.map_or_else(String::new, rate)]
        }
        _ => [
            copy.map_or_else(String::new, |copy| times(seconds / copy)),
            series.written().map_or_else(String::new, size),
        ],
    };
    let kind = match peer {
        STRONGROOM => Kind::Ours,
        _ if full_copy => Kind::FullCopy,
        _ => Kind::Peer,
    };
    let name = peer.split(" (").next().unwrap_or(peer).to_owned();
    Bar { name, peer: peer.to_owned(), kind, seconds, rounds: series.seconds.len(), columns }
}

fn times(ratio: f64) -> String {
    match ratio {
        part if part < 0.995 => format!("{part:.2}×"),
        few if few < 9.95 => format!("{few:.1}×"),
        _ => format!("{ratio:.0}×"),
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        mb if mb >= 1e8 => format!("{:.0} MB", mb / 1e6),
        mb if mb >= 1e6 => format!("{:.1} MB", mb / 1e6),
        kb if kb >= 1e5 => format!("{:.0} KB", kb / 1e3),
        kb => format!("{:.1} KB", kb / 1e3),
    }
}

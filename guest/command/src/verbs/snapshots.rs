//! `snapshots`

use std::io::Write as _;

use strongroom_core::{Damage, Error, ErrorCode, Snapshot};

use crate::output::out::stdout;
use crate::output::table::{Side, Table};
use crate::session::Session;
use strongroom_core::text::{count, placed, short, size, time, visible};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom snapshots --repo /mnt/backups
    strongroom snapshots --source app
        only those of one database
    strongroom snapshots latest
        all that one of them says of itself: also what its database could not hand
        over, and how it was read
    strongroom snapshots --json | jq -r 'select(.position >= 1000).name'")]
pub(crate) struct Args {
    /// One of them, with all that is known of it: a name, the beginning of an id, or `latest`
    #[arg(conflicts_with = "source")]
    snapshot: Option<String>,

    /// Only those of this database
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let repository = session.repository()?;
    if let Some(which) = &args.snapshot {
        let snapshot = repository.find(which)?;
        return if session.json() { session.print_json("snapshot", &snapshot) } else { print_one(&snapshot) };
    }
    let mut found = repository.snapshots()?;
    if let Some(source) = &args.source {
        found.snapshots.retain(|snapshot| snapshot.source == *source);
    }
    if session.json() {
        for snapshot in &found.snapshots {
            session.print_json("snapshot", snapshot)?;
        }
        for damage in &found.damage {
            session.print_json("damage", damage)?;
        }
    } else if found.snapshots.is_empty() {
        session.say("no snapshots")?;
    } else {
        print(&found.snapshots)?;
    }
    match found.damage.first() {
        None => Ok(()),
        Some(first) => Err(unreadable(first, found.damage.len()).into()),
    }
}

fn print(snapshots: &[Snapshot]) -> anyhow::Result<()> {
    use Side::{Left, Right};
    let positions = snapshots.iter().any(|snapshot| snapshot.position.is_some());
    let mut columns = vec![("NAME", Left), ("ID", Left), ("SOURCE", Left), ("TIME (UTC)", Left)];
    if positions {
        columns.push(("POSITION", Right));
    }
    columns.extend([("TABLES", Right), ("ENTRIES", Right), ("SIZE", Right), ("ADDED", Right)]);
    let mut table = Table::new(columns);
    for snapshot in snapshots {
        let mut row = vec![
            visible(&snapshot.name),
            short(&snapshot.id).to_owned(),
            visible(&snapshot.source),
            time(snapshot.time),
        ];
        if positions {
            row.push(snapshot.position.map_or_else(String::new, |position| position.to_string()));
        }
        row.extend([
            count(snapshot.tables.into()),
            count(snapshot.entries),
            size(snapshot.bytes),
            size(snapshot.bytes_added),
        ]);
        table.row(row);
    }
    Ok(table.print(&mut stdout())?)
}

fn print_one(snapshot: &Snapshot) -> anyhow::Result<()> {
    let mut rows = vec![
        ("name", visible(&snapshot.name)),
        ("id", snapshot.id.clone()),
        ("source", visible(&snapshot.source)),
        ("time (UTC)", time(snapshot.time)),
        ("parent", snapshot.parent.as_deref().map_or_else(|| "none".to_owned(), visible)),
        ("number", format!("{}{}", snapshot.seq, if snapshot.imported { ", imported" } else { "" })),
        ("origin", snapshot.origin.as_deref().map_or_else(|| "unknown".to_owned(), visible)),
        ("position", snapshot.position.map_or_else(|| "none".to_owned(), |position| position.to_string())),
        ("tables", count(snapshot.tables.into())),
        ("left out", count(snapshot.tables_left_out.into())),
        ("entries", count(snapshot.entries)),
        ("size", size(snapshot.bytes)),
        ("added", size(snapshot.bytes_added)),
    ];
    let labels: Vec<(String, String)> =
        snapshot.labels.iter().map(|(name, value)| (visible(name), visible(value))).collect();
    rows.extend(labels.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut out = stdout();
    for (name, value) in rows {
        writeln!(out, "{name:width$}  {value}")?;
    }
    Ok(out.flush()?)
}

fn unreadable(first: &Damage, number: usize) -> Error {
    let more = if number > 1 { format!(" (and {} more)", number - 1) } else { String::new() };
    let message = format!(
        "{}{more}; this snapshot cannot be read, the others are not affected. `strongroom verify` looks at all of them",
        placed(&first.file, &first.what)
    );
    Error::new(ErrorCode::Damaged, message)
}

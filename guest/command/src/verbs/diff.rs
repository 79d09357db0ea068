//! `diff`

use std::cmp::Reverse;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use strongroom_core::text::{count, counted, duration, size, visible};
use strongroom_core::{EntryDifference, Happened, TableDifference, TableSide, Told};
use strongroom_store::redb::to_text;

use crate::exit::usage;
use crate::host::{After, Diff};
use crate::output::json;
use crate::output::out::{Out, stdout};
use crate::output::table::{Side, Table};
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom diff app-20260131T101500Z latest
    strongroom diff latest app.redb
        what has changed in the database since
    strongroom diff 3f9c2a1b latest --table 'user*' --keys
        every key that was added (+), removed (-) or changed (~), with sizes
    strongroom diff one two --json | jq -r 'select(.type == \"table-difference\").table'

Between two snapshots it takes time in proportion to the difference; a database is
read. Tables that are the same are left out. In a multimap, pairs are added and
removed. The exit code is 0 whether something differs or not.")]
pub(crate) struct Args {
    /// A snapshot: a name, the beginning of an id, or `latest`
    before: String,

    /// Another one, or a database file; with a slash in it, it is a file
    #[arg(value_name = "AFTER|APP.redb")]
    after: String,

    /// Only tables whose names match; may be given several times
    #[arg(long = "table", value_name = "GLOB")]
    tables: Vec<String>,

    /// Every entry that differs, with its key and the sizes of its values
    #[arg(long)]
    keys: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'a> {
    before: &'a str,
    before_id: &'a str,
    after: &'a str,
    after_id: Option<&'a str>,
    equal: bool,
    tables: u64,
    added: u64,
    removed: u64,
    changed: u64,
    seconds: f64,
}

/// An entry, for programs.
#[derive(Serialize)]
struct Entry<'a> {
    table: &'a str,
    what: Happened,
    #[serde(flatten)]
    key: json::Key,
    key_bytes: u32,
    before_bytes: Option<u32>,
    after_bytes: Option<u32>,
}

/// Tables that are shown for people; of more, those in which the most has changed.
const SHOWN: usize = 30;
/// Characters of a key that are shown.
const KEY_SHOWN: usize = 120;

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let repository = session.repository()?;
    session.go_on()?;
    let file = session.expand(Path::new(&args.after));
    let file = match is_file(session, &args.after, file.as_deref().ok())? {
        true => Some(file?),
        false => None,
    };
    let after = file.as_deref().map_or(After::Snapshot(&args.after), After::Database);
    let wanted = Diff { before: &args.before, after, tables: &args.tables, keys: args.keys };
    if args.keys {
        // The lines would stand in each other's way.
        session.bar.hide();
    }
    let mut telling =
        Telling { out: stdout(), json: session.json(), table: None, tables: Vec::new(), failed: None };
    let (before, after) = repository.diff(&wanted, &mut |told| Ok(telling.tell(told)))?;
    session.bar.clear();
    let Telling { mut out, tables, failed, .. } = telling;
    if let Some(e) = failed {
        // What is left in the buffer cannot be written either.
        drop(out.into_parts());
        return Err(e.into());
    }
    out.flush()?;
    let sum = |of: fn(&TableDifference) -> u64| tables.iter().map(of).fold(0, u64::saturating_add);
    let (added, removed, changed) = (sum(|t| t.added), sum(|t| t.removed), sum(|t| t.changed));
    let name = match (&after, &file) {
        (Some(after), _) => after.name.clone(),
        (None, file) => file.as_ref().map_or_else(String::new, |file| file.display().to_string()),
    };
    if session.json() {
        let done = Done {
            before: &before.name,
            before_id: &before.id,
            after: &name,
            after_id: after.as_ref().map(|after| after.id.as_str()),
            equal: tables.is_empty(),
            tables: tables.len() as u64,
            added,
            removed,
            changed,
            seconds: started.elapsed().as_secs_f64(),
        };
        return session.print_json("diff", &done);
    }
    print(&tables)?;
    let found = if tables.is_empty() {
        "no difference".to_owned()
    } else {
        format!(
            "{}: {} added, {} removed, {} changed",
            counted(tables.len() as u64, "table"),
            counted(added, "entry"),
            count(removed),
            count(changed)
        )
    };
    let took = duration(started.elapsed());
    session.say(format!("{} to {}  {found}  in {took}", visible(&before.name), visible(&name)))
}

/// Whether this means a database file. What could be both is refused.
fn is_file(session: &Session<'_>, text: &str, file: Option<&Path>) -> anyhow::Result<bool> {
    if text.contains(['/', '\\']) {
        return Ok(true);
    }
    // The engine is not asked: a database must be opened before the command confines itself.
    let snapshot = session.repository_dir()?.join("snapshots").join(format!("{text}.json"));
    match (file.is_some_and(Path::is_file), snapshot.exists()) {
        (true, true) => Err(usage(format!(
            "{text:?} is a snapshot and a file; write ./{text} for the file, or the beginning of the snapshot's id"
        ))),
        (file, _) => Ok(file),
    }
}

/// Says it as it comes.
struct Telling {
    out: io::BufWriter<Out>,
    json: bool,
    /// The table whose entries come.
    table: Option<TableDifference>,
    tables: Vec<TableDifference>,
    failed: Option<io::Error>,
}

impl Telling {
    fn tell(&mut self, told: Told) -> ControlFlow<()> {
        let written = match told {
            Told::Begin(table) => {
                self.table = Some(table);
                Ok(())
            }
            Told::Entry(entry) => self.entry(&entry),
            Told::Table(table) => {
                let written =
                    if self.json { json::typed(&mut self.out, "table-difference", &table) } else { Ok(()) };
                self.tables.push(table);
                written
            }
            _ => Ok(()),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                self.failed = Some(e);
                ControlFlow::Break(())
            }
        }
    }

    fn entry(&mut self, entry: &EntryDifference) -> io::Result<()> {
        let Some(table) = &self.table else { return Ok(()) };
        let side = if entry.what == Happened::Added { &table.after } else { &table.before };
        let key_type = side.as_ref().map_or("", |side| side.key_type.as_str());
        let missing = entry.key.len() != entry.key_bytes as usize;
        if self.json {
            let key = if missing { json::Key::default() } else { json::key(key_type, &entry.key) };
            let EntryDifference { what, key_bytes, before, after, .. } = *entry;
            let table = &table.table;
            let entry = Entry { table, what, key, key_bytes, before_bytes: before, after_bytes: after };
            return json::typed(&mut self.out, "entry-difference", &entry);
        }
        let text = match missing {
            true => format!("(a key of {})", size(entry.key_bytes.into())),
            false => visible(&to_text(key_type, &entry.key)),
        };
        let mut shown: String = text.chars().take(KEY_SHOWN).collect();
        if shown.len() < text.len() {
            shown.push_str("...");
        }
        let bytes = |len: Option<u32>| size(len.unwrap_or_default().into());
        let (sign, sizes) = match entry.what {
            Happened::Added => ('+', bytes(entry.after)),
            Happened::Removed => ('-', bytes(entry.before)),
            Happened::Changed => ('~', format!("{} to {}", bytes(entry.before), bytes(entry.after))),
        };
        writeln!(self.out, "{sign} {}\t{shown}\t{sizes}", visible(&table.table))
    }
}

fn print(tables: &[TableDifference]) -> anyhow::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    use Side::{Left, Right};
    let numbers = ["BEFORE", "AFTER", "ADDED", "REMOVED", "CHANGED"].map(|heading| (heading, Right));
    let mut shown = Table::new([("TABLE", Left)].into_iter().chain(numbers).chain([("", Left)]));
    let mut most: Vec<&TableDifference> = tables.iter().collect();
    if tables.len() > SHOWN {
        most.sort_by_key(|t| Reverse(t.added.saturating_add(t.removed).saturating_add(t.changed)));
        most.truncate(SHOWN);
        most.sort_by(|a, b| a.table.cmp(&b.table));
    }
    for table in most {
        let entries =
            |side: &Option<TableSide>| side.as_ref().map_or_else(String::new, |side| count(side.entries));
        shown.row([
            visible(&table.table),
            entries(&table.before),
            entries(&table.after),
            count(table.added),
            count(table.removed),
            count(table.changed),
            remark(table).to_owned(),
        ]);
    }
    let mut out = stdout();
    shown.print(&mut out)?;
    if tables.len() > SHOWN {
        let more = counted((tables.len() - SHOWN) as u64, "table");
        writeln!(out, "... and {more} in which less differs; --json tells of all")?;
    }
    Ok(out.flush()?)
}

/// What there is to say of a table beside its counts.
fn remark(table: &TableDifference) -> &'static str {
    match (&table.before, &table.after) {
        (None, _) => "new",
        (_, None) => "dropped",
        (Some(before), Some(after)) if before.multimap != after.multimap => "another kind of table",
        (Some(before), Some(after))
            if (&before.key_type, &before.value_type) != (&after.key_type, &after.value_type) =>
        {
            "other types"
        }
        _ => "",
    }
}

//! `cat`

use std::io::Write;
use std::ops::ControlFlow;

use strongroom_store::redb::to_text;

use crate::output::json;
use crate::output::out::stdout;
use crate::session::{Session, find_table};
use strongroom_core::text::visible;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom cat latest users | head
    strongroom cat latest users --json | jq -r .key

Each entry is a line: key, tab, value. Built-in types look as in Rust, bytes and
the application's own types as hexadecimal digits; control characters in text
are escaped. --json has the exact bytes.")]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    snapshot: String,

    /// Which table
    table: String,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let repository = session.repository()?;
    let (snapshot, table) = find_table(&*repository, &args.snapshot, &args.table)?;
    let as_json = session.json();
    // The lines would stand in each other's way, also where a pager shows them.
    session.bar.hide();
    let mut failed = None;
    // On the thread that scans, which is not this one.
    let mut out = stdout();
    repository.scan(&snapshot.name, &table.name, &mut |key, value| {
        let written = if as_json {
            json::line(&mut out, &json::entry(&table.key_type, &table.value_type, key, value))
        } else {
            let (key, value) = (to_text(&table.key_type, key), to_text(&table.value_type, value));
            writeln!(out, "{}\t{}", visible(&key), visible(&value))
        };
        Ok(match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                failed = Some(e);
                ControlFlow::Break(())
            }
        })
    })?;
    match failed {
        Some(e) => {
            // What is left in the buffer cannot be written either.
            drop(out.into_parts());
            Err(e.into())
        }
        None => Ok(out.flush()?),
    }
}

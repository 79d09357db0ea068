//! `tables`

use crate::output::out::stdout;
use crate::output::table::{Side, Table};
use crate::session::Session;
use strongroom_core::text::{count, short, size, visible};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom tables latest
    strongroom tables app-20260131T101500Z --json | jq -r .name

Tables of equal id hold equal entries, in whatever snapshot. A type of the
application's own is shown as `user:NAME`.")]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    snapshot: String,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let tables = session.repository()?.tables(&args.snapshot)?;
    if session.json() {
        return tables.iter().try_for_each(|table| session.print_json("table", table));
    }
    if tables.is_empty() {
        return session.say("no tables");
    }
    use Side::{Left, Right};
    let mut shown = Table::new([
        ("NAME", Left),
        ("KIND", Left),
        ("ENTRIES", Right),
        ("SIZE", Right),
        ("KEY", Left),
        ("VALUE", Left),
        ("ID", Left),
    ]);
    for table in &tables {
        shown.row([
            visible(&table.name),
            if table.multimap { "multimap" } else { "table" }.to_owned(),
            count(table.entries),
            size(table.bytes),
            visible(&table.key_type),
            visible(&table.value_type),
            short(&table.id).to_owned(),
        ]);
    }
    Ok(shown.print(&mut stdout())?)
}

//! `export`

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use strongroom_core::Archived;
use strongroom_core::text::{counted, duration, short, size, visible};
use strongroom_store::redb::Partial;

use crate::exit::{by_force, usage};
use crate::output::json;
use crate::output::out::Out;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom export latest app.archive
    strongroom export latest - | ssh host strongroom import - --repo /srv/backups
        to another machine, without a file in between
    strongroom export latest - | zstd -19 > app.archive.zst

The file holds one snapshot and all that it needs. It checks itself: whoever reads
it finds out what is cut off or changed, and where. `import` takes it into any
repository, `restore --archive` makes a database of it. The file is built beside
its final place, synced, and only then given its name.")]
pub(crate) struct Args {
    /// Which snapshot: a name, the beginning of an id, or `latest`
    snapshot: String,

    /// The file to make; `-` is standard output
    file: PathBuf,

    /// Put it in the place of a file that is there
    #[arg(long)]
    force: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'a> {
    snapshot: &'a str,
    id: &'a str,
    to: Option<&'a str>,
    entries: u64,
    bytes: u64,
    archive_bytes: u64,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let repository = session.repository()?;
    session.go_on()?;
    if args.file == Path::new("-") {
        if io::stdout().is_terminal() {
            return Err(usage("an archive is not for a terminal; name a file, or lead it into a pipe"));
        }
        let exported = repository.export(&args.snapshot, &mut Out, None)?;
        return tell(session, &exported, None, started);
    }
    let file = session.expand(&args.file)?;
    let exists = |e: strongroom_store::Error| by_force(e.into());
    let (partial, mut out) = Partial::create(&file, args.force).map_err(exists)?;
    let exported = repository.export(&args.snapshot, &mut out, file.parent())?;
    out.sync_all().map_err(|e| strongroom_core::archive::not_written(&e))?;
    drop(out);
    partial.publish().map_err(exists)?;
    tell(session, &exported, Some(&file), started)
}

/// Says what was done: on stderr if the archive went to stdout.
fn tell(
    session: &Session<'_>,
    exported: &Archived,
    file: Option<&Path>,
    started: Instant,
) -> anyhow::Result<()> {
    session.bar.clear();
    let snapshot = &exported.snapshot;
    if session.json() {
        let to = file.map(Path::to_string_lossy);
        let done = Done {
            snapshot: &snapshot.name,
            id: &snapshot.id,
            to: to.as_deref(),
            entries: snapshot.entries,
            bytes: snapshot.bytes,
            archive_bytes: exported.bytes,
            seconds: started.elapsed().as_secs_f64(),
        };
        return match file {
            Some(_) => session.print_json("exported", &done),
            None => Ok(json::typed(&mut io::stderr().lock(), "exported", &done)?),
        };
    }
    let line = format!(
        "{}  {}  to {}  {}  {} archive  in {}",
        visible(&snapshot.name),
        short(&snapshot.id),
        file.map_or_else(|| "standard output".to_owned(), |file| file.display().to_string()),
        counted(snapshot.entries, "entry"),
        size(exported.bytes),
        duration(started.elapsed()),
    );
    match file {
        Some(_) => session.say(line),
        None if session.quiet() => Ok(()),
        None => Ok(writeln!(io::stderr().lock(), "{line}")?),
    }
}

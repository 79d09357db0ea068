//! `import`

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use strongroom_core::Snapshot;

use crate::exit::usage;
use crate::host::{Incoming, Special};
use crate::output;
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom import app.archive
    strongroom import app.archive --name before-the-move --repo /srv/backups
    ssh host strongroom export latest - | strongroom import -

What the repository has already is not written again. The snapshot is there when
all of the archive was there and proved to be what was written; one that is cut
off or changed leaves nothing but what the next prune removes.

Imports are marked as such, and never displace a snapshot that was made here:
while their source has one, `latest` is not an import, and rules of `forget` judge
imports by themselves.")]
pub(crate) struct Args {
    /// What `strongroom export` made; `-` is standard input
    file: PathBuf,

    /// The name of the snapshot [default: the one that it had]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Which database it is of [default: what the archive says]
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    /// Take the directory of backups away from others instead of refusing it
    #[arg(long)]
    permission_override: bool,

    /// Make the repository if there is none, also where settings or STRONGROOM_REPO name it
    #[arg(long)]
    init: bool,
}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    archive_bytes: u64,
    seconds: f64,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    session.only_if(args.permission_override, "--permission-override", Special::Permissions)?;
    session.may_make(args.init)?;
    let repository = session.repository()?;
    session.go_on()?;
    let mut archive = Source::open(session, &args.file)?;
    let (name, source) = (args.name.as_deref(), args.source.as_deref());
    let imported = repository.import(archive.incoming(), name, source, args.permission_override)?;
    session.bar.clear();
    let snapshot = &imported.snapshot;
    if session.json() {
        let seconds = started.elapsed().as_secs_f64();
        return session.print_json("imported", &Done { snapshot, archive_bytes: imported.bytes, seconds });
    }
    session.say(output::made(snapshot, started.elapsed()))
}

/// Where an archive comes from: a file, or standard input.
pub(crate) struct Source {
    from: Box<dyn Read + Send>,
    bytes: u64,
}

impl Source {
    pub(crate) fn open(session: &Session<'_>, file: &Path) -> anyhow::Result<Self> {
        if file == Path::new("-") {
            if io::stdin().is_terminal() {
                return Err(usage("an archive does not come from a terminal; name a file, or lead one in"));
            }
            return Ok(Self { from: Box::new(io::stdin()), bytes: 0 });
        }
        let path = session.expand(file)?;
        let place = || format!("cannot open {}", path.display());
        let file = File::open(&path).with_context(place)?;
        // Of what is no file, a pipe say, nobody knows how long it is.
        let bytes = file.metadata().with_context(place)?.len();
        Ok(Self { from: Box::new(file), bytes })
    }

    pub(crate) fn incoming(&mut self) -> Incoming<'_> {
        Incoming { from: self.from.as_mut(), bytes: self.bytes }
    }
}

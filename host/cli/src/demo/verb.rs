//! `demo`

use std::path::PathBuf;

use strongroom_command::Session;

use crate::demo;
use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom demo
    strongroom demo --keep /tmp/demo
        and look around afterwards: strongroom cat latest accounts --repo /tmp/demo/backups

The demo makes a database with tables of several shapes, keeps a writer
committing transfers between accounts while it backs up twice, verifies,
restores, and checks everything that was restored. It fails if anything is not
as it was.")]
pub(crate) struct Args {
    /// Work in this new or empty directory, and leave everything there
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    match &args.keep {
        Some(dir) => {
            let dir = session.expand(dir)?;
            demo::place(&dir)?;
            demo::run(native, session, &dir)
        }
        None => {
            let dir = tempfile::Builder::new().prefix("strongroom-demo-").tempdir()?;
            demo::run(native, session, dir.path())
        }
    }
}

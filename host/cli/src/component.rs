//! `component`

use std::path::{Path, PathBuf};

use strongroom::Error;
use strongroom_command::{Session, publish_file};
use strongroom_core::text::size;

#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
EXAMPLES:
    strongroom component --composed strongroom.wasm
        for the stock wasmtime command, which needs nothing else:
        wasmtime run --dir data --dir backups strongroom.wasm backup data/app.redb --repo backups
    strongroom component engine.wasm --wit wit
        for a program that runs the engine itself: the engine and its contracts

The composed component holds the same engine, byte for byte."
)]
pub(crate) struct Args {
    /// Write the engine here
    #[arg(value_name = "FILE")]
    engine: Option<PathBuf>,

    /// Write here the engine with all that it needs but WASI, as a command
    #[arg(long, value_name = "FILE")]
    composed: Option<PathBuf>,

    /// Write the WIT packages to this directory
    #[arg(long, value_name = "DIR")]
    wit: Option<PathBuf>,

    /// Put files in the place of those that are there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let components =
        [(&args.engine, strongroom_composed::ENGINE), (&args.composed, strongroom_composed::COMMAND)];
    for (path, bytes) in components {
        if let Some(path) = path {
            let path = session.expand(path)?;
            write(&path, bytes, args.force)?;
            session.say(format!("{}  {}", path.display(), size(bytes.len() as u64)))?;
        }
    }
    if let Some(dir) = &args.wit {
        let dir = session.expand(dir)?;
        for (name, text) in strongroom_composed::WIT {
            write(&dir.join(name), text.as_bytes(), args.force)?;
        }
        session.say(format!("{}  {} files", dir.display(), strongroom_composed::WIT.len()))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), Error> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(|e| Error::io("create", dir, &e))?;
    }
    publish_file(path, bytes, overwrite)
}

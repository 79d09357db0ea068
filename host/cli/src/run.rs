//! `run`

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use strongroom::{Budgets, Error, ErrorCode, Plugin, RedbStore, Run, Store};
use strongroom_command::{Exit, Host, Session, usage};

use crate::native::Native;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom run to_jsonl.wasm --store app.redb > app.jsonl
    strongroom run to_jsonl.wasm --snapshot latest --repo /var/backups -- users
        over a backup instead of the database
    strongroom run export.wasm --store app.redb --dir ./out::/out --dir ./templates::/in:ro -- /out/report.html

A plugin is a WebAssembly component that imports strongroom:kv/kv-store and
exports wasi:cli/run. It reads the database as it is at one moment, and sees the
directories given and nothing else: no network, no environment, no other file.
Its stdout passes through; its exit code becomes that of the command.

Don't give it a directory that holds the database, a repository, or what others
run: it may do there what it likes.")]
pub(crate) struct Args {
    /// The plugin's component file
    plugin: PathBuf,

    /// The database to read, as it is at this moment
    #[arg(long, value_name = "APP.redb", required_unless_present = "snapshot", conflicts_with = "snapshot")]
    store: Option<PathBuf>,

    /// A snapshot of the repository to read instead: a name, the beginning of an id, or `latest`
    #[arg(long)]
    snapshot: Option<String>,

    /// Let it see the directory HOST as GUEST, and write there unless `:ro` follows
    #[arg(long = "dir", value_name = "HOST::GUEST[:ro]")]
    dirs: Vec<Dir>,

    /// Bytes that it may print to stdout [default: 1024]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    output_limit: Option<u32>,

    /// What the plugin is told
    #[arg(last = true)]
    args: Vec<String>,
}

/// A directory that is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Dir {
    host: PathBuf,
    guest: String,
    read_only: bool,
}

impl FromStr for Dir {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, guest) = text.split_once("::").ok_or("it has no `::` between the two directories")?;
        let (guest, read_only) = guest.strip_suffix(":ro").map_or((guest, false), |guest| (guest, true));
        if host.is_empty() || guest.is_empty() {
            return Err("one of the two directories is empty".to_owned());
        }
        Ok(Self { host: host.into(), guest: guest.to_owned(), read_only })
    }
}

pub(crate) fn run(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<()> {
    let path = session.expand(&args.plugin)?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut budgets = native.budgets(Budgets::plugin());
    if let Some(mib) = args.output_limit {
        budgets = budgets.output_bytes(u64::from(mib) << 20);
    }
    let mut run = Run::new().cancel_with(native.cancel()).args(&args.args);
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    if args.snapshot.is_some() {
        reading.push(session.repository_dir()?);
    }
    for Dir { host, guest, read_only } in &args.dirs {
        let host = session.expand(host)?;
        if *read_only {
            reading.push(host.clone())
        } else {
            writing.push(host.clone())
        }
        run = if *read_only { run.dir_read_only(host, guest) } else { run.dir(host, guest) };
    }
    let plugin = Plugin::builder(name, bytes).budgets(budgets).landlock(native.landlock()).build()?;
    session.go_on()?;
    // The moment that the plugin sees, after what takes long.
    let store = store(native, session, args)?;
    native.confine(&paths(&reading), &paths(&writing))?;
    match plugin.run(&store, run) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Exit(code).into()),
        // Whoever read the output has seen enough, as in `strongroom run ... | head`.
        Err(e) if e.code() == ErrorCode::Cancelled && !native.is_cancelled() => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn paths(dirs: &[PathBuf]) -> Vec<&Path> {
    dirs.iter().map(PathBuf::as_path).collect()
}

/// What the plugin reads.
fn store(native: &Native, session: &Session<'_>, args: &Args) -> anyhow::Result<Arc<dyn Store>> {
    match (&args.store, &args.snapshot) {
        (Some(path), _) => Ok(open(&session.expand(path)?)?),
        (None, Some(snapshot)) => {
            Ok(native.open(&session.repository_dir()?, &session.bar)?.store(snapshot)?)
        }
        (None, None) => Err(usage("name the database with --store, or a snapshot with --snapshot")),
    }
}

fn open(path: &Path) -> Result<Arc<dyn Store>, Error> {
    Ok(Arc::new(RedbStore::open(path)?))
}

#[cfg(test)]
mod tests {
    use super::Dir;

    #[test]
    fn a_directory_is_granted_under_another_name_and_to_be_read_if_it_says_so() {
        let dir = |host: &str, guest: &str, read_only| {
            Ok(Dir { host: host.into(), guest: guest.to_owned(), read_only })
        };
        assert_eq!("out::/data".parse(), dir("out", "/data", false));
        assert_eq!("/a b::/data:ro".parse(), dir("/a b", "/data", true));
        assert_eq!("C:\\x::data".parse(), dir("C:\\x", "data", false));
        for wrong in ["", "out", "out:/data", "::/data", "out::", "out:::ro"] {
            assert!(wrong.parse::<Dir>().is_err(), "{wrong}");
        }
    }
}

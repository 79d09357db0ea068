//! One run of a plugin: what it is granted, and how it ends.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::network::NoNetwork;
use super::{Plugin, called};
use crate::host::progress::Cancel;
use crate::host::{Grants, Meter};
use crate::sandbox::{Exceeded, Memory, Printed, failure, on_confined_thread, store};
use crate::source::Source;
use crate::{Error, ErrorCode, Result};

/// What a run of a [`Plugin`] is granted. Whatever is not here it does not have.
#[derive(Default)]
pub struct Run {
    dirs: Vec<Dir>,
    args: Vec<String>,
    stdout: Option<Box<dyn Write + Send>>,
    stderr: Option<Box<dyn Write + Send>>,
    cancel: Cancel,
}

struct Dir {
    host: PathBuf,
    guest: String,
    permissions: FsPerms,
}

impl Run {
    /// The store, stdout and stderr, and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets it read, write, make and remove whatever is below the directory `host`, which it sees as `guest`.
    ///
    /// How much it writes there is not limited. Never a directory that holds the database, a repository, or what
    /// others run: a plugin may do with the files what it likes.
    #[must_use]
    pub fn dir(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.grant(host.into(), guest.into(), FsPerms::ReadWrite)
    }

    /// Lets it read whatever is below the directory `host`, which it sees as `guest`.
    #[must_use]
    pub fn dir_read_only(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.grant(host.into(), guest.into(), FsPerms::ReadOnly)
    }

    fn grant(mut self, host: PathBuf, guest: String, permissions: FsPerms) -> Self {
        self.dirs.push(Dir { host, guest, permissions });
        self
    }

    /// One more argument, after the plugin's name.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Where its stdout goes, byte by byte. Without this, to the stdout of this process; there, if that is a terminal,
    /// with everything that it would act on made visible.
    #[must_use]
    pub fn stdout(mut self, to: impl Write + Send + 'static) -> Self {
        self.stdout = Some(Box::new(to));
        self
    }

    /// Where its stderr goes, with everything that a terminal would act on made visible. Without this, to the stderr
    /// of this process.
    #[must_use]
    pub fn stderr(mut self, to: impl Write + Send + 'static) -> Self {
        self.stderr = Some(Box::new(to));
        self
    }

    /// Lets whoever holds this token stop the run.
    #[must_use]
    pub fn cancel_with(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    fn check(&self, called: &str) -> Result<()> {
        let invalid = |what: String| Err(Error::new(ErrorCode::Invalid, format!("{called}: {what}")));
        for (at, dir) in self.dirs.iter().enumerate() {
            if dir.guest.is_empty() || dir.guest.chars().any(char::is_control) {
                return invalid(format!("{:?} cannot be the name of a directory", dir.guest));
            }
            if self.dirs[..at].iter().any(|other| other.guest == dir.guest) {
                return invalid(format!("two directories cannot both be {:?}", dir.guest));
            }
            match std::fs::metadata(&dir.host) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return invalid(format!("{} is a file, not a directory", dir.host.display())),
                Err(e) => return Err(Error::io("grant", &dir.host, &e)),
            }
        }
        Ok(())
    }
}

/// What a run that was ended says of everything else.
const UNHARMED: &str = "the database is as it was";

impl Plugin {
    /// Runs the plugin over a source as it is at this moment, and says with which code it exited: 0 is well.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Budget`] if it went past a budget, [`ErrorCode::Cancelled`] if the run was stopped or nobody reads its
    /// stdout any more,
    /// [`ErrorCode::Denied`] if it reached for the network, [`ErrorCode::Other`] if it trapped; the message names the
    /// plugin and gives its last words. Its exit codes are no errors.
    pub fn run<S: Source + ?Sized>(&self, source: &S, run: Run) -> Result<u8> {
        let called = called(self.name());
        run.check(&called)?;
        let meter = Meter::new(None, run.cancel.clone(), self.budgets().time);
        let grants = Arc::new(Grants { store: Some(source.store()?), ..Grants::new(meter) });
        let walls = run.dirs.iter().fold(grants.doors(self.walls()), |walls, dir| match dir.permissions {
            FsPerms::ReadOnly => walls.reading(&dir.host),
            FsPerms::ReadWrite => walls.writing(&dir.host),
        });
        let span = tracing::info_span!("strongroom", verb = "run", plugin = self.name());
        on_confined_thread("plugin", &walls, || {
            let _in = span.enter();
            self.run_here(&called, run, &grants)
        })
    }

    /// On a thread that is for this run alone.
    fn run_here(&self, called: &str, run: Run, grants: &Arc<Grants>) -> Result<u8> {
        let budgets = self.budgets();
        let terminal = run.stdout.is_none() && io::stdout().is_terminal();
        let stdout = run.stdout.unwrap_or_else(|| Box::new(io::BufWriter::new(io::stdout())));
        let stdout = Printed::passed_on(stdout, terminal, budgets.output_bytes);
        let stderr = run.stderr.unwrap_or_else(|| Box::new(io::stderr()));
        let stderr = Printed::readable(stderr, budgets.log_bytes);
        let mut wasi = WasiCtxBuilder::new();
        // Before the directories, which take a copy of it.
        wasi.allow_blocking_current_thread(true);
        wasi.arg(self.name()).args(&run.args).stdout(stdout.clone()).stderr(stderr.clone());
        for Dir { host, guest, permissions } in &run.dirs {
            wasi.preopened_dir(host, guest, *permissions).map_err(|e| {
                Error::new(ErrorCode::Io, format!("{called}: cannot open {}: {e:#}", host.display()))
            })?;
        }
        let memory = Memory::new(budgets.memory);
        let mut store = store(&self.0.engine, true, &mut wasi, grants, budgets, &memory);
        let ran = self.0.pre.instantiate(&mut store);
        let ran = ran.and_then(|plugin| plugin.wasi_cli_run().call_run(&mut store));
        // Before anything is said about the end.
        let printed = stderr.say_dropped(called).and(stdout.flush()).and(stderr.flush());
        if stdout.reader_is_gone() {
            let message = format!("whoever read what {called} printed is gone; {UNHARMED}");
            return Err(Error::new(ErrorCode::Cancelled, message));
        }
        let code = match ran {
            Ok(ended) => u8::from(ended.is_err()),
            Err(e) => match e.downcast_ref::<I32Exit>() {
                Some(exit) => u8::try_from(exit.0).unwrap_or(1),
                None if e.is::<NoNetwork>() => {
                    let function = e.downcast_ref::<NoNetwork>().map_or("", |e| &e.0);
                    let message =
                        format!("{called} called {function}: no plugin is granted the network; {UNHARMED}");
                    return Err(Error::new(ErrorCode::Denied, message));
                }
                None => return Err(failure(&e, called, &stderr.contents(), budgets, UNHARMED)),
            },
        };
        // One that gave up because it was told to stop.
        if code != 0 && grants.meter.is_over() {
            return Err(match grants.meter.is_late() {
                true => Exceeded::Time.explain(called, budgets, UNHARMED),
                false => Error::new(ErrorCode::Cancelled, format!("stopped on request; {UNHARMED}")),
            });
        }
        printed.map_err(|e| {
            Error::new(ErrorCode::Io, format!("{called}: what it printed could not be passed on: {e}"))
        })?;
        Ok(code)
    }
}

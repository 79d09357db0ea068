//! A run of the command that is killed at some moment.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::{Place, Ran};

/// When a run is killed.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    /// So long after its start.
    After(Duration),
    /// So long after there is a file whose path begins like this.
    Seeing(PathBuf, Duration),
    /// Not at all.
    Never,
}

/// What became of it.
pub(crate) struct Ended {
    /// `code` is `None` if it was killed before its end.
    pub(crate) ran: Ran,
    pub(crate) took: Duration,
}

impl Ended {
    pub(crate) fn was_killed(&self) -> bool {
        self.ran.code.is_none()
    }
}

/// Runs the command and kills it then.
pub(crate) fn run(place: &Place, args: &str, moment: &Moment) -> Ended {
    let started = Instant::now();
    let mut command = place.command(args.split_whitespace());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    match moment {
        Moment::Never => {}
        Moment::After(time) => std::thread::sleep(*time),
        Moment::Seeing(path, delay) => {
            while child.try_wait().unwrap().is_none() && !there_is(path) {
                std::thread::yield_now();
            }
            std::thread::sleep(*delay);
        }
    }
    if !matches!(moment, Moment::Never) {
        child.kill().unwrap();
    }
    let ran = child.wait_with_output().unwrap().into();
    Ended { ran, took: started.elapsed() }
}

/// Whether there is a file whose path begins like this.
pub(crate) fn there_is(path: &std::path::Path) -> bool {
    let begin = path.file_name().unwrap().to_string_lossy().into_owned();
    let begins = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(&begin))
    };
    path.parent().unwrap().read_dir().is_ok_and(|mut entries| entries.any(begins))
}

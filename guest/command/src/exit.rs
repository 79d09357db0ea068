//! Exit codes, and how an error gets one.

use std::fmt;
use std::io;

use serde::Serialize;
use strongroom_core::{Error, ErrorCode};

use crate::output::json;
use crate::output::style::{Style, on_stderr};

/// What went well.
pub(crate) const DONE: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_REPOSITORY: u8 = 10;
const LOCKED: u8 = 11;
const DAMAGED: u8 = 12;
const REFUSED: u8 = 13;
const BUDGET: u8 = 14;
const INTERRUPTED: u8 = 130;

/// For the end of `--help`.
pub(crate) const TABLE: &str = "\
EXIT CODES:
    0    done
    1    failed; the message says why
    2    the command line makes no sense
   10    there is no repository
   11    somebody else holds the repository or the database
   12    damage: in the repository, or in the database
   13    refused: by a policy, or as another database than the source was
   14    the engine, a policy or a plugin went past a budget of its sandbox
  130    interrupted by Ctrl-C or SIGTERM
`strongroom run` exits with the plugin's own code if the plugin ends by itself.";

/// A command line that makes no sense.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Nothing is to be reported: whatever ran has said it itself, and the command exits with its code.
#[derive(Debug)]
pub struct Exit(pub u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// An error of the command line.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// What exists and may be overwritten, the command overwrites with `--force`; what may not be, says so itself.
pub(crate) fn by_force(e: Error) -> Error {
    Error::new(e.code(), e.to_string().replace("allow overwriting it", "replace it with --force"))
}

/// Reports an error and says what to exit with.
pub(crate) fn report(e: &anyhow::Error, as_json: bool) -> u8 {
    // Whoever read the output has seen enough, as in `strongroom cat ... | head`.
    if e.chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
    {
        return DONE;
    }
    if let Some(Exit(code)) = e.downcast_ref::<Exit>() {
        return *code;
    }
    let (code, exit) = classify(e);
    tell(code, exit, &format!("{e:#}"), as_json);
    exit
}

/// Reports what clap found.
pub(crate) fn report_usage(e: &clap::Error, as_json: bool) -> u8 {
    if !e.use_stderr() {
        // Help and version were asked for.
        return match e.print() {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                tell("other", FAILED, &format!("cannot write to standard output: {e}"), as_json);
                FAILED
            }
            _ => DONE,
        };
    }
    if as_json {
        let message = e.to_string();
        tell("usage", USAGE, message.trim_start_matches("error: ").trim_end(), true);
    } else {
        // Nobody is left to tell if that fails.
        let _ = e.print();
    }
    USAGE
}

/// The code in words, and the exit code.
fn classify(e: &anyhow::Error) -> (&'static str, u8) {
    if e.chain().any(|cause| cause.is::<Usage>()) {
        return ("usage", USAGE);
    }
    let Some(code) = e.chain().find_map(|cause| cause.downcast_ref::<Error>()).map(Error::code) else {
        return ("other", FAILED);
    };
    let exit = match code {
        ErrorCode::NoRepository => NO_REPOSITORY,
        ErrorCode::Locked => LOCKED,
        ErrorCode::Damaged => DAMAGED,
        ErrorCode::Budget => BUDGET,
        ErrorCode::Refused => REFUSED,
        ErrorCode::Cancelled => INTERRUPTED,
        _ => FAILED,
    };
    (code.as_str(), exit)
}

fn tell(code: &str, exit: u8, message: &str, as_json: bool) {
    #[derive(Serialize)]
    struct Line<'m> {
        r#type: &'static str,
        code: &'m str,
        exit: u8,
        message: &'m str,
    }
    // Nobody is left to tell if that fails.
    let _ = if as_json {
        json::line(&mut io::stderr().lock(), &Line { r#type: "error", code, exit, message })
    } else {
        use io::Write;
        writeln!(io::stderr().lock(), "{} {message}", on_stderr(Style::Error, "error:"))
    };
}

//! `report`, once it is known what rules say.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use strongroom_core::text::{counted, placed, size, time, visible};
use strongroom_core::{Error, ErrorCode};
use strongroom_store::redb::Partial;

use crate::exit::usage;
use crate::host::Repository;
use crate::output::file::publish;
use crate::output::out::Out;
use crate::report::{self, Facts, Retention, Severity, Status};
use crate::session::Session;

/// What to make of a report.
#[derive(Debug, clap::Args)]
pub struct Reporting {
    /// Write it as a page for a browser, in the place of a report that is there; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Put the page in the place of a file that is no report
    #[arg(long)]
    pub force: bool,
}

impl Reporting {
    /// The page's file, if it is one.
    pub fn file(&self, session: &Session<'_>) -> anyhow::Result<Option<PathBuf>> {
        match &self.html {
            Some(html) if html != Path::new("-") => session.expand(html).map(Some),
            _ => Ok(None),
        }
    }
}

/// Reports on a repository that remembers nothing of it, as of `now`.
pub fn report(
    session: &Session<'_>,
    repository: &dyn Repository,
    now: u64,
    retention: Option<Retention>,
    args: &Reporting,
) -> anyhow::Result<()> {
    let file = args.file(session)?;
    let streams = args.html.is_some() && file.is_none();
    if streams && session.json() {
        return Err(usage("--html - and --json would both go to standard output; give the page a file"));
    }
    if let Some(file) = &file {
        check(file, args.force)?;
    }
    session.go_on()?;
    let facts = report::gather(repository, &session.repository_dir()?, now, retention)?;
    session.bar.clear();
    if streams {
        Out.write_all(report::page(&facts).as_bytes())?;
    } else if let Some(file) = &file {
        publish(file, report::page(&facts).as_bytes(), true)?;
    }
    if session.json() {
        session.print_json("report", &facts)?;
    } else if !streams {
        print(session, &facts)?;
        if let Some(file) = &file {
            session.say(format!("The page is in {}.", file.display()))?;
        }
    }
    let damaged = |finding: &report::Finding| finding.severity == Severity::Damage && finding.found.is_none();
    if facts.findings.iter().any(damaged) {
        let message = "the repository is damaged, as the report says; `repair` puts right what can be";
        return Err(Error::new(ErrorCode::Damaged, message).into());
    }
    Ok(())
}

/// A report is made again and again; whatever else has that name is somebody's file.
fn check(file: &Path, force: bool) -> Result<(), Error> {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|there| there.take(1024).read_to_end(&mut beginning));
    match read {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) if report::is_report(&beginning) => Ok(()),
        _ if !fs::symlink_metadata(file).is_ok_and(|found| found.is_file()) => {
            let message = format!("{} is not a file; give the page another name", file.display());
            Err(Error::new(ErrorCode::Exists, message))
        }
        _ if force => Ok(()),
        // Nor with --force.
        _ if Partial::check(file, true).is_err() => Ok(Partial::check(file, false)?),
        _ => {
            let message = format!(
                "{} exists already, and is no report; choose another name, or replace it with --force",
                file.display()
            );
            Err(Error::new(ErrorCode::Exists, message))
        }
    }
}

/// The same in a few lines.
fn print(session: &Session<'_>, facts: &Facts) -> anyhow::Result<()> {
    session.say(format!(
        "{} of {}  {} in all  {} on disk",
        counted(facts.snapshots as u64, "snapshot"),
        counted(facts.sources.len() as u64, "database"),
        size(facts.bytes),
        size(facts.stored.bytes)
    ))?;
    for source in &facts.sources {
        session.say(format!(
            "{}: newest {}, {} UTC, {}",
            visible(&source.source),
            visible(&source.newest),
            time(source.newest_time),
            size(source.bytes)
        ))?;
    }
    if let Some(retention) = &facts.retention {
        let goes = retention.verdicts.values().filter(|verdict| !verdict.keep).count();
        session.say(format!("{} would be forgotten", counted(goes as u64, "snapshot")))?;
    }
    for finding in &facts.findings {
        let word = match finding.severity {
            Severity::Damage => "damage",
            Severity::Attention => "attention",
            Severity::Hint => "hint",
        };
        session.say(format!("{word}: {}", visible(&placed(&finding.file, &finding.what))))?;
    }
    if facts.status == Status::Ok && facts.snapshots > 0 {
        session.say("nothing is known to be wrong")?;
    }
    Ok(())
}

//! `init`

use std::path::Path;

use serde::Serialize;

use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
EXAMPLES:
    strongroom init --repo /mnt/backups
        once, when the disk is mounted there

A repository that settings or STRONGROOM_REPO name is not made by a backup, as the
disk that it is on may not be mounted. One that is there already stays as it is.")]
pub(crate) struct Args {}

/// The answer for programs.
#[derive(Serialize)]
struct Done<'a> {
    repository: &'a Path,
    made: bool,
}

pub(crate) fn run(session: &Session<'_>, _args: &Args) -> anyhow::Result<()> {
    let dir = session.repository_dir()?;
    let repository = session.repository()?;
    session.go_on()?;
    let made = repository.init()?;
    session.bar.clear();
    if session.json() {
        return session.print_json("initialized", &Done { repository: &dir, made });
    }
    let what = if made { "is a repository now, without snapshots" } else { "is a repository already" };
    session.say(format!("{} {what}.", dir.display()))
}

//! What is to become of a lock that is there, and what is said of it.

use std::path::Path;
use std::time::Duration;

use super::Holder;
use super::place::{COMPONENT, Place, System};
use crate::error::{Error, ErrorCode};
use crate::text;

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its holder is gone: it is taken over.
    Left,
    /// Whether its holder is gone cannot be seen, and a person says so: it is taken away.
    Broken,
    Held(Known),
}

/// How much is known of a lock that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its holder is at work on this machine.
    AtWork,
    /// It cannot be seen from here.
    Unseen,
}

/// Decides. The operating system's lock was tried, and is this process's now if it was free.
pub(super) fn decide(
    place: &Place,
    holder: Option<&Holder>,
    system: &System,
    is_local: bool,
    break_lock: bool,
) -> Verdict {
    let is_component = holder.is_some_and(|holder| holder.kind == COMPONENT);
    let same_boot = holder.is_some_and(|holder| holder.boot.is_some() && holder.boot == place.boot);
    match system {
        // Nobody says better: the process is there, on this machine.
        System::Held if is_local || same_boot => Verdict::Held(Known::AtWork),
        System::Free if !is_component && (is_local || same_boot) => Verdict::Left,
        _ if break_lock => Verdict::Broken,
        _ => Verdict::Held(Known::Unseen),
    }
}

/// What is said of a lock that stays: who holds it, how much is known of that, and how long ago the file was changed.
pub(super) fn held(path: &Path, holder: Option<(Holder, Known, Option<Duration>)>) -> Error {
    let (holder, known, quiet) = holder.unwrap_or((Holder::default(), Known::AtWork, None));
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    let doing = if holder.doing.is_empty() { "something".to_owned() } else { short(&holder.doing) };
    let who = match holder.kind.as_str() {
        "" => "a run that does not say who it is".to_owned(),
        _ => format!("process {} on {:?}, which does {doing}", holder.pid, short(&holder.machine)),
    };
    let path = path.display();
    let remedy = "run this again with --break-lock";
    let message = if known == Known::AtWork {
        format!(
            "the repository is in use by {who} and holds its lock ({path}); wait for it, or stop it. --wait 60s waits for a \
             minute"
        )
    } else if holder.kind == COMPONENT {
        let quiet = quiet.map_or_else(|| "an unknown time".to_owned(), text::duration);
        format!(
            "the repository is locked ({path}) by a component under another runtime, which does {doing} since {} UTC. It \
             gave its last sign of life {quiet} ago, and gives one every few seconds while it works: if it has given none \
             for minutes, and no such run is left, {remedy}",
            text::time(holder.since),
        )
    } else {
        format!(
            "the repository is locked ({path}) by {who}, and from here it cannot be seen whether that still runs; if it \
             does not, {remedy}"
        )
    };
    Error::new(ErrorCode::Locked, message)
}

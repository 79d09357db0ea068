//! `docs/hostile.md`, written from what the suite saw.

use std::fmt::Write;

use strongroom::{Error, ErrorCode};
use strongroom_tests::guests;

use crate::world::World;
use crate::{Seen, WITHIN};

/// Where a hostile component is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Plugin,
    Policy,
    Engine,
    Caller,
}

const PLACES: [(Place, &str); 4] = [
    (
        Place::Plugin,
        "## As a plugin\n\nGranted the database, `/data` to write and `/readonly` to read, 64 MiB of memory, 1 MiB of stdout, \
         64 KiB of stderr and one second.\n",
    ),
    (
        Place::Policy,
        "## As a policy\n\nAsked what to keep, with 500 million units of fuel and 64 MiB of memory, and granted nothing at all. One that fails \
         keeps everything (asked which tables to take: takes all; asked whether to accept a snapshot: it is published), and \
         the command says so and ends with the exit code below.\n",
    ),
    (
        Place::Engine,
        "## In the engine's place\n\nWith `--component`, or `SandboxBuilder::component`. Granted what the verb has: the repository, to \
         read unless the verb writes. A verb that writes gives its engine the repository, so whoever replaces the \
         engine can ruin it; nothing else.\n",
    ),
    (
        Place::Caller,
        "## As whoever calls the engine\n\nThe engine itself, in a host that is not ours and calls it out of order. Plans, \
         receipts and drafts are bytes that pass through the caller's hands. Each is tried on a repository of its own; afterwards \
         every snapshot in it is whole.\n",
    ),
];

const HEAD: &str = "\
# What hostile components come to

Each row is a component (or a file that pretends to be one) that was written to do harm, and that the test suite runs:
what it tried, what whoever ran it sees, and what the command exits with. Every one of them is contained within WITHIN
seconds (compiling it included), under a time budget of one second; afterwards each byte of the database, of the repository and of the files beside
them is what it was, and at the end the snapshot is verified and restored. The components are in
[tests/hostile](../tests/hostile/src), one small file each, and the suite in [tests/tests/hostile](../tests/tests/hostile).

The suite writes this page: `UPDATE_DOCS=1 cargo test --release -p strongroom-tests --test hostile`. Without the variable it
fails if the page says anything else than what it saw. `<dir>` stands for a directory of the test's. What the sandbox
promises, and what it does not, is in [sandbox.md](sandbox.md).
";

/// Characters of what is seen that the page shows.
const SHOWN: usize = 330;

impl Seen {
    pub fn of_error(e: &Error) -> Self {
        let exit = match e.code() {
            ErrorCode::NoRepository => 10,
            ErrorCode::Locked => 11,
            ErrorCode::Damaged => 12,
            ErrorCode::Budget => 14,
            ErrorCode::Cancelled => 130,
            _ => 1,
        };
        Self { text: format!("error: {e}"), exit }
    }

    pub fn of_plugin(ended: strongroom::Result<u8>, stdout: &str, stderr: &str) -> Self {
        let begin = |text: &str| text.chars().take(SHOWN).collect::<String>();
        let (error, exit) = match ended {
            Ok(code) => (None, code),
            Err(e) => {
                let seen = Self::of_error(&e);
                (Some(seen.text), seen.exit)
            }
        };
        // Floods are not shown twice.
        let quiet = |text: &str| if error.is_some() || text.is_empty() { None } else { Some(begin(text)) };
        let stderr = quiet(stderr).map(|text| format!("on stderr: {text}"));
        let all: Vec<String> = [quiet(stdout), stderr, error.clone()].into_iter().flatten().collect();
        Self { text: all.join("\n"), exit }
    }
}

fn cell(text: &str, world: &World) -> String {
    let text = text.replace(&world.path().display().to_string(), "<dir>");
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    let shown = shown.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`");
    format!("{}{more}", shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn page(rows: &[(Place, &str, Seen)], world: &World) -> String {
    let mut page = HEAD.replace("WITHIN", &WITHIN.as_secs().to_string());
    for (place, head) in PLACES {
        write!(page, "\n{head}\n| what was tried | what is seen | exit code |\n|---|---|--:|\n").unwrap();
        for (_, tried, seen) in rows.iter().filter(|(at, ..)| *at == place) {
            writeln!(page, "| {tried} | {} | {} |", cell(&seen.text, world), seen.exit).unwrap();
        }
    }
    page
}

/// Fails unless the page says what the suite saw; or writes it.
pub fn compare(rows: &[(Place, &str, Seen)], world: &World) {
    let path = guests::root().join("docs/hostile.md");
    let page = page(rows, world);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if !cfg!(target_os = "linux") {
        // Other systems have other words for the same.
        return;
    }
    for (line, (seen, written)) in page.lines().zip(written.lines()).enumerate() {
        assert_eq!(seen, written, "line {} of docs/hostile.md; UPDATE_DOCS=1 writes it anew", line + 1);
    }
    assert_eq!(
        page.lines().count(),
        written.lines().count(),
        "docs/hostile.md; UPDATE_DOCS=1 writes it anew"
    );
}

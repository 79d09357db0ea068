//! A directory with a database, in which the command runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use redb::{Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ACCOUNTS: TableDefinition<&str, u64> = TableDefinition::new("accounts");
pub(crate) const BLOBS: TableDefinition<u32, &[u8]> = TableDefinition::new("blobs");
pub(crate) const TAGS: MultimapTableDefinition<&str, u64> = MultimapTableDefinition::new("tags");
pub(crate) const HEAD: TableDefinition<&str, u64> = TableDefinition::new("head");

/// Where all tests keep compiled code; never the user's own.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Numbers that look random.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number ^ (number >> 32)
}

pub(crate) fn random(seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64 / 8 + 1).flat_map(|i| mix(seed << 32 | i).to_le_bytes()).take(len).collect()
}

/// A directory of its own.
pub(crate) struct Place(TempDir);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Place {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// One with a small database, `app.redb`.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        let db = Database::create(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        {
            let mut accounts = txn.open_table(ACCOUNTS).unwrap();
            for i in 0..2000 {
                accounts.insert(format!("account-{i:04}").as_str(), i).unwrap();
            }
            let mut blobs = txn.open_table(BLOBS).unwrap();
            blobs.insert(1, &[0xff, 0x00, 0x0a][..]).unwrap();
            blobs.insert(2, random(2, 3_000_000).as_slice()).unwrap();
            let mut tags = txn.open_multimap_table(TAGS).unwrap();
            for i in 0..5 {
                tags.insert("odd", 2 * i + 1).unwrap();
                tags.insert("even", 2 * i).unwrap();
            }
            let mut head = txn.open_table(HEAD).unwrap();
            head.insert("slot", 345).unwrap();
        }
        txn.commit().unwrap();
        place
    }

    /// The same, without the table of large values.
    pub(crate) fn small() -> Self {
        let place = Self::new();
        let db = Database::open(place.path("app.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        assert!(txn.delete_table(BLOBS).unwrap());
        txn.commit().unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command, to be run in this place.
    pub(crate) fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", cache());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_")) {
            command.env_remove(name);
        }
        // Nobody's own settings.
        command.env("XDG_CONFIG_HOME", self.0.path()).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    /// Runs the command; arguments stand between spaces.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.command(args.split_whitespace()).output().unwrap().into()
    }

    /// Runs the command, which must succeed.
    pub(crate) fn ok(&self, args: &str) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "strongroom {args}: {ran:?}");
        assert_eq!(ran.stderr, "", "strongroom {args}");
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(
            !said.contains("warning: ") && !said.contains("\"type\":\"warning\""),
            "strongroom {args}: {said}"
        );
        said
    }

    /// Runs the command, which must succeed with one warning, which has all of these words in it.
    pub(crate) fn warns(&self, args: &str, words: &[&str]) {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "strongroom {args}: {ran:?}");
        assert!(ran.stderr.starts_with("warning: ") && ran.stderr.lines().count() == 1, "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {ran:?}");
        }
    }

    /// Runs the command, which must fail with this exit code and with a message that has all of these words in it.
    pub(crate) fn fails(&self, args: &str, code: i32, words: &[&str]) -> String {
        self.run(args).failed(code, words)
    }

    /// The same of a command that lists what is wrong, with the words in the list or in the message.
    pub(crate) fn finds(&self, args: &str, code: i32, words: &[&str]) {
        let ran = self.run(args);
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
        ran.failed(code, &[]);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
    }

    /// The lines of JSON that the command prints.
    pub(crate) fn json(&self, args: &str) -> Vec<Value> {
        lines(&self.ok(&format!("{args} --json")))
    }

    /// All balances of a database.
    pub(crate) fn accounts(&self, name: &str) -> BTreeMap<String, u64> {
        let db = Database::open(self.path(name)).unwrap();
        let table = db.begin_read().unwrap().open_table(ACCOUNTS).unwrap();
        table.iter().unwrap().map(|e| e.map(|(k, v)| (k.value().to_owned(), v.value())).unwrap()).collect()
    }

    /// Every file and directory below a directory: length and time of the last change.
    pub(crate) fn files(&self, dir: &str) -> BTreeMap<PathBuf, (u64, SystemTime)> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.path(dir)];
        while let Some(path) = left.pop() {
            let metadata = path.metadata().unwrap();
            if metadata.is_dir() {
                left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
            found.insert(path, (metadata.len(), metadata.modified().unwrap()));
        }
        found
    }
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Ran {
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        let last = self.stderr.lines().find(|line| !line.starts_with("warning: ")).unwrap_or_default();
        assert!(last.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {:?}", self.stderr);
        }
        sound_words(&self.stderr);
        self.stderr
    }
}

impl Ran {
    /// The same of a plugin, or of an answer that is no text.
    pub(crate) fn from_lossy(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

/// What no message says, whatever it is about.
pub(crate) fn sound_words(said: &str) {
    // Words of a specification or of a library, and what Rust prints of a value.
    let never = [
        "in POSIX",
        "failed to fill whole buffer",
        "Os {",
        "Custom {",
        "Error {",
        "Err(",
        "Some(",
        "None,",
        "ErrorCode::",
    ];
    for line in said.lines() {
        for words in never {
            assert!(!line.contains(words), "{words:?} is in {line:?}");
        }
        for (at, _) in line.match_indices(" (os error ") {
            assert!(line[..at].ends_with(char::is_alphabetic), "a number without words: {line:?}");
        }
        // A path in front of a message is not named in it once more.
        let parts: Vec<&str> = line.split(": ").collect();
        let within = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        for (i, path) in
            parts.iter().enumerate().filter(|(_, part)| part.contains(['/', '.']) && !part.contains(' '))
        {
            let rest = parts[i + 1..].join(": ");
            let again = rest.match_indices(path).any(|(at, found)| {
                !rest[..at].ends_with(within) && !rest[at + found.len()..].starts_with(within)
            });
            assert!(!again, "{path:?} is there twice: {line:?}");
        }
    }
}

//! When a repository was last looked at, and with what result.
//!
//! The engine cannot remember it: it sees the repository read-only while it looks. So whoever runs it does, in small files
//! in the folder `checks`: one for each kind of look, the last of its kind. They are for people who ask later. No verb
//! depends on them, a damaged one counts as none, and where they cannot be written the verb is none the worse.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Damage, Depth, Note, Verified};
use crate::owner::AsOwner;
use crate::{Drilled, excerpt};

/// The folder, in the repository.
pub const DIR: &str = "checks";
/// What makes the directory above it a repository.
const REPOSITORY: &str = "repository.json";
/// No record is longer.
const LEN_MAX: u64 = 1 << 20;
/// Findings that are written down, and names in each of them.
const LISTED: usize = 20;
/// Bytes of a text that are written down.
const TEXT_MAX: usize = 500;

/// How a verify looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Look {
    /// Whether every object is there, in a file of the right length.
    #[default]
    Structure,
    /// A share of the data as well.
    Sample,
    /// All data.
    Data,
}

impl Look {
    /// In the words of the file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Sample => "sample",
            Self::Data => "data",
        }
    }
}

/// What a verify found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Verification {
    /// When it ended: seconds since 1970, UTC.
    pub time: u64,
    /// How it looked.
    pub look: Look,
    /// How much of the data, in thousandths, if it was a share.
    pub permille: Option<u32>,
    /// The snapshot it looked at, if not at all of them.
    pub snapshot: Option<String>,
    /// Snapshots that were looked at.
    pub snapshots: u32,
    /// Objects that were looked at.
    pub objects: u64,
    /// Stored bytes that were read and hashed.
    pub bytes: u64,
    /// How much it found that costs some snapshot something.
    pub damaged: u64,
    /// How much it found that costs nobody anything.
    pub warned: u64,
    /// The first of that damage.
    pub damage: Vec<Damage>,
    /// The first of those warnings.
    pub warnings: Vec<Note>,
}

/// What came of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DrillRecord {
    /// When it ended: seconds since 1970, UTC.
    pub time: u64,
    /// The snapshot that was restored, by the name that it was asked for where it could not be.
    pub snapshot: String,
    /// Every table came back as it was.
    pub equal: bool,
    /// Entries that were restored.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// What it took, in thousandths of a second.
    pub milliseconds: u64,
    /// Why it could not be restored.
    pub error: Option<String>,
}

/// The last look of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Checks {
    /// At the structure of everything.
    pub structure: Option<Verification>,
    /// At everything, and a share of the data.
    pub sample: Option<Verification>,
    /// At everything, all data read.
    pub data: Option<Verification>,
    /// At one snapshot.
    pub snapshot: Option<Verification>,
    /// A drill.
    pub drill: Option<DrillRecord>,
    /// Files that should say one of these, and cannot be read.
    pub unknown: Vec<String>,
}

impl Checks {
    /// What is known of the repository in this directory.
    pub fn read(dir: &Path) -> Self {
        let mut checks = Self::default();
        let mut unknown = Vec::new();
        checks.structure = known(dir, "structure", &mut unknown);
        checks.sample = known(dir, "sample", &mut unknown);
        checks.data = known(dir, "data", &mut unknown);
        checks.snapshot = known(dir, "snapshot", &mut unknown);
        checks.drill = known(dir, "drill", &mut unknown);
        Self { unknown, ..checks }
    }

    /// Those that looked at everything.
    pub fn verifications(&self) -> impl Iterator<Item = &Verification> {
        [&self.structure, &self.sample, &self.data].into_iter().flatten()
    }
}

/// Makes the folder, for a run that cannot later; `None` where there is no repository, or nobody may write.
pub fn prepare(dir: &Path) -> Option<PathBuf> {
    let folder = dir.join(DIR);
    if folder.is_dir() {
        return Some(folder);
    }
    let _owner = AsOwner::of(dir);
    // A directory that is no repository must not begin to hold something: the first backup would refuse it.
    if !dir.join(REPOSITORY).is_file() {
        return None;
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(&folder) {
        Err(e) if !folder.is_dir() => {
            tracing::info!(
                "when this repository was verified cannot be remembered in {}: {e}",
                folder.display()
            );
            None
        }
        _ => Some(folder),
    }
}

/// Remembers what a verify found. Where that cannot be, nothing is the worse for it.
pub fn note_verified(dir: &Path, snapshot: Option<&str>, depth: Depth, verified: &Verified) {
    let (look, permille) = match depth {
        Depth::Structure => (Look::Structure, None),
        Depth::Data => (Look::Data, None),
        Depth::Sample { permille, .. } => (Look::Sample, Some(permille)),
    };
    let record = Verification {
        time: now(),
        look,
        permille,
        snapshot: snapshot.map(cut),
        snapshots: verified.snapshots,
        objects: verified.objects,
        bytes: verified.bytes,
        damaged: verified.damage.len() as u64,
        warned: verified.warnings.len() as u64,
        damage: verified.damage.iter().take(LISTED).map(cut_damage).collect(),
        warnings: verified.warnings.iter().take(LISTED).map(cut_note).collect(),
    };
    note(dir, if snapshot.is_some() { "snapshot" } else { look.as_str() }, &record);
}

/// Remembers what came of a drill. One that did not come to an end says nothing, unless it was damage that ended it.
pub fn note_drilled(dir: &Path, snapshot: &str, drilled: &Result<Drilled>) {
    let record = match drilled {
        Ok(drilled) => DrillRecord {
            time: now(),
            snapshot: drilled.comparison.snapshot.name.clone(),
            equal: drilled.is_equal(),
            entries: drilled.comparison.entries,
            bytes: drilled.comparison.bytes,
            milliseconds: u64::try_from(
                (drilled.restoring + drilled.checking + drilled.comparing).as_millis(),
            )
            .unwrap_or(u64::MAX),
            error: None,
        },
        Err(e) if e.code() == ErrorCode::Damaged => DrillRecord {
            time: now(),
            snapshot: cut(snapshot),
            error: Some(cut(&e.to_string())),
            ..DrillRecord::default()
        },
        Err(_) => return,
    };
    note(dir, "drill", &record);
}

fn note(dir: &Path, kind: &str, record: &impl Serialize) {
    let Some(folder) = prepare(dir) else { return };
    let _owner = AsOwner::of(dir);
    if let Err(e) = write(&folder, kind, record) {
        tracing::info!("what was found cannot be remembered in {}: {e}", folder.display());
    }
}

/// Whoever reads finds the record of before or all of this one.
fn write(folder: &Path, kind: &str, record: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string(record).map_err(io::Error::other)?;
    text.push('\n');
    let unfinished = folder.join(format!("tmp-{kind}"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| fs::rename(&unfinished, path(folder, kind))).inspect_err(|_| {
        // It is of no use to anybody, and takes room where there may be none.
        let _ = fs::remove_file(&unfinished);
    })
}

fn path(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("{kind}.json"))
}

/// The record of this kind, if there is one; one that cannot be read is noted.
fn known<T: DeserializeOwned>(dir: &Path, kind: &str, unknown: &mut Vec<String>) -> Option<T> {
    let path = path(&dir.join(DIR), kind);
    let read = || -> Result<Option<T>> {
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|e| Error::io("open", &path, &e))?,
        };
        let mut text = String::new();
        file.take(LEN_MAX).read_to_string(&mut text).map_err(|e| Error::io("read", &path, &e))?;
        let damaged = |e: serde_json::Error| Error::new(ErrorCode::Damaged, e.to_string());
        let record: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        if !record["time"].is_u64() {
            return Err(Error::new(ErrorCode::Damaged, "it does not say when"));
        }
        serde_json::from_value(record).map(Some).map_err(damaged)
    };
    read().unwrap_or_else(|e| {
        tracing::info!("{}: {e}", path.display());
        unknown.push(format!("{DIR}/{kind}.json"));
        None
    })
}

fn cut(text: &str) -> String {
    excerpt(text, TEXT_MAX)
}

fn cut_damage(damage: &Damage) -> Damage {
    let names = |names: &[String]| names.iter().take(LISTED).map(|name| cut(name)).collect();
    Damage {
        file: cut(&damage.file),
        what: cut(&damage.what),
        snapshots: names(&damage.snapshots),
        tables: names(&damage.tables),
        entries: damage.entries,
    }
}

fn cut_note(note: &Note) -> Note {
    Note { file: cut(&note.file), what: cut(&note.what) }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(REPOSITORY), "{}").unwrap();
        dir
    }

    fn found(snapshots: u32) -> Verified {
        Verified { snapshots, objects: 7, bytes: 900, ..Verified::default() }
    }

    #[test]
    fn the_last_look_of_each_kind_is_known() {
        let dir = place();
        assert_eq!(Checks::read(dir.path()), Checks::default());
        note_verified(dir.path(), None, Depth::Data, &found(1));
        note_verified(dir.path(), None, Depth::Sample { permille: 50, number: 3 }, &found(2));
        note_verified(dir.path(), None, Depth::Structure, &found(3));
        note_verified(dir.path(), None, Depth::Structure, &found(4));
        note_verified(dir.path(), Some("one"), Depth::Data, &found(5));
        let checks = Checks::read(dir.path());
        let counts: Vec<_> = checks.verifications().map(|v| (v.look, v.snapshots)).collect();
        assert_eq!(counts, [(Look::Structure, 4), (Look::Sample, 2), (Look::Data, 1)]);
        assert_eq!(checks.sample.unwrap().permille, Some(50));
        let one = checks.snapshot.unwrap();
        assert_eq!((one.snapshot.as_deref(), one.look, one.snapshots), (Some("one"), Look::Data, 5));
        assert_eq!(checks.drill, None);
        let names = fs::read_dir(dir.path().join(DIR)).unwrap().map(|e| e.unwrap().file_name());
        assert!(names.into_iter().all(|name| !name.to_str().unwrap().starts_with("tmp-")));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_unknown_and_the_next_replaces_it() {
        let dir = place();
        note_verified(dir.path(), None, Depth::Data, &found(1));
        let file = dir.path().join("checks/data.json");
        let whole = fs::read(&file).unwrap();
        let long = vec![b' '; LEN_MAX as usize + 7];
        for text in [&b""[..], b"[]", b"\xff", &whole[..whole.len() / 2], &long] {
            fs::write(&file, text).unwrap();
            let checks = Checks::read(dir.path());
            assert_eq!((checks.data, checks.unknown), (None, vec!["checks/data.json".to_owned()]));
        }
        // Whatever an interrupted run left.
        fs::write(dir.path().join("checks/tmp-data"), "half").unwrap();
        note_verified(dir.path(), None, Depth::Data, &found(6));
        assert_eq!(Checks::read(dir.path()).data.unwrap().snapshots, 6);
        // What a later version knows beyond does not matter.
        fs::write(&file, r#"{"time":5,"looked_by":"eye"}"#).unwrap();
        assert_eq!(Checks::read(dir.path()).data.unwrap().time, 5);
    }

    #[test]
    fn nothing_is_left_where_there_is_no_repository_or_no_room() {
        let dir = tempfile::tempdir().unwrap();
        note_verified(dir.path(), None, Depth::Data, &found(1));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let dir = place();
        fs::write(dir.path().join(DIR), "a file").unwrap();
        note_verified(dir.path(), None, Depth::Data, &found(1));
        assert_eq!(fs::read(dir.path().join(DIR)).unwrap(), b"a file");
        assert_eq!(Checks::read(dir.path()).unknown.len(), 5);
    }

    #[test]
    fn a_record_is_small_whatever_was_found() {
        let dir = place();
        let mut names = vec![String::from("x"); 300];
        names[0] = "x\u{1b}".repeat(70_000);
        let damage = Damage { what: names[0].clone(), tables: names, ..Damage::default() };
        let verified = Verified { damage: vec![damage; 300], ..Verified::default() };
        note_verified(dir.path(), None, Depth::Structure, &verified);
        let checks = Checks::read(dir.path());
        let record = checks.structure.unwrap();
        assert_eq!((record.damaged, record.damage.len(), record.damage[0].tables.len()), (300, 20, 20));
    }

    #[test]
    fn a_drill_that_ended_for_another_reason_than_damage_says_nothing() {
        let dir = place();
        let failed = |code| Err(Error::new(code, "no"));
        note_drilled(dir.path(), "latest", &failed(ErrorCode::Full));
        assert_eq!(Checks::read(dir.path()).drill, None);
        note_drilled(dir.path(), "latest", &failed(ErrorCode::Damaged));
        let drill = Checks::read(dir.path()).drill.unwrap();
        assert_eq!((drill.equal, drill.error.as_deref()), (false, Some("no")));
    }
}

//! Snapshot files: the sole commit point.

pub(crate) mod diagnosis;
pub(crate) mod name;
mod nearest;
mod newest;
mod order;

pub(crate) use newest::{Newest, path as newest_path};
use order::arranged;
pub(crate) use order::{SEQ_MAX, find, find_as_of, newest, next_seq};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Place, Result};
use crate::id::Id;
use crate::repository::UNFINISHED;
use crate::tree::node::{LEVEL_MAX, Ref, Root};
use crate::vault::{Vault, nameless};

/// The folder of snapshot files.
pub(crate) const DIR: &str = "snapshots";
/// How the files end.
const SUFFIX: &str = ".json";
/// No snapshot file is longer.
pub(crate) const LEN_MAX: usize = 1 << 20;

/// One backup, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name, which no other has.
    pub name: String,
    /// The id of the tree of tables. Equal ids, equal data, whatever the names.
    pub id: Id,
    /// Which database this is among those that share the repository.
    pub source: String,
    /// The snapshot before it of the same source.
    pub parent: Option<String>,
    /// Which one this is of its source, counted from 1.
    pub seq: u64,
    /// Whether it came in with an archive instead of being made here.
    pub imported: bool,
    /// The database's file, as its canonical path, where it has one.
    pub origin: Option<String>,
    /// Seconds since 1970, UTC.
    pub time: u64,
    /// How far the store had come, where it was asked.
    pub position: Option<u64>,
    /// How many tables it holds.
    pub tables: u32,
    /// How many of the store's tables were left out on request.
    pub tables_left_out: u32,
    /// Entries of all tables.
    pub entries: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// Bytes that this backup added to the repository, without the snapshot file.
    pub bytes_added: u64,
    /// What else is known of it.
    pub labels: Vec<(String, String)>,
    /// Where the tree of tables begins; `None`: there is no table.
    pub(crate) root: Option<Root>,
    /// What the store needs to make its tables again, in pieces.
    pub(crate) schema: Vec<Id>,
    /// What the next backup wants to know.
    pub(crate) tracking: Option<Tracking>,
}

/// What the backup after this one wants to know. No reader of this one needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tracking {
    /// Where the tree begins that says it for every table.
    pub(crate) root: Root,
    /// When all tables were last scanned, in seconds since 1970.
    pub(crate) full_scan: u64,
    /// How many snapshots were made since of what stores said had changed.
    pub(crate) increments: u32,
    /// What [`index::losses`](crate::index::losses) was.
    pub(crate) losses: String,
    /// The index files that were there, by how their names begin.
    pub(crate) index: Vec<u64>,
}

/// The fields as they stand in the file, where ids are hex.
#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    name: String,
    id: String,
    source: String,
    parent: Option<String>,
    seq: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    imported: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    time: u64,
    position: Option<u64>,
    tables: u32,
    tables_left_out: u32,
    entries: u64,
    bytes: u64,
    bytes_added: u64,
    labels: Vec<(String, String)>,
    root: Option<FileRoot>,
    schema: Vec<String>,
    #[serde(default)]
    tracking: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct FileRoot {
    level: u8,
    items: u32,
    entries: u64,
    bytes: u64,
    rank: u8,
}

#[derive(Serialize, Deserialize)]
struct FileTracking {
    id: String,
    root: FileRoot,
    full_scan: u64,
    increments: u32,
    losses: String,
    /// 16 hex digits each.
    index: String,
}

impl FileRoot {
    fn of(root: &Root) -> Self {
        let Ref { items, entries, bytes, rank, .. } = root.node;
        Self { level: root.level, items, entries, bytes, rank }
    }

    fn with_id(self, id: Id) -> Root {
        let Self { level, items, entries, bytes, rank } = self;
        Root { level, node: Ref { id, items, entries, bytes, rank } }
    }
}

impl FileTracking {
    fn of(tracking: &Tracking) -> Self {
        Self {
            id: tracking.root.node.id.hex(),
            root: FileRoot::of(&tracking.root),
            full_scan: tracking.full_scan,
            increments: tracking.increments,
            losses: tracking.losses.clone(),
            index: tracking.index.iter().map(|name| format!("{name:016x}")).collect(),
        }
    }

    /// `None` is what nobody can use, which is no worse than nothing.
    fn read(value: serde_json::Value) -> Option<Tracking> {
        let file: Self = serde_json::from_value(value).ok()?;
        let root = file.root.with_id(Id::from_hex(&file.id)?);
        let Self { full_scan, increments, losses, index, .. } = file;
        let digits = index.as_bytes().chunks(16).map(|name| str::from_utf8(name).ok());
        let name = |name: Option<&str>| {
            let name = name.filter(|name| name.len() == 16)?;
            u64::from_str_radix(name, 16).ok()
        };
        let index: Vec<u64> = digits.map(name).collect::<Option<_>>()?;
        (root.level <= LEVEL_MAX).then_some(Tracking { root, full_scan, increments, losses, index })
    }
}

const PREFIX: &str = "{\"checksum\":\"";
const PREFIX_END: &str = "\",";

impl Snapshot {
    /// The file: a JSON object whose first member is the BLAKE3 of all bytes that follow that member.
    pub(crate) fn to_file(&self) -> Result<Vec<u8>> {
        let file = File {
            format: crate::FORMAT,
            name: self.name.clone(),
            id: self.id.hex(),
            source: self.source.clone(),
            parent: self.parent.clone(),
            seq: self.seq,
            imported: self.imported,
            origin: self.origin.clone(),
            time: self.time,
            position: self.position,
            tables: self.tables,
            tables_left_out: self.tables_left_out,
            entries: self.entries,
            bytes: self.bytes,
            bytes_added: self.bytes_added,
            labels: self.labels.clone(),
            root: self.root.as_ref().map(FileRoot::of),
            schema: self.schema.iter().map(Id::hex).collect(),
            tracking: serde_json::to_value(self.tracking.as_ref().map(FileTracking::of))
                .map_err(|e| Error::new(Code::Other, e.to_string()))?,
        };
        let json = serde_json::to_string(&file).map_err(|e| Error::new(Code::Other, e.to_string()))?;
        let rest = format!("{}\n", &json[1..]);
        let text = format!("{PREFIX}{}{PREFIX_END}{rest}", Id(*blake3::hash(rest.as_bytes()).as_bytes()));
        if text.len() > LEN_MAX {
            return Err(Error::invalid("the labels of a snapshot have over 1 MiB"));
        }
        Ok(text.into_bytes())
    }

    /// Reads a snapshot file of this name.
    pub(crate) fn from_file(name: &str, text: &[u8]) -> Result<Self> {
        let snapshot = Self::parse(text)?;
        if snapshot.name != name {
            let message = format!("it belongs to snapshot {:?}; the file cannot be used", snapshot.name);
            return Err(Error::damaged(message));
        }
        Ok(snapshot)
    }

    /// Reads a snapshot file, whatever its name is.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let wrong = |what: &str| Error::damaged(format!("{what}; the file cannot be used"));
        let rest = text.strip_prefix(PREFIX.as_bytes()).and_then(|text| {
            let (checksum, text) = text.split_at_checked(64)?;
            Some((checksum, text.strip_prefix(PREFIX_END.as_bytes())?))
        });
        let (checksum, rest) = rest.ok_or_else(|| wrong("this is no snapshot file"))?;
        let expected = std::str::from_utf8(checksum).ok().and_then(Id::from_hex);
        if expected != Some(Id(*blake3::hash(rest).as_bytes())) {
            return Err(wrong("the checksum does not fit"));
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let format: Format = serde_json::from_slice(text).map_err(|e| wrong(&e.to_string()))?;
        if format.format > crate::FORMAT {
            return Err(Error::new(
                Code::NewerFormat,
                format!("it has format {}, which a newer Strongroom reads", format.format),
            ));
        }
        if format.format == 0 {
            return Err(wrong("there is no format 0"));
        }
        let file: File = serde_json::from_slice(text).map_err(|e| wrong(&e.to_string()))?;
        let bad_id = || wrong("an id in it is none");
        let id = Id::from_hex(&file.id).ok_or_else(bad_id)?;
        let schema: Option<Vec<Id>> = file.schema.iter().map(|id| Id::from_hex(id)).collect();
        if file.root.as_ref().is_some_and(|root| root.level > LEVEL_MAX) {
            return Err(wrong("the tree in it is higher than any can be"));
        }
        let root = file.root.map(|root| root.with_id(id));
        Ok(Self {
            name: file.name,
            id,
            source: file.source,
            parent: file.parent,
            seq: file.seq,
            imported: file.imported,
            origin: file.origin,
            time: file.time,
            position: file.position,
            tables: file.tables,
            tables_left_out: file.tables_left_out,
            entries: file.entries,
            bytes: file.bytes,
            bytes_added: file.bytes_added,
            labels: file.labels,
            root,
            schema: schema.ok_or_else(bad_id)?,
            tracking: FileTracking::read(file.tracking),
        })
    }

    /// Whether the next backup would take from this one what it does not scan, if these are the losses.
    pub(crate) fn trusts(&self, losses: &str) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| tracking.losses == losses)
    }

    /// Writes the file under an unfinished name, durable.
    pub(crate) fn write_unfinished(&self, vault: &dyn Vault) -> Result<()> {
        let path = unfinished(&self.name);
        match vault.remove(&path) {
            Err(e) if e.code != Code::NotFound => return Err(e),
            _ => {}
        }
        let mut file = vault.create(&path)?;
        file.write_at(0, &self.to_file()?).place(&path)?;
        file.sync().place(&path)
    }
}

/// The commit point: gives a snapshot whose file is whole under its unfinished name the final one.
pub(crate) fn publish(vault: &dyn Vault, snapshot: &Snapshot, newest: Newest, is_newest: bool) -> Result<()> {
    let name = &snapshot.name;
    check_free(vault, name)?;
    vault.rename(&unfinished(name), &path(name))?;
    vault.sync_dir(DIR)?;
    newest.publish(vault, snapshot, is_newest);
    Ok(())
}

/// Fails if another run has published a snapshot of this name.
pub(crate) fn check_free(vault: &dyn Vault, name: &str) -> Result<()> {
    if exists(vault, name)? {
        let message = format!("there is a snapshot {name:?} by now; give another --name");
        return Err(Error::new(Code::Exists, message));
    }
    Ok(())
}

/// The path of a snapshot's file.
pub(crate) fn path(name: &str) -> String {
    format!("{DIR}/{name}{SUFFIX}")
}

/// The path that it has until it is published.
pub(crate) fn unfinished(name: &str) -> String {
    format!("{DIR}/{UNFINISHED}{name}{SUFFIX}")
}

/// Whether a snapshot of this name is there.
pub(crate) fn exists(vault: &dyn Vault, name: &str) -> Result<bool> {
    match vault.len(&path(name)) {
        Ok(_) => Ok(true),
        Err(e) if e.code == Code::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// A snapshot file that cannot be used.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// The file, from the repository's root.
    pub file: String,
    /// What is wrong with it.
    pub error: Error,
}

/// All snapshots, oldest first, the newest of a source as the last of it, and the files that are none.
pub(crate) fn all(vault: &dyn Vault) -> Result<(Vec<Snapshot>, Vec<Unreadable>)> {
    all_as_of(vault, None)
}

/// The same; times past now do not count.
pub(crate) fn all_as_of(vault: &dyn Vault, now: Option<u64>) -> Result<(Vec<Snapshot>, Vec<Unreadable>)> {
    let (mut snapshots, mut unreadable) = (Vec::new(), Vec::new());
    let mut files = vault.list(DIR)?;
    files.sort_unstable();
    unreadable.extend(nameless(&files, DIR).map(|error| Unreadable { file: DIR.to_owned(), error }));
    for file in files {
        let Some(name) = file.strip_suffix(SUFFIX).filter(|name| !name.starts_with(UNFINISHED)) else {
            continue;
        };
        // Once more, should it have been an accident.
        match read(vault, name).or_else(|e| if e.is_unreadable() { read(vault, name) } else { Err(e) }) {
            Ok(snapshot) => snapshots.push(snapshot),
            // Forgotten since the folder was listed.
            Err(e) if e.code == Code::NotFound => {}
            Err(error) if error.is_spoilt() || error.code == Code::NewerFormat => {
                unreadable.push(Unreadable { file: format!("{DIR}/{file}"), error });
            }
            Err(e) => return Err(e),
        }
    }
    Ok((arranged(snapshots, now), unreadable))
}

/// The snapshot of this name.
pub(crate) fn read(vault: &dyn Vault, name: &str) -> Result<Snapshot> {
    let path = path(name);
    let file = vault.open(&path)?;
    let text = file.read_at(0, LEN_MAX + 1)?;
    match Snapshot::from_file(name, &text) {
        // Perhaps not all of it came; there are many snapshots, so this is not asked each time.
        Err(e) if e.code == Code::Damaged => Snapshot::from_file(name, &file.read(0, LEN_MAX + 1)?),
        read => read,
    }
    .place(&path)
}

//! A backup: `prepare`, `copy` for every part, `seal`, `publish`.
//!
//! What passes between the steps is plain bytes, so that each may run in an instance of its own.

mod copy;
#[cfg(any(test, feature = "testing"))]
mod deltas;
mod fold;
mod increment;
mod prepare;
mod seal;
pub(crate) mod stock;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub use copy::copy;
pub(crate) use copy::copy_table;
#[cfg(any(test, feature = "testing"))]
pub use deltas::backup_with_deltas;
#[cfg(test)]
pub(crate) use deltas::complete_increment;
pub use fold::Folding;
pub(crate) use prepare::check_source;
pub use prepare::prepare;
pub(crate) use seal::{add_to_index, check_count};
pub use seal::{draft_tables, publish, seal};

use crate::bytes::Cursor;
use crate::codec::Compression;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::pack::Pack;
use crate::snapshot::{Newest, Snapshot};
use crate::tracking::Track;
use crate::tree::node::Root;
use crate::tree::spine::Edges;

/// What to back up, and as what.
#[derive(Debug, Clone)]
pub struct Job {
    /// The name of the snapshot, or a template for it.
    pub name: String,
    /// Which database this is among those that share the repository.
    pub source: String,
    /// The source has no name of its own: a repository that holds another one too is refused.
    pub only_source: bool,
    /// The database's file, as its canonical path, where it has one.
    pub origin: Option<String>,
    /// Which of its tables, as globs; `None` is all.
    pub tables: Option<Vec<String>>,
    /// Of those, the ones to leave out, by their exact names.
    pub leave_out: Vec<String>,
    /// Where the store should look for its position.
    pub position: Option<String>,
    /// Seconds since 1970, UTC.
    pub time: u64,
    /// In how many parts to copy, at most.
    pub parts: u32,
    /// Parts are not made smaller than this many bytes; [`PART_MIN`] is a good choice.
    pub part_min: u64,
    /// Scan every table, whatever the store says of what changed.
    pub full_scan: bool,
    /// After so many snapshots that were made of what the store says, and after so many days, all tables are scanned:
    /// what a store compares is not cryptographic. [`FULL_SCAN_SNAPSHOTS`] and [`FULL_SCAN_DAYS`] are good choices.
    pub full_scan_snapshots: u32,
    /// See above.
    pub full_scan_days: u32,
    /// When small files are put together.
    pub folding: Folding,
    /// How new content is stored.
    pub compression: Compression,
}

/// Snapshots between two full scans.
pub const FULL_SCAN_SNAPSHOTS: u32 = 100;
/// Days between two full scans.
pub const FULL_SCAN_DAYS: u32 = 7;

/// Below this many bytes a part costs more than it gains.
pub const PART_MIN: u64 = 8 << 20;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the snapshot will be called.
    pub name: String,
    /// How many calls of [`copy`] it takes.
    pub parts: u32,
    /// About how many bytes are to be read.
    pub bytes_about: u64,
    /// How many entries.
    pub entries: u64,
    /// The file that the source was before, if it is another one now.
    pub moved_from: Option<String>,
    /// The rest, for [`copy`] and [`seal`].
    pub state: Vec<u8>,
}

/// A snapshot that is whole on disk but not yet there.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it will be.
    pub snapshot: Snapshot,
    /// The rest, for [`publish`].
    pub state: Vec<u8>,
}

/// What [`prepare`] found out.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    name: String,
    source: String,
    parent: Option<String>,
    seq: u64,
    origin: Option<String>,
    time: u64,
    position: Option<u64>,
    /// What is known of the newest snapshots.
    newest: Newest,
    tables: Vec<PlannedTable>,
    left_out: u32,
    folding: Folding,
    compression: Compression,
    /// Where the parent's tables and its tracking data begin.
    parent_tables: Option<Root>,
    parent_tracking: Option<Root>,
    /// What was written for the tables that need not be copied.
    packs: Vec<Pack>,
    bytes_added: u64,
    /// When all tables were last scanned, how many snapshots before this one were made without that, and what was lost
    /// by now.
    full_scan: u64,
    increments: u32,
    losses: String,
    /// Index files that cannot be read.
    unreadable: Vec<u64>,
    /// What was done, for people.
    summary: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PlannedTable {
    name: String,
    multimap: bool,
    /// How many entries the store says that it has.
    entries: u64,
    identity: Vec<u8>,
    key_type: String,
    value_type: String,
    /// `None`: it is to be copied.
    done: Option<Done>,
    /// The id that it must have, if what the store says of changes is so.
    expected: Option<Id>,
}

/// A table that need not be copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Done {
    root: Option<Root>,
    track: Option<Track>,
}

/// What one call of [`copy`] copies, and all that it must know: it is made of this alone, however many tables there are.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    compression: Compression,
    ranges: Vec<Range>,
}

/// A stretch of a table, between marks of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    table: u32,
    name: String,
    multimap: bool,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
}

/// What [`copy`] has done.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Receipt {
    /// The checksum of the plan.
    plan: u64,
    part: u32,
    ranges: Vec<Copied>,
    packs: Vec<Pack>,
    bytes_added: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Copied {
    table: u32,
    edges: Edges,
    /// With its last stretch, what the store said for the next backup.
    track: Option<Track>,
}

/// What passes between the steps: a checksum, which is another for every kind of thing, and the thing.
fn to_bytes<T: Serialize>(what: &str, thing: &T) -> Result<Vec<u8>> {
    let bytes = append(vec![0; 8], thing)?;
    Ok(sealed(what, bytes))
}

const PLAN: &str = "plan";

/// A plan: its parts, each with its length in front, and what [`seal`] needs.
fn plan_to_bytes(parts: &[Part], state: &State) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 8];
    bytes.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    for part in parts {
        let part = append(Vec::new(), part)?;
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&part);
    }
    Ok(sealed(PLAN, append(bytes, state)?))
}

/// The parts of a plan, and what [`seal`] needs.
fn plan_from_bytes(plan: &[u8]) -> Result<(Vec<&[u8]>, State)> {
    let open = || {
        let mut cursor = Cursor(body(PLAN, plan)?);
        let count = cursor.u32()?;
        let mut part = || cursor.u64().and_then(|len| cursor.take(usize::try_from(len).ok()?));
        let parts = (0..count).map(|_| part()).collect::<Option<Vec<_>>>()?;
        Some((parts, cursor.0))
    };
    let (parts, state) = open().ok_or_else(|| not_ours(PLAN))?;
    Ok((parts, postcard::from_bytes(state).map_err(|_| not_ours(PLAN))?))
}

/// One part of a plan, and how many there are.
fn part_from_bytes(plan: &[u8], number: u32) -> Result<(Part, u32)> {
    let mut cursor = Cursor(body(PLAN, plan).ok_or_else(|| not_ours(PLAN))?);
    let count = cursor.u32().ok_or_else(|| not_ours(PLAN))?;
    if number >= count {
        return Err(Error::invalid(format!("the plan has no part {number}")));
    }
    let mut next = || cursor.u64().and_then(|len| cursor.take(usize::try_from(len).ok()?));
    let part = (0..=number).map(|_| next()).last().flatten();
    let part = part.and_then(|part| postcard::from_bytes(part).ok());
    Ok((part.ok_or_else(|| not_ours(PLAN))?, count))
}

fn append<T: Serialize>(bytes: Vec<u8>, thing: &T) -> Result<Vec<u8>> {
    postcard::to_extend(thing, bytes).map_err(|e| Error::new(crate::Code::Other, e.to_string()))
}

fn sealed(what: &str, mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(what, &bytes[8..]);
    bytes[..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn from_bytes<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T> {
    body(what, bytes).and_then(|body| postcard::from_bytes(body).ok()).ok_or_else(|| not_ours(what))
}

/// What stands behind the checksum, if that is right.
fn body<'a>(what: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, body) = bytes.split_first_chunk()?;
    (u64::from_le_bytes(*sum) == checksum(what, body)).then_some(body)
}

fn not_ours(what: &str) -> Error {
    Error::invalid(format!("this {what} is not one that this component made"))
}

pub(crate) fn checksum(what: &str, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, xxh3_64(what.as_bytes()))
}

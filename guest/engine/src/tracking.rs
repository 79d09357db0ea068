//! What the next backup wants to know of each table, in a tree beside the snapshot's own.
//!
//! Nothing that is restored depends on it: where it is missing or damaged, the next backup scans.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::bytes::{Cursor, pack};
use crate::error::{Code, Error, Place, Result};
use crate::id::{Id, Kind, Tree};
use crate::objects::Objects;
use crate::pack;
use crate::progress::{Level, Progress, advance};
use crate::store::{Bytes, Store};
use crate::tree::Put;
use crate::tree::item::{Field, Item, Items};
use crate::tree::leaves::{LeafSink, Leaves};
use crate::tree::node::{Ref, Root};
use crate::tree::spine::Spine;
use crate::tree::walk::{Get, Walk};
use serde::{Deserialize, Serialize};

/// No stamp is longer.
pub(crate) const STAMP_MAX: usize = 256;
/// Bytes that are asked of the store at once.
const READ: u32 = 256 << 10;

/// What a store said of a table at the moment of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    pub(crate) stamp: Vec<u8>,
    /// A tree over the packed entries of the baseline; the inner `None` is an empty one.
    pub(crate) baseline: Option<Option<Root>>,
}

/// The same, and the id that the table had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub(crate) id: Id,
    pub(crate) track: Track,
}

/// A stamp that can be kept, if the store has one.
pub(crate) fn stamp(store: &dyn Store, table: &str) -> Result<Option<Vec<u8>>> {
    Ok(store.stamp(table)?.filter(|stamp| stamp.len() <= STAMP_MAX))
}

/// Asks a store for what the next backup will want to know of a table that is scanned now. What it cannot say is left
/// out, and costs that backup a scan.
pub(crate) fn of_table(
    store: &dyn Store,
    table: &str,
    put: &mut dyn Put,
    progress: &dyn Progress,
) -> Result<Option<Track>> {
    let mut ask = || -> Result<Result<Option<Track>>> {
        let stamp = match stamp(store, table) {
            Ok(Some(stamp)) => stamp,
            unknown => return Ok(unknown.map(|_| None)),
        };
        let baseline = match store.baseline(table) {
            Ok(Some(mut bytes)) => baseline(bytes.as_mut(), put)?.map(Some),
            Ok(None) => Ok(None),
            Err(e) => Err(e),
        };
        Ok(baseline.map(|baseline| Some(Track { stamp, baseline })))
    };
    match ask()? {
        Err(e) if e.code != Code::Cancelled => {
            progress.log(Level::Debug, &format!("table {table:?} is not tracked: {e}"));
            Ok(None)
        }
        asked => asked,
    }
}

/// A tree over a baseline. The inner error is the store's.
fn baseline(bytes: &mut dyn Bytes, put: &mut dyn Put) -> Result<Result<Option<Root>>> {
    let mut sink = Branches { put, spine: Spine::above(Tree::Baseline, 0), too_large: false };
    let mut leaves = Leaves::of(Tree::Baseline);
    loop {
        let chunk = match bytes.read(READ) {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => chunk,
            Err(e) => return Ok(Err(e)),
        };
        leaves.push(&chunk, &mut sink)?;
        if sink.too_large {
            return Ok(Err(Error::invalid("its baseline has an entry of over 256 KiB")));
        }
    }
    if let Err(e) = leaves.check_whole() {
        return Ok(Err(e));
    }
    leaves.end(&mut sink)?;
    let Branches { put, spine, .. } = sink;
    spine.finish(put).map(Ok)
}

struct Branches<'p> {
    put: &'p mut dyn Put,
    spine: Spine,
    /// An entry has pieces, which this tree cannot have.
    too_large: bool,
}

impl LeafSink for Branches<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        if kind == Kind::Blob {
            self.too_large = true;
            return Ok(kind.id_of(&[]));
        }
        self.put.put(kind, content)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.spine.leaf(leaf, self.put)
    }
}

/// What is tracked of a table, as it stands in the tree.
pub(crate) fn entry(table: &str, id: Id, track: &Track) -> Vec<u8> {
    let mut value = Vec::new();
    let root = track.baseline.flatten();
    value.push(u8::from(track.baseline.is_some()) | u8::from(root.is_some()) << 1);
    value.extend_from_slice(&(track.stamp.len() as u16).to_le_bytes());
    value.extend_from_slice(&track.stamp);
    value.extend_from_slice(&id.0);
    if let Some(root) = root {
        root.encode(&mut value);
    }
    pack(table.as_bytes(), &value)
}

/// The table of an entry, and what is tracked of it.
pub(crate) fn tracked(item: &Item<'_>) -> Result<(String, Tracked)> {
    let decode = || {
        let (Field::Here(name), Field::Here(value)) = (item.key, item.value) else { return None };
        let mut cursor = Cursor(value);
        let flags = cursor.u8().filter(|flags| [0, 1, 3].contains(flags))?;
        let stamp = usize::from(u16::from_le_bytes(cursor.array()?));
        let stamp = cursor.take(stamp)?.to_vec();
        let id = Id(cursor.array()?);
        let root = if flags & 2 == 2 { Some(Root::decode(&mut cursor)?) } else { None };
        let track = Track { stamp, baseline: (flags & 1 == 1).then_some(root) };
        let name = String::from_utf8(name.to_vec()).ok()?;
        cursor.0.is_empty().then_some((name, Tracked { id, track }))
    };
    decode().ok_or_else(|| Error::damaged("an entry is not one of tracking data"))
}

/// Reads what is tracked of each table.
pub(crate) fn read(get: &dyn Get, root: Option<Root>) -> Result<BTreeMap<String, Tracked>> {
    let mut walk = Walk::of(Tree::Tracking, root);
    let mut all = BTreeMap::new();
    while let Some((leaf, content)) = walk.next(get).place("tracking data")? {
        let items = Items::new(&content).collect::<Result<Vec<_>>>()?;
        leaf.check_leaf(&items)?;
        for item in &items {
            let (name, tracked) = tracked(item)?;
            all.insert(name, tracked);
        }
    }
    Ok(all)
}

/// What a look at tracking data found.
pub(crate) struct Checked {
    /// Stored bytes that were read.
    pub(crate) bytes: u64,
    /// The file that something is wrong with, and what.
    pub(crate) damage: Option<(String, String)>,
}

/// Reads all of it. What is not there is not wrong: a prune leaves it to the newest snapshot alone.
pub(crate) fn check(objects: &Objects<'_>, root: Root, progress: &dyn Progress) -> Result<Checked> {
    let reader = Reader { objects, file: RefCell::default(), bytes: Cell::new(0) };
    let read_all = || -> Result<()> {
        for tracked in read(&reader, Some(root))?.into_values() {
            let mut walk = Walk::of(Tree::Baseline, tracked.track.baseline.flatten());
            while let Some((leaf, content)) = walk.next(&reader)? {
                leaf.check_leaf(&Items::new(&content).collect::<Result<Vec<_>>>()?)?;
                advance(progress, "verify", content.len() as u64, 0)?;
            }
        }
        Ok(())
    };
    let damage = match read_all() {
        Err(e) if e.is_spoilt() => {
            let what = format!("{e}; this costs no data: the next backup scans and writes it again");
            Some((reader.file.take(), what))
        }
        Err(e) if e.code != Code::NotFound => return Err(e),
        _ => None,
    };
    Ok(Checked { bytes: reader.bytes.get(), damage })
}

/// Knows where what was read last lies.
struct Reader<'o, 'v> {
    objects: &'o Objects<'v>,
    file: RefCell<String>,
    bytes: Cell<u64>,
}

impl Get for Reader<'_, '_> {
    fn get(&self, kind: Kind, node: &Ref) -> Result<Vec<u8>> {
        let place = self.objects.find(&node.id)?;
        let place = place.ok_or_else(|| Error::new(Code::NotFound, "no tracking data"))?;
        self.bytes.set(self.bytes.get() + u64::from(place.len));
        self.file.replace(pack::path(place.pack));
        self.objects.get(kind, node)
    }
}

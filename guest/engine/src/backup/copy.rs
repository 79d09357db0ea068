//! Copies one part of a store.

use super::stock::Stock;
use super::{Copied, PLAN, Part, Range, Receipt, checksum, part_from_bytes, to_bytes};
use crate::error::{Place, Result};
use crate::id::{Id, Kind};
use crate::progress::{Level, Progress, advance};
use crate::store::{Bytes, Store, Table};
use crate::tracking;
use crate::tree::Put;
use crate::tree::leaves::{LeafSink, Leaves, Mode};
use crate::tree::node::Ref;
use crate::tree::spine::{Edges, Spine};
use crate::vault::Vault;

/// Bytes that are asked of the store at once.
const READ: u32 = 1 << 20;
/// What progress calls this.
const PHASE: &str = "copy";

/// Copies the part of this number; the receipt says what came of it.
pub fn copy(
    vault: &dyn Vault,
    store: &dyn Store,
    plan: &[u8],
    part: u32,
    progress: &dyn Progress,
) -> Result<Vec<u8>> {
    let (Part { compression, ranges }, parts) = part_from_bytes(plan, part)?;
    let mut stock = Stock::of_part(vault, part.to_string(), parts as usize)?.compressing(compression);
    let mut copied = Vec::with_capacity(ranges.len());
    for range in &ranges {
        let name = &range.name;
        progress.log(Level::Debug, &format!("Copying table {name:?}"));
        let edges = copy_range(store, range, &mut stock, progress);
        let edges = edges.place(format_args!("table {name:?}"))?;
        // With the last stretch: by now a store has read most of the others too.
        let track = match range.to {
            None => tracking::of_table(store, name, &mut stock, progress)?,
            Some(_) => None,
        };
        copied.push(Copied { table: range.table, edges, track });
    }
    let (packs, bytes_added) = stock.finish()?;
    to_bytes("receipt", &Receipt { plan: checksum(PLAN, plan), part, ranges: copied, packs, bytes_added })
}

struct Branches<'p> {
    put: &'p mut dyn Put,
    spine: Spine,
    entries: u64,
    bytes: u64,
}

impl LeafSink for Branches<'_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        self.put.put(kind, content)
    }
    fn leaf(&mut self, leaf: Ref) -> Result<()> {
        self.entries += leaf.entries;
        self.bytes += leaf.bytes;
        self.spine.leaf(leaf, self.put)
    }
}

/// Cuts all of a table.
pub(crate) fn copy_table(
    store: &dyn Store,
    table: &Table,
    put: &mut dyn Put,
    phase: &str,
    progress: &dyn Progress,
) -> Result<Edges> {
    let mut sink = Branches { put, spine: Spine::new(), entries: 0, bytes: 0 };
    let mut leaves = Leaves::new(table.multimap, Mode::Cut);
    read_all(store.scan(&table.name, None, None)?.as_mut(), &mut leaves, &mut sink, phase, progress)?;
    leaves.end(&mut sink)?;
    Ok(sink.spine.into_edges())
}

/// A stretch begins after the first entry at or after its mark that ends a leaf by its rank, and goes on to the first
/// such entry at or after the next mark: so every leaf is cut by one part alone.
fn copy_range(store: &dyn Store, range: &Range, put: &mut dyn Put, progress: &dyn Progress) -> Result<Edges> {
    let first = range.from.is_none();
    let spine = if first { Spine::new() } else { Spine::ragged() };
    let mut leaves = Leaves::new(range.multimap, if first { Mode::Cut } else { Mode::Skip });
    let mut sink = Branches { put, spine, entries: 0, bytes: 0 };
    let mut scan = store.scan(&range.name, range.from.as_deref(), range.to.as_deref())?;
    read_all(scan.as_mut(), &mut leaves, &mut sink, PHASE, progress)?;
    if let Some(to) = &range.to {
        leaves.check_whole()?;
        if leaves.mode() == Mode::Skip {
            return Ok(Edges::default());
        }
        leaves.set_mode(Mode::CutToBoundary);
        let mut rest = store.scan(&range.name, Some(to), None)?;
        read_all(rest.as_mut(), &mut leaves, &mut sink, PHASE, progress)?;
    }
    leaves.end(&mut sink)?;
    Ok(sink.spine.into_edges())
}

fn read_all(
    scan: &mut dyn Bytes,
    leaves: &mut Leaves,
    sink: &mut Branches<'_>,
    phase: &str,
    progress: &dyn Progress,
) -> Result<()> {
    while leaves.mode() != Mode::Done {
        let chunk = scan.read(READ)?;
        if chunk.is_empty() {
            break;
        }
        let before = (sink.bytes, sink.entries);
        leaves.push(&chunk, sink)?;
        advance(progress, phase, sink.bytes - before.0, sink.entries - before.1)?;
    }
    Ok(())
}

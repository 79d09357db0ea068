//! Joins the parts into a snapshot, and publishes it.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::stock::Stock;
use super::{Draft, Folding, PLAN, Receipt, State, checksum, from_bytes, plan_from_bytes, to_bytes};
use crate::catalog::{self, Schema, Table};
use crate::delta::Base;
use crate::error::{Code, Error, Place, Result};
use crate::id::{Kind, Tree};
use crate::index::{self, Change};
use crate::objects::Objects;
use crate::pack::Pack;
use crate::progress::{Few, Progress, advance};
use crate::snapshot::{self, Newest, Snapshot, Tracking};
use crate::store::Store;
use crate::tracking::{self, Track};
use crate::tree::edits;
use crate::tree::node::{Ref, Root};
use crate::tree::old::{Bases, OldTree};
use crate::tree::spine::Spine;
use crate::vault::Vault;

#[derive(Serialize, Deserialize)]
struct DraftState {
    name: String,
    newest: Newest,
}

/// Joins the parts, whose receipts come in their order. Afterwards the snapshot lacks only its name.
pub fn seal(
    vault: &dyn Vault,
    store: &dyn Store,
    plan: &[u8],
    receipts: &[Vec<u8>],
    progress: &dyn Progress,
) -> Result<Draft> {
    advance(progress, "seal", 0, 0)?;
    let (parts, state) = plan_from_bytes(plan)?;
    let receipts =
        receipts.iter().map(|receipt| from_bytes("receipt", receipt)).collect::<Result<Vec<Receipt>>>()?;
    if receipts.iter().any(|receipt| receipt.plan != checksum(PLAN, plan)) {
        return Err(Error::invalid("a receipt is one for another plan"));
    }
    if !receipts.iter().map(|receipt| receipt.part as usize).eq(0..parts.len()) {
        return Err(Error::invalid("a receipt is missing, given twice, or out of order"));
    }
    let mut stock = Stock::open(vault, "seal")?.compressing(state.compression);
    let (tables, tracks) = join_tables(&state, &receipts, &mut stock, progress)?;
    let entries = tables.iter().map(catalog::entry).collect();
    let root = renew(vault, Tree::Catalog, state.parent_tables, entries, &mut stock)?;
    let tracked = tables.iter().zip(&tracks);
    let tracked = tracked
        .filter_map(|(table, track)| Some(tracking::entry(&table.name, table.id(), track.as_ref()?)))
        .collect();
    let tracking = renew(vault, Tree::Tracking, state.parent_tracking, tracked, &mut stock)?;
    let tracking = tracking.map(|root| Tracking {
        root,
        full_scan: state.full_scan,
        increments: state.increments,
        losses: state.losses.clone(),
        index: Vec::new(),
    });
    complete(vault, store, state, &receipts, &tables, (root, tracking), stock, progress)
}

/// Writes a tree of which the parent's has most.
fn renew(
    vault: &dyn Vault,
    tree: Tree,
    parent: Option<Root>,
    entries: Vec<Vec<u8>>,
    stock: &mut Stock<'_>,
) -> Result<Option<Root>> {
    let objects = Objects::over(vault, stock.index().beside());
    let old = Old { objects: &objects, failed: Cell::new(false) };
    match edits::renew(OldTree::new(tree, parent, &old), entries.iter().cloned(), stock) {
        // What cannot be read of the parent's is of no use. After an error in writing nothing goes on.
        Err(_) if old.failed.get() => {
            edits::renew(OldTree::new(tree, None, &old), entries.into_iter(), stock)
        }
        renewed => renewed,
    }
}

/// Notes whether something could not be read.
struct Old<'o, 'v> {
    objects: &'o Objects<'v>,
    failed: Cell<bool>,
}

impl Bases for Old<'_, '_> {
    fn base(&self, kind: Kind, node: &Ref) -> Result<Base> {
        self.objects.base(kind, node).inspect_err(|_| self.failed.set(true))
    }
}

/// Makes a draft of what lies in packs, all of it but what is beside the tables.
#[expect(clippy::too_many_arguments, reason = "all that a snapshot consists of")]
pub(super) fn complete(
    vault: &dyn Vault,
    store: &dyn Store,
    state: State,
    copied: &[Receipt],
    tables: &[Table],
    (root, tracking): (Option<Root>, Option<Tracking>),
    mut stock: Stock<'_>,
    progress: &dyn Progress,
) -> Result<Draft> {
    let mut schema = Schema { template: Vec::new(), types: Vec::new() };
    let mut template = store.template()?;
    loop {
        let bytes = template.read(1 << 20)?;
        if bytes.is_empty() {
            break;
        }
        schema.template.extend_from_slice(&bytes);
    }
    schema.types = tables.iter().map(|table| (table.key_type.clone(), table.value_type.clone())).collect();
    let schema = catalog::write_schema(&schema, &mut stock)?;
    let mut labels = store.notes()?;
    labels.extend(state.summary.map(|summary| ("changes".to_owned(), summary)));
    let (packs, bytes_added) = stock.finish()?;
    let copied_bytes = copied.iter().map(|receipt| receipt.bytes_added);
    let bytes_added = sum(copied_bytes.chain([bytes_added, state.bytes_added]))?;
    let copied = copied.iter().flat_map(|receipt| &receipt.packs);
    let packs: Vec<_> = copied.chain(&state.packs).chain(&packs).copied().collect();
    if !packs.is_empty() {
        add_to_index(vault, packs, &state.folding, progress).place("while the index is written")?;
    }
    advance(progress, "seal", 0, 0)?;
    let mut tracking = tracking;
    if let Some(tracking) = &mut tracking {
        tracking.index = index::begins(vault, &state.unreadable)?;
    }

    let snapshot = Snapshot {
        id: catalog::id(root),
        name: state.name,
        source: state.source,
        parent: state.parent,
        seq: state.seq,
        imported: false,
        origin: state.origin,
        time: state.time,
        position: state.position,
        tables: tables.len() as u32,
        tables_left_out: state.left_out,
        entries: sum(tables.iter().map(|table| table.entries))?,
        bytes: sum(tables.iter().map(|table| table.bytes))?,
        bytes_added,
        labels,
        root,
        schema,
        tracking,
    };
    snapshot.write_unfinished(vault)?;
    let state = to_bytes("draft", &DraftState { name: snapshot.name.clone(), newest: state.newest })?;
    Ok(Draft { snapshot, state })
}

/// The sum of what a plan and receipts say, which may be anything.
fn sum(mut counts: impl Iterator<Item = u64>) -> Result<u64> {
    let sum = counts.try_fold(0u64, u64::checked_add);
    sum.ok_or_else(|| Error::invalid("the plan and the receipts count more than a snapshot can hold"))
}

/// Makes new packs known, and puts small files together where there are many. What is put together is in the new index
/// file, durable, before the packs and index files that it came from are taken away.
pub(crate) fn add_to_index(
    vault: &dyn Vault,
    packs: Vec<Pack>,
    folding: &Folding,
    progress: &dyn Progress,
) -> Result<()> {
    let objects = Objects::open(vault)?;
    let new = packs.iter().map(|pack| u64::from(pack.objects)).sum();
    let fold = folding.choose(&objects.index(), new);
    let folded = fold.write(vault, &objects, progress)?;
    drop(objects);
    let change = Change {
        needed: packs.iter().map(|pack| pack.id).chain(folded.written.iter().copied()).collect(),
        gone: folded.gone.clone(),
        together: fold.files,
        ..Change::default()
    };
    index::update(vault, change)?;
    folded.remove(vault)
}

/// The tables with their trees, made of what the parts left, and for each what the next backup wants to know of it.
fn join_tables(
    state: &State,
    receipts: &[Receipt],
    stock: &mut Stock<'_>,
    progress: &dyn Progress,
) -> Result<(Vec<Table>, Vec<Option<Track>>)> {
    let mut copied = receipts.iter().flat_map(|receipt| &receipt.ranges).peekable();
    let mut tables = Vec::with_capacity(state.tables.len());
    let mut tracks = Vec::with_capacity(state.tables.len());
    let mut contradictions = Few::new(progress);
    for (number, table) in (0u32..).zip(&state.tables) {
        let (root, track) = match &table.done {
            Some(done) => (done.root, done.track.clone()),
            None => {
                let (mut spine, mut track) = (Spine::new(), None);
                while let Some(range) = copied.next_if(|range| range.table == number) {
                    spine.join(&range.edges, stock)?;
                    track = track.or_else(|| range.track.clone());
                }
                (spine.finish(stock).place(format_args!("table {:?}", table.name))?, track)
            }
        };
        tracks.push(track);
        let (entries, bytes) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
        check_count(&table.name, entries, table.entries)?;
        tables.push(Table {
            name: table.name.clone(),
            multimap: table.multimap,
            entries,
            bytes,
            key_type: table.key_type.clone(),
            value_type: table.value_type.clone(),
            identity: table.identity.clone(),
            root,
        });
        let id = tables.last().map(Table::id);
        if table.expected.is_some_and(|expected| id != Some(expected)) {
            let message = format!(
                "table {:?} is not what it was with the changes that the store told of; what was scanned is right, but \
                 earlier snapshots may lack changes: is the disk sound?",
                table.name
            );
            contradictions.warn(&message);
        }
    }
    contradictions.end("tables that are not what the store's changes made of them");
    if copied.next().is_some() {
        return Err(Error::invalid("the receipts are not those of the plan"));
    }
    Ok((tables, tracks))
}

/// Fails if a store did not give all entries of a table: pages were overwritten under the scan, or entries fell through
/// between marks, and the rest would be lost.
pub(crate) fn check_count(table: &str, entries: u64, counted: u64) -> Result<()> {
    if entries == counted {
        return Ok(());
    }
    Err(Error::new(
        Code::Io,
        format!(
            "the store gave {entries} entries of table {table:?} and counts {counted}; nothing was published. If the \
             database is sound, run it again"
        ),
    ))
}

/// The tables of a snapshot that is not yet published, sorted by name.
pub fn draft_tables(vault: &dyn Vault, draft: &[u8]) -> Result<Vec<Table>> {
    let snapshot = sealed(vault, &draft_state(draft)?.name)?;
    catalog::read(&Objects::open(vault)?, &snapshot)
}

fn draft_state(draft: &[u8]) -> Result<DraftState> {
    let state: DraftState = from_bytes("draft", draft)?;
    snapshot::name::check(&state.name)?;
    Ok(state)
}

/// The snapshot that will have this name.
fn sealed(vault: &dyn Vault, name: &str) -> Result<Snapshot> {
    let file = vault.open(&snapshot::unfinished(name))?;
    Snapshot::from_file(name, &file.read(0, 1 << 21)?)
}

/// The commit point: gives the snapshot its name.
pub fn publish(vault: &dyn Vault, draft: &[u8]) -> Result<Snapshot> {
    let DraftState { name, newest } = draft_state(draft)?;
    // The other run took the file of this one for garbage.
    snapshot::check_free(vault, &name)?;
    let snapshot = sealed(vault, &name)?;
    snapshot::publish(vault, &snapshot, newest, true)?;
    Ok(snapshot)
}

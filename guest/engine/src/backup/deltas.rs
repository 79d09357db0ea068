//! A backup for tests, whose new nodes are deltas of what stood in their place.

use std::collections::HashMap;

use super::seal::complete;
use super::stock::Stock;
use super::{Job, copy_table, plan_from_bytes, prepare, publish};
use crate::catalog::{self, Table};
use crate::error::Result;
use crate::id::{Id, Kind};
use crate::objects::Objects;
use crate::progress::Silent;
use crate::snapshot::{self, Snapshot};
use crate::store::Store;
use crate::tree::Put;
use crate::tree::node::{Root, refs};
use crate::tree::spine::Spine;
use crate::tree::walk::Get;
use crate::vault::Vault;

/// Reads all of a store. A node that is new is handed over with the node of its level that follows the last one that
/// both have, in the snapshot before it of the same source.
pub fn backup_with_deltas(vault: &dyn Vault, store: &dyn Store, job: &Job) -> Result<Snapshot> {
    let plan = prepare(vault, store, &Job { parts: 1, ..job.clone() }, &Silent)?;
    let (_, state) = plan_from_bytes(&plan.state)?;
    let objects = Objects::open(vault)?;
    let parent = state.parent.as_deref().map(|name| snapshot::read(vault, name)).transpose()?;
    let old = parent.as_ref().and_then(|parent| catalog::read(&objects, parent).ok()).unwrap_or_default();
    let mut stock = Stock::open(vault, "seal")?.compressing(state.compression);
    let mut tables: Vec<Table> = Vec::new();
    for table in store.tables()? {
        let name = |planned: &super::PlannedTable| planned.name == table.name;
        let Some(planned) = state.tables.iter().find(|planned| name(planned)) else { continue };
        let root = old.iter().find(|old| old.name == table.name).and_then(|old| old.root);
        let mut put = Deltas::new(&mut stock, &objects, |level| Kind::Node { level }, root);
        let edges = copy_table(store, &table, &mut put, "copy", &Silent)?;
        let mut spine = Spine::new();
        spine.join(&edges, &mut put)?;
        let root = spine.finish(&mut put)?;
        let (entries, bytes) = root.map_or((0, 0), |root| (root.node.entries, root.node.bytes));
        tables.push(Table {
            name: table.name,
            multimap: table.multimap,
            entries,
            bytes,
            key_type: planned.key_type.clone(),
            value_type: planned.value_type.clone(),
            identity: table.identity,
            root,
        });
    }
    let root = parent.and_then(|parent| parent.root);
    let mut put = Deltas::new(&mut stock, &objects, |level| Kind::Catalog { level }, root);
    let root = catalog::write(&tables, &mut put)?;
    drop(objects);
    let draft = complete(vault, store, state, &[], &tables, (root, None), stock, &Silent)?;
    publish(vault, &draft.state)
}

/// A backup of these tables, whose trees are made out of those that are there.
#[cfg(test)]
pub(crate) fn complete_increment(
    vault: &dyn Vault,
    store: &dyn Store,
    job: &Job,
    tables: impl FnOnce(&Objects<'_>, &mut dyn Put) -> Vec<Table>,
) -> Result<Snapshot> {
    let plan = prepare(vault, store, job, &Silent)?;
    let (_, state) = plan_from_bytes(&plan.state)?;
    let mut stock = Stock::open(vault, "seal")?.compressing(state.compression);
    let tables = tables(&Objects::open(vault)?, &mut stock);
    let root = catalog::write(&tables, &mut stock)?;
    let draft = complete(vault, store, state, &[], &tables, (root, None), stock, &Silent)?;
    publish(vault, &draft.state)
}

/// Finds the base for what is put.
struct Deltas<'s, 'a> {
    stock: &'s mut Stock<'a>,
    objects: &'s Objects<'a>,
    /// The old nodes in their order, and where each is.
    old: HashMap<Kind, Vec<Id>>,
    places: HashMap<Id, usize>,
    next: HashMap<Kind, usize>,
}

impl<'s, 'a> Deltas<'s, 'a> {
    fn new(
        stock: &'s mut Stock<'a>,
        objects: &'s Objects<'a>,
        kind: fn(u8) -> Kind,
        root: Option<Root>,
    ) -> Self {
        let mut old: HashMap<Kind, Vec<Id>> = HashMap::new();
        let mut todo: Vec<_> = root.map(|root| (root.level, root.node)).into_iter().collect();
        while let Some((level, node)) = todo.pop() {
            old.entry(kind(level)).or_default().push(node.id);
            if level > 0
                && let Ok(content) = objects.get(kind(level), &node)
                && let Ok(below) = refs(&content)
            {
                let below: Vec<_> = below.map(|below| (level - 1, below)).collect();
                todo.extend(below.into_iter().rev());
            }
        }
        let places = old.values().flat_map(|ids| ids.iter().copied().zip(0..)).collect();
        Self { stock, objects, old, places, next: HashMap::new() }
    }
}

impl Put for Deltas<'_, '_> {
    fn put(&mut self, kind: Kind, content: &[u8]) -> Result<Id> {
        let next = self.next.entry(kind).or_default();
        if let Some(place) = self.places.get(&kind.id_of(content)) {
            *next = place + 1;
            return self.stock.put(kind, content);
        }
        let old = self.old.get(&kind).and_then(|old| old.get(*next));
        *next += 1;
        match old.map(|old| self.objects.read_base(kind, *old)) {
            Some(Ok(base)) => self.stock.put_with_base(kind, content, &base),
            _ => self.stock.put(kind, content),
        }
    }
}
